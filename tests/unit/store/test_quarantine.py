"""An entry that suddenly matches everything raises no more flags until a person has looked at it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.errors import InputError
from monitor.model import Algorithm, EventType, Examined, Match, MediaId, MediaKind, MediaOutcome, MediaRef
from monitor.store import SqlStore, open_store
from monitor.store.media import released
from tests.contract.making import START, batch, later, message

MOST = 3
FLOOD, QUIET = (
    Match("partner-a", "3-0123456789ab", entry, Algorithm.PDQ, 12, 31, 88) for entry in ("flood", "quiet")
)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with open_store(tmp_path / "store.db", flood_guard=MOST) as store:
        photos = [MediaRef(MediaKind.PHOTO, MediaId(n), "image/jpeg", 4) for n in range(1, 30)]
        await store.record([batch(*(message(n, media=photo) for n, photo in enumerate(photos, 1)))])
        yield store


async def matched(store: SqlStore, media_id: int, *matches: Match, hours: float = 0) -> int:
    at = START + timedelta(hours=hours, seconds=media_id)
    return await store.examined(Examined(MediaId(media_id), MediaOutcome.MATCH, at, matches=matches))


async def events(store: SqlStore, kind: EventType) -> list[dict[str, object]]:
    return [dict(event.body) async for event in store.reader.events() if event.type is kind]


async def test_beyond_so_many_items_an_hour_an_entry_raises_no_flag(store: SqlStore) -> None:
    raised = [await matched(store, number, FLOOD) for number in range(1, 7)]
    assert raised == [1, 1, 1, 0, 0, 0]
    (held,) = await store.reader.quarantined()
    assert (held.hash_list, held.entry, held.items) == ("partner-a", "flood", 6)
    (event,) = await events(store, EventType.ENTRY_QUARANTINED)
    assert (event["hash_list"], event["entry"], event["media"]) == ("partner-a", "flood", MOST + 1)


async def test_the_same_number_over_more_than_an_hour_is_no_flood(store: SqlStore) -> None:
    assert [await matched(store, n, FLOOD, hours=n / 2) for n in range(1, 10)] == [1] * 9
    assert await store.reader.quarantined() == []


async def test_other_entries_go_on_and_an_item_is_flagged_for_those_alone(store: SqlStore) -> None:
    for number in range(1, 5):
        await matched(store, number, FLOOD)
    assert await matched(store, 5, FLOOD, QUIET) == 1
    flagged = {(r["media_id"], r["entry"]) async for r in store.reader.flag_rows()}
    assert {entry for media_id, entry in flagged if media_id == 5} == {"quiet"}


async def test_further_messages_of_a_quarantined_item_raise_no_flag_either(store: SqlStore) -> None:
    for number in range(1, 5):
        await matched(store, number, FLOOD)
    again = message(50, media=MediaRef(MediaKind.PHOTO, MediaId(4), "image/jpeg", 4))
    assert (await store.record([batch(again)])).flags == 0


async def test_a_release_raises_what_was_held_back(store: SqlStore) -> None:
    for number in range(1, 7):
        await matched(store, number, FLOOD, *([QUIET] if number == 6 else []))
    raised = await store.run(released, "partner-a", "flood", "analyst-1", later(9000))
    assert raised == 2
    assert await store.reader.quarantined() == []
    flagged = {(r["media_id"], r["entry"]) async for r in store.reader.flag_rows()}
    assert {media_id for media_id, entry in flagged if entry == "flood"} == {1, 2, 3, 4, 5, 6}
    (event,) = await events(store, EventType.ENTRY_RELEASED)
    assert event["operator"] == "analyst-1"


async def test_after_a_release_only_what_comes_then_counts(store: SqlStore) -> None:
    for number in range(1, 5):
        await matched(store, number, FLOOD)
    await store.run(released, "partner-a", "flood", "analyst-1", START + timedelta(seconds=10))
    assert [await matched(store, number, FLOOD) for number in range(11, 16)] == [1, 1, 1, 0, 0]


async def test_what_is_in_no_quarantine_cannot_be_released(store: SqlStore) -> None:
    await matched(store, 1, QUIET)
    with pytest.raises(InputError, match="is not in quarantine"):
        await store.run(released, "partner-a", "quiet", "analyst-1", START)
