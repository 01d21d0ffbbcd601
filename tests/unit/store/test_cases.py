"""Cases in the store: their events, their order in a list, what is read of their sightings."""

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from monitor.errors import InputError
from monitor.model import (
    CaseState,
    Category,
    EntryStanding,
    EventType,
    Match,
    Sighting,
    Terms,
)
from monitor.reporting.acting import Case, act, step
from monitor.store import SqlStore, open_store
from monitor.store.casebook import case_numbers, list_cases
from monitor.store.cases import Step, entries, read
from monitor.store.media import released
from monitor.store.sightings import NOT_ON_RECORD, sightings
from tests.contract.making import (
    CHANNEL,
    MD5,
    OTHER,
    START,
    batch,
    hash_list,
    later,
    matched,
    message,
    picture,
)
from tests.unit.reporting.desk import CHILD, EXACT, NEAR, REVIEWED, UNMAPPED, Desk, desk


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(tmp_path) as opened:
        yield opened


async def of_case(store: SqlStore, case_id: int) -> list[EventType]:
    return [event.type for event in (await store.reader.run(read, case_id)).events]


async def test_a_flag_is_an_event_of_every_case_that_it_matches(at: Desk) -> None:
    await at.see(EXACT, NEAR)
    await at.see(NEAR)
    assert await of_case(at.store, 1) == [EventType.FLAG_RAISED]
    assert await of_case(at.store, 2) == [EventType.FLAG_RAISED] * 2


async def test_two_matches_of_one_entry_are_one_event_of_its_case(at: Desk) -> None:
    await at.see(EXACT, dataclasses.replace(MD5, list_version=EXACT.list_version))
    assert await of_case(at.store, 1) == [EventType.FLAG_RAISED]


async def test_what_was_held_back_joins_its_case_when_it_is_released(tmp_path: Path) -> None:
    async with open_store(tmp_path / "s.db", flood_guard=1) as store:
        await store.record([batch(*(message(n, media=picture(n)) for n in (1, 2)))])
        await store.examined(matched(1, NEAR, at=later(1)))
        await store.examined(matched(2, NEAR, CHILD, at=later(2)))
        assert await of_case(store, 1) == [EventType.FLAG_RAISED, EventType.ENTRY_QUARANTINED]
        await store.run(released, "partner-a", "e2", "analyst-1", later(3))
        assert await of_case(store, 1) == [
            EventType.FLAG_RAISED,
            EventType.ENTRY_QUARANTINED,
            EventType.ENTRY_RELEASED,
            EventType.FLAG_COMPLETED,
        ]
        assert await of_case(store, 2) == [EventType.FLAG_RAISED]
        record = await store.reader.run(read, 1)
        assert [item.flag_id for item in record.items] == [1, 2]
        assert record.events[-1].body == {
            "flag_id": 2,
            "matches": "partner-a/3-030303030303/e2/pdq/12/31/88/-/-/-",
        }


async def test_a_rule_that_raises_leaves_nothing_behind(at: Desk) -> None:
    await at.see(EXACT)
    before = [event async for event in at.store.reader.events()]

    def words_of_a_message(case: Case) -> list[Step]:
        return [
            step(EventType.CASE_ASSIGNED, "anna", {"assignee": "bert"}),
            step(EventType.CASE_ASSIGNED, "anna", {"assignee": "two words"}),
        ]

    with pytest.raises(ValueError, match="takes one word"):
        await act(at.store, 1, words_of_a_message, at.at)
    assert [event async for event in at.store.reader.events()] == before
    assert (await at.case(1)).facts.assigned_to is None


async def test_children_come_first_then_lists_that_flag_then_exact_ones_then_reach(at: Desk) -> None:
    await at.see(UNMAPPED, views=9_000)
    await at.see(REVIEWED, views=9_000)
    await at.see(NEAR, views=10)
    await at.see(dataclasses.replace(NEAR, entry="e9"), views=500)
    await at.see(EXACT, views=1)
    await at.see(CHILD)
    lines = await at.store.reader.run(list_cases, at.at)
    assert [(line.entry, line.priority) for line in lines] == [
        ("e3", 1),
        ("e1", 3),
        ("e9", 3),
        ("e2", 3),
        ("e5", 4),
        ("e4", 5),
    ]


async def test_a_case_in_a_list_says_how_often_and_where_it_was_seen(at: Desk) -> None:
    await at.see(NEAR, views=10)
    await at.see(dataclasses.replace(NEAR, distance=3), views=5)
    await at.see(NEAR, EXACT, channel=OTHER)
    line = next(x for x in await at.store.reader.run(list_cases, at.at) if x.entry == "e2")
    assert (line.sightings, line.channels, line.reach, line.distance, line.exact) == (3, 2, 15, 3, False)
    assert line.category is Category.ADULT_FILMED
    exact = next(x for x in await at.store.reader.run(list_cases, at.at) if x.entry == "e1")
    assert exact.exact


