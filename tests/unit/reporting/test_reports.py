"""Reports: their order, what they cover, who may let them go, and what becomes of them."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.errors import InputError, NotAuthorized
from monitor.model import (
    ROUTES,
    Category,
    EntryStanding,
    EventType,
    ReasonCode,
    ReportOutcome,
    ReportState,
    Route,
)
from monitor.reporting import decisions, holds, reports
from monitor.reporting.aftermath import falls_due, still_visible, take_due
from monitor.store.report_book import list_reports, tasks
from monitor.store.sightings import sightings
from tests.contract.making import hash_list
from tests.unit.reporting.desk import ANNA, BERT, CHILD, EXACT, NEAR, REVIEWED, UNMAPPED, Desk, desk


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(tmp_path) as opened:
        yield opened


async def state(at: Desk, number: int) -> ReportState:
    return next(line.state for line in await at.store.reader.run(list_reports) if line.report_id == number)


async def test_a_report_goes_its_way_to_an_answer(at: Desk) -> None:
    await at.see(EXACT)
    await at.accept(1)
    at.wait(minutes=2)
    number = await at.prepare(1, Route.DSA, recipient="platform-dsa")
    passed = [await state(at, number)]
    for rule in (
        reports.approve(BERT, at.policy),
        reports.sent(BERT, at.policy, reference="mail 7"),
        reports.acknowledge(BERT, "T-1"),
        reports.came_out(BERT, ReportOutcome.NO_ANSWER),
        reports.came_out(BERT, ReportOutcome.ACTIONED, reference="T-1"),
    ):
        await at.on_report(number, rule)
        passed.append(await state(at, number))
    assert passed == ["prepared", "approved", "sent", "acknowledged", "outcome", "outcome"]
    report = (await at.case(1)).facts.reports[number]
    assert (report.outcome, report.prepared_by, report.approved_by) == (ReportOutcome.ACTIONED, ANNA, BERT)
    (prepared,) = await at.events(EventType.REPORT_PREPARED)
    assert prepared.body == {
        "case_id": 1,
        "operator": ANNA,
        "report_id": number,
        "route": "dsa",
        "recipient": "platform-dsa",
        "category": "adult_filmed",
        "flags": "1",
    }


async def test_steps_cannot_be_left_out_or_taken_twice(at: Desk) -> None:
    await at.see(EXACT)
    await at.accept(1)
    at.wait(minutes=2)
    number = await at.prepare(1)
    for rule in (
        reports.sent(ANNA, at.policy),
        reports.handed_over(ANNA, at.policy),
        reports.failed(ANNA, "refused"),
        reports.acknowledge(ANNA, "T-1"),
        reports.came_out(ANNA, ReportOutcome.ACTIONED),
        reports.correct(ANNA, "told them"),
    ):
        with pytest.raises(InputError, match=f"report {number}"):
            await at.on_report(number, rule)
    await at.on_report(number, reports.approve(ANNA, at.policy))
    with pytest.raises(InputError, match="is approved and cannot be approved"):
        await at.on_report(number, reports.approve(ANNA, at.policy))
    await at.on_report(number, reports.handed_over(ANNA, at.policy))
    with pytest.raises(InputError, match="is handed_over and cannot be sent"):
        await at.on_report(number, reports.sent(ANNA, at.policy))
    with pytest.raises(InputError, match="report 9: there is none"):
        await at.on_report(9, reports.approve(ANNA, at.policy))


async def test_nothing_is_prepared_of_a_match_that_is_not_accepted(at: Desk) -> None:
    await at.see(EXACT)
    with pytest.raises(InputError, match="no match is accepted; first: monitor cases accept"):
        await at.prepare(1)
    await at.does(1, decisions.ask_second_opinion(ANNA, "in doubt"))
    with pytest.raises(InputError, match="no match is accepted"):
        await at.prepare(1)


async def test_nothing_leaves_while_the_decision_can_be_undone(at: Desk) -> None:
    await at.see(EXACT)
    await at.accept(1)
    number = await at.prepare(1)
    at.wait(seconds=59)
    with pytest.raises(InputError, match="the decision can be undone until"):
        await at.on_report(number, reports.approve(ANNA, at.policy))
    at.wait(seconds=1)
    await at.on_report(number, reports.approve(ANNA, at.policy))


async def test_a_report_covers_the_accepted_sightings_alone(at: Desk) -> None:
    first, second, third = [await at.see(NEAR) for _ in range(3)]
    await at.accept(1)
    await at.reject(1, flag_id=second)
    number = await at.prepare(1)
    assert (await at.case(1)).facts.reports[number].flags == {first, third}
    told = await at.store.reader.run(sightings, 1, number)
    assert [sighting.flag_id for sighting in told] == [first, third]


async def test_an_item_is_reported_once_on_a_route_unless_a_person_says_why(at: Desk) -> None:
    await at.see(EXACT)
    await at.accept(1)
    first = await at.prepare(1)
    with pytest.raises(InputError, match=f"each sighting is in report {first} on this route"):
        await at.prepare(1)
    await at.prepare(1, Route.DSA)
    later = await at.see(EXACT)
    more = await at.prepare(1)
    assert (await at.case(1)).facts.reports[more].flags == {later}
    with pytest.raises(InputError, match="--reason: is missing"):
        await at.prepare(1, again=True)
    again = await at.prepare(1, again=True, explanation="no answer in a month")
    assert len((await at.case(1)).facts.reports[again].flags) == 2


async def test_without_a_category_there_is_no_route(at: Desk) -> None:
    await at.see(UNMAPPED)
    await at.accept(1)
    with pytest.raises(InputError, match="has no category; say under hash_lists, partner-a, labels"):
        await at.prepare(1)
    standing = EntryStanding("e4", listed=True, category=Category.UNKNOWN)
    await at.store.entries_stand("partner-a", [standing], at.at)
    with pytest.raises(InputError, match="no route for the category unknown"):
        await at.prepare(1)
    standing = EntryStanding("e4", listed=True, category=Category.TERRORISM)
    await at.store.entries_stand("partner-a", [standing], at.at)
    with pytest.raises(InputError, match="hotline: no route for the category terrorism; those are: telegram"):
        await at.prepare(1, Route.HOTLINE)
    await at.prepare(1)


async def test_a_list_that_may_not_be_used_to_report_is_not(at: Desk) -> None:
    from monitor.model import Terms

    await at.see(EXACT)
    await at.accept(1)
    await at.store.list_loaded(hash_list(terms=Terms("Partner A", "DSA-13", frozenset({"detect"}))), at.at)
    with pytest.raises(InputError, match="terms of partner-a do not permit to report"):
        await at.prepare(1)


async def test_of_a_child_a_hotline_or_the_police_is_told_before_the_platform(at: Desk) -> None:
    await at.see(CHILD)
    await at.accept(1)
    at.wait(minutes=2)
    for route in reports.PLATFORM:
        with pytest.raises(InputError, match="a hotline or the police comes first"):
            await at.prepare(1, route)
    number = await at.prepare(1, Route.HOTLINE)
    await at.on_report(number, reports.approve(ANNA, at.policy))
    with pytest.raises(InputError, match="comes first"):
        await at.prepare(1, Route.TELEGRAM)
    await at.on_report(number, reports.handed_over(ANNA, at.policy))
    await at.send(1, Route.TELEGRAM)
    await at.see(CHILD)
    with pytest.raises(InputError, match="comes first"):
        await at.prepare(1, Route.TELEGRAM)


async def test_a_policy_may_put_the_platform_first(tmp_path: Path) -> None:
    async with desk(tmp_path, platform_first=True) as at:
        await at.see(CHILD)
        await at.accept(1)
        await at.prepare(1, Route.TELEGRAM)


async def test_platforms_are_not_told_of_what_is_gone(at: Desk) -> None:
    await at.see(EXACT)
    await at.accept(1)
    await at.delete(101)
    with pytest.raises(InputError, match="gone already"):
        await at.prepare(1, Route.TELEGRAM)
    await at.prepare(1, Route.KR_POLICE)


async def test_four_eyes_take_another_person(tmp_path: Path) -> None:
    async with desk(tmp_path, four_eyes=True) as at:
        await at.see(EXACT)
        await at.accept(1)
        at.wait(minutes=2)
        number = await at.prepare(1)
        with pytest.raises(NotAuthorized, match="four_eyes wants another person"):
            await at.on_report(number, reports.approve(ANNA, at.policy))
        await at.on_report(number, reports.approve(BERT, at.policy))


async def test_a_held_case_prepares_and_sends_nothing(at: Desk) -> None:
    await at.see(EXACT)
    await at.accept(1)
    at.wait(minutes=2)
    number = await at.prepare(1)
    end = at.at + timedelta(days=3)
    await at.does(1, holds.hold(ANNA, asked_by="Cyber Unit", until=end, reference="2026-77"))
    with pytest.raises(InputError, match=r"is held until .*: Cyber Unit asked for it \(2026-77\)"):
        await at.prepare(1, Route.DSA)
    with pytest.raises(InputError, match="is held"):
        await at.on_report(number, reports.approve(ANNA, at.policy))
    at.wait(days=3)
    await at.on_report(number, reports.approve(ANNA, at.policy))
    again = at.at + timedelta(days=1)
    await at.does(1, holds.hold(ANNA, asked_by="Cyber Unit", until=again, reference="2026-78"))
    with pytest.raises(InputError, match="is held"):
        await at.on_report(number, reports.sent(ANNA, at.policy))


async def test_each_hold_ends_on_its_own(at: Desk) -> None:
    await at.see(EXACT)
    for reference in ("A-1", "B-1"):
        end = at.at + timedelta(days=3)
        await at.does(1, holds.hold(ANNA, asked_by="an office", until=end, reference=reference))
    with pytest.raises(InputError, match="held 2 times; name one"):
        await at.does(1, holds.end_hold(ANNA, explanation="they agreed"))
    ended = await at.does(1, holds.end_hold(ANNA, explanation="they agreed", reference="A-1"))
    assert [hold.reference for hold in ended.facts.holds] == ["B-1"]
    with pytest.raises(InputError, match="is not held under that reference"):
        await at.does(1, holds.end_hold(ANNA, explanation="they agreed", reference="A-1"))
    await at.does(1, holds.end_hold(ANNA, explanation="they agreed"))
    with pytest.raises(InputError, match="is not held"):
        await at.does(1, holds.end_hold(ANNA, explanation="they agreed"))
    with pytest.raises(InputError, match="lies in the past"):
        await at.does(1, holds.hold(ANNA, asked_by="an office", until=at.at, reference="C-1"))


async def test_a_failure_stays_open_and_is_counted_until_it_is_sent(at: Desk) -> None:
    await at.see(EXACT)
    await at.accept(1)
    at.wait(minutes=2)
    number = await at.prepare(1)
    await at.on_report(number, reports.approve(ANNA, at.policy))
    await at.on_report(number, reports.failed(ANNA, "options_changed"))
    assert (await at.store.reader.run(tasks)).failed == 1
    assert (await at.case(1)).facts.reports[number].failure == "options_changed"
    with pytest.raises(InputError, match="each sighting is in report"):
        await at.prepare(1)
    await at.on_report(number, reports.sent(ANNA, at.policy))
    assert (await at.store.reader.run(tasks)).failed == 0


def test_the_document_names_the_routes_of_each_category() -> None:
    text = (Path(__file__).parents[3] / "docs" / "reviewing.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[a-z_`, ]+`) \| ([a-z_, ]+) \|$", text, re.MULTILINE)
    documented = {
        category: () if routes == "none" else tuple(routes.split(", "))
        for categories, routes in rows
        for category in re.findall(r"\w+", categories)
    }
    assert documented == {category.value: tuple(map(str, routes)) for category, routes in ROUTES.items()}


# -- corrections


async def test_a_reversed_decision_corrects_what_was_sent_and_fells_what_was_not(at: Desk) -> None:
    case, sent = await at.sent()
    waiting = await at.prepare(case, Route.DSA)
    approved = await at.prepare(case, Route.GENERIC)
    await at.on_report(approved, reports.approve(ANNA, at.policy))
    await at.reject(case, reason=ReasonCode.KNOWN_FALSE_POSITIVE)
    assert [await state(at, n) for n in (sent, waiting, approved)] == ["sent", "superseded", "superseded"]
    open_now = await at.store.reader.run(list_reports, corrections=True)
    assert [line.report_id for line in open_now] == [sent]
    with pytest.raises(InputError, match="is superseded and cannot be sent; a decision was reversed"):
        await at.on_report(approved, reports.sent(ANNA, at.policy))
    with pytest.raises(InputError, match="--explanation: is missing"):
        await at.on_report(sent, reports.correct(ANNA, None))
    await at.on_report(sent, reports.correct(ANNA, "mailed them"))
    assert await at.store.reader.run(list_reports, corrections=True) == []
    with pytest.raises(InputError, match="no correction to make"):
        await at.on_report(sent, reports.correct(ANNA, "mailed them"))


async def test_a_reversal_that_is_undone_takes_its_correction_back_and_the_next_one_opens_it_again(
    at: Desk,
) -> None:
    case, sent = await at.sent()
    waiting = await at.prepare(case, Route.DSA)
    await at.reject(case)
    await at.does(case, decisions.undo(ANNA, at.policy))
    assert await at.store.reader.run(list_reports, corrections=True) == []
    assert await state(at, waiting) == "prepared"
    await at.reject(case)
    assert [r.report_id for r in await at.store.reader.run(list_reports, corrections=True)] == [sent]


async def test_a_sighting_rejected_alone_corrects_the_reports_that_cover_it(at: Desk) -> None:
    case, sent = await at.sent(NEAR)
    (covered,) = (await at.case(case)).facts.reports[sent].flags
    other = await at.see(NEAR)
    await at.reject(case, flag_id=other)
    assert await at.store.reader.run(list_reports, corrections=True) == []
    await at.reject(case, flag_id=covered)
    assert [r.report_id for r in await at.store.reader.run(list_reports, corrections=True)] == [sent]


async def test_a_second_opinion_holds_a_report_back_without_felling_it(at: Desk) -> None:
    case, _ = await at.sent()
    waiting = await at.prepare(case, Route.DSA)
    await at.does(case, decisions.ask_second_opinion(ANNA, "in doubt"))
    with pytest.raises(InputError, match="is not accepted"):
        await at.on_report(waiting, reports.approve(ANNA, at.policy))
    await at.accept(case, BERT)
    at.wait(minutes=2)
    await at.on_report(waiting, reports.approve(ANNA, at.policy))


async def test_a_withdrawn_entry_corrects_what_was_sent_and_fells_what_was_not(at: Desk) -> None:
    case, sent = await at.sent()
    waiting = await at.prepare(case, Route.DSA)
    await at.store.entries_stand("partner-a", [EntryStanding("e1", listed=False)], at.at)
    assert await state(at, waiting) == "superseded"
    with pytest.raises(InputError, match="is superseded"):
        await at.on_report(waiting, reports.approve(ANNA, at.policy))
    with pytest.raises(InputError, match="holds entry e1 no more"):
        await at.prepare(case, Route.GENERIC)
    found = await take_due(at.store, at.policy, at.at)
    assert [(d.case_id, d.type, d.report_id) for d in found] == [(case, EventType.CORRECTION_OPENED, sent)]
    assert [await state(at, n) for n in (sent, waiting)] == ["sent", "superseded"]
    assert await take_due(at.store, at.policy, at.at) == []
    await at.reject(case, reason=ReasonCode.SOURCE_WITHDRAWN)
    assert len(await at.events(EventType.CORRECTION_OPENED)) == 1
    await at.on_report(sent, reports.correct(ANNA, "mailed them"))
    assert await take_due(at.store, at.policy, at.at) == []


# -- escalations


async def test_what_is_still_to_be_seen_after_its_time_is_escalated_once(at: Desk) -> None:
    case, sent = await at.sent()
    at.wait(hours=47)
    assert await take_due(at.store, at.policy, at.at) == []
    at.wait(hours=1)
    (due,) = await take_due(at.store, at.policy, at.at)
    assert (due.type, due.report_id) == (EventType.ESCALATION_OPENED, sent)
    assert (await at.store.reader.run(tasks)).escalations == 1
    assert await take_due(at.store, at.policy, at.at) == []
    assert falls_due(await at.case(case), at.policy) == []
    await at.delete(101)
    assert (await at.store.reader.run(tasks)).escalations == 0
    (event,) = await at.events(EventType.ESCALATION_OPENED)
    assert event.body == {
        "case_id": case,
        "operator": "monitor",
        "report_id": sent,
        "reason": "still_visible",
        "flags": "1",
    }


async def test_a_report_on_another_route_answers_an_escalation(at: Desk) -> None:
    case, _ = await at.sent()
    at.wait(hours=48)
    await take_due(at.store, at.policy, at.at)
    at.wait(hours=1)
    await at.send(case, Route.KR_POLICE)
    assert (await at.store.reader.run(tasks)).escalations == 0


async def test_what_is_gone_or_was_looked_at_in_vain_is_not_escalated(at: Desk) -> None:
    case, _ = await at.sent()
    at.wait(hours=48)
    seen = await at.case(case)
    (flag,) = seen.facts.flags
    assert still_visible(seen, at.policy, {flag: False}) == []
    assert len(still_visible(seen, at.policy, {flag: True})) == 1
    await at.delete(101)
    assert still_visible(await at.case(case), at.policy) == []


@pytest.mark.parametrize(
    ("outcome", "escalates"),
    [
        (ReportOutcome.ACTIONED, True),
        (ReportOutcome.ALREADY_GONE, True),
        (ReportOutcome.NO_ANSWER, True),
        (ReportOutcome.NOT_ILLEGAL, False),
        (ReportOutcome.DUPLICATE, False),
        (ReportOutcome.NEEDS_MORE, False),
    ],
)
async def test_whether_an_answer_ends_the_waiting(at: Desk, outcome: ReportOutcome, escalates: bool) -> None:
    case, sent = await at.sent()
    await at.on_report(sent, reports.came_out(ANNA, outcome))
    at.wait(hours=48)
    assert bool(still_visible(await at.case(case), at.policy)) is escalates


async def test_holds_that_have_run_out_are_ended_on_record(at: Desk) -> None:
    await at.see(REVIEWED)
    end = at.at + timedelta(hours=1)
    await at.does(1, holds.hold(ANNA, asked_by="an office", until=end, reference="A-1"))
    assert falls_due(await at.case(1), at.policy) == []
    at.wait(hours=1)
    (due,) = await take_due(at.store, at.policy, at.at)
    assert due.type is EventType.CASE_HOLD_ENDED
    assert await take_due(at.store, at.policy, at.at) == []
