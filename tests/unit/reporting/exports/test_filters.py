"""Which rows an export holds when it is narrowed."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from monitor.errors import InputError
from monitor.model import Category, MediaOutcome, Refusal
from monitor.reporting.sheets import SHEETS
from monitor.store import Filters, SqlStore
from monitor.store.filters import OPTIONS
from monitor.store.queries import SOURCES
from tests.contract.making import CHANNEL, OTHER, PDQ, START, gone, hash_list, later, matched, settled
from tests.unit.reporting.exports.taking import exports, objects, take

GIVEN: dict[str, Any] = {
    "since": START,
    "until": START,
    "channels": ("example_one",),
    "hash_list": "partner-a",
    "category": Category.CHILD,
    "state": "open",
    "cases": (1,),
}


async def rows(store: SqlStore, database: Path, what: str, **filters: Any) -> list[dict[str, Any]]:
    path = database.with_name("out.jsonl")
    counted = await store.reader.count(what, Filters(**filters))
    taken = await take(store, database, what, "jsonl", path, filters=Filters(**filters))
    found = objects(path)
    assert taken == counted == len(found)
    return found


async def test_messages_of_a_window_and_a_channel(store: SqlStore, database: Path) -> None:
    async def numbers(**filters: Any) -> list[int]:
        return [row["message_id"] for row in await rows(store, database, "messages", **filters)]

    assert await numbers() == [1, 2, 3, 9]
    assert await numbers(since=later(2), until=later(3)) == [2, 3]
    assert await numbers(since=later(2.000001)) == [3, 9]
    assert await numbers(channels=("EXAMPLE_ONE",)) == [1, 2, 3]
    assert await numbers(channels=("example_one",), since=later(3)) == [3]
    assert await numbers(channels=("refused_two",)) == []


async def test_flags_of_a_list_a_channel_a_state(store: SqlStore, database: Path) -> None:
    async def numbers(**filters: Any) -> list[int]:
        return [row["flag_id"] for row in await rows(store, database, "flags", **filters)]

    assert await numbers(hash_list="partner-a", state="open") == [1, 2]
    assert await numbers(channels=("example_one",)) == [1]
    assert await numbers(state="accepted") == []
    assert await numbers(since=later(61)) == []
    await store.list_loaded(hash_list(name="partner-b"), START)
    assert await numbers(hash_list="partner-b") == []


async def test_cases_count_their_flags_and_channels(store: SqlStore, database: Path) -> None:
    (case,) = await rows(store, database, "cases", channels=("example_one",), hash_list="partner-a")
    assert (case["hash_list"], case["entry"], case["state"]) == ("partner-a", "e1", "open")
    assert (case["flags"], case["channels"]) == (2, 2)
    assert (
        case["opened_at"] == case["first_sighting_at"] == case["last_sighting_at"] == "2026-11-01T12:01:00Z"
    )
    assert await rows(store, database, "cases", channels=("refused_two",)) == []
    assert await rows(store, database, "cases", until=START) == []


async def test_channels_by_name_and_state(store: SqlStore, database: Path) -> None:
    async def usernames(**filters: Any) -> list[str]:
        return [row["username"] for row in await rows(store, database, "channels", **filters)]

    assert await usernames(state="refused") == ["refused_two"]
    assert await usernames(channels=("Example_One", "refused_two")) == ["example_one", "refused_two"]


async def test_observations_are_deletions_and_lost_channels(store: SqlStore, database: Path) -> None:
    await store.record([gone(3, at=later(500)), gone(9, at=later(300), channel=OTHER)])
    await store.refused("example_one", Refusal.GONE, later(400))
    found = await rows(store, database, "observations")
    assert [(row["channel_id"], row["outcome"], row["source"]) for row in found] == [
        (OTHER, "message_gone", "messages"),
        (CHANNEL, "channel_gone", "events"),
        (CHANNEL, "message_gone", "messages"),
    ]
    assert [row["observed_at"] for row in found] == [
        f"2026-11-01T12:0{at}Z" for at in ("5:00", "6:40", "8:20")
    ]
    assert "message_id" not in found[0]
    assert len(await rows(store, database, "observations", channels=("example_one",))) == 2
    assert len(await rows(store, database, "observations", since=later(400), until=later(400))) == 1


async def test_a_flag_with_several_entries_has_a_row_for_each(store: SqlStore, database: Path) -> None:
    await store.examined(matched(52, PDQ, replace(PDQ, hash_list="partner-b", entry="b1"), at=later(90)))
    found = await rows(store, database, "flags", since=later(90))
    assert [(row["flag_id"], row["hash_list"]) for row in found] == [(3, "partner-a"), (3, "partner-b")]
    assert [row["flag_id"] for row in await rows(store, database, "flags", hash_list="partner-b")] == [3]


async def test_a_case_and_a_category(store: SqlStore, database: Path) -> None:
    child = replace(PDQ, hash_list="partner-b", entry="b1", category=Category.CHILD)
    await store.examined(matched(52, PDQ, child, at=later(90)))
    for what, flags in (("flags", [3]), ("cases", None)):
        for filters in ({"category": Category.CHILD}, {"cases": (2,)}):
            found = await rows(store, database, what, **filters)
            assert {row["case_id"] for row in found} == {2}
            assert flags is None or [row["flag_id"] for row in found] == flags
    # What nothing is said of is of unknown category.
    assert {row["case_id"] for row in await rows(store, database, "flags", category=Category.UNKNOWN)} == {1}
    assert {row["category"] for row in await rows(store, database, "cases")} == {None, "child"}


# -- what cannot be


@pytest.mark.parametrize("what", SHEETS)
@pytest.mark.parametrize("name", GIVEN)
async def test_a_filter_applies_or_is_refused_and_never_passed_over(
    store: SqlStore, database: Path, what: str, name: str
) -> None:
    given: Any = GIVEN[name]
    if name == "state":
        given = {"channels": "refused", "reports": "sent"}.get(what, given)
    if name in SOURCES[what].filters:
        await rows(store, database, what, **{name: given})
    else:
        with pytest.raises(InputError, match=f"{OPTIONS[name]}: does not apply to {what}"):
            await rows(store, database, what, **{name: given})
        assert await exports(store) == []


@pytest.mark.parametrize(
    ("what", "filters", "says"),
    [
        ("flags", {"channels": ("nobody",)}, "--channel nobody: is not on record"),
        ("flags", {"hash_list": "partner-z"}, "there is partner-a"),
        ("flags", {"state": "shut"}, "choose one of open, accepted"),
        ("channels", {"state": "open"}, "choose one of declared"),
        ("flags", {"cases": (1, 77)}, "--case 77: there is none"),
    ],
)
async def test_what_is_mistyped_is_named(
    store: SqlStore, database: Path, what: str, filters: dict[str, Any], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        await rows(store, database, what, **filters)


async def test_messages_cannot_be_narrowed_to_what_is_flagged(store: SqlStore, database: Path) -> None:
    for filters in ({"hash_list": "partner-a"}, {"state": "open"}):
        with pytest.raises(InputError, match="does not apply to messages"):
            await rows(store, database, "messages", **filters)


async def test_the_event_keeps_the_filters(store: SqlStore, database: Path) -> None:
    await rows(store, database, "flags", since=START, channels=("example_one", "refused_two"), state="open")
    (event,) = await exports(store)
    assert event.body["filters"] == (
        "since=2026-11-01T12:00:00+00:00 channels=example_one,refused_two state=open"
    )


async def test_more_filters_than_an_event_takes_are_refused(store: SqlStore, database: Path) -> None:
    with pytest.raises(InputError, match="make several"):
        await rows(store, database, "flags", channels=tuple(f"channel_number_{n}" for n in range(100)))


async def test_the_window_is_told_to_the_microsecond(store: SqlStore, database: Path) -> None:
    at = datetime.fromisoformat("2026-11-01T12:01:00.000001+00:00")
    await store.examined(settled(53, MediaOutcome.NO_MATCH))
    assert await rows(store, database, "flags", since=at) == []
    assert len(await rows(store, database, "flags", until=at)) == 2
