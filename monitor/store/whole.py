"""Work on the database that ends whole, whatever becomes of those who wait for it."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Whole:
    """Tasks that no cancellation of a caller reaches, and that all have ended when `finish` returns.

    What is cancelled between a question to the driver's thread and its answer leaves a connection in the midst of
    it, and one that is closed then never answers.
    """

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, doing: Coroutine[Any, Any, T], *, name: str) -> "asyncio.Task[T]":
        """A task that `finish` waits for; wait for it by `asyncio.shield`."""
        task = asyncio.create_task(doing, name=name)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    async def finish(self) -> None:
        """Wait for what is still at work."""
        while self._running:
            await asyncio.wait(self._running)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # looked at: the caller that would have got it may be gone
