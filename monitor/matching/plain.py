"""The plain engine, in numpy alone: the reference for the compiled one, and what works where that cannot."""

import numpy as np
import numpy.typing as npt

from monitor.matching.buckets import (
    DISTANCE_AT,
    QUERY_AT,
    SPAN_SHARE,
    Bits,
    Buckets,
    Found,
    Plan,
    Words,
    count_removed,
    room,
)

_AT_ONCE = 1 << 16
"""Hashes compared at a time: what fits the processor's cache."""

Numbers = npt.NDArray[np.int64]


class Plain:
    """See Engine."""

    name = "numpy"

    def sort(self, words: Words, removed: Bits) -> Buckets:
        """See Engine."""
        buckets = room(words, len(words) - count_removed(removed, len(words)))
        live = np.flatnonzero(_kept(np.arange(len(words)), removed)).astype(np.uint32)
        halves = buckets.halves
        for j in range(halves.shape[1]):
            keys = halves[live, j]
            order = live[np.argsort(keys, kind="stable")]
            buckets.entries[j] = order
            np.cumsum(np.bincount(keys, minlength=buckets.starts.shape[1] - 1), out=buckets.starts[j, 1:])
            buckets.nexts[j, : len(order)] = halves[order, (j + 1) % halves.shape[1]]
        return buckets

    def find(
        self, buckets: Buckets, plan: Plan, removed: Bits, tail: Words, queries: Words, radius: int, most: int
    ) -> tuple[Found, bool]:
        """See Engine."""
        found, sound = [np.zeros(0, np.uint64)], True
        for number, query in enumerate(queries):
            entries: Numbers | None = None
            if len(plan.masks):
                entries, whole = _candidates(buckets, plan, query)
                sound = sound and whole
            hits = np.concatenate(
                [
                    _scan(buckets.words, 0, query, radius)
                    if entries is None
                    else _compared(buckets.words, entries, 0, query, radius),
                    _scan(tail, len(buckets.words), query, radius),
                ]
            )
            hits = hits[_kept((hits & np.uint64(0xFFFF_FFFF)).astype(np.int64), removed)]
            if most and len(hits) > most:
                hits = np.partition(hits, most - 1)[:most]
            found.append(hits | (np.uint64(number) << QUERY_AT))
        return np.concatenate(found), sound


def _candidates(buckets: Buckets, plan: Plan, query: Words) -> tuple[Numbers | None, bool]:
    """Entries that may be near, each once, None when a scan takes less; and whether the buckets made sense."""
    rows, size, asked = len(buckets.words), buckets.entries.shape[1], query.view(np.uint16)
    lengths = np.diff(plan.firsts)
    chunk = np.repeat(np.arange(len(lengths)), lengths)
    key = (asked[chunk] ^ plan.masks).astype(np.int64)
    start, stop = buckets.starts[chunk, key].astype(np.int64), buckets.starts[chunk, key + 1].astype(np.int64)
    wrong = (stop > size) | (start > stop)
    start[wrong] = stop[wrong] = 0
    counts = stop - start
    total = int(counts.sum())
    if total > rows // SPAN_SHARE:
        return None, not wrong.any()
    probe = np.repeat(np.arange(len(counts)), counts)
    at = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts) + start[probe]
    following = np.roll(asked, -1)[chunk[probe]]
    near = np.bitwise_count(buckets.nexts[chunk[probe], at] ^ following) <= plan.limits[probe]
    if np.count_nonzero(near) > plan.most_tried(rows):
        return None, not wrong.any()
    entries = np.unique(buckets.entries[chunk[probe[near]], at[near]]).astype(np.int64)
    known = entries < rows
    return entries[known], not wrong.any() and bool(known.all())


def _compared(words: Words, rows: Numbers, first: int, query: Words, radius: int) -> Found:
    distance = _distances(words[rows], query)
    near = distance <= radius
    return (distance[near].astype(np.uint64) << DISTANCE_AT) | (rows[near] + first).astype(np.uint64)


def _scan(words: Words, first: int, query: Words, radius: int) -> Found:
    hits = [np.zeros(0, np.uint64)]
    for start in range(0, len(words), _AT_ONCE):
        distance = _distances(words[start : start + _AT_ONCE], query)
        near = np.flatnonzero(distance <= radius)
        hits.append(
            (distance[near].astype(np.uint64) << DISTANCE_AT) | (near + start + first).astype(np.uint64)
        )
    return np.concatenate(hits)


def _distances(words: Words, query: Words) -> npt.NDArray[np.uint16]:
    ones = np.bitwise_count(words ^ query)
    # Column by column: a sum along four numbers takes longer; and 256 differing bits do not fit a byte.
    total: npt.NDArray[np.uint16] = ones[:, 0].astype(np.uint16)
    for column in range(1, ones.shape[1]):
        total += ones[:, column]
    return total


def _kept(entries: Numbers, removed: Bits) -> npt.NDArray[np.bool_]:
    """Which entries are not removed."""
    if not len(removed):
        return np.ones(len(entries), np.bool_)
    covered = entries < len(removed) * 8
    byte = np.where(covered, entries >> 3, 0)
    return ~(covered & ((removed[byte] >> (entries & 7).astype(np.uint8)) & 1).astype(np.bool_))
