"""Media bytes into memory, piece by piece; never a path, never a file.

A large file is read in several pieces at a time and handed on in order. What goes wrong in the middle of it
(an expired reference, a pause, a broken link to its data centre) is mended, and reading goes on where it was.
"""

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from telethon.errors import (
    FileMigrateError,
    FileReferenceEmptyError,
    FileReferenceExpiredError,
    FileReferenceInvalidError,
    FilerefUpgradeNeededError,
    FloodPremiumWaitError,
    RPCError,
)
from telethon.tl import functions, types

from monitor.errors import (
    ChannelError,
    FloodWait,
    MediaGone,
    MediaOnCdn,
    MediaUnavailable,
    MonitorError,
    SourceUnavailable,
)
from monitor.model import MediaId, PendingMedia
from monitor.telegram.connection import Connection
from monitor.telegram.convert import PhotoSize, photo_sizes
from monitor.telegram.datacentres import DataCentres, LinkLost
from monitor.telegram.pace import Pace

log = logging.getLogger(__name__)

CHUNK = 512 * 1024
"""Bytes a request; divides 1 MiB, and so do all offsets, as the platform wants it
(https://core.telegram.org/api/files#downloading-files)."""
PIECES = 4
"""Pieces of one file that are asked for, or wait to be hashed, at the same time: 2 MiB in memory."""
AT_ONCE = 8
"""Requests for pieces of all files of one account that are on their way at the same time."""
TRIES = 5
"""How often in a row one piece is asked for before its file is put aside."""
LEAST_SIDE = 120
"""Pixels along the shorter side of a rendition that can stand for its original: PDQ takes 64 samples of it."""
MAX_SIDE = 65_535
"""Pixels that a side of a JPEG can have."""
SCANS = 2
"""First scans of a progressive picture that can stand for it: with one alone its hash is too far off."""
LONGEST_PAUSE = 30.0
"""Seconds between two tries: 1 at first, doubled each time."""

_EXPIRED = (
    FileReferenceEmptyError,
    FileReferenceExpiredError,
    FileReferenceInvalidError,
    FilerefUpgradeNeededError,
)


@dataclass(frozen=True, slots=True)
class Location:
    """Where an item can be fetched, for an hour or so: references expire, so it is never stored.

    `original_size` and `prefix` belong to a smaller rendition: the first `size` bytes of a progressive picture,
    where it is a prefix.
    """

    place: Any
    dc: int
    size: int
    rendition: str
    original_size: tuple[int, int] | None = None
    prefix: bool = False

    @property
    def piece(self) -> int:
        """Bytes to ask for at a time: no more than needed of a picture of which the beginning is read."""
        return min(CHUNK, max(4096, 1 << (self.size - 1).bit_length())) if self.prefix else CHUNK


@dataclass(frozen=True, slots=True)
class Locations:
    """Where an item lies in its largest size, and in the least that shows what its hashes are, if there is one."""

    full: Location
    small: Location | None = None

    def of(self, *, small: bool) -> Location:
        """The one that is wanted, as far as there is one."""
        return self.small if small and self.small is not None else self.full


class References:
    """The locations seen most lately, so that a message just read need not be asked for again."""

    def __init__(self, most: int = 10_000) -> None:
        self._known: OrderedDict[MediaId, Locations] = OrderedDict()
        self._most = most

    def remember(self, message: Any) -> None:
        """Note where a message's media lies."""
        found = _locations(getattr(message, "media", None))
        if found is not None:
            media_id, locations = found
            self._known[media_id] = locations
            self._known.move_to_end(media_id)
            if len(self._known) > self._most:
                self._known.popitem(last=False)

    def take(self, media_id: MediaId, *, small: bool) -> Location | None:
        """The location, which is forgotten: it is used once, at once. The full size may be wanted after a small one."""
        found = self._known.get(media_id)
        if found is None:
            return None
        wanted = found.of(small=small)
        if wanted is found.full:
            del self._known[media_id]
        return wanted


class Downloads:
    """A `ports.Source`: one connected account as a source of media."""

    def __init__(self, connection: Connection, references: References, at_once: int = AT_ONCE) -> None:
        self._connection = connection
        self._references = references
        self._centres = DataCentres(connection)
        self.pace = Pace(at_once)

    async def locate(self, pending: PendingMedia, *, small: bool = False) -> "Download":
        """See ports.Source."""
        location = self._references.take(pending.media_id, small=small)
        return Download(self, pending, location or (await self.refresh(pending)).of(small=small))

    async def refresh(self, pending: PendingMedia) -> Locations:
        """Fresh locations, through the message. Raises MediaGone when it does not carry the item any more."""
        access = self._connection.session.peers.get(pending.channel_id)
        if access is None:
            raise MediaGone("the account has no access to the channel")
        answer = await self._connection.call(
            functions.channels.GetMessagesRequest(
                types.InputChannel(pending.channel_id, access), [types.InputMessageID(pending.message_id)]
            )
        )
        for message in answer.messages:
            found = _locations(getattr(message, "media", None))
            if found is not None and found[0] == pending.media_id:
                return found[1]
        raise MediaGone("the message no longer carries it")

    async def read(self, location: Location, offset: int) -> bytes:
        """Up to `location.piece` bytes from `offset` on; fewer at the end. One request, in its turn."""
        request = functions.upload.GetFileRequest(location.place, offset, location.piece)
        async with self.pace.turn() as turn:
            try:
                answer = await self._centres.call(location.dc, request)
            except FloodWait as e:
                # The pause itself is obeyed like any other; after it fewer requests leave at once for a while.
                if isinstance(e.__cause__, FloodPremiumWaitError) and self.pace.slow(turn):
                    log.warning(
                        "downloads are slowed down by the platform", extra={"at_once": self.pace.limit}
                    )
                raise
            if not isinstance(answer, types.upload.File):
                raise MediaOnCdn("the file is given out only by a content delivery network")
            self.pace.arrived()
            return bytes(answer.bytes)


