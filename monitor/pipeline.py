"""record → fetch → hash → match → flag, each a call that takes frozen values and returns frozen values.

Nothing flows back but a durable state: media that waits stays in the store until its outcome is there, so
a restart goes on where the last run ended. Bytes never queue; ids do.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from monitor.errors import FloodWait, ItemError, MediaEmpty, MediaGone, MediaTooLarge, MediaUndecodable
from monitor.model import (
    Batch,
    ChannelId,
    Examined,
    MediaHashes,
    MediaId,
    MediaOutcome,
    PendingMedia,
    Recorded,
)
from monitor.ports import Hasher, Matcher, Source, Store

log = logging.getLogger(__name__)

GROUP = 50
"""Batches that go into one transaction at most."""
AHEAD = 2
"""Transactions that are on their way at the same time."""
WAITING = 200
"""Batches that may wait for the store before those who can wait are held up."""
MOST_WAITING = 10_000
"""Batches that may wait in all; what comes live cannot be held up."""

Handed = tuple[Batch, "asyncio.Future[None]"]


class Recorder:
    """The one that writes messages: batches from all channels, grouped into few transactions."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queue: asyncio.Queue[Handed | None] = asyncio.Queue()
        self._room = asyncio.Condition()
        self._closed = False
        self.media: Callable[[], None] = lambda: None
        """Told whenever media may wait to be fetched."""
        self.lagging: Callable[[frozenset[ChannelId]], None] = lambda channels: None
        """Told of channels that have a gap above their cursor."""
        self.new = 0
        """Messages recorded for the first time since the start."""

    async def record(self, batch: Batch) -> "asyncio.Future[None]":
        """Hand a batch over; the result resolves when it is durable. Waits while too many are waiting."""
        async with self._room:
            await self._room.wait_for(lambda: self._queue.qsize() < WAITING)
        return self._put(batch)

    def offer(self, batch: Batch) -> bool:
        """Hand a batch over without waiting, behind those handed over before; False when too many are waiting."""
        if self._queue.qsize() >= MOST_WAITING:
            return False
        self._put(batch)
        return True

    def _put(self, batch: Batch) -> "asyncio.Future[None]":
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait((batch, done))
        return done

    async def run(self) -> None:
        """Write until `close` is called. When cancelled instead, what was not yet durable is simply not there:
        cursors did not move either, so the next run asks for it again."""
        # One transaction is prepared and on its way while the one before is written. The store takes them in order.
        room = asyncio.Semaphore(AHEAD)
        async with asyncio.TaskGroup() as tasks:
            while (group := await self._group()) is not None:
                await room.acquire()
                writing = tasks.create_task(self._write(group), name="write")
                writing.add_done_callback(lambda _: room.release())

    async def close(self) -> None:
        """Have `run` write what was handed over and return."""
        await self._queue.put(None)

    async def _group(self) -> list[Handed] | None:
        """The next batches, waiting for the first; None at the end."""
        if self._closed:
            return None
        group: list[Handed] = []
        while len(group) < GROUP and (not group or not self._queue.empty()):
            handed = await self._queue.get()
            if handed is None:
                self._closed = True
                break
            group.append(handed)
        async with self._room:
            self._room.notify_all()
        return group or None

    async def _write(self, group: Sequence[Handed]) -> None:
        self._settle(group, await self._store.record([batch for batch, _ in group]))

    def _settle(self, group: Sequence[Handed], recorded: Recorded) -> None:
        self.new += recorded.new
        if recorded.media_pending:
            self.media()
        if recorded.lagging:
            self.lagging(recorded.lagging)
        for _, done in group:
            if not done.cancelled():
                done.set_result(None)


@dataclass(frozen=True, slots=True)
class Limits:
    """What media may cost: bytes of one item, bytes in memory at once, items at once; PDQ quality that counts."""

    max_bytes: int
    in_flight: int
    at_once: int = 8
    min_quality: int = 50


