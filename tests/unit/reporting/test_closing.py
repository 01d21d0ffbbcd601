"""When a case may go: never before everybody is done with it, by its rows and by its events."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.model import (
    Approval,
    EntryStanding,
    ErrandState,
    EventType,
    MediaId,
    ReasonCode,
    ReportOutcome,
    Route,
    Told,
)
from monitor.reporting import decisions, holds, negatives, reports
from monitor.reporting.acting import step
from monitor.reporting.closing import over
from monitor.store import closed, quarantine
from monitor.store.cases import read
from monitor.store.sightings import sightings
from tests.unit.reporting.desk import ANNA, BERT, EXACT, NEAR, Desk, desk

PERIOD = timedelta(days=100)
LATER = {"days": 150}


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(tmp_path) as opened:
        yield opened


async def due(at: Desk) -> list[int]:
    return await at.store.reader.run(closed.due, at.at - PERIOD, at.at, over)


async def by_rows(at: Desk) -> list[int]:
    return await at.store.reader.run(closed.due, at.at - PERIOD, at.at, lambda record, now: True)


async def by_events(at: Desk) -> bool:
    return over(await at.store.reader.run(read, 1), at.at)


async def answered(at: Desk, route: Route = Route.TELEGRAM_MAIL) -> int:
    """An accepted sighting whose report was answered: a case that is over. The report's number."""
    _, number = await at.sent(EXACT, route)
    await at.on_report(number, reports.came_out(ANNA, ReportOutcome.ACTIONED))
    return number


async def withdraw(at: Desk, entry: str = EXACT.entry) -> None:
    await at.store.entries_stand("partner-a", [EntryStanding(entry, listed=False)], at.at)


async def errand(at: Desk, report_id: int | None) -> int:
    """A report in the app of the first sighting."""
    place = (await at.store.reader.run(sightings, 1))[0]
    return await at.store.report_in_app(
        place.channel_id,
        place.message_id,
        path=("Other",),
        comment="",
        approval=Approval(ANNA, at.at),
        operator=ANNA,
        report_id=report_id,
        at=at.at,
    )


async def ends(at: Desk, number: int, state: ErrandState) -> None:
    assert await at.store.errand_leaves(number, at.at)
    await at.store.errand_told(Told(number, state, at.at))


# -- one for each reason: what is still to be done, and who knows it


async def is_open(at: Desk) -> None:
    await at.see(EXACT)


async def waits_for_a_second_opinion(at: Desk) -> None:
    await at.see(EXACT)
    await at.does(1, decisions.ask_second_opinion(ANNA, "in doubt"))


async def was_seen_again_after_a_rejection(at: Desk) -> None:
    await at.see(EXACT)
    await at.reject(1)
    await at.see(EXACT)


async def waits_for_a_second_opinion_on_one_sighting(at: Desk) -> None:
    flag = await at.see(EXACT)
    await at.accept(1)
    await at.does(1, decisions.ask_second_opinion(ANNA, "in doubt", flag_id=flag))


async def is_held(at: Desk) -> None:
    await answered(at)
    until = at.at + timedelta(days=365)
    await at.does(1, holds.hold(BERT, asked_by="Cyber Unit", until=until, reference="K-1"))


async def is_on_the_negative_list(at: Desk) -> None:
    await at.see(NEAR)
    await withdraw(at, NEAR.entry)
    await at.reject(1, reason=ReasonCode.SOURCE_WITHDRAWN)
    at.wait(minutes=2)
    await at.does(1, negatives.add(ANNA, at.policy, days=365, explanation="see the mail"))


async def is_in_quarantine(at: Desk) -> None:
    await answered(at)
    await at.see(EXACT)
    await at.store.run(quarantine.guard, MediaId(102), 0, at.at)


async def has_a_report_to_approve(at: Desk) -> None:
    await at.see(EXACT)
    await at.accept(1)
    at.wait(minutes=2)
    await at.prepare(1)


async def has_a_report_to_send(at: Desk) -> None:
    await has_a_report_to_approve(at)
    await at.on_report(1, reports.approve(ANNA, at.policy))


async def has_a_report_that_could_not_be_sent(at: Desk) -> None:
    await has_a_report_to_send(at)
    await at.on_report(1, reports.failed(ANNA, "refused"))


async def waits_for_an_answer(at: Desk) -> None:
    await answered(at)
    await at.send(1, Route.DSA)


async def was_only_told_that_its_report_arrived(at: Desk) -> None:
    await at.sent(EXACT)
    await at.on_report(1, reports.acknowledge(ANNA, "T-1"))


