"""The compiled engine: numba kernels that release the interpreter lock. Importing this module imports numba.

Signatures are declared, read-only wherever nothing is written, so that a memory-mapped list never causes a
second compilation. What may come from a file is not believed: a bucket or an entry beyond its array is
counted as damage and skipped.
"""

from typing import Any

import numpy as np
from numba import njit, types

from monitor.matching.buckets import (
    DISTANCE_AT,
    LANES,
    QUERY_AT,
    SPAN_SHARE,
    TRIED_SHARE,
    Bits,
    Buckets,
    Found,
    Plan,
    Words,
    count_removed,
    room,
)
from monitor.matching.intrinsics import lowest, near, ones, prefetch

U8, U16, U32, I64, U64 = np.uint8, np.uint16, np.uint32, np.int64, np.uint64

BESIDE = "2604fb8bfb00801a"
"""Digest of buckets.py and intrinsics.py, which a test compares. Asking whether what it cached is still true,
numba looks at this file alone; so a change of those must be a change of this.
"""
_HELD = 64
"""Candidates fetched together, so that their reads of memory overlap."""
_CHUNK_AT = U64(48)
_POSITION = U64((1 << 48) - 1)


@njit
def _distance(words: Any, row: Any, queries: Any, query: Any) -> Any:
    total = ones(words[row, 0] ^ queries[query, 0])
    if words.shape[1] == 4:
        total += ones(words[row, 1] ^ queries[query, 1])
        total += ones(words[row, 2] ^ queries[query, 2])
        total += ones(words[row, 3] ^ queries[query, 3])
    return total


@njit
def _gone(removed: Any, entry: Any) -> Any:
    byte = entry >> U64(3)
    return byte < U64(len(removed)) and (removed[byte] >> U8(entry & U64(7))) & U8(1) != U8(0)


@njit
def _take(out: Any, first: Any, taken: Any, most: Any, hit: Any) -> Any:
    """Keep a hit, as far as there is room; with `most`, the smallest, on a heap with the largest on top."""
    if most == 0:
        if first + taken < len(out):
            out[first + taken] = hit
        return taken + 1
    if taken < most:
        at = taken
        while at > 0:
            above = (at - 1) >> 1
            if out[first + above] >= hit:
                break
            out[first + at] = out[first + above]
            at = above
        out[first + at] = hit
        return taken + 1
    if hit < out[first]:
        at = 0
        while True:
            below = 2 * at + 1
            if below >= most:
                break
            if below + 1 < most and out[first + below + 1] > out[first + below]:
                below += 1
            if out[first + below] <= hit:
                break
            out[first + at] = out[first + below]
            at = below
        out[first + at] = hit
    return taken


@njit
def _bound(out: Any, first: Any, taken: Any, most: Any, radius: Any) -> Any:
    """The distance within which a hit may still be kept."""
    if most > 0 and taken == most:
        return min(radius, (out[first] >> DISTANCE_AT) & U64(511))
    return radius


@njit
def _scan(
    words: Any, number: Any, removed: Any, queries: Any, query: Any, radius: Any,
    most: Any, out: Any, first: Any, taken: Any,
) -> Any:  # fmt: skip
    """Compare with every hash; the first one has the entry number `number`."""
    bound = _bound(out, first, taken, most, radius)
    for row in range(U64(len(words))):
        distance = _distance(words, row, queries, query)
        if distance <= bound:
            entry = number + row
            if not _gone(removed, entry):
                hit = (U64(query) << QUERY_AT) | (distance << DISTANCE_AT) | entry
                taken = _take(out, first, taken, most, hit)
                bound = _bound(out, first, taken, most, radius)
    return taken


@njit
def _met_before(halves: Any, entry: Any, chunk: Any, radii: Any, asked: Any, query: Any) -> Any:
    """Whether an earlier chunk leads to this entry too."""
    for j in range(chunk):
        here = I64(ones(U64(halves[entry, j] ^ asked[query, j])))
        if here <= radii[j]:
            following = I64(ones(U64(halves[entry, j + 1] ^ asked[query, j + 1])))
            if here + following <= radii[j] + radii[j + 1] + 1:
                return True
    return False


