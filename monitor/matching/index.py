"""Exact search for near hashes: every entry within a radius, none missed."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.uint8]

_CHUNK = 1 << 16
"""Entries compared at a time: what fits the processor's cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """What a search found, by query, then distance, then entry: three integer arrays of one length.

    `query` and `entry` are positions in the arrays given to `search` and `build`, `distance` in bits.
    """

    query: npt.NDArray[np.int64]
    entry: npt.NDArray[np.int64]
    distance: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.query)


class HashIndex:
    """Hashes of 64 or 256 bits, searched by Hamming distance. Immutable: many threads may search at once."""

    def __init__(self, words: npt.NDArray[np.uint64], max_radius: int) -> None:
        self._words = words
        self.max_radius = max_radius

    @classmethod
    def build(cls, values: Values, *, max_radius: int = 31) -> "HashIndex":
        """An index of a uint8 array (n, 32) or (n, 8), for radii up to `max_radius` bits.

        Raises ValueError for another shape or type, or a radius that is negative or above the number of bits.
        """
        if values.dtype != np.uint8 or values.ndim != 2 or values.shape[1] not in (8, 32):
            raise ValueError("hashes must come as a uint8 array of shape (n, 32) or (n, 8)")
        if not 0 <= max_radius <= values.shape[1] * 8:
            raise ValueError(f"max_radius must lie within 0 and {values.shape[1] * 8} bits")
        return cls(_words(values), max_radius)

    def __len__(self) -> int:
        return len(self._words[0])

    def search(self, queries: Values, radius: int) -> Hits:
        """Every entry within `radius` bits (included) of each query: a uint8 array (m, width), or one
        (width,).

        Raises ValueError when the width or the type is another than the index's, or the radius above its own.
        """
        if not 0 <= radius <= self.max_radius:
            raise ValueError(f"the radius must lie within 0 and {self.max_radius} bits")
        queries = np.atleast_2d(queries)
        if queries.dtype != np.uint8 or queries.ndim != 2 or queries.shape[1] != len(self._words) * 8:
            raise ValueError(f"queries must come as a uint8 array of shape (m, {len(self._words) * 8})")
        found = [(number, *self._near(query, radius)) for number, query in enumerate(_words(queries).T)]
        return Hits(
            query=np.repeat(
                np.array([number for number, _, _ in found], np.int64), [len(entry) for _, entry, _ in found]
            ),
            entry=_joined(entry for _, entry, _ in found),
            distance=_joined(distance for _, _, distance in found),
        )

    def _near(
        self, query: npt.NDArray[np.uint64], radius: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        entries, distances = [], []
        for start in range(0, len(self), _CHUNK):
            chunk = self._words[:, start : start + _CHUNK]
            # 256 differing bits do not fit a byte.
            distance = np.bitwise_count(chunk ^ query[:, None]).sum(axis=0, dtype=np.uint16)
            near = np.flatnonzero(distance <= radius)
            entries.append(near + start)
            distances.append(distance[near].astype(np.int64))
        entry, distance_ = _joined(iter(entries)), _joined(iter(distances))
        order = np.argsort(distance_, kind="stable")
        return entry[order], distance_[order]


def _words(values: Values) -> npt.NDArray[np.uint64]:
    """One row for each 64-bit word, so that a scan reads memory in order."""
    return np.ascontiguousarray(np.ascontiguousarray(values).view(np.uint64).T)


def _joined(parts: Iterator[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    return np.concatenate([np.zeros(0, np.int64), *parts])