class Download:
    """A `ports.Download`."""

    def __init__(self, downloads: Downloads, pending: PendingMedia, location: Location) -> None:
        self._downloads = downloads
        self._pending = pending
        self._location = location
        self._renewing = asyncio.Lock()
        self.rendition = location.rendition
        self.size = location.size
        self.original_size = location.original_size

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """See ports.Download."""
        prefix, left = self._location.prefix, self.size
        async with aclosing(self._pieces()) as pieces:
            async for piece in pieces:
                yield piece[:left] if prefix else piece
                left -= len(piece)
                if prefix and left <= 0:
                    # The marker of the end: the scans so far are a whole picture.
                    yield _END_OF_IMAGE
                    return

    async def _pieces(self) -> AsyncGenerator[bytes, None]:
        length = self._location.piece
        asked = given = 0
        ahead: deque[asyncio.Task[bytes]] = deque()
        try:
            while given != self.size:
                # The first piece goes alone: it shows whether reference and data centre are right. What is
                # longer than announced is read on, one piece after the other.
                most, end = PIECES if given else 1, max(self.size, given + 1)
                while len(ahead) < most and asked < end:
                    ahead.append(asyncio.create_task(self._piece(asked), name=f"piece:{asked}"))
                    asked += length
                piece = await ahead.popleft()
                given += len(piece)
                if piece:
                    yield piece
                if len(piece) < length:
                    return
        finally:
            for task in ahead:
                task.cancel()
            await asyncio.gather(*ahead, return_exceptions=True)

    async def _piece(self, offset: int) -> bytes:
        piece = await self._read(offset)
        if len(piece) < min(self._location.piece, self.size - offset):
            # Shorter than announced: the file ends here when the platform says so twice.
            piece = max(piece, await self._read(offset), key=len)
        return piece

    async def _read(self, offset: int) -> bytes:
        tries = 0
        while True:
            location = self._location
            try:
                return await self._downloads.read(location, offset)
            except FloodWait as e:
                await asyncio.sleep(e.seconds)
            except MonitorError as e:
                tries += 1
                await self._mend(location, e, tries)

    async def _mend(self, location: Location, error: MonitorError, tries: int) -> None:
        """Do away with what went wrong. Raises what cannot be mended."""
        cause = error.__cause__
        expired, moved = isinstance(cause, _EXPIRED), isinstance(cause, FileMigrateError)
        passing = isinstance(error, SourceUnavailable) and isinstance(error.__cause__, RPCError)
        if isinstance(error, ChannelError) and not (expired or moved):
            # The platform's refusal to give one file concerns that file, not its channel.
            raise MediaGone("the platform does not give the file") from error
        if not (expired or moved or passing or isinstance(error, LinkLost)):
            raise error
        if tries >= TRIES:
            raise MediaUnavailable("the platform does not give the file now") from error
        if expired:
            await self._renew(location)
        elif isinstance(cause, FileMigrateError):
            if self._location is location:
                self._location = replace(location, dc=cause.new_dc)
        else:
            await asyncio.sleep(min(2.0 ** (tries - 1), LONGEST_PAUSE))

    async def _renew(self, expired: Location) -> None:
        """A fresh reference: asked for once, however many pieces found the old one expired."""
        async with self._renewing:
            if self._location is expired:
                found = await self._downloads.refresh(self._pending)
                fresh = found.of(small=self.original_size is not None)
                if (fresh.rendition, fresh.size) != (self.rendition, self.size):
                    raise MediaGone("the message no longer carries it in the size that was begun")
                self._location = fresh


_END_OF_IMAGE = b"\xff\xd9"


def _locations(media: Any) -> tuple[MediaId, Locations] | None:
    if isinstance(media, types.MessageMediaPhoto) and isinstance(media.photo, types.Photo):
        sizes = photo_sizes(media.photo)
        if not sizes:
            return None
        return MediaId(media.photo.id), _photo_locations(media.photo, sizes)
    if isinstance(media, types.MessageMediaDocument) and isinstance(media.document, types.Document):
        document = media.document
        place = types.InputDocumentFileLocation(
            document.id, document.access_hash, document.file_reference, ""
        )
        return MediaId(document.id), Locations(Location(place, document.dc_id, document.size, "document"))
    return None


def _photo_locations(photo: Any, sizes: Sequence[PhotoSize]) -> Locations:
    def location(size: PhotoSize) -> Location:
        place = types.InputPhotoFileLocation(photo.id, photo.access_hash, photo.file_reference, size.letter)
        return Location(place, photo.dc_id, size.size, size.letter)

    largest = sizes[-1]
    original, full = (largest.width, largest.height), location(largest)
    shown = [s for s in sizes if min(s.width, s.height) >= LEAST_SIDE]
    smaller = [replace(location(s), original_size=original) for s in shown if s is not largest] + [
        replace(
            location(s),
            size=s.prefixes[SCANS - 1],
            rendition=f"{s.letter}:{SCANS}",
            original_size=original,
            prefix=True,
        )
        for s in shown
        if len(s.prefixes) > SCANS
    ]
    small = min(
        (found for found in smaller if 0 < found.size < full.size), key=lambda found: found.size, default=None
    )
    # Sizes are the platform's word, and what no picture can have is not passed on.
    return Locations(full, small if all(1 <= side <= MAX_SIDE for side in original) else None)
