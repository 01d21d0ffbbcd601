"""Films against lists of films and of pictures: shares, quality, equal frames, and what is known to be good."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.matching import FilmRule, HashList, ListMatcher, load_list
from monitor.matching.signals import hamming
from monitor.model import Algorithm, Frame, Hash, ListAction, Match, MediaHashes, Terms

RANDOM = np.random.default_rng(11)
SHOTS = [RANDOM.bytes(32) for _ in range(60)]


def near(value: bytes, distance: int) -> bytes:
    """The value with `distance` bits turned."""
    bits = np.unpackbits(np.frombuffer(value, np.uint8))
    bits[:distance] ^= 1
    return np.packbits(bits).tobytes()


def film(*values: bytes, quality: int = 90) -> MediaHashes:
    return MediaHashes((), frames=tuple(Frame(float(n), value, quality) for n, value in enumerate(values)))


@pytest.fixture
def make(tmp_path: Path) -> Any:
    def made(
        name: str, algorithm: Algorithm, entries: dict[str, list[bytes]], action: str = "flag", **more: Any
    ) -> HashList:
        path = tmp_path / f"{name}.csv"
        rows = [f"{value.hex()},{entry},99,0.0\n" for entry, values in entries.items() for value in values]
        path.touch(mode=0o600)
        path.write_text("value,entry,quality,timestamp\n" + "".join(rows))
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


def found(matcher: ListMatcher, hashes: MediaHashes) -> list[tuple[str, int, int | None, int | None]]:
    return [(m.entry, m.distance, m.query_share, m.list_share) for m in matcher.match(hashes)]


def test_a_match_of_a_film_says_the_nearest_frame_and_both_shares(make: Any) -> None:
    hashes = make("films", Algorithm.VPDQ, {"e": SHOTS[:10]})
    shown = film(near(SHOTS[0], 9), near(SHOTS[1], 4), near(SHOTS[2], 31), near(SHOTS[3], 30), SHOTS[50])
    assert ListMatcher([hashes]).match(shown) == (
        Match(
            *("films", hashes.version.version, "e", Algorithm.VPDQ),
            distance=4,
            threshold=31,
            quality=90,
            query_share=80,
            list_share=40,
        ),
    )


@pytest.mark.parametrize(("of_ten", "matches"), [(8, True), (7, False)])
def test_four_of_five_frames_must_be_near(make: Any, of_ten: int, matches: bool) -> None:
    matcher = ListMatcher([make("films", Algorithm.VPDQ, {"e": SHOTS[:10]})])
    shown = film(*(near(v, 31) for v in SHOTS[:of_ten]), *(near(v, 32) for v in SHOTS[of_ten:10]))
    assert bool(matcher.match(shown)) is matches


def test_a_share_of_the_listed_film_may_be_asked_for(make: Any) -> None:
    hashes = make("films", Algorithm.VPDQ, {"e": SHOTS[:10]})
    shown = film(*SHOTS[:3])
    assert found(ListMatcher([hashes], film=FilmRule(list_share=30)), shown) == [("e", 0, 100, 30)]
    assert found(ListMatcher([hashes], film=FilmRule(list_share=31)), shown) == []


def test_frames_that_show_too_little_and_equal_ones_do_not_count(make: Any) -> None:
    matcher = ListMatcher([make("films", Algorithm.VPDQ, {"e": SHOTS[:4]})])
    flat = tuple(Frame(9.0 + n, SHOTS[40 + n], 49) for n in range(20))
    still = tuple(Frame(50.0 + n, SHOTS[49], 90) for n in range(20))
    listed = tuple(Frame(float(n), SHOTS[n], 50) for n in range(4))
    assert found(matcher, MediaHashes((), frames=listed + flat + still)) == [("e", 0, 80, 100)]
    assert found(matcher, MediaHashes((), frames=flat)) == []


def test_a_single_picture_matches_no_list_of_films_and_no_film_a_list_without_its_frames(make: Any) -> None:
    matcher = ListMatcher([make("films", Algorithm.VPDQ, {"e": SHOTS[:4]})])
    assert (matcher.films, matcher.perceptual) == (True, False)
    assert matcher.match(MediaHashes((Hash(Algorithm.PDQ, SHOTS[0]),), quality=90)) == ()
    assert matcher.match(film(*SHOTS[20:30])) == ()
    exact = ListMatcher([make("files", Algorithm.SHA256, {"e": SHOTS[:1]})])
    assert (exact.films, exact.perceptual) == (False, False)


def test_shares_are_those_of_brute_force(make: Any) -> None:
    chosen = random.Random(5)
    entries = {
        f"e{n}": [near(chosen.choice(SHOTS[:12]), chosen.randrange(40)) for _ in range(chosen.randint(1, 6))]
        for n in range(40)
    }
    hashes = make("films", Algorithm.VPDQ, entries)
    rule = FilmRule(query_share=30, list_share=40)
    matcher = ListMatcher([hashes], film=rule, most=100)
    matched = 0
    for _ in range(60):
        queries = {near(chosen.choice(SHOTS[:12]), chosen.randrange(30)) for _ in range(chosen.randint(1, 9))}
        expected = {}
        for entry, values in entries.items():
            pairs = {(q, v): hamming(q, v) for q in queries for v in set(values) if hamming(q, v) <= 31}
            of_query = 100 * len({q for q, _ in pairs}) // len(queries)
            of_list = 100 * len({v for _, v in pairs}) // len(set(values))
            if pairs and of_query >= 30 and of_list >= 40:
                expected[entry] = (min(pairs.values()), of_query, of_list)
        shown = film(*queries)
        assert {m[0]: m[1:] for m in found(matcher, shown)} == expected
        matched += len(expected)
    assert matched > 50


def test_a_listed_picture_must_be_seen_twice_in_a_film_that_is_not_short(make: Any) -> None:
    matcher = ListMatcher([make("pictures", Algorithm.PDQ, {"e": SHOTS[:1]})])
    others = SHOTS[20:40]
    assert found(matcher, film(*others, near(SHOTS[0], 3))) == []
    assert found(matcher, film(*others[:18], near(SHOTS[0], 3), near(SHOTS[0], 30))) == [("e", 3, 10, None)]
    # Nine frames, one of them near: a moving picture of a few seconds.
    assert found(matcher, film(*others[:8], near(SHOTS[0], 30))) == [("e", 30, 11, None)]
    assert found(matcher, film(*others[:8], near(SHOTS[0], 32))) == []


def test_a_picture_known_to_be_good_hides_itself_and_not_the_rest_of_the_film(make: Any) -> None:
    listed = make("pictures", Algorithm.PDQ, {"bad": [SHOTS[0]], "near-good": [near(SHOTS[1], 20)]})
    good = make("good", Algorithm.PDQ, {"logo": [SHOTS[1]]}, action="ignore")
    shown = film(near(SHOTS[0], 10), SHOTS[1], near(SHOTS[1], 5))
    assert [m[0] for m in found(ListMatcher([listed]), shown)] == ["bad", "near-good"]
    assert [m[0] for m in found(ListMatcher([listed, good]), shown)] == ["bad"]
    # What is nearer to the listed one than to the good one counts still.
    closer = film(near(SHOTS[1], 18))
    assert [m[0] for m in found(ListMatcher([listed, good]), closer)] == ["near-good"]


def test_a_film_known_to_be_good_takes_away_what_is_no_nearer_and_its_digest_all(make: Any) -> None:
    listed = make("films", Algorithm.VPDQ, {"bad": [near(v, 10) for v in SHOTS[:5]]})
    good = make("good", Algorithm.VPDQ, {"fine": SHOTS[:5]}, action="ignore")
    assert found(ListMatcher([listed]), film(*SHOTS[:5])) == [("bad", 10, 100, 100)]
    assert found(ListMatcher([listed, good]), film(*SHOTS[:5])) == []
    files = make("known", Algorithm.SHA256, {"file": [SHOTS[9]]}, action="ignore")
    pictures = make("pictures", Algorithm.PDQ, {"bad": SHOTS[:1]})
    shown = MediaHashes((Hash(Algorithm.SHA256, SHOTS[9]),), frames=film(*SHOTS[:5]).frames)
    assert len(ListMatcher([listed, pictures]).match(shown)) == 2
    assert ListMatcher([listed, pictures, files]).match(shown) == ()


def test_a_moving_picture_matches_an_entry_once(make: Any) -> None:
    matcher = ListMatcher([make("pictures", Algorithm.PDQ, {"e": SHOTS[:1]})])
    shown = MediaHashes(
        (Hash(Algorithm.PDQ, near(SHOTS[0], 7)),),
        quality=90,
        frames=(Frame(0, near(SHOTS[0], 7), 90), Frame(1, near(SHOTS[0], 2), 90)),
    )
    assert found(matcher, shown) == [("e", 2, 100, None)]
    # Its first frame shows nothing, the others do.
    dark = MediaHashes((Hash(Algorithm.PDQ, SHOTS[30]),), quality=3, frames=shown.frames)
    assert [m[0] for m in found(matcher, dark)] == ["e"]
    assert dark.best_quality == 90