@njit
def _compare(
    words: Any, halves: Any, entries: Any, radii: Any, removed: Any, queries: Any, asked: Any, query: Any,
    radius: Any, held: Any, holding: Any, most: Any, out: Any, first: Any, taken: Any,
) -> Any:  # fmt: skip
    """Fetch the candidates held and keep those that are hits. Returns (taken, damage)."""
    damage = 0
    rows = U64(len(words))
    for k in range(holding):
        chunk = held[k] >> _CHUNK_AT
        entry = U64(entries[chunk, held[k] & _POSITION])
        if entry >= rows:
            damage += 1
            held[k] = _POSITION
        else:
            held[k] = (chunk << _CHUNK_AT) | entry
            prefetch(words, entry, U64(0))
    bound = _bound(out, first, taken, most, radius)
    for k in range(holding):
        if held[k] == _POSITION:
            continue
        entry = held[k] & _POSITION
        distance = _distance(words, entry, queries, query)
        if distance <= bound and not _gone(removed, entry):
            if not _met_before(halves, entry, I64(held[k] >> _CHUNK_AT), radii, asked, query):
                hit = (U64(query) << QUERY_AT) | (distance << DISTANCE_AT) | entry
                taken = _take(out, first, taken, most, hit)
                bound = _bound(out, first, taken, most, radius)
    return taken, damage


def _find(
    words: Any, halves: Any, starts: Any, entries: Any, nexts: Any,
    masks: Any, limits: Any, firsts: Any, radii: Any,
    removed: Any, tail: Any, queries: Any, asked: Any, begin: Any, radius: Any, most: Any, out: Any,
) -> Any:  # fmt: skip
    """Answer the queries from `begin` on, as far as `out` has room for all hits of each.

    Returns the first query not answered, the hits written, the room that this query needs, and how often
    what was read could not be true.
    """
    rows, size, chunks = U64(len(words)), U64(entries.shape[1]), len(firsts) - 1
    spans = np.empty((len(masks), 2), U32)
    held = np.empty(_HELD + LANES, U64)
    damage, count, within = 0, 0, U64(radius)
    by_scan: Any
    lanes: Any
    for query in range(begin, len(queries)):
        taken, by_scan = 0, len(masks) == 0
        if not by_scan:
            total = U64(0)
            for j in range(chunks):
                for a in range(firsts[j], firsts[j + 1]):
                    key = U64(asked[query, j] ^ masks[a])
                    start, stop = U64(starts[j, key]), U64(starts[j, key + U64(1)])
                    if stop > size or start > stop:
                        damage += 1
                        start = stop = U64(0)
                    spans[a, 0], spans[a, 1] = U32(start), U32(stop)
                    total += stop - start
                    prefetch(nexts, U64(j), start)
                    prefetch(nexts, U64(j), start + U64(LANES))
            by_scan = total > rows // U64(SPAN_SHARE)
        if not by_scan:
            most_tried, tried, holding = rows // U64(TRIED_SHARE), U64(0), 0
            for j in range(chunks):
                following = asked[query, j + 1 if j + 1 < chunks else 0]
                for a in range(firsts[j], firsts[j + 1]):
                    at, stop = U64(spans[a, 0]), U64(spans[a, 1])
                    while True:  # also for an empty bucket: `nexts` can be read beyond its end, and masked
                        lanes = near(nexts, U64(j), at, following, limits[a])
                        if stop - at < U64(LANES):
                            lanes &= U32((U64(1) << (stop - at)) - U64(1))
                        while lanes != U32(0):
                            held[holding] = (U64(j) << _CHUNK_AT) | (at + U64(lowest(lanes)))
                            lanes &= lanes - U32(1)
                            holding += 1
                        at += U64(LANES)
                        if holding >= _HELD or (at >= stop and a + 1 == len(masks)):
                            tried += U64(holding)
                            taken, wrong = _compare(
                                words, halves, entries, radii, removed, queries, asked, query,
                                within, held, holding, most, out, count, taken,
                            )  # fmt: skip
                            damage += wrong
                            holding = 0
                        if at >= stop or tried > most_tried:
                            break
                    if tried > most_tried:
                        break
                if tried > most_tried:
                    by_scan, taken = True, 0
                    break
        # One call for both: a second would be compiled in line once more.
        for part in range(0 if by_scan else 1, 2):
            hashes, number = (words, U64(0)) if part == 0 else (tail, rows)
            taken = _scan(hashes, number, removed, queries, query, within, most, out, count, taken)
        if count + taken > len(out):
            return query, count, taken, damage
        count += taken
    return len(queries), count, 0, damage


