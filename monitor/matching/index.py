"""Exact search for near hashes: every entry within a radius, none missed."""

import _thread
import atexit
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from monitor.matching import index_file
from monitor.matching.buckets import (
    DISTANCE_AT,
    MOST_ENTRIES,
    MOST_QUERIES,
    QUERY_AT,
    WORTH_SORTING,
    Bits,
    Buckets,
    Engine,
    Found,
    Words,
    count_removed,
    unsorted,
)
from monitor.matching.engine import engine as engine_for

Values: TypeAlias = npt.NDArray[np.uint8]
Numbers: TypeAlias = npt.NDArray[np.int64]

LONGEST_TAIL = 10_000
"""Additions that are compared one by one, 10 µs a query, before they are sorted in with the others."""

_NONE: Bits = np.zeros(0, np.uint8)
_DISTANCE, _ENTRY = np.uint64((1 << 9) - 1), np.uint64(MOST_ENTRIES - 1)


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """What a search found, by query, then distance, then entry: three integer arrays of one length.

    `query` is the position in the array given to `search`, `entry` the entry's number, `distance` in bits.
    """

    query: Numbers
    entry: Numbers
    distance: Numbers

    def __len__(self) -> int:
        return len(self.query)


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """All that a query reads. A change makes a new one, so a query sees it whole or not at all."""

    buckets: Buckets
    tail: Words
    removed: Bits
    engine: Engine

    @property
    def numbered(self) -> int:
        """Entries that ever were."""
        return len(self.buckets.words) + len(self.tail)


