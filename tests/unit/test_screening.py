"""Of a photo a small size first, and the full one only where it has to decide and may be fetched."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from monitor.errors import MediaGone
from monitor.fetching import Fetching, Limits
from monitor.matching import HashList, InProcessHasher, ListMatcher, hash_image, load_list
from monitor.model import (
    Algorithm,
    Examined,
    ListAction,
    MediaId,
    MediaKind,
    MediaOutcome,
    MediaRef,
    MessageId,
    PendingMedia,
    Terms,
)
from monitor.pipeline import Examiner
from monitor.store import open_store
from monitor.testdc.photos import Rendition, render
from monitor.testdc.pictures import picture
from tests.contract.making import CHANNEL, START

PHOTO = MediaId(7)
ORIGINAL = picture(3, 1280, 960)
SMALL, FULL = {r.letter: r for r in render(ORIGINAL)}["m"], render(ORIGINAL)[-1]


@dataclass
class Reading:
    """A download of one rendition."""

    shown: Rendition
    original_size: tuple[int, int] | None

    @property
    def rendition(self) -> str:
        return self.shown.letter

    @property
    def size(self) -> int:
        return len(self.shown.data)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        yield self.shown.data


@dataclass
class Album:
    """A source of one photo. It notes which sizes were asked for; those that are None are gone."""

    small: Rendition | None = SMALL
    full: Rendition | None = FULL
    asked: list[str] = field(default_factory=list)

    async def locate(self, pending: PendingMedia, *, small: bool = False) -> Reading:
        self.asked.append("small" if small else "full")
        shown = self.small if small else self.full
        if shown is None:
            raise MediaGone("no longer there")
        return Reading(shown, (FULL.width, FULL.height) if small else None)


def listed(path: Path, algorithm: Algorithm, value: bytes) -> HashList:
    path = path / f"{algorithm}.csv"
    path.write_text(f"{value.hex()},e-1\n")
    path.chmod(0o600)
    return load_list(
        path,
        name=f"list-{algorithm}",
        format="csv",
        algorithm=algorithm,
        action=ListAction.FLAG,
        terms=Terms("Partner", "DSA-1", ("detect",)),
    )


def turned(value: bytes, bits: int) -> bytes:
    """The hash with so many of its bits turned, spread evenly."""
    every = np.unpackbits(np.frombuffer(value, np.uint8))
    every[np.linspace(0, len(every) - 1, bits, dtype=int)] ^= 1
    return np.packbits(every).tobytes()


def distance(one: bytes, other: bytes) -> int:
    return int(np.bitwise_count(np.frombuffer(one, np.uint8) ^ np.frombuffer(other, np.uint8)).sum())


async def examined(
    tmp_path: Path, album: Album, *lists: HashList, fetch_suspected: bool = True, screen: bool = True
) -> Examined:
    async with open_store(tmp_path / "store.db") as store:
        examiner = Examiner(
            store,
            album,
            InProcessHasher(),
            ListMatcher(lists),
            Fetching(Limits(10**6, 10**6, screen=screen, fetch_suspected=fetch_suspected)),
            lambda: START,
            asyncio.Event(),
            lambda: [CHANNEL],
        )
        ref = MediaRef(MediaKind.PHOTO, PHOTO, "image/jpeg", len(FULL.data), FULL.width, FULL.height)
        return await examiner.examine(PendingMedia(ref, PHOTO, CHANNEL, MessageId(1)))


async def test_what_resembles_nothing_is_never_fetched_in_full(tmp_path: Path) -> None:
    album = Album()
    other = listed(tmp_path, Algorithm.PDQ, hash_image(picture(4)).pdq)
    found = await examined(tmp_path, album, other)
    assert (found.outcome, found.rendition, found.fetched) == (
        MediaOutcome.NO_MATCH,
        "m",
        len(SMALL.data),
    )
    assert album.asked == ["small"]


async def test_a_candidate_is_decided_by_the_full_size(tmp_path: Path) -> None:
    album = Album()
    entry = turned(hash_image(FULL.data).pdq, 30)
    found = await examined(tmp_path, album, listed(tmp_path, Algorithm.PDQ, entry))
    (match,) = found.matches
    assert (found.outcome, found.rendition, match.distance) == (MediaOutcome.MATCH, FULL.letter, 30)
    assert match.error_bound is None
    assert album.asked == ["small", "full"]
    assert found.fetched == len(SMALL.data) + len(FULL.data)


@pytest.mark.parametrize("bits", [32, 40])
async def test_a_candidate_whose_full_size_is_too_far_off_is_no_match(tmp_path: Path, bits: int) -> None:
    album = Album()
    entry = turned(hash_image(FULL.data).pdq, bits)
    found = await examined(tmp_path, album, listed(tmp_path, Algorithm.PDQ, entry))
    assert (found.outcome, found.rendition, album.asked) == (
        MediaOutcome.NO_MATCH,
        FULL.letter,
        ["small", "full"],
    )


async def test_where_candidates_may_not_be_fetched_the_small_size_decides_and_says_so(tmp_path: Path) -> None:
    album = Album()
    original = hash_image(FULL.data).pdq
    entry = turned(original, 12)
    found = await examined(tmp_path, album, listed(tmp_path, Algorithm.PDQ, entry), fetch_suspected=False)
    (match,) = found.matches
    seen = hash_image(SMALL.data, original_size=(FULL.width, FULL.height)).pdq
    assert (found.rendition, match.distance, album.asked) == ("m", distance(seen, entry), ["small"])
    assert match.error_bound is not None
    assert distance(seen, original) <= match.error_bound


async def test_lists_of_digests_alone_need_the_full_size_at_once(tmp_path: Path) -> None:
    album = Album()
    digest = hashlib.md5(FULL.data, usedforsecurity=False).digest()
    found = await examined(tmp_path, album, listed(tmp_path, Algorithm.MD5, digest))
    assert (found.outcome, album.asked) == (MediaOutcome.MATCH, ["full"])


async def test_screening_can_be_switched_off(tmp_path: Path) -> None:
    album = Album()
    other = listed(tmp_path, Algorithm.PDQ, hash_image(picture(4)).pdq)
    found = await examined(tmp_path, album, other, screen=False)
    assert (found.outcome, found.rendition, album.asked) == (MediaOutcome.NO_MATCH, FULL.letter, ["full"])


async def test_a_match_that_is_gone_before_it_is_confirmed_is_one_all_the_same(tmp_path: Path) -> None:
    album = Album(full=None)
    entry = hash_image(FULL.data).pdq
    found = await examined(tmp_path, album, listed(tmp_path, Algorithm.PDQ, entry))
    assert (found.outcome, found.rendition) == (MediaOutcome.MATCH, "m")
    assert found.matches[0].error_bound is not None


async def test_a_candidate_that_is_gone_and_no_match_so_far_is_gone(tmp_path: Path) -> None:
    entry = turned(hash_image(FULL.data).pdq, 45)
    found = await examined(tmp_path, Album(full=None), listed(tmp_path, Algorithm.PDQ, entry))
    assert (found.outcome, found.matches) == (MediaOutcome.GONE, ())


@pytest.mark.parametrize("fetch_suspected", [True, False])
async def test_a_small_size_that_cannot_be_read_says_nothing(tmp_path: Path, fetch_suspected: bool) -> None:
    album = Album(small=Rendition("m", SMALL.width, SMALL.height, SMALL.data[:500]))
    found = await examined(
        tmp_path,
        album,
        listed(tmp_path, Algorithm.PDQ, hash_image(FULL.data).pdq),
        fetch_suspected=fetch_suspected,
    )
    assert (found.outcome, found.rendition, album.asked) == (
        MediaOutcome.MATCH,
        FULL.letter,
        ["small", "full"],
    )