async def test_cases_are_found_by_state_list_and_person(at: Desk) -> None:
    await at.see(EXACT)
    await at.see(REVIEWED)
    await at.accept(1)

    async def found(**by: object) -> list[int]:
        return [x.case_id for x in await at.store.reader.run(list_cases, at.at, **by)]

    assert await found(state=CaseState.OPEN) == [2]
    assert await found(state=CaseState.ACCEPTED) == [1]
    assert await found(hash_list="partner-b") == [2]
    assert await found(assigned_to="nobody") == []
    assert await at.store.reader.run(case_numbers, "partner-a", ["e1", "e2"]) == {"e1": 1}


async def test_a_sighting_says_all_that_a_report_tells(at: Desk) -> None:
    await at.see(
        NEAR, dataclasses.replace(NEAR, algorithm=MD5.algorithm, distance=0, threshold=0, quality=None)
    )
    (found,) = await at.store.reader.run(sightings, 1)
    assert found == Sighting(
        flag_id=1,
        channel_id=CHANNEL,
        username="example_one",
        message_id=101,
        link="https://t.me/example_one/101",
        posted_at=later(101),
        first_seen_at=later(10_000),
        flagged_at=at.at,
        media_kind="photo",
        mime="image/jpeg",
        size=9_000,
        hash_list="partner-a",
        list_version="3-030303030303",
        entry="e2",
        algorithm="md5",
        distance=0,
        threshold=0,
        quality=None,
        error_bound=None,
        rendition="x",
        category=Category.ADULT_FILMED,
        licensor="Partner A",
        list_reference="DSA-12",
    )


async def test_a_channel_without_a_public_name_is_linked_by_number(at: Desk) -> None:
    await at.see(EXACT, channel=OTHER)
    (found,) = await at.store.reader.run(sightings, 1)
    assert (found.username, found.link) == (None, f"https://t.me/c/{OTHER}/101")


async def test_the_terms_of_a_sightings_list_are_those_last_declared_for_its_version(at: Desk) -> None:
    await at.see(EXACT)
    await at.see(Match("partner-c", "1-000000000000", "e1", EXACT.algorithm, 0, 0))
    renewed = Terms("Partner A", "DSA-13", frozenset({"detect", "report"}))
    await at.store.list_loaded(hash_list(terms=renewed), at.at)
    await at.store.list_loaded(hash_list(count=4), at.at)
    (found,) = await at.store.reader.run(sightings, 1)
    assert (found.list_version, found.list_reference) == ("3-030303030303", "DSA-13")
    (unknown,) = await at.store.reader.run(sightings, 2)
    assert (unknown.licensor, unknown.list_reference) == (NOT_ON_RECORD, NOT_ON_RECORD)


# -- what a loaded list says


async def test_a_list_is_asked_only_about_entries_that_have_a_case(at: Desk) -> None:
    await at.see(NEAR, EXACT)
    await at.see(REVIEWED)
    assert await at.store.reader.run(entries, "partner-a") == ["e1", "e2"]
    before = await at.events()
    await at.store.entries_stand("partner-a", [EntryStanding("e77", listed=False)], at.at)
    assert await at.events() == before


async def test_a_withdrawal_is_an_event_once_and_so_is_its_end(at: Desk) -> None:
    await at.see(EXACT)
    for listed in (True, False, False, True, True):
        standing = EntryStanding("e1", listed=listed, category=Category.CHILD)
        await at.store.entries_stand("partner-a", [standing], at.at)
    told = await at.events(EventType.ENTRY_WITHDRAWN, EventType.ENTRY_RESTORED)
    assert [event.type for event in told] == [EventType.ENTRY_WITHDRAWN, EventType.ENTRY_RESTORED]
    assert dict(told[0].body) == {"case_id": 1, "hash_list": "partner-a", "entry": "e1"}


async def test_the_category_is_what_the_label_means_now(at: Desk) -> None:
    async def category() -> Category | None:
        return (await at.case(1)).record.category

    await at.see(UNMAPPED)
    assert await category() is None
    await at.see(dataclasses.replace(UNMAPPED, category=Category.TERRORISM))
    assert await category() is Category.TERRORISM
    await at.see(UNMAPPED)
    assert await category() is Category.TERRORISM, "a match without one takes nothing away"
    await at.store.entries_stand("partner-a", [EntryStanding("e4", listed=True)], at.at)
    assert await category() is None, "the mapping was taken out of the configuration"


async def test_a_case_that_is_not_there_is_named(at: Desk) -> None:
    with pytest.raises(InputError, match="case 7: there is none; monitor cases list"):
        await at.case(7)
    assert START < at.at
