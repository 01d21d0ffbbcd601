"""Messages into the store: batches from all channels of an account, grouped into few transactions."""

import asyncio
from collections.abc import Callable, Sequence

from monitor.model import Batch, ChannelId, Recorded
from monitor.ports import Store

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
