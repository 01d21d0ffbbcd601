"""Kernels of the compiled engine, for numba, which they import: how buckets are filled and searched.

What may come from a file is not believed: a bucket or an entry beyond its array is counted as damage and
skipped.
"""

from typing import Any

import numpy as np
from numba import njit

from monitor.matching.buckets import (
    DISTANCE_AT,
    LANES,
    QUERY_AT,
    SPAN_SHARE,
)
from monitor.matching.intrinsics import lowest, near, ones, prefetch

U8, U16, U32, I64, U64 = np.uint8, np.uint16, np.uint32, np.int64, np.uint64

BESIDE = "b85f331cf6255509"
"""Digest of buckets.py and intrinsics.py, which a test compares. Asking whether what it cached is still true,
numba looks at this file alone; so a change of those must be a change of this.
"""
_HELD = 64
"""Candidates fetched together, so that their reads of memory overlap."""
_CHUNK_AT = U64(48)
_POSITION = U64((1 << 48) - 1)


# A loop that meets millions of entries hands no array to a function: numba would count references each time.


@njit
def _gone(removed: Any, entry: Any) -> Any:
    byte = entry >> U64(3)
    return byte < U64(len(removed)) and (removed[byte] >> U8(entry & U64(7))) & U8(1) != U8(0)


@njit
def _keep(out: Any, first: Any, taken: Any, most: Any, hit: Any) -> Any:
    """Keep a hit on a heap of `most` with the largest on top, in whose place it comes when there is no other."""
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
def _scan(
    words: Any, number: Any, begin: Any, removed: Any, queries: Any, query: Any, radius: Any,
    most: Any, out: Any, first: Any, taken: Any,
) -> Any:  # fmt: skip
    """Compare with every hash from `begin` on; the first of all has the entry number `number`.

    Returns the hits of this query so far, and the row for which there was no room or the number of rows.
    """
    wide, known = words.shape[1] == 4, U64(len(removed))
    a = queries[query, 0]
    b, c, d = (queries[query, 1], queries[query, 2], queries[query, 3]) if wide else (a, a, a)
    above = U64(query) << QUERY_AT
    for row in range(begin, U64(len(words))):
        distance = ones(words[row, 0] ^ a)
        if wide:
            distance += ones(words[row, 1] ^ b) + ones(words[row, 2] ^ c) + ones(words[row, 3] ^ d)
        if distance <= radius:
            entry = number + row
            byte = entry >> U64(3)
            if byte >= known or (removed[byte] >> U8(entry & U64(7))) & U8(1) == U8(0):
                hit = above | (distance << DISTANCE_AT) | entry
                if most == 0:
                    if first + taken == len(out):
                        return taken, row
                    out[first + taken] = hit
                    taken += 1
                elif taken < most or hit < out[first]:
                    taken = _keep(out, first, taken, most, hit)
    return taken, U64(len(words))


@njit
def _compare(
    words: Any, halves: Any, entries: Any, radii: Any, removed: Any, queries: Any, asked: Any, query: Any,
    radius: Any, held: Any, holding: Any, most: Any, out: Any, first: Any, taken: Any,
) -> Any:  # fmt: skip
    """Fetch the candidates held and keep those that are hits, as far as there is room. Returns (taken, damage)."""
    damage, rows, known = 0, U64(len(words)), U64(len(removed))
    for k in range(holding):
        chunk = held[k] >> _CHUNK_AT
        entry = U64(entries[chunk, held[k] & _POSITION])
        if entry >= rows:
            damage += 1
            held[k] = _POSITION
        else:
            held[k] = (chunk << _CHUNK_AT) | entry
            prefetch(words, entry, U64(0))
    wide = words.shape[1] == 4
    a = queries[query, 0]
    b, c, d = (queries[query, 1], queries[query, 2], queries[query, 3]) if wide else (a, a, a)
    for k in range(holding):
        entry = held[k] & _POSITION
        if entry == _POSITION:
            continue
        distance = ones(words[entry, 0] ^ a)
        if wide:
            distance += ones(words[entry, 1] ^ b) + ones(words[entry, 2] ^ c) + ones(words[entry, 3] ^ d)
        if distance > radius:
            continue
        byte = entry >> U64(3)
        if byte < known and (removed[byte] >> U8(entry & U64(7))) & U8(1) != U8(0):
            continue
        hit = (U64(query) << QUERY_AT) | (distance << DISTANCE_AT) | entry
        if most > 0 and taken == most and hit >= out[first]:
            continue
        met = False  # from an earlier chunk
        for j in range(I64(held[k] >> _CHUNK_AT)):
            here = I64(ones(U64(halves[entry, j] ^ asked[query, j])))
            if here <= radii[j]:
                following = I64(ones(U64(halves[entry, j + 1] ^ asked[query, j + 1])))
                if here + following <= radii[j] + radii[j + 1] + 1:
                    met = True
                    break
        if not met:
            if most > 0:
                taken = _keep(out, first, taken, most, hit)
            else:
                if first + taken < len(out):
                    out[first + taken] = hit
                taken += 1
    return taken, damage


def find(
    words: Any, halves: Any, starts: Any, entries: Any, nexts: Any,
    masks: Any, limits: Any, firsts: Any, radii: Any, most_tried: Any,
    removed: Any, tail: Any, queries: Any, asked: Any, begin: Any, resume: Any, radius: Any, most: Any, out: Any,
) -> Any:  # fmt: skip
    """Answer the queries from `begin` on, as far as `out` has room; the first by a scan from entry `resume` on,
    unless that is 0.

    Returns where to go on, `begin` and `resume`, the hits written, and how often what was read could not be
    true.
    """
    rows, size, chunks = U64(len(words)), U64(entries.shape[1]), len(firsts) - 1
    spans = np.empty((len(masks), 2), U32)
    held = np.empty(_HELD + LANES, U64)
    damage, count, within = 0, 0, U64(radius)
    by_scan: Any
    lanes: Any
    for query in range(begin, len(queries)):
        taken, by_scan = 0, len(masks) == 0 or resume > 0
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
            tried, holding = 0, 0
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
                            tried += holding
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
            if count + taken > len(out):
                if count > 0:
                    return query, 0, count, damage
                by_scan, taken = True, 0
        if not by_scan:
            resume = I64(rows)
        for part in range(2):  # one call for both: a second would be compiled in line once more
            hashes, number = (words, U64(0)) if part == 0 else (tail, rows)
            stop = U64(len(hashes))
            start = min(U64(resume) - number, stop) if U64(resume) > number else U64(0)
            taken, row = _scan(
                hashes, number, start, removed, queries, query, within, most, out, count, taken
            )  # fmt: skip
            if row < stop:
                return query, I64(number + row), count + taken, damage
        resume = 0
        count += taken
    return len(queries), 0, count, damage


def sort(halves: Any, removed: Any, starts: Any, entries: Any, nexts: Any) -> Any:
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
