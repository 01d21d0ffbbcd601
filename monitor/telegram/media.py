"""Media bytes into memory, piece by piece; never a path, never a file.

A large file is read in several pieces at a time and handed on in order. What goes wrong in the middle of it
(an expired reference, a pause, a broken link to its data centre) is mended, and reading goes on where it was.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

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
from monitor.model import PendingMedia
from monitor.telegram.connection import Connection
from monitor.telegram.datacentres import DataCentres, LinkLost
from monitor.telegram.locations import Location, Locations, References, locations_of
from monitor.telegram.pace import Pace

log = logging.getLogger(__name__)

PIECES = 4
"""Pieces of one file that are asked for, or wait to be hashed, at the same time: 2 MiB in memory."""
AT_ONCE = 8
"""Requests for pieces of all files of one account that are on their way at the same time."""
TRIES = 5
"""How often in a row one piece is asked for before its file is put aside."""
LONGEST_PAUSE = 30.0
"""Seconds between two tries: 1 at first, doubled each time."""

_END_OF_IMAGE = b"\xff\xd9"
_EXPIRED = (
    FileReferenceEmptyError,
    FileReferenceExpiredError,
    FileReferenceInvalidError,
    FilerefUpgradeNeededError,
)


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
            found = locations_of(getattr(message, "media", None))
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