def _sort(halves: Any, removed: Any, starts: Any, entries: Any, nexts: Any) -> Any:
    """Fill the buckets: a counting sort for each chunk. `starts` comes as zeros."""
    rows, chunks = U64(len(halves)), halves.shape[1]
    for row in range(rows):
        if not _gone(removed, row):
            for j in range(chunks):
                starts[j, U64(halves[row, j]) + U64(1)] += U32(1)
    for j in range(chunks):
        # Each start is one place too far, and moves there while the bucket before it is filled.
        total = U32(0)
        for key in range(U64(1), U64(starts.shape[1])):
            size = starts[j, key]
            starts[j, key] = total
            total += size
        following = j + 1 if j + 1 < chunks else 0
        for row in range(rows):
            if not _gone(removed, row):
                moving = U64(halves[row, j]) + U64(1)
                at = U64(starts[j, moving])
                starts[j, moving] = U32(at + U64(1))
                entries[j, at] = U32(row)
                nexts[j, at] = halves[row, following]


def _array(kind: Any, dimensions: int, *, written: bool = False) -> Any:
    return types.Array(kind, dimensions, "C", readonly=not written)


_BITS, _HASHES, _HALVES = _array(types.uint8, 1), _array(types.uint64, 2), _array(types.uint16, 2)
_NUMBERS, _RUN = _array(types.int64, 1), _array(types.uint16, 1)
_FIND = types.UniTuple(types.int64, 4)(
    *(_HASHES, _HALVES, _array(types.uint32, 2), _array(types.uint32, 2), _HALVES),
    *(_RUN, _RUN, _NUMBERS, _NUMBERS),
    *(_BITS, _HASHES, _HASHES, _HALVES, types.int64, types.int64, types.int64),
    _array(types.uint64, 1, written=True),
)
_SORT = types.void(
    *(_HALVES, _BITS, _array(types.uint32, 2, written=True), _array(types.uint32, 2, written=True)),
    _array(types.uint16, 2, written=True),
)


class Compiled:
    """The kernels, compiled here and now. `cached`: by way of files that numba keeps beside this one or in the
    user's cache folder, where it can; otherwise no file is opened for writing. Raises what numba raises where
    it cannot compile.
    """

    name = "numba"

    def __init__(self, *, cached: bool) -> None:
        self._find = _compiled(_find, _FIND, cached)
        self._sort = _compiled(_sort, _SORT, cached)

    def sort(self, words: Words, removed: Bits) -> Buckets:
        """See Engine."""
        buckets = room(words, len(words) - count_removed(removed, len(words)))
        self._sort(buckets.halves, removed, buckets.starts, buckets.entries, buckets.nexts)
        return buckets

    def find(
        self, buckets: Buckets, plan: Plan, removed: Bits, tail: Words, queries: Words, radius: int, most: int
    ) -> tuple[Found, bool]:
        """See Engine."""
        asked = queries.view(np.uint16)
        most = min(most, len(buckets.words) + len(tail))
        out = np.empty(len(queries) * most if most else 256 + 2 * len(queries), np.uint64)
        parts: list[Found] = []
        begin, damage = 0, 0
        while True:
            begin, count, needed, wrong = self._find(
                *(buckets.words, buckets.halves, buckets.starts, buckets.entries, buckets.nexts),
                *(plan.masks, plan.limits, plan.firsts, plan.radii),
                *(removed, tail, queries, asked, begin, radius, most, out),
            )
            damage += wrong
            if begin == len(queries) and not parts:
                return out[:count], not damage
            parts.append(out[:count])
            if begin == len(queries):
                return np.concatenate(parts), not damage
            out = np.empty(max(needed, 2 * len(out)), np.uint64)


def _compiled(kernel: Any, signature: Any, cached: bool) -> Any:
    if cached:
        try:
            return njit(signature, nogil=True, cache=True)(kernel)
        except (OSError, RuntimeError):
            pass  # There is no folder that numba can write to.
    return njit(signature, nogil=True)(kernel)
