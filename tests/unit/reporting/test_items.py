"""Items of a report in the app: what stops them, what a case's history says of them, what is corrected."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection

from monitor.errors import InputError
from monitor.model import (
    AUTOMATIC,
    Approval,
    Category,
    EntryStanding,
    ErrandFailure,
    ErrandState,
    EventType,
    InAppReport,
    ReportingPolicy,
    ReportOutcome,
    ReportState,
    Route,
    Told,
)
from monitor.reporting import decisions, holds, reports
from monitor.reporting.aftermath import take_due
from monitor.reporting.casefacts import Report
from monitor.reporting.chronology import told, without_addresses
from monitor.store.report_book import tasks
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


# -- what a report comes to when each of its items has its answer


async def due(at: Desk) -> list[EventType]:
    """What falls due a while later."""
    at.wait(minutes=2)
    return [each.type for each in await take_due(at.store, at.policy, at.at)]


async def report_of(at: Desk, number: int) -> Report:
    return (await at.case(1)).facts.reports[number]


async def test_a_report_is_sent_by_itself_once_its_last_item_has_arrived(at: Desk) -> None:
    number = await approved(at, 2)
    first, second = await asked(at, number), await asked(at, number, 1)
    await ends(at, first)
    assert await due(at) == [], "one waits yet"
    await ends(at, second)
    assert await take_due(at.store, at.policy, at.at) == [], "a command may be at work on it"
    assert await due(at) == [EventType.REPORT_SENT]
    assert (await report_of(at, number)).state is ReportState.SENT
    assert (await at.events(EventType.REPORT_SENT))[0].body["operator"] == AUTOMATIC
    assert await due(at) == []


async def test_a_report_has_not_ended_while_an_item_of_it_was_never_asked_for(at: Desk) -> None:
    number = await approved(at, 2)
    await ends(at, await asked(at, number))
    assert await due(at) == []
    assert (await report_of(at, number)).state is ReportState.APPROVED


@pytest.mark.parametrize("state", [ErrandState.FAILED, ErrandState.UNKNOWN])
async def test_a_report_fails_by_itself_and_is_sent_once_a_person_took_note(
    at: Desk, state: ErrandState
) -> None:
    number = await approved(at, 2)
    await ends(at, await asked(at, number))
    lost = await asked(at, number, 1)
    failure = ErrandFailure.MESSAGE_GONE if state is ErrandState.FAILED else None
    assert await at.store.errand_leaves(lost, at.at)
    await at.store.errand_told(Told(lost, state, at.at, failure=failure))
    assert await due(at) == [EventType.REPORT_FAILED]
    assert (await report_of(at, number)).failure == (failure or state).value
    assert await due(at) == [], "once"
    await at.store.note_errand(lost, explanation="left at that", operator=BERT, at=at.at)
    assert await due(at) == [EventType.REPORT_SENT]


async def test_a_report_whose_items_are_all_gone_came_out_as_that(at: Desk) -> None:
    number = await approved(at, 2)
    lost = await asked(at, number)
    assert await at.store.errand_leaves(lost, at.at)
    await at.store.errand_told(Told(lost, ErrandState.FAILED, at.at, failure=ErrandFailure.MESSAGE_GONE))
    await at.delete(102)
    assert await due(at) == [EventType.REPORT_FAILED], "nobody took note of what the platform said"
    await at.store.note_errand(lost, explanation="it is", operator=BERT, at=at.at)
    assert await due(at) == [EventType.REPORT_OUTCOME]
    report = await report_of(at, number)
    assert (report.state, report.outcome) == (ReportState.OUTCOME, ReportOutcome.ALREADY_GONE)
    assert not report.out, "nothing of it has left"
    assert await due(at) == []
    assert (await at.store.reader.run(tasks)).failed == 0


async def test_what_another_report_told_of_is_a_duplicate_unless_somebody_said_why(at: Desk) -> None:
    first = await approved(at)
    await ends(at, await asked(at, first))
    assert await due(at) == [EventType.REPORT_SENT]
    told, again = [
        await at.prepare(1, Route.TELEGRAM, again=True, explanation="it is back") for _ in range(2)
    ]
    # As for a message that is a sighting of two cases: nobody asked for it once more.
    await at.store.run(lambda conn, salt: forget_why(conn, told))
    for number in (told, again):
        await at.on_report(number, reports.approve(ANNA, at.policy))
    assert await due(at) == [EventType.REPORT_OUTCOME]
    assert (await report_of(at, told)).outcome is ReportOutcome.DUPLICATE
    assert (await report_of(at, again)).state is ReportState.APPROVED


async def test_what_a_person_left_at_that_and_nothing_of_which_arrived_stays_failed(at: Desk) -> None:
    number = await approved(at)
    lost = await asked(at, number)
    assert await at.store.errand_leaves(lost, at.at)
    await at.store.errand_told(Told(lost, ErrandState.FAILED, at.at, failure=ErrandFailure.REFUSED))
    assert await due(at) == [EventType.REPORT_FAILED]
    await at.store.note_errand(lost, explanation="no more", operator=BERT, at=at.at)
    assert await due(at) == []
    assert (await report_of(at, number)).state is ReportState.FAILED


def forget_why(conn: Connection, number: int) -> None:
    """Take the reason out of the event with which a report was prepared."""
    for seq, body in conn.exec_driver_sql(
        "SELECT seq, body FROM events WHERE type = 'report_prepared'"
    ).all():
        told = json.loads(body)
        if told["report_id"] == number:
            del told["explanation"]
            new = json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
            conn.exec_driver_sql("UPDATE events SET body = ? WHERE seq = ?", (new, seq))
