"""An item's hashes against lists: thresholds, quality, ignore lists, one match for an entry."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.errors import HashListError
from monitor.matching import HashList, ListMatcher, load_list
from monitor.matching.matcher import MOST
from monitor.model import Algorithm, Hash, ListAction, Match, MediaHashes, Terms
from monitor.ports import Matcher

RANDOM = np.random.default_rng(5)
ITEM = {algorithm: RANDOM.bytes(algorithm.size) for algorithm in Algorithm}


def near(value: bytes, distance: int, first: int = 0) -> bytes:
    """The value with `distance` bits turned."""
    bits = np.unpackbits(np.frombuffer(value, np.uint8))
    bits[first : first + distance] ^= 1
    return np.packbits(bits).tobytes()


def item(*algorithms: Algorithm, quality: int | None = 90) -> MediaHashes:
    return MediaHashes(tuple(Hash(a, ITEM[a]) for a in algorithms or Algorithm), quality=quality)


@pytest.fixture
def make(tmp_path: Path) -> Any:
    def made(
        name: str, algorithm: Algorithm, *entries: tuple[str, bytes], action: str = "flag", **more: Any
    ) -> HashList:
        path = tmp_path / f"{name}.csv"
        path.write_text("".join(f"{value.hex()},{entry}\n" for entry, value in entries))
        path.chmod(0o600)
        return load_list(
            path,
            name=name,
            format="csv",
            algorithm=algorithm,
            action=ListAction(action),
            terms=Terms("P", "R", frozenset({"detect"})),
            **more,
        )

    return made


def found(matcher: Matcher, hashes: MediaHashes) -> list[tuple[str, str, int]]:
    return [(match.hash_list, match.entry, match.distance) for match in matcher.match(hashes)]


def test_a_match_says_list_version_entry_distance_threshold_and_quality(make: Any) -> None:
    hashes = make("a", Algorithm.PDQ, ("e", near(ITEM[Algorithm.PDQ], 12)))
    assert ListMatcher([hashes]).match(item()) == (
        Match("a", hashes.version.version, "e", Algorithm.PDQ, distance=12, threshold=31, quality=90),
    )


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_the_threshold_itself_matches_and_one_more_does_not(make: Any, algorithm: Algorithm) -> None:
    limit = {"pdq": 31, "phash": 8, "dhash": 8, "vpdq": 31}.get(algorithm, 0)
    value = ITEM[algorithm]
    matcher = ListMatcher(
        [make("a", algorithm, ("at", near(value, limit)), ("over", near(value, limit + 1)))]
    )
    assert found(matcher, item()) == [("a", "at", limit)]


def test_a_lists_own_threshold_counts(make: Any) -> None:
    entries = [(f"e{d}", near(ITEM[Algorithm.PDQ], d)) for d in (0, 10, 40)]
    assert found(ListMatcher([make("a", Algorithm.PDQ, *entries, max_distance=10)]), item()) == [
        ("a", "e0", 0),
        ("a", "e10", 10),
    ]
    assert len(found(ListMatcher([make("a", Algorithm.PDQ, *entries, max_distance=40)]), item())) == 3


def test_exact_matches_have_no_quality_and_do_not_need_any(make: Any) -> None:
    matcher = ListMatcher([make("a", Algorithm.MD5, ("e", ITEM[Algorithm.MD5]))])
    for hashes in (item(quality=0), item(Algorithm.MD5, quality=None)):
        (match,) = matcher.match(hashes)
        assert (match.quality, match.distance, match.threshold) == (None, 0, 0)


@pytest.mark.parametrize("algorithm", [Algorithm.PDQ, Algorithm.PHASH, Algorithm.DHASH])
def test_a_picture_of_low_quality_is_not_matched_perceptually(make: Any, algorithm: Algorithm) -> None:
    entry = ("e", ITEM[algorithm])
    assert not found(ListMatcher([make("a", algorithm, entry)]), item(quality=49))
    assert found(ListMatcher([make("a", algorithm, entry)]), item(quality=50))
    assert found(ListMatcher([make("a", algorithm, entry, min_quality=0)]), item(quality=0))


def test_the_nearest_comes_first_and_exact_before_perceptual(make: Any) -> None:
    pdq = ITEM[Algorithm.PDQ]
    matcher = ListMatcher(
        [
            make("a", Algorithm.PDQ, ("far", near(pdq, 30)), ("same", pdq), ("mid", near(pdq, 9))),
            make("b", Algorithm.SHA256, ("file", ITEM[Algorithm.SHA256])),
            make("c", Algorithm.PHASH, ("p", near(ITEM[Algorithm.PHASH], 3))),
        ]
    )
    assert found(matcher, item()) == [
        ("b", "file", 0),
        ("a", "same", 0),
        ("c", "p", 3),
        ("a", "mid", 9),
        ("a", "far", 30),
    ]


def test_an_entry_with_several_hashes_matches_once_with_its_nearest(make: Any) -> None:
    pdq = ITEM[Algorithm.PDQ]
    hashes = make(
        "a", Algorithm.PDQ, ("e", near(pdq, 20)), ("e", near(pdq, 5)), ("e", near(pdq, 8)), ("f", pdq)
    )
    assert found(ListMatcher([hashes]), item()) == [("a", "f", 0), ("a", "e", 5)]


def test_of_a_huge_cluster_only_the_nearest_match_and_others_are_not_swamped(make: Any) -> None:
    pdq = ITEM[Algorithm.PDQ]
    cluster = [(f"c{number:04}", near(pdq, 3)) for number in range(500)]
    copies = [("one", near(pdq, 1, first)) for first in range(200)]
    hashes = make("a", Algorithm.PDQ, ("far", near(pdq, 9)), *cluster, *copies, ("two", near(pdq, 2)))
    matches = found(ListMatcher([hashes]), item())
    assert matches[:3] == [("a", "one", 1), ("a", "two", 2), ("a", "c0000", 3)]
    assert len(matches) == MOST == 20
    assert found(ListMatcher([hashes], most=2), item()) == matches[:2]
    assert len(found(ListMatcher([hashes], most=600), item())) == 503


def test_of_entries_with_one_digest_the_first_match(make: Any) -> None:
    entries = [(f"e{number:03}", ITEM[Algorithm.MD5]) for number in range(99)]
    matches = found(ListMatcher([make("a", Algorithm.MD5, *entries)]), item())
    assert matches == [("a", f"e{number:03}", 0) for number in range(MOST)]


def test_an_ignored_cluster_takes_from_its_nearest_on(make: Any) -> None:
    pdq = ITEM[Algorithm.PDQ]
    good = [("far", near(pdq, 20)), *((f"g{number}", near(pdq, 9)) for number in range(50))]
    bad = [(f"e{distance}", near(pdq, distance)) for distance in (8, 9, 20)]
    lists = [make("good", Algorithm.PDQ, *good, action="ignore"), make("a", Algorithm.PDQ, *bad)]
    assert found(ListMatcher(lists), item()) == [("a", "e8", 8)]


def test_one_hash_may_stand_under_several_entries(make: Any) -> None:
    sha1 = ITEM[Algorithm.SHA1]
    matcher = ListMatcher([make("a", Algorithm.SHA1, ("y", sha1), ("x", sha1))])
    assert found(matcher, item()) == [("a", "x", 0), ("a", "y", 0)]


def test_an_algorithm_only_meets_lists_of_its_own(make: Any) -> None:
    # 32 bytes both: a PDQ value on a SHA-256 list is not a match.
    assert not found(ListMatcher([make("a", Algorithm.SHA256, ("e", ITEM[Algorithm.PDQ]))]), item())


# -- ignore lists


def test_known_good_bytes_have_no_perceptual_match_and_keep_an_exact_one(make: Any) -> None:
    flagging = [
        make("a", Algorithm.MD5, ("e", ITEM[Algorithm.MD5])),
        make("b", Algorithm.PDQ, ("e", ITEM[Algorithm.PDQ])),
    ]
    ignoring = make("good", Algorithm.SHA1, ("g", ITEM[Algorithm.SHA1]), action="ignore")
    assert len(found(ListMatcher(flagging), item())) == 2
    assert found(ListMatcher([*flagging, ignoring]), item()) == [("a", "e", 0)]


def test_a_perceptual_ignore_takes_what_is_no_nearer_and_never_an_exact_match(make: Any) -> None:
    pdq = ITEM[Algorithm.PDQ]
    matcher = ListMatcher(
        [
            make("good", Algorithm.PDQ, ("g", near(pdq, 12)), action="ignore"),
            make(
                "a",
                Algorithm.PDQ,
                ("nearer", near(pdq, 11)),
                ("as-near", near(pdq, 12, 50)),
                ("far", near(pdq, 20)),
            ),
            make("b", Algorithm.MD5, ("file", ITEM[Algorithm.MD5])),
            make("c", Algorithm.DHASH, ("other", near(ITEM[Algorithm.DHASH], 8))),
        ]
    )
    assert found(matcher, item()) == [("b", "file", 0), ("c", "other", 8), ("a", "nearer", 11)]


def test_an_ignore_list_never_shows_in_the_result(make: Any) -> None:
    assert not found(
        ListMatcher([make("good", Algorithm.PDQ, ("g", ITEM[Algorithm.PDQ]), action="ignore")]), item()
    )


# -- building


def test_without_lists_nothing_matches() -> None:
    assert ListMatcher([]).match(item()) == ()


def test_two_lists_of_one_name_are_refused(make: Any) -> None:
    hashes = make("a", Algorithm.MD5, ("e", ITEM[Algorithm.MD5]))
    with pytest.raises(HashListError, match="two hash lists are named a"):
        ListMatcher([hashes, hashes])


def test_an_impossible_threshold_is_refused_when_built(make: Any) -> None:
    import dataclasses

    hashes = make("a", Algorithm.PDQ, ("e", ITEM[Algorithm.PDQ]))
    wrong = dataclasses.replace(hashes, version=dataclasses.replace(hashes.version, max_distance=300))
    with pytest.raises(HashListError, match="list a: max_distance of pdq"):
        ListMatcher([wrong])
