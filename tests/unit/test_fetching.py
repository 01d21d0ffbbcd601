"""Which items are fetched, by whom, and what becomes of those that are not."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.errors import ChannelPrivate, MediaOnCdn, MediaUnavailable
from monitor.fetching import Fetching, Limits, Room
from monitor.matching import InProcessHasher, ListMatcher, Sampling, film_of, load_list
from monitor.model import (
    Algorithm,
    ChannelId,
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
from monitor.store import SqlStore, open_store
from monitor.testdc.films import film
from tests.contract.making import CHANNEL, OTHER, batch, message

LIMITS = Limits(max_bytes=1000, in_flight=2000)


@dataclass
class Piece:
    """A download of a few bytes; `size` is what was announced."""

    data: bytes
    size: int
    rendition: str = "document"
    original_size: tuple[int, int] | None = None

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        await asyncio.sleep(0.01)
        yield self.data


@dataclass
class Shelf:
    """A source of media: what stands on it is given, or raised. It notes what was asked for."""

    items: dict[int, Piece | Exception]
    asked: list[int] = field(default_factory=list)

    async def locate(self, pending: PendingMedia, *, small: bool = False) -> Piece:
        self.asked.append(pending.media_id)
        found = self.items[pending.media_id]
        if isinstance(found, Exception):
            raise found
        return found


def item(media_id: int, kind: MediaKind = MediaKind.DOCUMENT, size: int = 4) -> MediaRef:
    return MediaRef(kind, MediaId(media_id), "application/zip", size)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with open_store(tmp_path / "store.sqlite3") as store:
        yield store


@contextlib.asynccontextmanager
async def examining(
    store: SqlStore,
    fetching: Fetching,
    *shelves: tuple[ChannelId, Shelf],
    hasher: InProcessHasher | None = None,
    matcher: ListMatcher | None = None,
) -> AsyncIterator[None]:
    """One account at work for each shelf, with the channel that is its own."""

    def examiner(channel: ChannelId, shelf: Shelf) -> Examiner:
        return Examiner(
            store,
            shelf,
            hasher or InProcessHasher(),
            matcher or ListMatcher(()),
            fetching,
            lambda: datetime.now(UTC),
            asyncio.Event(),
            lambda: [channel],
        )

    tasks = [asyncio.create_task(examiner(*pair).run()) for pair in shelves]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def settled(store: SqlStore, media_id: int) -> MediaOutcome:
    """Wait for the item's outcome."""
    async with asyncio.timeout(20):
        while True:
            rows = [row async for row in store.reader.message_rows()]
            outcomes = {row["media_id"]: row["media_outcome"] for row in rows}
            if outcomes[media_id] != "pending":
                return MediaOutcome(outcomes[media_id])
            await asyncio.sleep(0.01)


async def test_kinds_that_are_switched_off_are_not_asked_for(store: SqlStore) -> None:
    await store.record([batch(message(1, media=item(1)), message(2, media=item(2, MediaKind.VOICE)))])
    fetching = Fetching(Limits(1000, 2000, kinds=frozenset({MediaKind.DOCUMENT})))
    shelf = Shelf({1: Piece(b"data", 4)})
    async with examining(store, fetching, (CHANNEL, shelf)):
        assert await settled(store, 1) is MediaOutcome.NO_MATCH
        assert await settled(store, 2) is MediaOutcome.KIND_OFF
    assert shelf.asked == [1]


async def test_two_accounts_fetch_an_item_once(store: SqlStore) -> None:
    media = [item(number) for number in range(1, 30)]
    await store.record([batch(*(message(i, media=ref) for i, ref in enumerate(media, 1)))])
    theirs = [message(i, OTHER, media=ref) for i, ref in enumerate(media, 1)]
    await store.record([batch(*theirs, channel=OTHER)])
    shelves = [Shelf({ref.media_id or 0: Piece(b"data", 4) for ref in media}) for _ in range(2)]
    async with examining(store, Fetching(LIMITS), (CHANNEL, shelves[0]), (OTHER, shelves[1])):
        for ref in media:
            assert await settled(store, ref.media_id or 0) is MediaOutcome.NO_MATCH
    assert sorted(shelves[0].asked + shelves[1].asked) == [ref.media_id for ref in media]


async def test_what_an_account_leaves_behind_is_taken_up_by_another(store: SqlStore) -> None:
    await store.record([batch(message(1, media=item(1)))])
    await store.record([batch(message(1, OTHER, media=item(1)), channel=OTHER)])
    fetching = Fetching(LIMITS)
    first, second = Shelf({1: MediaUnavailable("not now")}), Shelf({1: Piece(b"data", 4)})
    async with contextlib.AsyncExitStack() as second_account:
        async with examining(store, fetching, (CHANNEL, first)):
            async with asyncio.timeout(20):
                while not first.asked:
                    await asyncio.sleep(0.01)
            await second_account.enter_async_context(examining(store, fetching, (OTHER, second)))
            await asyncio.sleep(0.2)
            assert not second.asked  # the first has it, and has put it aside
        assert await settled(store, 1) is MediaOutcome.NO_MATCH
    assert (first.asked, second.asked) == ([1], [1])