async def has_a_correction_to_tell(at: Desk) -> None:
    await answered(at)
    await at.reject(1)


async def has_a_correction_to_open(at: Desk) -> None:
    await answered(at)
    await withdraw(at)


async def has_a_mail_of_which_nobody_knows(at: Desk) -> None:
    await has_a_report_to_send(at)
    await at.on_report(1, lambda case, report: [step(EventType.MAIL_BEGUN, ANNA, {"report_id": 1})])
    await at.reject(1)


async def has_an_item_on_its_way(at: Desk) -> None:
    await at.see(EXACT)
    await at.accept(1)
    await errand(at, None)


async def has_an_item_of_which_nobody_knows(at: Desk) -> None:
    await has_a_report_to_send(at)
    await ends(at, await errand(at, 1), ErrandState.UNKNOWN)
    await at.on_report(1, reports.sent(ANNA, at.policy))
    await at.on_report(1, reports.came_out(ANNA, ReportOutcome.NO_ANSWER))


async def has_an_item_that_left_after_its_report_fell(at: Desk) -> None:
    await has_a_report_to_send(at)
    number = await errand(at, 1)
    assert await at.store.errand_leaves(number, at.at)
    await at.reject(1)
    await at.store.errand_told(Told(number, ErrandState.SENT, at.at))


Reason = Callable[[Desk], Awaitable[None]]
BOTH: tuple[Reason, ...] = (
    *(is_open, waits_for_a_second_opinion, was_seen_again_after_a_rejection, is_held),
    *(is_on_the_negative_list, is_in_quarantine, has_a_report_to_approve, has_a_report_to_send),
    *(has_a_report_that_could_not_be_sent, waits_for_an_answer, was_only_told_that_its_report_arrived),
    has_a_correction_to_tell,
)
EVENTS_ALONE: tuple[Reason, ...] = (
    *(waits_for_a_second_opinion_on_one_sighting, has_a_correction_to_open),
    *(has_a_mail_of_which_nobody_knows, has_an_item_that_left_after_its_report_fell),
)
ROWS_ALONE: tuple[Reason, ...] = (has_an_item_on_its_way, has_an_item_of_which_nobody_knows)


@pytest.mark.parametrize("reason", [*BOTH, *EVENTS_ALONE, *ROWS_ALONE], ids=lambda reason: reason.__name__)
async def test_a_case_is_never_due_that(at: Desk, reason: Reason) -> None:
    await reason(at)
    at.wait(**LATER)
    assert await due(at) == []
    assert await by_rows(at) == ([1] if reason in EVENTS_ALONE else []), "what its rows say"
    assert await by_events(at) is (reason in ROWS_ALONE), "what its events say"


async def test_a_case_is_due_when_all_is_done_and_long_ago(at: Desk) -> None:
    await answered(at)
    await at.see(NEAR)
    at.wait(days=99)
    assert await due(at) == []
    at.wait(days=2)
    assert await due(at) == [1], "the other one was never decided"


async def test_what_was_rejected_is_due_too_and_a_report_that_fell_does_not_keep_it(at: Desk) -> None:
    await has_a_report_to_approve(at)
    await at.reject(1)
    at.wait(**LATER)
    assert await due(at) == [1]


async def test_time_counts_from_the_last_event_and_the_last_sighting(at: Desk) -> None:
    await answered(at)
    at.wait(days=99)
    await at.does(1, decisions.assign(ANNA, BERT))
    at.wait(days=99)
    assert await due(at) == []
    await at.see(EXACT)  # which the acceptance covers
    at.wait(days=99)
    assert await due(at) == []
    at.wait(days=2)
    assert await due(at) == [1]


async def test_a_case_is_due_once_its_reason_is_gone(at: Desk) -> None:
    await is_held(at)
    at.wait(days=200)
    await at.does(1, holds.end_hold(ANNA, explanation="they are done"))
    at.wait(**LATER)
    assert await due(at) == [1]
    at.wait(days=-150)
    await at.reject(1)
    await at.on_report(1, reports.correct(ANNA, "told them by mail"))
    at.wait(**LATER)
    assert await due(at) == [1]


async def test_an_item_that_was_not_reported_keeps_its_case_until_somebody_has_taken_note(at: Desk) -> None:
    await has_an_item_of_which_nobody_knows(at)
    at.wait(**LATER)
    assert await due(at) == []
    await at.store.note_errand(1, explanation="asked, it had", operator=ANNA, at=at.at)
    at.wait(**LATER)
    assert await due(at) == [1]
