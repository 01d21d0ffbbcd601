"""The one connection that writes: whole transactions, one at a time, whatever becomes of those who asked for them.

Each runs from its beginning to its end in one thread: a turn of the event loop for every statement, and two for every
answer, cost more than most statements do.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

from sqlalchemy import Connection

from monitor.store import engine
from monitor.store.whole import Whole

P = ParamSpec("P")
T = TypeVar("T")


class Writer:
    """Writes to the database at `path`, waiting up to `busy_timeout` seconds for other processes that write.

    Use it as a context: leaving it waits for the transaction that is being written, and closes the connection.
    """

    def __init__(self, path: Path, busy_timeout: float) -> None:
        self._path = path
        self._engine = engine.writer(path, busy_timeout)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        self.turn = asyncio.Lock()
        """Held by the one that writes."""
        self.tasks = Whole()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown()
        self._engine.dispose()

    async def run(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What `work` makes of a transaction of its own.

        A caller that is cancelled leaves at once; the transaction is the writer's own task, and ends whole.
        """
        return await asyncio.shield(
            self.tasks.start(self._transaction(work, *args, **kwargs), name=f"store:{work.__name__}")
        )

    async def write(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The same within the task of a caller who holds `turn`, and one of `tasks`."""

        def written() -> T:
            with engine.mapped(self._path), self._engine.begin() as conn:
                return work(conn, *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._thread, written)

    async def _transaction(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        async with self.turn:
            return await self.write(work, *args, **kwargs)
