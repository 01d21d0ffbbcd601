"""What the accounts of one daemon share while they fetch media: limits, memory, and who has which item."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Iterator
from dataclasses import dataclass

from monitor.model import FETCHED_KINDS, MediaId, MediaKind


@dataclass(frozen=True, slots=True)
class Limits:
    """What media may cost: bytes of one item, bytes in memory at once, items at once for each account; PDQ
    quality that counts; the kinds that are fetched.

    `screen`: of photos a small size is fetched first, and the full one where that may be a match and
    `fetch_suspected` permits it.
    """

    max_bytes: int
    in_flight: int
    at_once: int = 8
    min_quality: int = 50
    kinds: frozenset[MediaKind] = FETCHED_KINDS
    screen: bool = False
    fetch_suspected: bool = False


class Room:
    """A number of bytes that may be in memory at once; those who want more wait.

    An eighth of it is for small items: films are in memory for minutes, and pictures shall not wait for them.
    """

    def __init__(self, size: int) -> None:
        self._size = self._free = size
        self._spare = size // 8
        self._changed = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def of(self, wanted: int) -> AsyncIterator[None]:
        """Hold `wanted` bytes for as long as the block lasts; never more than a large item may have."""
        amount = min(wanted, self._size - self._spare)
        left = self._spare if amount > self._spare else 0
        async with self._changed:
            await self._changed.wait_for(lambda: self._free - amount >= left)
            self._free -= amount
        try:
            yield
        finally:
            async with self._changed:
                self._free += amount
                self._changed.notify_all()


class Fetching:
    """What the examiners of all accounts share: limits, room in memory, and the items that one of them has."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.room = Room(limits.in_flight)
        self.busy: set[MediaId] = set()
        self.wakes: set[asyncio.Event] = set()
        self._listings: list[set[MediaId]] = []

    @contextlib.contextmanager
    def listing(self) -> Iterator[set[MediaId]]:
        """For as long as a list of waiting items is worked through: the items settled since it was asked for."""
        settled: set[MediaId] = set()
        self._listings.append(settled)
        try:
            yield settled
        finally:
            self._listings = [other for other in self._listings if other is not settled]

    def settle(self, media_id: MediaId) -> None:
        """The item has its outcome."""
        self.busy.discard(media_id)
        for settled in self._listings:
            settled.add(media_id)

    def give_back(self, items: Collection[MediaId]) -> None:
        """These items are nobody's again, and may still wait."""
        self.busy.difference_update(items)
        for wake in self.wakes:
            wake.set()
