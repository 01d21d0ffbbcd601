"""Sliding windows: when the next request of a budget may leave. Arithmetic alone, times in seconds.

Requests are reserved in blocks, so that not each of them is written down. A block may be used for LIFE seconds
after it was reserved and counts for as long as its last use could: hence never more than the limit leaves
in any window, and a crash costs no more than the unused rest of a block.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

HOUR, DAY = 3600.0, 86_400.0
LIFE = 60.0
"""Seconds in which a block may be used."""


@dataclass(slots=True)
class Block:
    """Requests reserved together: when, how many, and how many of them have left. Closed when no more will."""

    at: float
    count: int
    left: int = 0
    open: bool = True

    def usable(self, now: float) -> bool:
        """Whether a request may leave on it."""
        return self.open and self.left < self.count and self.at <= now <= self.at + LIFE

    def close(self) -> None:
        """Give back what was not used."""
        self.count, self.open = self.left, False


@dataclass(frozen=True, slots=True)
class Window:
    """At most `limit` requests in any `seconds`.

    In a window of a day, requests that had to wait do not leave all at once when it opens: after a day that
    used up its budget, the next ones keep a distance.
    """

    limit: int
    seconds: float

    @property
    def largest(self) -> int:
        """How many requests a block holds at most: one of a day's few, a hundredth of an hour's many."""
        return 1 if self.seconds >= DAY else max(1, self.limit // 100)

    @property
    def memory(self) -> float:
        """How long, in seconds, a block matters."""
        return 2 * self.seconds + LIFE

    def room(self, blocks: Sequence[Block], now: float) -> int:
        """How many more may be reserved now; 0 or less when there is none."""
        return self.limit - self.used(blocks, now)

    def used(self, blocks: Sequence[Block], now: float) -> int:
        """How many count now."""
        return sum(block.count for block in blocks if self._forgotten(block) > now)

    def pause(self, blocks: Sequence[Block], now: float, jitter: float) -> float:
        """Seconds until a block may be reserved: 0 for now, infinity for never.

        `blocks` by time; `jitter` from 0 to 1 lengthens a pause, and never shortens it.
        """
        if self.limit <= 0:
            return math.inf
        opens, counted = now, self.used(blocks, now)
        for block in blocks:
            if counted < self.limit:
                break
            if self._forgotten(block) > now:
                counted -= block.count
                opens = self._forgotten(block)
        if self.seconds >= DAY:
            lately = [block for block in blocks if block.at > now - self.memory and block.count]
            if sum(block.count for block in lately) >= self.limit:
                opens = max(opens, lately[-1].at + self.seconds / self.limit * (1 + jitter) / 2)
        elif opens > now:
            opens += jitter * self.seconds / 100
        return max(opens - now, 0.0)

    def _forgotten(self, block: Block) -> float:
        """When a block counts no more."""
        return block.at + self.seconds + LIFE
