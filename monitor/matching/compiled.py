"""The compiled engine: the kernels with declared signatures, releasing the interpreter lock. Imports numba.

Arrays are read-only wherever nothing is written, so that a memory-mapped list never causes a second
compilation.
"""

from typing import Any

import numpy as np
from numba import njit, types

from monitor.matching.buckets import Bits, Buckets, Found, Plan, Words, count_removed, room
from monitor.matching.kernels import find, sort

_ROOM = 1 << 13
"""Hits that a kernel gives at once."""


def _array(kind: Any, dimensions: int, *, written: bool = False) -> Any:
    return types.Array(kind, dimensions, "C", readonly=not written)


_BITS, _HASHES, _HALVES = _array(types.uint8, 1), _array(types.uint64, 2), _array(types.uint16, 2)
_NUMBERS, _RUN = _array(types.int64, 1), _array(types.uint16, 1)
_FIND = types.UniTuple(types.int64, 4)(
    *(_HASHES, _HALVES, _array(types.uint32, 2), _array(types.uint32, 2), _HALVES),
    *(_RUN, _RUN, _NUMBERS, _NUMBERS, types.int64),
    *(_BITS, _HASHES, _HASHES, _HALVES, types.int64, types.int64, types.int64, types.int64),
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
        self._find = _compiled(find, _FIND, cached)
        self._sort = _compiled(sort, _SORT, cached)

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
        parts: list[Found] = []
        begin, resume, damage = 0, 0, 0
        while True:
            out = np.empty(len(queries) * most or _ROOM, np.uint64)
            begin, resume, count, wrong = self._find(
                *(buckets.words, buckets.halves, buckets.starts, buckets.entries, buckets.nexts),
                *(plan.masks, plan.limits, plan.firsts, plan.radii, plan.most_tried(len(buckets.words))),
                *(removed, tail, queries, asked, begin, resume, radius, most, out),
            )
            damage += wrong
            parts.append(out[:count])
            if begin == len(queries):
                return (np.concatenate(parts) if len(parts) > 1 else parts[0]), not damage


def _compiled(kernel: Any, signature: Any, cached: bool) -> Any:
    if cached:
        try:
            return njit(signature, nogil=True, cache=True)(kernel)
        except (OSError, RuntimeError):
            pass  # There is no folder that numba can write to.
    return njit(signature, nogil=True)(kernel)
