"""A film's frames against hash lists: of films (vPDQ) and of pictures (PDQ).

vPDQ is facebook/ThreatExchange's (vpdq/): a film is a set of PDQs, one for each second. Frames of too low a quality
are left out and equal ones count once, on both sides. A film matches an entry when enough of its frames are near one
of the entry's, and enough of the entry's frames are near one of the film's.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitor.matching.index import HashIndex
from monitor.model import Frame

Values = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]

SHORT = 10
"""Frames of a film that is so short that one of them is enough to match a listed picture."""

FAR = 1 << 10
"""More bits than a hash has."""


@dataclass(frozen=True, slots=True)
class FilmRule:
    """When a film matches. `query_share` and `list_share` in per cent, of the film's frames and of the entry's;
    `picture_frames` near a listed picture are needed in a film that is not `SHORT`.

    vPDQ's own defaults are 80 and 0. A listed picture is looked for in thousands of frames, so what errs once among
    as many pictures would err in every film: one that is shown is there for longer than a second.
    """

    query_share: int = 80
    list_share: int = 0
    picture_frames: int = 2


USUAL_RULE = FilmRule()


@dataclass(frozen=True, slots=True)
class Nearness:
    """How near a film is to an entry of a list, which is known by its first row: the nearest frame's distance in bits
    and its quality; shares in per cent, rounded down.
    """

    row: int
    distance: int
    quality: int
    query_share: int
    list_share: int


def distinct(frames: tuple[Frame, ...], min_quality: int) -> tuple[Values, Numbers]:
    """PDQs uint8 (n, 32) of a film's frames that show enough, equal ones once, and their qualities."""
    best: dict[bytes, int] = {}
    for frame in frames:
        if frame.quality >= min_quality:
            best[frame.pdq] = max(frame.quality, best.get(frame.pdq, 0))
    values = np.frombuffer(b"".join(best), np.uint8).reshape(-1, 32)
    return values, np.fromiter(best.values(), np.int64, len(best))


class FilmIndex:
    """A list of films or of pictures, searched by the frames of a film. Immutable."""

    def __init__(self, names: npt.NDArray[np.bytes_], index: HashIndex) -> None:
        """Of a list's rows, of which no two are equal: the identifiers of their entries, and an index of their
        values.
        """
        self._index = index
        # An entry is known by its first row.
        _, self._first, self._entry = np.unique(names, return_index=True, return_inverse=True)

    def nearest(self, queries: Values, radius: int) -> Numbers:
        """Of each query the distance of the nearest row, or FAR where none is within the radius."""
        found = np.full(len(queries), FAR)
        if len(queries):
            hits = self._index.nearest(queries, radius, 1)
            found[hits.query] = hits.distance
        return found

    def matches(
        self, queries: Values, quality: Numbers, within: Numbers, rule: FilmRule, *, films: bool
    ) -> list[Nearness]:
        """The entries that a film matches: films, or pictures that it shows.

        `queries` and `quality` as `distinct` gives them; of each frame what is `within` so many bits counts.
        """
        if not films:
            return self._seen(queries, quality, within, 1 if len(queries) < SHORT else rule.picture_frames)
        enough = -(-rule.query_share * len(queries) // 100)
        seen = self._seen(queries, quality, within, enough)
        return [near for near in seen if near.list_share >= rule.list_share]

    def _seen(self, queries: Values, quality: Numbers, within: Numbers, needed: int) -> list[Nearness]:
        """The entries that so many frames are near to, one at least."""
        # Zeros that nobody writes to take no memory.
        frames = np.zeros(len(self._first), np.int32)
        closeness = np.zeros(len(self._first), np.int16)
        shown = np.zeros(len(self._first), np.uint8)
        met = np.zeros(len(self._entry), np.bool_)
        # One by one, as a list may hold thousands of equal frames.
        for number in np.nonzero(within >= 0)[0].tolist():
            hits = self._index.search(queries[number], int(within[number]))
            met[hits.entry] = True
            # They come by distance: the first of an entry's rows is its nearest.
            entries, at = np.unique(self._entry[hits.entry], return_index=True)
            close = (FAR - hits.distance[at]).astype(np.int16)
            frames[entries] += 1
            closer = close > closeness[entries]
            closeness[entries[closer]] = close[closer]
            shown[entries[closer]] = quality[number]
        found = np.nonzero(frames >= max(needed, 1))[0]
        if not len(found):
            return []
        rows = np.bincount(self._entry, minlength=len(self._first))
        rows_met = np.bincount(self._entry[met], minlength=len(self._first))
        return [
            Nearness(
                row=int(self._first[entry]),
                distance=int(FAR - closeness[entry]),
                quality=int(shown[entry]),
                query_share=int(100 * frames[entry] // len(queries)),
                list_share=int(100 * rows_met[entry] // rows[entry]),
            )
            for entry in found.tolist()
        ]
