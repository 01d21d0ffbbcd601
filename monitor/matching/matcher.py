"""An item's hashes against the hash lists in force; implements ports.Matcher."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from monitor.errors import HashListError
from monitor.matching.exact import ExactIndex
from monitor.matching.index import HashIndex
from monitor.matching.lists import HashList
from monitor.matching.thresholds import checked
from monitor.matching.vpdq import FAR, USUAL_RULE, FilmIndex, FilmRule, Numbers, Values, distinct
from monitor.model import Algorithm, Hash, ListAction, Match, MediaHashes

_OF_FRAMES = (Algorithm.VPDQ, Algorithm.PDQ)
_OF_NO_PICTURE = (Algorithm.VPDQ, *(a for a in Algorithm if a.exact))

MOST = 20
"""Entries of one list in one item's matches, the nearest. A list may hold thousands of copies of one picture;
beyond a score of them a match says nothing more, and a person reads no further.
"""


SCREEN_MARGIN = 16
"""Bits of 256 by which the radius is wider when a smaller rendition is looked at; fewer for shorter hashes."""
QUALITY_MARGIN = 10
"""By how much the PDQ quality of an original may be better than that of its rendition; 1 was the most seen."""
ERROR_BOUND: Mapping[Algorithm, int] = {Algorithm.PDQ: 14, Algorithm.PHASH: 4, Algorithm.DHASH: 4}
"""Bits by which the hash of a 320 px rendition may be off the original's. Over the pictures of
benchmarks/hashing.py, which measures it, PDQ was off by 12 at most, the others by 2.
"""


class ListMatcher:
    """The hash lists in force. Immutable: a new version of a list is a new matcher.

    Of each list at most `most` entries match, the nearest; of equally near ones those that come first in it.

    A picture whose PDQ quality lies below a list's `min_quality` is not matched perceptually with it: not
    by PDQ, and not by the other perceptual hashes either, which on a nearly flat picture say as little.

    Lists with the action `ignore` are never in the result; they take from it, but never an exact match: a
    known-good file that stands on a list of abuse as well is for a person to decide. An item whose very
    bytes are on one (an exact hash) has no perceptual match. A perceptual match with one takes away those of
    the same algorithm that are no nearer than itself.

    A film matches lists of films, and lists of pictures by its frames, as `film` says. Of a frame that an ignored
    picture is near to only what is nearer still counts; the film's other frames count all the same.

    `margin` is added to a list's radius where `suspects` asks whether an original may match: in bits of a 256 bit
    hash, and in proportion for others.
    """

    def __init__(
        self,
        lists: Sequence[HashList],
        *,
        most: int = MOST,
        margin: int = SCREEN_MARGIN,
        film: FilmRule = USUAL_RULE,
    ) -> None:
        """Raises HashListError when two lists share name and algorithm or a threshold is impossible."""
        names = [(hashes.version.name, hashes.version.algorithm) for hashes in lists]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise HashListError(f"two hash lists are named {twice[0]}")
        self._lists = [_Searchable(hashes, most, margin, film) for hashes in lists]

    @property
    def perceptual(self) -> bool:
        """See ports.Matcher."""
        return any(s.algorithm not in _OF_NO_PICTURE for s in self._lists)

    @property
    def films(self) -> bool:
        """See ports.Matcher."""
        return any(s.algorithm in _OF_FRAMES for s in self._lists)

    def suspects(self, hashes: MediaHashes) -> bool:
        """See ports.Matcher."""
        return any(not searched.ignores and searched.suspects(hashes) for searched in self._lists)

    def look_up(self, hashes: MediaHashes) -> tuple[Match, ...]:
        """The nearest entries of each list, those to be ignored as well; nearest first."""
        found = (
            match
            for searched in self._lists
            for match in (*searched.match(hashes), *searched.match_frames(hashes, ()))
        )
        return _sorted(found)

    def match(self, hashes: MediaHashes) -> tuple[Match, ...]:
        """The nearest entries within their list's threshold, each once, nearest first; empty when there is none."""
        found: list[Match] = []
        ignored: dict[Algorithm, int] = {}
        known_good = False
        for searched in self._lists:
            film = searched.match_frames(hashes, ()) if searched.algorithm is Algorithm.VPDQ else []
            for match in (*searched.match(hashes), *film):
                if not searched.ignores:
                    found.append(match)
                elif match.algorithm.exact:
                    known_good = True
                else:
                    ignored[match.algorithm] = min(
                        match.distance, ignored.get(match.algorithm, match.distance)
                    )
        kept = [
            m
            for m in found
            if m.algorithm.exact or not (known_good or m.distance >= ignored.get(m.algorithm, m.distance + 1))
        ]
        if not known_good:
            # A picture that is known to be good, somewhere in a film, says nothing about the rest of it.
            good = [s for s in self._lists if s.ignores and s.algorithm is Algorithm.PDQ]
            for searched in self._lists:
                if searched.algorithm is Algorithm.PDQ and not searched.ignores:
                    kept += searched.match_frames(hashes, good)
        return _sorted(kept)