class HashIndex:
    """Hashes of 64 or 256 bits, searched by Hamming distance; exact at every radius.

    Entries are numbered from 0 in the order in which they were given, for life: an added entry gets the next
    number, a removed one is never found again. Many threads may search at once, without waiting for each
    other, while others add and remove; each query sees the index as it was at one moment.

    256-bit hashes take 128 bytes each, 64-bit hashes 32, and 4 MB or 1 MB for the whole; while additions are
    sorted in, which a thread does beside the queries, as much again.
    """

    def __init__(self, state: _State, max_radius: int, engine: Engine | None) -> None:
        """For `build` and `open`."""
        self.max_radius = max_radius
        self._state = state
        self._engine = engine
        self._changes = threading.Lock()
        # Additions are written beyond the end of what any query sees.
        self._space = state.tail
        self._sorting: threading.Event | None = None

    @classmethod
    def build(cls, values: Values, *, max_radius: int = 31, engine: Engine | None = None) -> "HashIndex":
        """An index of a uint8 array (n, 32) or (n, 8), for radii up to `max_radius` bits. The values are copied.

        `engine` is chosen by what the machine has, unless given. Raises ValueError for another shape or type,
        or a radius that is negative or above the number of bits.
        """
        if values.dtype != np.uint8 or values.ndim != 2 or values.shape[1] not in (8, 32):
            raise ValueError("hashes must come as a uint8 array of shape (n, 32) or (n, 8)")
        if not 0 <= max_radius <= values.shape[1] * 8:
            raise ValueError(f"max_radius must lie within 0 and {values.shape[1] * 8} bits")
        if len(values) >= MOST_ENTRIES:
            raise ValueError(f"an index holds fewer than {MOST_ENTRIES} hashes; split the list")
        words = np.array(values, order="C").view(np.uint64)
        words.flags.writeable = False
        return cls(_built(words, words[:0], _NONE, engine), max_radius, engine)

    @classmethod
    def open(cls, path: Path | str, *, verify: bool = False, engine: Engine | None = None) -> "HashIndex":
        """An index that `save` wrote, memory-mapped: several processes share one copy, and what no query needs
        is never read. Additions and removals stay in this process until it saves.

        Raises IndexFileError, and the answer is to build the index again, when the file was cut short, its
        header is damaged, or another version or kind of machine wrote it. The hashes and buckets themselves
        are compared with their checksums only with `verify`, which reads the whole file (1 s a GB). Unverified,
        damage to them may hide entries or show wrong ones, or make a search raise IndexFileError; nothing
        beyond them is ever read. Raises OSError when the file cannot be read.
        """
        saved = index_file.read(Path(path), verify=verify)
        buckets = Buckets(saved.words, saved.starts, saved.entries, saved.nexts)
        chosen = engine or engine_for(len(saved.words))
        return cls(_State(buckets, saved.tail, saved.removed, chosen), saved.max_radius, engine)

    def save(self, path: Path | str) -> None:
        """Write the index, as it is at this moment, to one file; whole or not at all. Raises OSError."""
        state = self._state
        b = state.buckets
        saved = index_file.Saved(
            self.max_radius, b.words, b.starts, b.entries, b.nexts, state.tail, state.removed
        )
        index_file.write(Path(path), saved)

    def __len__(self) -> int:
        """Entries that can be found: without the removed ones."""
        state = self._state
        return state.numbered - count_removed(state.removed, state.numbered)

    @property
    def nbytes(self) -> int:
        """Bytes of memory, or of the mapped file, that the index takes."""
        b, state = self._state.buckets, self._state
        arrays = (b.words, b.starts, b.entries, b.nexts, state.tail, state.removed)
        return sum(array.nbytes for array in arrays)

    def search(self, queries: Values, radius: int) -> Hits:
        """Every entry within `radius` bits (included) of each query: a uint8 array (m, width), or one
        (width,).

        Raises ValueError when the width or the type is another than the index's, or the radius above its own.
        """
        return self._found(queries, radius, 0)

    def nearest(self, queries: Values, radius: int, k: int) -> Hits:
        """As `search`, but of each query only the `k` nearest, and of equally near ones those with the lowest
        numbers. Memory and time stay bounded, however many are as near.
        """
        if k < 1:
            raise ValueError("k must be at least 1")
        return self._found(queries, radius, k)

    def add(self, values: Values) -> Numbers:
        """Take in a uint8 array (n, width), or one (width,); returns the new entries' numbers.

        They are found from now on. Raises ValueError for another shape or type.
        """
        values = np.atleast_2d(values)
        with self._changes:
            state = self._state
            words = self._words(values, "hashes", "n")
            first, count = state.numbered, len(state.tail) + len(words)
            if first + len(words) >= MOST_ENTRIES:
                raise ValueError(f"an index holds fewer than {MOST_ENTRIES} hashes; split the list")
            if count > len(self._space) or not self._space.flags.writeable:
                space = np.empty((max(2 * count, 256), words.shape[1]), np.uint64)
                space[: len(state.tail)] = state.tail
                self._space = space
            self._space[len(state.tail) : count] = words
            self._state = _State(state.buckets, self._space[:count], state.removed, state.engine)
            if count > LONGEST_TAIL and self._sorting is None:
                self._start_sorting()
        return np.arange(first, first + len(words))

    def remove(self, entries: Numbers | Sequence[int]) -> None:
        """Take entries out by their numbers; one that is out already stays so. Raises ValueError for a number
        that no entry has.
        """
        gone = np.atleast_1d(np.asarray(entries))
        if not len(gone):
            return
        with self._changes:
            state = self._state
            if (
                gone.dtype.kind not in "iu"
                or gone.ndim != 1
                or gone.min() < 0
                or gone.max() >= state.numbered
            ):
                raise ValueError(f"entries must be whole numbers from 0 to {state.numbered - 1}")
            removed = np.zeros(max(len(state.removed), (state.numbered + 7) // 8), np.uint8)
            removed[: len(state.removed)] = state.removed
            gone = gone.astype(np.int64)
            np.bitwise_or.at(removed, gone >> 3, np.left_shift(1, gone & 7).astype(np.uint8))
            self._state = _State(state.buckets, state.tail, removed, state.engine)

    def settle(self) -> None:
        """Wait until additions that are being sorted in are."""
        done = self._sorting
        if done is not None:
            done.wait()

    def _found(self, queries: Values, radius: int, most: int) -> Hits:
        if not 0 <= radius <= self.max_radius:
            raise ValueError(f"the radius must lie within 0 and {self.max_radius} bits")
        state = self._state
        words = self._words(np.atleast_2d(queries), "queries", "m")
        step = MOST_QUERIES if not most else max(1, MOST_QUERIES // min(most, state.numbered + 1))
        if len(words) <= step:
            return _hits(_find(state, words, radius, most), 0)
        parts = [
            _hits(_find(state, words[start : start + step], radius, most), start)
            for start in range(0, len(words), step)
        ]
        return Hits(
            np.concatenate([part.query for part in parts]),
            np.concatenate([part.entry for part in parts]),
            np.concatenate([part.distance for part in parts]),
        )

    def _words(self, values: Values, what: str, letter: str) -> Words:
        width = self._state.buckets.words.shape[1] * 8
        if values.dtype != np.uint8 or values.ndim != 2 or values.shape[1] != width:
            raise ValueError(f"{what} must come as a uint8 array of shape ({letter}, {width})")
        words: Words = np.ascontiguousarray(values).view(np.uint64)
        return words

    def _start_sorting(self) -> None:
        done = self._sorting = threading.Event()
        try:
            # A threading.Thread would have this addition wait until it runs: milliseconds on a busy machine.
            _thread.start_new_thread(self._sort_in, (done,))
        except RuntimeError:
            self._sorting = None  # where no thread may be started, additions stay in the tail: as exact

    def _sort_in(self, done: threading.Event) -> None:
        """Build the buckets anew beside the old ones, additions included, and put them in their place."""
        atexit.register(done.wait)  # the interpreter must not end below a kernel
        try:
            while self._sorting is done:
                old = self._state
                words = np.concatenate([old.buckets.words, old.tail])
                words.flags.writeable = False
                new = _built(words, old.tail[:0], old.removed, self._engine)
                with self._changes:
                    now = self._state
                    # A view: what was added meanwhile stays where it is, and so does the space after it.
                    self._space = self._space[len(old.tail) :]
                    tail = now.tail[len(old.tail) :]
                    self._state = _State(new.buckets, tail, now.removed, new.engine)
                    if len(tail) <= LONGEST_TAIL:
                        self._sorting = None
        finally:
            with self._changes:
                if self._sorting is done:
                    self._sorting = None  # it failed, for want of memory say: the next addition tries again
            done.set()
            atexit.unregister(done.wait)


def _built(words: Words, tail: Words, removed: Bits, engine: Engine | None) -> _State:
    chosen = engine or engine_for(len(words))
    worth = len(words) >= WORTH_SORTING
    return _State(chosen.sort(words, removed) if worth else unsorted(words), tail, removed, chosen)


def _find(state: _State, words: Words, radius: int, most: int) -> Found:
    plan = state.buckets.plan(radius)
    found, sound = state.engine.find(state.buckets, plan, state.removed, state.tail, words, radius, most)
    if not sound:
        raise index_file.IndexFileError("the index file is damaged; build the index again")
    return found


def _hits(found: Found, first: int) -> Hits:
    found.sort()
    return Hits(
        query=(found >> QUERY_AT).astype(np.int64) + first,
        entry=(found & _ENTRY).astype(np.int64),
        distance=((found >> DISTANCE_AT) & _DISTANCE).astype(np.int64),
    )
