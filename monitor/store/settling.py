"""Outcomes that come close together share a transaction: most of the cost of one is the disk's."""

import asyncio
from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from monitor.model import Examined
from monitor.store.writing import Writer

GATHER = 0.025
"""Seconds in which further outcomes may join the first one's transaction."""


class Outcomes:
    """What has come of media items, on its way into the store. `settle` writes some and counts new flags of each."""

    def __init__(self, writer: Writer, settle: Callable[[Connection, Sequence[Examined]], list[int]]) -> None:
        self._writer = writer
        self._write = settle
        self._waiting: list[tuple[Examined, asyncio.Future[int]]] = []

    async def add(self, outcome: Examined) -> int:
        """The number of new flags, once it is durable."""
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append((outcome, done))
        if len(self._waiting) == 1:
            self._writer.tasks.start(self._settle(), name="store:examined")
        return await asyncio.shield(done)

    async def _settle(self) -> None:
        """Settle all items that have come by the time the store is free, in one transaction."""
        group: list[tuple[Examined, asyncio.Future[int]]] = []
        try:
            await asyncio.sleep(GATHER)
            async with self._writer.turn:
                group, self._waiting = self._waiting, []
                raised = await self._writer.write(self._write, [outcome for outcome, _ in group])
        except BaseException as e:
            if not group:
                group, self._waiting = self._waiting, []
            for _, done in group:
                done.set_exception(e)
                done.exception()  # looked at: the caller that would have got it may be gone
            return
        for (_, done), flags in zip(group, raised, strict=True):
            done.set_result(flags)