def _sorted(found: Iterable[Match]) -> tuple[Match, ...]:
    """Nearest first, each entry once for each of its algorithms."""
    best: dict[tuple[str, str, Algorithm], Match] = {}
    # Exact before perceptual at distance 0; lists stay in their declared order (sorted is stable).
    for match in sorted(found, key=lambda m: (m.distance, not m.algorithm.exact)):
        best.setdefault((match.hash_list, match.entry, match.algorithm), match)
    return tuple(best.values())


class _Searchable:
    """One list and its index."""

    def __init__(self, hashes: HashList, most: int, margin: int, film: FilmRule) -> None:
        self._hashes = hashes
        self._film = film
        version = self._version = hashes.version
        try:
            checked(version.algorithm, version.max_distance, version.min_quality)
        except ValueError as e:
            raise HashListError(f"list {version.name}: {e}") from e
        self.ignores = version.action is ListAction.IGNORE
        self.algorithm = version.algorithm
        bits = version.algorithm.size * 8
        self._wide = min(version.max_distance + -(-margin * bits // 256), bits)
        # What is taken away depends on the nearest alone.
        self._most = 1 if self.ignores else most
        self._index: ExactIndex | HashIndex = (
            ExactIndex(hashes.values)
            if version.algorithm.exact
            else HashIndex.build(hashes.values, max_radius=self._wide)
        )
        self._frames = (
            FilmIndex(hashes.names, self._index)
            if self.algorithm in _OF_FRAMES and isinstance(self._index, HashIndex)
            else None
        )

    def suspects(self, hashes: MediaHashes) -> bool:
        """Whether an entry lies within the wider radius."""
        if isinstance(self._index, ExactIndex) or (
            hashes.quality is not None and hashes.quality + QUALITY_MARGIN < self._version.min_quality
        ):
            return False
        return any(
            len(self._index.nearest(np.frombuffer(ours.value, np.uint8), self._wide, 1))
            for ours in hashes.hashes
            if ours.algorithm is self.algorithm
        )

    def match(self, hashes: MediaHashes) -> list[Match]:
        """The best match of each of the nearest entries, nearest first."""
        version = self._version
        quality = None if version.algorithm.exact else hashes.quality
        if quality is not None and quality < version.min_quality:
            return []
        best: dict[str, tuple[int, int]] = {}
        for ours in hashes.hashes:
            if ours.algorithm is version.algorithm:
                for entry, found in self._near(ours).items():
                    best[entry] = min(found, best.get(entry, found))
        nearest = sorted(best.items(), key=lambda found: found[1][0])[: self._most]
        return [
            Match(
                hash_list=version.name,
                list_version=version.version,
                entry=entry,
                algorithm=version.algorithm,
                distance=distance,
                threshold=version.max_distance,
                quality=quality,
                error_bound=ERROR_BOUND.get(version.algorithm) if hashes.screened else None,
                category=self._hashes.category(row),
            )
            for entry, (distance, row) in sorted(nearest, key=lambda found: (found[1][0], found[0]))
        ]

    def match_frames(self, hashes: MediaHashes, good: "Sequence[_Searchable]") -> list[Match]:
        """The nearest entries that a film's frames match; of frames that show what is in the lists `good` only what
        is nearer still counts.
        """
        version = self._version
        if self._frames is None or not hashes.frames:
            return []
        values, quality = distinct(hashes.frames, version.min_quality)
        if not len(values):
            return []
        within = np.full(len(values), version.max_distance)
        for other in good:
            within = np.minimum(within, other._nearest_frames(values, quality) - 1)
        of_films = self.algorithm is Algorithm.VPDQ
        found = self._frames.matches(values, quality, within, self._film, films=of_films)
        found.sort(key=lambda near: (near.distance, -near.query_share))
        return [
            Match(
                hash_list=version.name,
                list_version=version.version,
                entry=self._hashes.entry(near.row),
                algorithm=version.algorithm,
                distance=near.distance,
                threshold=version.max_distance,
                quality=near.quality,
                query_share=near.query_share,
                list_share=near.list_share if of_films else None,
                category=self._hashes.category(near.row),
            )
            for near in found[: self._most]
        ]

    def _nearest_frames(self, values: Values, quality: Numbers) -> Numbers:
        """Of each frame the distance of the nearest entry; more than any radius where none is within the list's."""
        if self._frames is None:
            return np.full(len(values), FAR)
        nearest = self._frames.nearest(values, self._version.max_distance)
        return np.where(quality < self._version.min_quality, FAR, nearest)

    def _near(self, ours: Hash) -> dict[str, tuple[int, int]]:
        """Entries, each with its distance and its row, nearest first: at least as many as count, where there are."""
        found: dict[str, tuple[int, int]] = {}
        if isinstance(self._index, ExactIndex):
            for position in self._index.find(ours.value).tolist():
                found.setdefault(self._hashes.entry(position), (0, position))
                if len(found) == self._most:
                    break
            return found
        value, asked = np.frombuffer(ours.value, np.uint8), self._most
        while True:
            hits = self._index.nearest(value, self._version.max_distance, asked)
            for position, distance in zip(hits.entry.tolist(), hits.distance.tolist(), strict=True):
                found.setdefault(self._hashes.entry(position), (distance, position))
            if len(found) >= self._most or len(hits) < asked:
                return found
            # An entry may have many hashes, all of them nearer than any other entry's.
            asked *= 8
