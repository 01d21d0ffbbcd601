"""The negative list: what may stand on it, what it does, and that it ends."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from monitor.errors import InputError, NotAuthorized
from monitor.model import CaseState, EntryStanding, EventType, ReasonCode, ReportOutcome
from monitor.reporting import negatives, reports
from monitor.reporting.aftermath import take_due
from monitor.reporting.casefacts import FlagState
from monitor.store.casebook import list_cases
from tests.unit.reporting.desk import ANNA, BERT, CARA, EXACT, NEAR, Desk, desk


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(tmp_path) as opened:
        yield opened


async def withdrawn(at: Desk) -> None:
    """A near match whose entry its source has withdrawn, rejected for that reason."""
    await at.see(NEAR)
    await at.store.entries_stand("partner-a", [EntryStanding("e2", listed=False)], at.at)
    await at.reject(1, reason=ReasonCode.SOURCE_WITHDRAWN)
    at.wait(minutes=2)


async def listed_again(at: Desk) -> None:
    """While it is withdrawn, nothing is flagged for it."""
    await at.store.entries_stand("partner-a", [EntryStanding("e2", listed=True)], at.at)


def add(who: str, at: Desk, **more: int) -> "negatives.Rule":
    return negatives.add(who, at.policy, explanation="see the mail", **more)


async def state(at: Desk) -> CaseState:
    """As a query finds it, which must be what the fold says."""
    (line,) = await at.store.reader.run(list_cases, at.at)
    assert line.state is (await at.case(1)).facts.state
    return line.state


async def test_a_rejection_alone_hides_nothing(at: Desk) -> None:
    await at.see(NEAR)
    with pytest.raises(InputError, match="the match is not rejected"):
        await at.does(1, add(ANNA, at))
    for reason in (ReasonCode.KNOWN_FALSE_POSITIVE, ReasonCode.LIST_ERROR):
        await at.reject(1, reason=reason)
        at.wait(minutes=2)
        with pytest.raises(InputError, match="a rejection alone hides nothing"):
            await at.does(1, add(BERT, at))
        await at.accept(1, explanation="again")
        at.wait(minutes=2)


async def test_what_the_source_has_withdrawn_may_stand_on_it(at: Desk) -> None:
    await withdrawn(at)
    done = await at.does(1, add(ANNA, at))
    assert done.facts.negative
    (event,) = await at.events(EventType.NEGATIVE_ADDED)
    assert (event.body["reason"], event.body["explanation"]) == ("source_withdrawn", "see the mail")
    with pytest.raises(InputError, match="is on the negative list until"):
        await at.does(1, add(BERT, at))


async def test_withdrawn_and_rejected_for_another_reason_is_not_enough(at: Desk) -> None:
    await at.see(NEAR)
    await at.store.entries_stand("partner-a", [EntryStanding("e2", listed=False)], at.at)
    await at.reject(1, reason=ReasonCode.LOW_QUALITY)
    at.wait(minutes=2)
    with pytest.raises(InputError, match="a rejection alone hides nothing"):
        await at.does(1, add(ANNA, at))


async def test_what_a_recipient_called_not_illegal_takes_a_second_person(at: Desk) -> None:
    _, sent = await at.sent(NEAR)
    await at.on_report(sent, reports.came_out(ANNA, ReportOutcome.NOT_ILLEGAL))
    await at.reject(1, BERT, reason=ReasonCode.KNOWN_FALSE_POSITIVE)
    with pytest.raises(InputError, match="can still be undone"):
        await at.does(1, add(BERT, at))
    at.wait(minutes=2)
    with pytest.raises(NotAuthorized, match="anna recorded the recipient's answer; another person"):
        await at.does(1, add(ANNA, at))
    assert (await at.does(1, add(CARA, at))).facts.negative


async def test_an_exact_match_of_a_list_that_flags_never_stands_on_it(at: Desk) -> None:
    _, sent = await at.sent(EXACT)
    await at.on_report(sent, reports.came_out(ANNA, ReportOutcome.NOT_ILLEGAL))
    await at.store.entries_stand("partner-a", [EntryStanding("e1", listed=False)], at.at)
    await at.reject(1, reason=ReasonCode.SOURCE_WITHDRAWN)
    at.wait(minutes=2)
    with pytest.raises(InputError, match="exact matches with partner-a, a list that flags"):
        await at.does(1, add(BERT, at))


async def test_further_sightings_are_recorded_and_nobody_is_asked_until_it_ends(at: Desk) -> None:
    await withdrawn(at)
    await at.does(1, add(ANNA, at, days=30))
    await listed_again(at)
    later = await at.see(NEAR)
    case = await at.case(1)
    assert case.facts.flags[later] is FlagState.SUPPRESSED
    assert (case.facts.waiting, await state(at)) == ((), CaseState.NOT_RELIED_ON)
    at.wait(days=30)
    case = await at.case(1)
    assert case.facts.flags[later] is FlagState.OPEN
    assert (case.facts.waiting, await state(at)) == ((later,), CaseState.OPEN)
    (due,) = await take_due(at.store, at.policy, at.at)
    assert due.type is EventType.NEGATIVE_ENDED
    assert (await take_due(at.store, at.policy, at.at), await state(at)) == ([], CaseState.OPEN)


async def test_a_person_can_end_it_and_what_was_seen_meanwhile_surfaces(at: Desk) -> None:
    await withdrawn(at)
    with pytest.raises(InputError, match="is not on the negative list"):
        await at.does(1, negatives.end(ANNA, "a mistake"))
    await at.does(1, add(ANNA, at))
    await listed_again(at)
    later = await at.see(NEAR)
    done = await at.does(1, negatives.end(BERT, "a mistake"))
    assert (done.facts.waiting, await state(at)) == ((later,), CaseState.OPEN)


async def test_whoever_accepts_the_match_takes_it_off(at: Desk) -> None:
    await withdrawn(at)
    await at.does(1, add(ANNA, at))
    await listed_again(at)
    done = await at.accept(1, explanation="the source has restored it")
    assert not done.facts.negative
    assert await state(at) is CaseState.ACCEPTED


@pytest.mark.parametrize("days", [0, 366])
async def test_it_is_for_a_time(at: Desk, days: int) -> None:
    await withdrawn(at)
    with pytest.raises(InputError, match="--days: takes 1 to 365"):
        await at.does(1, add(ANNA, at, days=days))
