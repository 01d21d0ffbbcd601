"""Media bytes into memory, piece by piece; never a path, never a file."""

from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from telethon.errors import FileReferenceExpiredError, FilerefUpgradeNeededError
from telethon.tl import functions, types

from monitor.errors import ChannelError, FloodWait, MediaGone, MonitorError
from monitor.model import MediaId, PendingMedia
from monitor.telegram.client import PATIENCE, Connection
from monitor.telegram.convert import photo_size

CHUNK = 512 * 1024
"""Bytes a request; divides 1 MiB, as the platform wants it."""
ATTEMPTS = 3
"""How often a reference is renewed for one item before it counts as unavailable."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where an item can be fetched, for an hour or so: references expire, so it is never stored."""

    place: Any
    dc: int
    size: int
    rendition: str


class References:
    """The locations seen most lately, so that a message just read need not be asked for again."""

    def __init__(self, most: int = 10_000) -> None:
        self._known: OrderedDict[MediaId, Location] = OrderedDict()
        self._most = most

    def remember(self, message: Any) -> None:
        """Note where a message's media lies."""
        found = _location(getattr(message, "media", None))
        if found is not None:
            media_id, location = found
            self._known[media_id] = location
            self._known.move_to_end(media_id)
            if len(self._known) > self._most:
                self._known.popitem(last=False)

    def take(self, media_id: MediaId) -> Location | None:
        """The location, which is forgotten: it is used once, at once."""
        return self._known.pop(media_id, None)


class Downloads:
    """A `ports.Source`: one connected account as a source of media."""

    def __init__(self, connection: Connection, references: References) -> None:
        self._connection = connection
        self._references = references

    async def locate(self, pending: PendingMedia) -> "Download":
        """See ports.Source."""
        location = self._references.take(pending.media_id) or await self.refresh(pending)
        return Download(self, self._connection, pending, location)

    async def refresh(self, pending: PendingMedia) -> Location:
        """A fresh location, through the message. Raises MediaGone when it does not carry the item any more."""
        access = self._connection.session.peers.get(pending.channel_id)
        if access is None:
            raise MediaGone("the account has no access to the channel")
        answer = await self._connection.call(
            functions.channels.GetMessagesRequest(
                types.InputChannel(pending.channel_id, access), [types.InputMessageID(pending.message_id)]
            )
        )
        for message in answer.messages:
            found = _location(getattr(message, "media", None))
            if found is not None and found[0] == pending.media_id:
                return found[1]
        raise MediaGone("the message no longer carries it")


class Download:
    """A `ports.Download`."""

    def __init__(
        self, downloads: Downloads, connection: Connection, pending: PendingMedia, location: Location
    ) -> None:
        self._downloads = downloads
        self._connection = connection
        self._pending = pending
        self._location = location

    @property
    def rendition(self) -> str:
        return self._location.rendition

    @property
    def size(self) -> int:
        return self._location.size

    async def chunks(self) -> AsyncIterator[bytes]:
        """See ports.Download. Goes on where it was when a reference expires or a short pause is asked for."""
        offset, attempts = 0, 0
        while self._location.size > 0:
            source = self._connection.client.iter_download(
                self._location.place,
                offset=offset,
                request_size=CHUNK,
                dc_id=self._location.dc,
                file_size=self._location.size,
            )
            try:
                while (chunk := await self._connection.next_chunk(source)) is not None:
                    offset += len(chunk)
                    yield chunk
                return
            except MonitorError as e:
                if isinstance(e, FloodWait) and e.seconds <= PATIENCE:
                    continue
                attempts += 1
                if attempts >= ATTEMPTS or not _expired(e):
                    raise _unavailable(e) from e
                self._location = await self._downloads.refresh(self._pending)
            finally:
                await source.close()


def _expired(error: MonitorError) -> bool:
    return isinstance(error.__cause__, FileReferenceExpiredError | FilerefUpgradeNeededError)


def _unavailable(error: MonitorError) -> MonitorError:
    """The platform's refusal to give one file concerns that file, not its channel."""
    if isinstance(error, ChannelError):
        return MediaGone("the platform does not give the file")
    return error


def _location(media: Any) -> tuple[MediaId, Location] | None:
    if isinstance(media, types.MessageMediaPhoto) and isinstance(media.photo, types.Photo):
        photo = media.photo
        size = photo_size(photo)
        if size is None:
            return None
        letter, _, _, count = size
        place = types.InputPhotoFileLocation(photo.id, photo.access_hash, photo.file_reference, letter)
        return MediaId(photo.id), Location(place, photo.dc_id, count, letter)
    if isinstance(media, types.MessageMediaDocument) and isinstance(media.document, types.Document):
        document = media.document
        place = types.InputDocumentFileLocation(
            document.id, document.access_hash, document.file_reference, ""
        )
        return MediaId(document.id), Location(place, document.dc_id, document.size, "document")
    return None
