"""How many requests for pieces of files may be on their way at once: fewer when the platform asks for it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

RECOVERY = 16
"""Pieces that must arrive before one more may be on its way again."""


class Pace:
    """Turns for requests: at most `limit` at a time, which is `most` unless the platform asked to slow down."""

    def __init__(self, most: int) -> None:
        self.most = self.limit = most
        self.slowed = 0
        """How often the platform asked to slow down."""
        self._busy = 0
        self._arrived = 0
        self._free = asyncio.Event()

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[int]:
        """Wait for a turn, and hold it for as long as the block lasts. What it yields goes to `slow`."""
        while self._busy >= self.limit:
            self._free.clear()
            await self._free.wait()
        self._busy += 1
        try:
            yield self.slowed
        finally:
            self._busy -= 1
            self._free.set()

    def slow(self, since: int) -> bool:
        """Halve what may be on its way, one at least; whether it was done.

        Requests that left together are refused together: those whose turn began before the last time
        (`since`, from `turn`) ask for nothing new.
        """
        if since != self.slowed:
            return False
        self.slowed += 1
        self._arrived = 0
        self.limit = max(self.limit // 2, 1)
        return True

    def arrived(self) -> None:
        """A piece arrived: after RECOVERY of them one more may be on its way, up to `most`."""
        if self.limit < self.most:
            self._arrived += 1
            if self._arrived >= RECOVERY:
                self._arrived = 0
                self.limit += 1
