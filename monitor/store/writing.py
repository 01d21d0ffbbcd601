"""The one connection that writes: whole transactions, one at a time, whatever becomes of those who asked for them."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from monitor.store import engine

P = ParamSpec("P")
T = TypeVar("T")


class Writer:
    """Writes to the database at `path` through `connection`."""

    def __init__(self, path: Path, connection: AsyncEngine) -> None:
        self._path = path
        self._connection = connection
        self._one_at_a_time = asyncio.Lock()
        self._running: set[asyncio.Task[Any]] = set()

    async def run(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What `work` makes of a transaction of its own.

        A caller that is cancelled leaves at once; the transaction is the writer's own task, and ends whole.
        """
        transaction = self.transaction(work, *args, **kwargs)
        return await asyncio.shield(self.start(transaction, name=f"store:{work.__name__}"))

    async def transaction(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The same within the caller's own task, which `start` made."""
        # The pool would let the others wait too, but gives up after half a minute.
        async with self._one_at_a_time:
            with engine.mapped(self._path):
                async with self._connection.begin() as conn:
                    return await conn.run_sync(work, *args, **kwargs)

    def start(self, doing: Coroutine[Any, Any, T], *, name: str) -> "asyncio.Task[T]":
        """A task that `finish` waits for."""
        task = asyncio.create_task(doing, name=name)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    async def finish(self) -> None:
        """Wait for transactions whose callers have been cancelled."""
        if self._running:
            await asyncio.wait(self._running)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # looked at: the caller that would have got it may be gone
