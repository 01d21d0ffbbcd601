"""What an exact search reads: hashes sorted into buckets by each of their 16-bit chunks; and where it looks.

If two hashes of m chunks differ in at most r bits, then for any whole numbers t with Σ(t + 1) = r + 1 there is
a chunk i, going round in a ring, where the first l chunks from i on differ in fewer than Σ(t + 1) bits, for
every l: were it not so, the whole ring would differ in r + 1. (Qin and Xiao, "Pigeonring", VLDB 2018, with
whole numbers.) So it is enough to look, for each chunk, into the buckets at most t bits away, and to go on
with those entries whose next chunk lies near as well. That next chunk stands beside the entry, in order: a
bucket is read as one short run of memory, and of some 40,000 entries there in a list of ten million a
hundred are left, whose hashes are fetched from anywhere.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, combinations
from math import comb
from typing import Protocol

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]
Halves = npt.NDArray[np.uint16]
Bits = npt.NDArray[np.uint8]
Found = npt.NDArray[np.uint64]
"""Hits packed to be sorted: query, distance, entry."""

CHUNK = 16
"""Bits in a chunk."""
KEYS = 1 << CHUNK
LANES = 32
"""Next chunks compared at once; `nexts` has as many to spare at its end."""
QUERY_AT, DISTANCE_AT = np.uint64(41), np.uint64(32)
MOST_ENTRIES = 1 << 32
MOST_QUERIES = 1 << 20

WORTH_SORTING = 4096
"""Hashes below which a scan is as fast: 5 µs."""
PROBE_COST = 32
"""Hashes that a scan compares in the time in which one bucket is looked up."""
SPAN_SHARE = 2
"""Entries in the buckets looked up, as a share of the list, above which a scan takes less: 1/2."""
TRIED_SHARE = 1 / 256
"""Entries whose hashes are fetched, as a share of the list, above which a scan takes less; fetching one takes as
long as comparing some 30 in order, so that a query never takes much more than a scan."""
MOST_SHARE = 1 / 96
"""As many may be expected of a random list, for larger radii, before a scan is the better choice at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Buckets:
    """Hashes and, where that is worth its memory, their buckets. Immutable.

    `words` is (n, 1 or 4). For chunk j and key k the entries `entries[j, starts[j, k]:starts[j, k + 1]]` hold
    k in chunk j, and `nexts` at the same places their next chunk. Without buckets the chunk axis has length 0.
    """

    words: Words
    starts: npt.NDArray[np.uint32]
    entries: npt.NDArray[np.uint32]
    nexts: Halves

    @property
    def halves(self) -> Halves:
        """The hashes by chunk, (n, 4 or 16)."""
        return self.words.view(np.uint16)

    def plan(self, radius: int) -> "Plan":
        """Where to look for hashes within `radius` bits; NOWHERE when a scan takes less."""
        chunks = len(self.starts)
        if not chunks or probes(chunks, radius) * PROBE_COST > len(self.words):
            return NOWHERE
        plan = _plan(chunks, radius)
        return plan if plan.share <= MOST_SHARE else NOWHERE


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The keys to look up for one radius.

    For chunk j: the chunk's bits with each of `masks[firsts[j]:firsts[j + 1]]` turned; an entry goes on when
    its next chunk lies within the `limits` at the same place. `radii` are the t above, -1 where a chunk is not
    looked at. `share` of a list of random hashes goes on.
    """

    masks: Halves
    limits: Halves
    firsts: npt.NDArray[np.int64]
    radii: npt.NDArray[np.int64]
    share: float

    def most_tried(self, rows: int) -> int:
        """Of a list of so many hashes, how many may go on before a scan takes less."""
        return int(rows * max(TRIED_SHARE, 1.3 * self.share))


NOWHERE = Plan(
    np.zeros(0, np.uint16), np.zeros(0, np.uint16), np.zeros(1, np.int64), np.zeros(0, np.int64), 0.0
)


class Engine(Protocol):
    """Fills buckets and searches them; compiled, or by numpy."""

    @property
    def name(self) -> str:
        """numba or numpy."""

    def sort(self, words: Words, removed: Bits) -> Buckets:
        """All but the removed hashes in buckets."""

    def find(
        self, buckets: Buckets, plan: Plan, removed: Bits, tail: Words, queries: Words, radius: int, most: int
    ) -> tuple[Found, bool]:
        """The hits of at most MOST_QUERIES queries, in any order, and whether what was read made sense.

        `tail` goes on numbering after the buckets' hashes. With `most` only so many of each query, the
        nearest, and of equally near ones those with the lowest numbers; 0 takes all.
        """


def unsorted(words: Words) -> Buckets:
    """The hashes alone."""
    return Buckets(
        words,
        np.zeros((0, KEYS + 1), np.uint32),
        np.zeros((0, 0), np.uint32),
        np.zeros((0, LANES), np.uint16),
    )


def room(words: Words, live: int) -> Buckets:
    """Empty buckets for `live` of the hashes."""
    chunks = words.shape[1] * 64 // CHUNK
    return Buckets(
        words,
        np.zeros((chunks, KEYS + 1), np.uint32),
        np.empty((chunks, live), np.uint32),
        np.zeros((chunks, live + LANES), np.uint16),
    )


def count_removed(removed: Bits, rows: int) -> int:
    """How many of the first `rows` entries are removed."""
    return int(np.unpackbits(removed, count=min(rows, len(removed) * 8), bitorder="little").sum())


def radii(chunks: int, radius: int) -> list[int]:
    """How far to look for each chunk: Σ(t + 1) = radius + 1, as evenly as possible."""
    base, more = divmod(radius + 1, chunks)
    return [base - 1 + (j < more) for j in range(chunks)]


@lru_cache(maxsize=512)
def probes(chunks: int, radius: int) -> int:
    """Buckets to look into for one query."""
    return sum(comb(CHUNK, d) for t in radii(chunks, radius) for d in range(min(t, CHUNK) + 1))


@lru_cache(maxsize=64)
def _plan(chunks: int, radius: int) -> Plan:
    near = radii(chunks, radius)
    parts, limits, share = [], [], 0.0
    for j, t in enumerate(near):
        masks = _masks(t)
        # The first two chunks differ in fewer than (t + 1) + (next t + 1) bits.
        left = t + near[(j + 1) % chunks] + 1 - np.bitwise_count(masks).astype(np.int64)
        # None is negative: the radii differ by one at most.
        parts.append(masks)
        limits.append(left.astype(np.uint16))
        share += sum(_within(d) for d in left.tolist()) / KEYS
    firsts = np.array([0, *accumulate(len(part) for part in parts)], np.int64)
    return Plan(np.concatenate(parts), np.concatenate(limits), firsts, np.array(near, np.int64), share)


@lru_cache(maxsize=CHUNK + 2)
def _masks(most: int) -> Halves:
    """Every chunk with at most `most` bits set, ascending: neighbours in memory are read one after the other."""
    return np.array(
        sorted(
            sum(1 << bit for bit in bits) for d in range(most + 1) for bits in combinations(range(CHUNK), d)
        ),
        np.uint16,
    )


@lru_cache(maxsize=2 * CHUNK + 2)
def _within(distance: int) -> float:
    """The share of random chunks within a distance of one."""
    return sum(comb(CHUNK, d) for d in range(distance + 1)) / KEYS
