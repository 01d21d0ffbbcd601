"""The gap arithmetic of one channel's sequence of changes (https://core.telegram.org/api/updates).

Each change carries `pts`, the position after it, and `pts_count`, how many positions it takes. What comes in order
is handed on; what comes twice is dropped; what comes beyond a gap is held back until the gap is filled, by the
missing change itself or by a difference. Plain code: no clock, no network.
"""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

T = TypeVar("T")

MOST_HELD = 10_000
"""Changes held back at most; beyond that they are let go: the difference brings them again."""


@dataclass(slots=True)
class Sequence(Generic[T]):
    """`position` is the one up to which everything was handed on; 0 while it is unknown, and all is held back."""

    position: int = 0
    _held: dict[int, tuple[int, T]] = field(default_factory=dict)

    @property
    def gap(self) -> bool:
        """Whether something is held back because something before it is missing."""
        return bool(self._held)

    def take(self, pts: int, count: int, change: T) -> list[tuple[int, T]]:
        """Changes that are now in order, each with its position: this one and those that waited for it."""
        if self.position and pts <= self.position:
            return []
        if len(self._held) < MOST_HELD:
            self._held.setdefault(pts, (count, change))
        return self._ready()

    def reach(self, position: int) -> list[tuple[int, T]]:
        """Everything up to `position` is known from elsewhere; changes that are now in order, as `take`."""
        self.position = max(self.position, position)
        return self._ready()

    def _ready(self) -> list[tuple[int, T]]:
        ready: list[tuple[int, T]] = []
        if not self.position:
            return ready
        for pts in sorted(self._held):
            count, change = self._held[pts]
            if pts > self.position:
                if pts - count > self.position:
                    break
                ready.append((pts, change))
                self.position = pts
            del self._held[pts]
        return ready
