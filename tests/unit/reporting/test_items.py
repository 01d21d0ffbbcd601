"""Items of a report in the app: what stops them, what a case's history says of them, what is corrected."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from monitor.errors import InputError
from monitor.model import (
    Approval,
    Category,
    EntryStanding,
    ErrandFailure,
    ErrandState,
    EventType,
    InAppReport,
    ReportingPolicy,
    ReportState,
    Route,
    Told,
)
from monitor.reporting import decisions, holds, reports
from monitor.reporting.aftermath import take_due
from monitor.reporting.chronology import told, without_addresses
from monitor.store.sightings import sightings
from tests.unit.reporting.desk import ANNA, BERT, EXACT, Desk, desk


async def approved(at: Desk, seen: int = 1) -> int:
    """An approved report in the app, of so many sightings; its number."""
    for _ in range(seen):
        await at.see(EXACT)
    await at.accept(1)
    at.wait(minutes=2)
    number = await at.prepare(1, Route.TELEGRAM)
    await at.on_report(number, reports.approve(ANNA, at.policy))
    return number


async def asked(at: Desk, number: int, item: int = 0) -> int:
    """The errand of one of its items."""
    place = (await at.store.reader.run(sightings, 1, number))[item]
    return await at.store.report_in_app(
        place.channel_id,
        place.message_id,
        path=("Other",),
        comment="",
        approval=Approval(ANNA, at.at),
        operator=ANNA,
        report_id=number,
        may_leave=reports.gate(number, at.policy, at.at),
        at=at.at,
    )


async def ends(at: Desk, errand: int, state: ErrandState = ErrandState.SENT) -> None:
    assert await at.store.errand_leaves(errand, at.at)
    await at.store.errand_told(Told(errand, state, at.at))


async def errand_of(at: Desk, errand: int) -> InAppReport:
    return await at.store.reader.in_app_report(errand)


Stop = Callable[[Desk], Awaitable[None]]


async def hold(at: Desk) -> None:
    at_end = at.at.replace(year=at.at.year + 1)
    await at.does(1, holds.hold(BERT, asked_by="Cyber Unit", until=at_end, reference="K-1"))


async def reject(at: Desk) -> None:
    await at.reject(1)


async def doubt(at: Desk) -> None:
    await at.does(1, decisions.ask_second_opinion(BERT, "in doubt"))


async def doubt_one(at: Desk) -> None:
    await at.does(1, decisions.ask_second_opinion(BERT, "in doubt", flag_id=1))


async def undo(at: Desk) -> None:
    await at.does(1, decisions.undo(ANNA, ReportingPolicy(undo_seconds=3600)))


async def withdraw(at: Desk) -> None:
    gone = EntryStanding("e1", listed=False, category=Category.ADULT_FILMED)
    await at.store.entries_stand("partner-a", [gone], at.at)


async def hand_over(at: Desk) -> None:
    await at.on_report(1, reports.handed_over(BERT, at.policy))


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(tmp_path) as found:
        yield found


STOPS = [hold, reject, undo, doubt, doubt_one, withdraw, hand_over]


@pytest.mark.parametrize("stops", STOPS)
async def test_what_stops_a_report_takes_back_its_items_that_have_not_left(at: Desk, stops: Stop) -> None:
    number = await approved(at, 2)
    gone, waits = await asked(at, number), await asked(at, number, 1)
    await ends(at, gone)
    await stops(at)
    assert (await errand_of(at, gone)).state is ErrandState.SENT
    assert (await errand_of(at, waits)).failure is ErrandFailure.WITHDRAWN
    assert not await at.store.errand_leaves(waits, at.at), "it must not leave any more"
    with pytest.raises(InputError):
        await asked(at, number, 1)


async def test_what_leaves_a_report_alone_leaves_its_items_alone(at: Desk) -> None:
    number = await approved(at)
    errand = await asked(at, number)
    await at.does(1, decisions.assign(BERT, ANNA))
    other = await at.see(EXACT)
    await at.reject(1, flag_id=other)
    assert (await errand_of(at, errand)).state is ErrandState.WAITING


@pytest.mark.parametrize("stops", [hold, reject, doubt, withdraw, hand_over])
async def test_what_comes_back_after_its_report_was_stopped_stays_here(at: Desk, stops: Stop) -> None:
    number = await approved(at)
    errand = await asked(at, number)
    assert await at.store.errand_leaves(errand, at.at)
    await stops(at)
    await at.store.errand_told(Told(errand, ErrandState.WAITING, at.at, until=at.at))
    assert (await errand_of(at, errand)).failure is ErrandFailure.WITHDRAWN


async def test_a_held_report_goes_on_when_the_hold_has_ended(at: Desk) -> None:
    number = await approved(at)
    await asked(at, number)
    await hold(at)
    with pytest.raises(InputError, match="is held until"):
        await asked(at, number)
    await at.does(1, holds.end_hold(ANNA, explanation="they agreed"))
    errand = await asked(at, number)
    await ends(at, errand)
    done = await at.on_report(number, reports.arrived(ANNA))
    assert done.facts.reports[number].state is ReportState.SENT


async def test_a_case_tells_of_items_without_their_addresses_and_its_report_stays_as_it_is(at: Desk) -> None:
    number = await approved(at, 2)
    await ends(at, await asked(at, number))
    lost = await asked(at, number, 1)
    assert await at.store.errand_leaves(lost, at.at)
    assert await at.store.errands_lost("main", at.at) == 1
    await at.store.note_errand(lost, explanation="left", operator=BERT, at=at.at)
    case = await at.case(1)
    assert case.facts.reports[number].state is ReportState.APPROVED
    *_, first, second, noted = case.record.events
    assert [first.type, second.type, noted.type] == [
        EventType.ITEM_REPORTED,
        EventType.ITEM_NOT_REPORTED,
        EventType.ITEM_NOT_REPORTED,
    ]
    assert [told(event).what for event in (first, second, noted)] == [
        "report 1, errand 1: item reported in the app",
        "report 1, errand 2: item left, no answer was heard",
        "report 1, errand 2: item left at that: left",
    ]
    for event in (first, second, noted):
        assert not {"channel_id", "message_id"} & without_addresses(event.body).keys()


@pytest.mark.parametrize("state", [ErrandState.SENT, ErrandState.UNKNOWN])
async def test_a_report_of_which_something_is_out_is_corrected_when_it_falls(
    at: Desk, state: ErrandState
) -> None:
    number = await approved(at, 2)
    await ends(at, await asked(at, number), state)
    await at.reject(1)
    report = (await at.case(1)).facts.reports[number]
    assert report.state is ReportState.SUPERSEDED
    assert report.correction_since is not None


async def test_what_arrives_after_its_report_has_fallen_is_corrected(at: Desk) -> None:
    number = await approved(at)
    errand = await asked(at, number)
    assert await at.store.errand_leaves(errand, at.at)
    await at.reject(1)
    await at.store.errand_told(Told(errand, ErrandState.SENT, at.at))
    done = await at.on_report(number, reports.arrived(ANNA))
    assert done.facts.reports[number].correction_since is not None


async def test_a_report_of_which_part_is_out_is_corrected_when_its_entry_is_withdrawn(at: Desk) -> None:
    number = await approved(at, 2)
    await ends(at, await asked(at, number))
    await at.on_report(number, reports.failed(ANNA, "unknown"))
    await withdraw(at)
    (due,) = await take_due(at.store, at.policy, at.at)
    assert (due.type, due.report_id) == (EventType.CORRECTION_OPENED, number)