@pytest.mark.parametrize("error", [MediaUnavailable("not now"), ChannelPrivate("closed")], ids=repr)
async def test_an_item_that_is_not_given_now_waits_and_holds_up_nothing(
    store: SqlStore, error: Exception
) -> None:
    await store.record([batch(*(message(number, media=item(number)) for number in range(1, 31)))])
    shelf = Shelf({number: error if number <= 20 else Piece(b"data", 4) for number in range(1, 31)})
    async with examining(store, Fetching(LIMITS), (CHANNEL, shelf)):
        for number in range(21, 31):
            assert await settled(store, number) is MediaOutcome.NO_MATCH
    assert sorted(shelf.asked) == list(range(1, 31))
    assert len(await store.pending_media([CHANNEL], 50)) == 20


@pytest.mark.parametrize(
    ("announced", "outcome"),
    [(4, MediaOutcome.NO_MATCH), (3, MediaOutcome.NO_MATCH), (5, MediaOutcome.INCOMPLETE)],
)
async def test_a_file_that_ends_early_and_matches_nothing_is_incomplete(
    store: SqlStore, announced: int, outcome: MediaOutcome
) -> None:
    await store.record([batch(message(1, media=item(1, size=announced)))])
    async with examining(store, Fetching(LIMITS), (CHANNEL, Shelf({1: Piece(b"data", announced)}))):
        assert await settled(store, 1) is outcome


async def test_too_large_is_said_before_and_while_it_is_read(store: SqlStore) -> None:
    await store.record([batch(message(1, media=item(1, size=1001)), message(2, media=item(2, size=10)))])
    shelf = Shelf({2: Piece(b"x" * 1001, 10)})
    async with examining(store, Fetching(LIMITS), (CHANNEL, shelf)):
        assert await settled(store, 1) is MediaOutcome.TOO_LARGE
        assert await settled(store, 2) is MediaOutcome.TOO_LARGE
    assert shelf.asked == [2]


async def test_a_large_item_leaves_room_for_small_ones() -> None:
    room = Room(800)
    async with asyncio.timeout(20), room.of(400):
        second = asyncio.create_task(hold(room, 400))
        await asyncio.sleep(0.05)
        async with room.of(100):
            pass
        assert not second.done()
    async with asyncio.timeout(20):
        await second
        # More than there is: as much as a large item may have.
        await hold(room, 10_000)


async def hold(room: Room, size: int) -> None:
    async with room.of(size):
        await asyncio.sleep(0)


async def test_a_film_beyond_the_limits_that_matches_nothing_is_partial(
    store: SqlStore, tmp_path: Path
) -> None:
    data, listed = film(1, 4, 160, 120), film(2, 4, 160, 120)
    path = tmp_path / "films.csv"
    path.touch(mode=0o600)
    path.write_text("".join(f"{frame.pdq.hex()},film\n" for frame in film_of(listed).frames))
    films = load_list(
        path,
        name="films",
        format="csv",
        algorithm=Algorithm.VPDQ,
        action=ListAction.FLAG,
        terms=Terms("P", "R", frozenset({"detect"})),
    )
    items = [item(number, MediaKind.VIDEO, len(bytes_)) for number, bytes_ in ((1, data), (2, listed))]
    await store.record([batch(*(message(number, media=ref) for number, ref in enumerate(items, 1)))])
    shelf = Shelf({1: Piece(data, len(data)), 2: Piece(listed, len(listed))})
    fetching = Fetching(Limits(10_000_000, 20_000_000))
    hasher = InProcessHasher(sampling=Sampling(max_seconds=1.5))
    async with examining(store, fetching, (CHANNEL, shelf), hasher=hasher, matcher=ListMatcher([films])):
        assert await settled(store, 1) is MediaOutcome.PARTIAL
        # What was seen of it matches, whatever the rest is.
        assert await settled(store, 2) is MediaOutcome.MATCH
    [flag] = [row async for row in store.reader.flag_rows()]
    assert (flag["media_kind"], flag["algorithm"], flag["distance"]) == ("video", "vpdq", 0)
    assert (flag["query_share"], flag["list_share"]) == (100, 50)


async def test_what_only_a_delivery_network_gives_out_says_so(store: SqlStore) -> None:
    await store.record([batch(message(1, media=item(1)))])
    async with examining(store, Fetching(LIMITS), (CHANNEL, Shelf({1: MediaOnCdn("elsewhere")}))):
        assert await settled(store, 1) is MediaOutcome.ON_CDN


async def test_media_without_a_file_is_said_to_have_none(store: SqlStore) -> None:
    kinds = (MediaKind.PAID, MediaKind.STORY, MediaKind.WEB_PAGE)
    await store.record(
        [batch(message(9), *(message(number, media=MediaRef(kind)) for number, kind in enumerate(kinds, 1)))]
    )
    rows = {row["message_id"]: row["media_outcome"] async for row in store.reader.message_rows()}
    assert rows == {
        MessageId(1): "no_file",
        MessageId(2): "no_file",
        MessageId(3): "no_file",
        MessageId(9): None,
    }
