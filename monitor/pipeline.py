"""fetch → hash → match → flag, each a call that takes frozen values and returns frozen values.

Nothing flows back but a durable state: media that waits stays in the store until its outcome is there, so
a restart goes on where the last run ended. Bytes never queue; ids do.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime

from monitor.errors import (
    ChannelError,
    FloodWait,
    ItemError,
    MediaEmpty,
    MediaGone,
    MediaOnCdn,
    MediaTooLarge,
    MediaUnavailable,
    MediaUndecodable,
)
from monitor.fetching import Fetching
from monitor.model import (
    ChannelId,
    Examined,
    Match,
    MediaHashes,
    MediaId,
    MediaKind,
    MediaOutcome,
    PendingMedia,
)
from monitor.ports import Download, Hasher, Matcher, Source, Store

log = logging.getLogger(__name__)

FIRST_ASIDE, LONGEST_ASIDE = 60.0, 3600.0
"""Seconds for which an item that the platform does not give now is left alone: doubled each time."""
LOOK_AGAIN = 10.0
"""Seconds after which an idle account looks for media that waits."""
UNSETTLED = 64
"""Outcomes of one account that the store may still have to take."""


@dataclass(slots=True)
class Examiner:
    """Fetches what waits, hashes it, compares it and settles it; one for each account."""

    store: Store
    source: Source
    hasher: Hasher
    matcher: Matcher
    fetching: Fetching
    clock: Callable[[], datetime]
    wake: asyncio.Event
    channels: Callable[[], Sequence[ChannelId]]
    _mine: set[MediaId] = field(default_factory=set)
    _aside: dict[MediaId, int] = field(default_factory=dict)
    _unsettled: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(UNSETTLED))

    async def run(self) -> None:
        """Work until cancelled. Raises what ends the connection: SourceUnavailable, SessionRevoked."""
        at_once = self.fetching.limits.at_once
        self.fetching.wakes.add(self.wake)
        queue: asyncio.Queue[PendingMedia] = asyncio.Queue(at_once)
        try:
            async with asyncio.TaskGroup() as tasks:
                for number in range(at_once):
                    tasks.create_task(self._work(queue, tasks), name=f"media:{number}")
                while True:
                    self.wake.clear()
                    if not await self._list(queue):
                        # Other processes let media wait too, and nobody wakes this one for them.
                        with contextlib.suppress(TimeoutError):
                            async with asyncio.timeout(LOOK_AGAIN):
                                await self.wake.wait()
        finally:
            self.fetching.wakes.discard(self.wake)
            self.fetching.give_back(self._mine)

    async def _list(self, queue: "asyncio.Queue[PendingMedia]") -> bool:
        """Queue what waits and nobody has; whether there was any."""
        found = False
        with self.fetching.listing() as settled:
            for item in await self.store.pending_media(self.channels(), 256):
                if item.media_id in self.fetching.busy or item.media_id in settled:
                    continue
                self.fetching.busy.add(item.media_id)
                self._mine.add(item.media_id)
                await queue.put(item)
                found = True
        return found

    async def _work(self, queue: "asyncio.Queue[PendingMedia]", tasks: asyncio.TaskGroup) -> None:
        while True:
            item = await queue.get()
            try:
                outcome = await self.examine(item)
            except FloodWait as e:
                # It stays pending in the store; this worker alone waits.
                log.warning("media is paused by the platform", extra={"seconds": e.seconds})
                await asyncio.sleep(e.seconds)
                self._give_back(item.media_id)
            except (MediaUnavailable, ChannelError):
                # It stays pending too. A channel that is the trouble is stopped by those who watch over it.
                before = self._aside.get(item.media_id, 0)
                self._aside[item.media_id] = before + 1
                pause = min(FIRST_ASIDE * 2**before, LONGEST_ASIDE)
                log.warning(
                    "media is put aside: the platform does not give it now",
                    extra={"media": item.media_id, "seconds": int(pause)},
                )
                tasks.create_task(self._leave(item.media_id, pause), name=f"aside:{item.media_id}")
            else:
                # The next item does not wait for the disk: outcomes that come together are kept together.
                await self._unsettled.acquire()
                tasks.create_task(self._settle(outcome), name=f"settle:{item.media_id}")

    async def _settle(self, outcome: Examined) -> None:
        try:
            flags = await self.store.examined(outcome)
        finally:
            self._unsettled.release()
        if flags:
            log.info("flag raised", extra={"media": outcome.media_id, "flags": flags})
        self._aside.pop(outcome.media_id, None)
        self._mine.discard(outcome.media_id)
        self.fetching.settle(outcome.media_id)
        self.wake.set()

    async def _leave(self, media_id: MediaId, pause: float) -> None:
        await asyncio.sleep(pause)
        self._give_back(media_id)

    def _give_back(self, media_id: MediaId) -> None:
        self._mine.discard(media_id)
        self.fetching.give_back([media_id])

    async def examine(self, item: PendingMedia) -> Examined:
        """One item from the wire to its outcome. What goes wrong with the item is its outcome."""
        limits = self.fetching.limits
        matches: tuple[Match, ...] = ()
        if item.media.kind not in limits.kinds:
            seen, outcome = _Seen(), MediaOutcome.KIND_OFF
        else:
            seen = await self._seen(item)
            matches = await self._matches(seen)
            outcome = MediaOutcome.MATCH if matches else self._without_match(seen)
        return Examined(
            *(item.media_id, outcome, self.clock(), seen.fetched, seen.rendition, matches),
            *(item.channel_id, item.message_id),
        )

    async def _seen(self, item: PendingMedia) -> "_Seen":
        """The item as it is to be decided on: of photos a small size, and the full one where that has to decide."""
        screens = (
            self.fetching.limits.screen and item.media.kind is MediaKind.PHOTO and self.matcher.perceptual
        )
        seen = await self._read(item, small=screens)
        if not seen.smaller or not self._confirms(seen):
            return seen
        full = await self._read(item, small=False)
        # A match that is gone before it could be confirmed is one all the same.
        decides = seen if full.hashes is None and await self._matches(seen) else full
        return replace(decides, fetched=seen.fetched + full.fetched)

    async def _read(self, item: PendingMedia, *, small: bool) -> "_Seen":
        limits = self.fetching.limits
        fetched, download = 0, None
        try:
            if not small and (item.media.size or 0) > limits.max_bytes:
                raise MediaTooLarge("larger than media.max_bytes")
            download = await self.source.locate(item, small=small)
            hashing = self.hasher.start(download.original_size, films=self.matcher.films)
            async with self.fetching.room.of(download.size), aclosing(download.chunks()) as chunks:
                async for chunk in chunks:
                    fetched += len(chunk)
                    if fetched > limits.max_bytes:
                        raise MediaTooLarge("larger than announced, and than media.max_bytes")
                    await hashing.feed(chunk)
                hashes = await hashing.finish()
        except ItemError as e:
            return _Seen(download, fetched, failed=_outcome_of(e))
        return _Seen(download, fetched, hashes, whole=fetched >= download.size)

    async def _matches(self, seen: "_Seen") -> tuple[Match, ...]:
        if seen.hashes is None:
            return ()
        if seen.hashes.frames:
            # Thousands of searches: seconds, in long lists.
            return await asyncio.to_thread(self.matcher.match, seen.hashes)
        return self.matcher.match(seen.hashes)

    def _confirms(self, seen: "_Seen") -> bool:
        """Whether the full size is to decide. A rendition that cannot be read, or is not there, says nothing."""
        if seen.hashes is None or seen.hashes.undecodable:
            return True
        return self.fetching.limits.fetch_suspected and self.matcher.suspects(seen.hashes)

    def _without_match(self, seen: "_Seen") -> MediaOutcome:
        hashes = seen.hashes
        if hashes is None:
            return seen.failed
        if not seen.whole:
            return MediaOutcome.INCOMPLETE
        if hashes.undecodable:
            return MediaOutcome.UNDECODABLE
        if hashes.partial:
            return MediaOutcome.PARTIAL
        quality = hashes.best_quality
        if quality is not None and quality < self.fetching.limits.min_quality:
            return MediaOutcome.LOW_QUALITY
        return MediaOutcome.NO_MATCH


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was read of an item: its hashes, or None and why; whether all bytes came that were announced."""

    download: Download | None = None
    fetched: int = 0
    hashes: MediaHashes | None = None
    whole: bool = False
    failed: MediaOutcome = MediaOutcome.FAILED

    @property
    def rendition(self) -> str | None:
        return None if self.download is None else self.download.rendition

    @property
    def smaller(self) -> bool:
        return self.download is not None and self.download.original_size is not None


_OUTCOMES: dict[type[ItemError], MediaOutcome] = {
    MediaGone: MediaOutcome.GONE,
    MediaTooLarge: MediaOutcome.TOO_LARGE,
    MediaUndecodable: MediaOutcome.UNDECODABLE,
    MediaEmpty: MediaOutcome.EMPTY,
    MediaOnCdn: MediaOutcome.ON_CDN,
}


def _outcome_of(error: ItemError) -> MediaOutcome:
    return _OUTCOMES.get(type(error), MediaOutcome.FAILED)
