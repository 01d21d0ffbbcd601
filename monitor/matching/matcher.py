"""An item's hashes against the hash lists in force; implements ports.Matcher."""

from collections.abc import Iterator, Sequence

import numpy as np

from monitor.errors import HashListError
from monitor.matching.exact import ExactIndex
from monitor.matching.index import HashIndex
from monitor.matching.lists import HashList
from monitor.matching.thresholds import checked
from monitor.model import Algorithm, Hash, ListAction, Match, MediaHashes


class ListMatcher:
    """The hash lists in force. Immutable: a new version of a list is a new matcher.

    A picture whose PDQ quality lies below a list's `min_quality` is not matched perceptually with it: not
    by PDQ, and not by the other perceptual hashes either, which on a nearly flat picture say as little.

    Lists with the action `ignore` are never in the result; they take from it, but never an exact match: a
    known-good file that stands on a list of abuse as well is for a person to decide. An item whose very
    bytes are on one (an exact hash) has no perceptual match. A perceptual match with one takes away those of
    the same algorithm that are no nearer than itself.
    """

    def __init__(self, lists: Sequence[HashList]) -> None:
        """Raises HashListError when two lists share a name or a threshold is impossible."""
        names = [hashes.version.name for hashes in lists]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise HashListError(f"two hash lists are named {twice}")
        self._lists = [_Searchable(hashes) for hashes in lists]

    def match(self, hashes: MediaHashes) -> tuple[Match, ...]:
        """Every entry within its list's threshold, once, nearest first; empty when there is none."""
        found: list[Match] = []
        ignored: dict[Algorithm, int] = {}
        known_good = False
        for searched in self._lists:
            for match in searched.match(hashes):
                if not searched.ignores:
                    found.append(match)
                elif match.algorithm.exact:
                    known_good = True
                else:
                    ignored[match.algorithm] = min(
                        match.distance, ignored.get(match.algorithm, match.distance)
                    )
        kept = (
            m
            for m in found
            if m.algorithm.exact or not (known_good or m.distance >= ignored.get(m.algorithm, m.distance + 1))
        )
        # Exact before perceptual at distance 0; lists stay in their declared order (sorted is stable).
        return tuple(sorted(kept, key=lambda m: (m.distance, not m.algorithm.exact)))


class _Searchable:
    """One list and its index."""

    def __init__(self, hashes: HashList) -> None:
        self._hashes = hashes
        version = self._version = hashes.version
        try:
            checked(version.algorithm, version.max_distance, version.min_quality)
        except ValueError as e:
            raise HashListError(f"list {version.name}: {e}") from e
        self.ignores = version.action is ListAction.IGNORE
        self._index: ExactIndex | HashIndex = (
            ExactIndex(hashes.values)
            if version.algorithm.exact
            else HashIndex.build(hashes.values, max_radius=version.max_distance)
        )

    def match(self, hashes: MediaHashes) -> list[Match]:
        """The best match of each entry, nearest first."""
        version = self._version
        quality = None if version.algorithm.exact else hashes.quality
        if quality is not None and quality < version.min_quality:
            return []
        best: dict[str, Match] = {}
        for ours in hashes.hashes:
            if ours.algorithm is not version.algorithm:
                continue
            for position, distance in self._near(ours):
                entry = self._hashes.entry(position)
                if entry not in best or distance < best[entry].distance:
                    best[entry] = Match(
                        hash_list=version.name,
                        list_version=version.version,
                        entry=entry,
                        algorithm=version.algorithm,
                        distance=distance,
                        threshold=version.max_distance,
                        quality=quality,
                    )
        return sorted(best.values(), key=lambda match: (match.distance, match.entry))

    def _near(self, ours: Hash) -> Iterator[tuple[int, int]]:
        if isinstance(self._index, ExactIndex):
            return ((position, 0) for position in self._index.find(ours.value).tolist())
        hits = self._index.search(np.frombuffer(ours.value, np.uint8), self._version.max_distance)
        return zip(hits.entry.tolist(), hits.distance.tolist(), strict=True)