class Room:
    """A number of bytes that may be in memory at once; those who want more wait."""

    def __init__(self, size: int) -> None:
        self._size = self._free = size
        self._changed = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def of(self, wanted: int) -> AsyncIterator[None]:
        """Hold `wanted` bytes for as long as the block lasts; never more than there is in all."""
        amount = min(wanted, self._size)
        async with self._changed:
            await self._changed.wait_for(lambda: self._free >= amount)
            self._free -= amount
        try:
            yield
        finally:
            async with self._changed:
                self._free += amount
                self._changed.notify_all()


@dataclass(slots=True)
class Examiner:
    """Fetches what waits, hashes it, compares it and settles it; one for each account."""

    store: Store
    source: Source
    hasher: Hasher
    matcher: Matcher
    limits: Limits
    clock: Callable[[], datetime]
    wake: asyncio.Event
    channels: Callable[[], Sequence[ChannelId]]
    _busy: set[MediaId] = field(default_factory=set)
    _room: Room = field(init=False)

    def __post_init__(self) -> None:
        self._room = Room(self.limits.in_flight)

    async def run(self) -> None:
        """Work until cancelled. Raises what ends the connection: SourceUnavailable, SessionRevoked."""
        queue: asyncio.Queue[PendingMedia] = asyncio.Queue(self.limits.at_once)
        async with asyncio.TaskGroup() as tasks:
            for number in range(self.limits.at_once):
                tasks.create_task(self._work(queue), name=f"media:{number}")
            while True:
                self.wake.clear()
                waiting = await self.store.pending_media(self.channels(), 256)
                fresh = [item for item in waiting if item.media_id not in self._busy]
                for item in fresh:
                    self._busy.add(item.media_id)
                    await queue.put(item)
                if not fresh:
                    await self.wake.wait()

    async def _work(self, queue: "asyncio.Queue[PendingMedia]") -> None:
        while True:
            item = await queue.get()
            try:
                flags = await self.store.examined(await self.examine(item))
                if flags:
                    log.info("flag raised", extra={"media": item.media_id, "flags": flags})
            except FloodWait as e:
                # It stays pending in the store; this worker alone waits.
                log.warning("media is paused by the platform", extra={"seconds": e.seconds})
                await asyncio.sleep(e.seconds)
            finally:
                self._busy.discard(item.media_id)
                self.wake.set()

    async def examine(self, item: PendingMedia) -> Examined:
        """One item from the wire to its outcome. What goes wrong with the item is its outcome."""
        fetched, rendition = 0, None
        try:
            if (item.media.size or 0) > self.limits.max_bytes:
                raise MediaTooLarge("larger than media.max_bytes")
            download = await self.source.locate(item)
            rendition = download.rendition
            hashing = self.hasher.start()
            async with self._room.of(download.size):
                async for chunk in download.chunks():
                    fetched += len(chunk)
                    if fetched > self.limits.max_bytes:
                        raise MediaTooLarge("larger than announced, and than media.max_bytes")
                    await hashing.feed(chunk)
                hashes = await hashing.finish()
        except ItemError as e:
            return Examined(item.media_id, _outcome_of(e), self.clock(), fetched, rendition)
        matches = self.matcher.match(hashes)
        outcome = MediaOutcome.MATCH if matches else self._without_match(hashes)
        return Examined(item.media_id, outcome, self.clock(), fetched, rendition, matches)

    def _without_match(self, hashes: MediaHashes) -> MediaOutcome:
        if hashes.undecodable:
            return MediaOutcome.UNDECODABLE
        if hashes.quality is not None and hashes.quality < self.limits.min_quality:
            return MediaOutcome.LOW_QUALITY
        return MediaOutcome.NO_MATCH


_OUTCOMES: dict[type[ItemError], MediaOutcome] = {
    MediaGone: MediaOutcome.GONE,
    MediaTooLarge: MediaOutcome.TOO_LARGE,
    MediaUndecodable: MediaOutcome.UNDECODABLE,
    MediaEmpty: MediaOutcome.EMPTY,
}


def _outcome_of(error: ItemError) -> MediaOutcome:
    return _OUTCOMES.get(type(error), MediaOutcome.FAILED)
