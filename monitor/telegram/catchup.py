"""One channel from where it stands on record to where the platform stands: begin, changes, holes, what is stale.

What is missing is known before it is asked for: the newest id is put on record first, so that the ledger shows
the holes from then on, and each page fills some. docs/decisions/0006 says why nothing can be lost on the way.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

from monitor.model import Backfill, Batch, ChannelId, Coverage, MessageId, Source, Span
from monitor.ports import Store
from monitor.telegram import changes, history
from monitor.telegram.changes import LIMIT, TooLong
from monitor.telegram.connection import Connection
from monitor.telegram.history import Contexts, Newest
from monitor.telegram.live import Live
from monitor.telegram.locations import References

SLICE = 50
"""Pages of one channel before others that wait get their turn."""
UNWRITTEN = 20
"""Pages that may wait for the store while the next are fetched; they share a transaction."""

Record = Callable[[Batch], Awaitable["asyncio.Future[None]"]]
"""Hands a batch to the recorder; the future resolves when it is durable."""
Progress = Callable[[int, int], None]
"""Told how many ids of a channel are accounted for, of how many."""


@dataclass(frozen=True, slots=True)
class Reached:
    """What a turn came to: nothing is missing, or there is more and it got further."""

    complete: bool
    more: bool


def complete(coverage: Coverage, backfill: Backfill) -> bool:
    """Whether nothing of a channel has to be asked for, as far as is known."""
    return coverage.cursor >= coverage.top and coverage.stale is None and not _widens(coverage, backfill)


def _widens(coverage: Coverage, backfill: Backfill) -> bool:
    """Whether all of the past is wanted where only some was before. Other bounds hold from the beginning on."""
    return coverage.start > 1 and backfill == Backfill()


@dataclass(frozen=True, slots=True)
class CatchUp:
    """Catches up with the channels of one connection."""

    connection: Connection
    store: Store
    live: Live
    record: Record
    contexts: Contexts
    references: References

    async def run(
        self,
        channel: ChannelId,
        newest: Newest | None,
        *,
        backfill: Backfill,
        ask: bool = True,
        progress: Progress = lambda done, total: None,
        others_wait: Callable[[], bool] = lambda: True,
    ) -> "Reached":
        """Take in what the channel has that is not on record, as far as one turn goes.

        `newest` is where the platform said the channel stands; without it, or where it lies ahead, changes are
        asked for, unless `ask` says that they were a moment ago. A turn goes on beyond its length for as long as
        no `others_wait`: each new one begins with an idle platform and an idle store.

        Raises ChannelError, FloodWait, SourceUnavailable.
        """
        position = self.live.position(channel)
        coverage = await self._settled(channel)
        if coverage is None:
            await self._begin(channel, newest, backfill)
        elif ask:
            await self._changes(channel, coverage, position, newest)
        if coverage is not None and _widens(coverage, backfill):
            await self.store.begin(channel, MessageId(1), coverage.top, 0)
        before = coverage = await self._settled(channel)
        if coverage is not None and coverage.cursor < coverage.top:
            coverage = await self._fill(channel, coverage, progress, others_wait)
        elif coverage is not None and coverage.stale is not None:
            coverage = await self._refresh(channel, coverage.stale)
        if coverage is None or before is None:
            return Reached(True, False)
        done = complete(coverage, backfill)
        return Reached(done, not done and coverage != before)

    async def look(self, channel: ChannelId, ids: tuple[MessageId, ...]) -> None:
        """Read messages again for their counters; those that are gone are seen to be deleted."""
        answer = await history.by_ids(self.connection, channel, ids)
        found = [m for m in answer.messages if m.id in ids]
        context = self.contexts(Source.RECONCILE, history.position_of(answer))
        read = history.batch(channel, found, None, context, self.references)
        gone = set(ids) - {m.message_id for m in read.messages}
        await (await self.record(replace(read, deleted=tuple(sorted(gone)))))

    async def _settled(self, channel: ChannelId) -> Coverage | None:
        """How far the channel is accounted for, when all that was handed over before is written."""
        await (await self.record(Batch(channel)))
        return await self.store.coverage(channel)

    async def _begin(self, channel: ChannelId, newest: Newest | None, backfill: Backfill) -> None:
        if newest is None:
            asked = changes.newest if self.connection.session.bot else history.newest
            newest = await asked(self.connection, channel)
        start = 1
        if backfill.messages is not None:
            start = max(1, newest.top - backfill.messages + 1)
        elif backfill.since is not None and not self.connection.session.bot:
            start = await history.first_since(self.connection, channel, backfill.since)
        await self.store.begin(channel, MessageId(start), newest.top, newest.position)
        self.live.reach(channel, newest.position)

    async def _changes(
        self, channel: ChannelId, coverage: Coverage, position: int, newest: Newest | None
    ) -> None:
        if newest is not None and newest.position <= position and newest.top <= coverage.top:
            return
        if newest is not None and not 0 < newest.position - position <= LIMIT:
            await self._jump(channel, coverage, position, newest)
            return
        reading = changes.changes(
            self.connection, channel, max(position, 1), contexts=self.contexts, references=self.references
        )
        try:
            async with aclosing(reading):
                async for batch in reading:
                    await self.record(batch)
                    self.live.reach(channel, batch.position)
        except TooLong as e:
            await self._jump(channel, coverage, position, e.newest)

    async def _jump(self, channel: ChannelId, coverage: Coverage, position: int, newest: Newest) -> None:
        """Go on from where the platform stands: new messages are read from history, the older ones again.

        Those need not be read again when every change since was a new message: there are as many changes as new
        ids, and each of these is still there.
        """
        stale = None
        if coverage.top >= coverage.start and newest.position > position:
            stale = Span(MessageId(coverage.start - 1), coverage.top)
        await self.record(Batch(channel, top=newest.top, position=newest.position, stale=stale))
        self.live.reach(channel, newest.position)
        posts = newest.top - coverage.top
        if coverage.stale is None and newest.position - position == posts <= SLICE * history.PAGE:
            if (
                coverage.cursor == coverage.top
                and await self._read(channel, coverage.top, newest.top, Source.RECONCILE) == posts
            ):
                await self.record(Batch(channel, fresh=True))

    async def _fill(
        self, channel: ChannelId, coverage: Coverage, progress: Progress, others_wait: Callable[[], bool]
    ) -> Coverage | None:
        source = Source.BACKFILL if coverage.cursor < coverage.past else Source.RECONCILE
        below, total = coverage.start - 1, coverage.top - coverage.start + 1
        await self._read(
            channel,
            coverage.cursor,
            coverage.top,
            source,
            lambda reached: progress(min(reached - below, total), total),
            others_wait,
        )
        return await self._settled(channel)

    async def _refresh(self, channel: ChannelId, stale: Span) -> Coverage | None:
        await self._read(channel, stale.after, stale.upto, Source.RECONCILE)
        return await self._settled(channel)

    async def _read(
        self,
        channel: ChannelId,
        after: MessageId,
        upto: MessageId,
        source: Source,
        reached: Callable[[int], None] = lambda upto: None,
        others_wait: Callable[[], bool] = lambda: True,
    ) -> int:
        """Record what the platform has of these ids, as far as one turn goes; how many of them there are."""
        unwritten: deque[asyncio.Future[None]] = deque()
        found = 0
        reading = history.pages(
            self.connection,
            channel,
            after,
            upto,
            ends=lambda pages: pages >= SLICE and others_wait(),
            source=source,
            contexts=self.contexts,
            references=self.references,
        )
        async with aclosing(reading):
            async for page in reading:
                if len(unwritten) >= UNWRITTEN:
                    await unwritten.popleft()
                unwritten.append(await self.record(page))
                found += sum(m.message_id <= upto for m in page.messages)
                if page.span is not None:
                    reached(page.span.upto)
        for written in unwritten:
            await written
        return found
