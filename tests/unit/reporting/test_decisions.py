"""Decisions on cases and sightings: who may decide what, when, and what a decision covers."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from monitor.errors import InputError, NotAuthorized
from monitor.model import CaseState, EntryStanding, EventType, ReasonCode
from monitor.reporting import decisions
from monitor.reporting.casefacts import FlagState
from monitor.store import open_store
from tests.unit.reporting.desk import ANNA, BERT, EXACT, NEAR, Desk, desk


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(tmp_path) as opened:
        yield opened


async def test_all_sightings_of_an_entry_are_one_case(at: Desk) -> None:
    flags = [await at.see(EXACT) for _ in range(3)]
    await at.see(NEAR)
    case = await at.of(EXACT)
    assert list(case.facts.flags) == flags
    assert case.facts.state is CaseState.OPEN
    assert len(await at.cases()) == 2


async def test_an_acceptance_covers_what_comes_later(at: Desk) -> None:
    first = await at.see(EXACT)
    await at.accept(1)
    later = await at.see(EXACT)
    case = await at.case(1)
    assert case.facts.state is CaseState.ACCEPTED
    assert case.facts.flags == {first: FlagState.ACCEPTED, later: FlagState.ACCEPTED}
    assert not case.facts.waiting


async def test_a_rejection_covers_only_what_has_been_seen(at: Desk) -> None:
    first = await at.see(NEAR)
    rejected = await at.reject(1)
    assert (rejected.facts.state, rejected.facts.waiting) == (CaseState.NOT_RELIED_ON, ())
    later = await at.see(NEAR)
    case = await at.case(1)
    assert case.facts.state is CaseState.OPEN
    assert case.facts.flags == {first: FlagState.NOT_RELIED_ON, later: FlagState.OPEN}
    assert (await at.reject(1)).facts.state is CaseState.NOT_RELIED_ON


async def test_a_decision_on_one_sighting_stands_whatever_is_decided_on_the_case(at: Desk) -> None:
    first, second = await at.see(NEAR), await at.see(NEAR)
    await at.reject(1, flag_id=first, reason=ReasonCode.DISTANCE_TOO_LARGE)
    assert (await at.case(1)).facts.state is CaseState.OPEN
    case = await at.accept(1)
    assert case.facts.flags == {first: FlagState.NOT_RELIED_ON, second: FlagState.ACCEPTED}


async def test_an_acceptance_says_on_what_it_rests(at: Desk) -> None:
    await at.see(EXACT)
    await at.see(NEAR)
    await at.accept(1)
    await at.accept(2)
    reasons = [event.body["reason"] for event in await at.events(EventType.CASE_DECIDED)]
    assert reasons == [decisions.EXACT, decisions.WITHIN]


async def test_a_documented_reason_names_its_document(at: Desk) -> None:
    await at.see(NEAR)
    with pytest.raises(InputError, match="--reference: is missing"):
        await at.reject(1, reason=ReasonCode.OTHER_DOCUMENTED)
    await at.reject(1, reason=ReasonCode.OTHER_DOCUMENTED, reference="memo 12")
    (event,) = await at.events(EventType.CASE_DECIDED)
    assert event.body == {
        "case_id": 1,
        "operator": ANNA,
        "decision": "not_relied_on",
        "reason": "other_documented",
        "reference": "memo 12",
    }


async def test_the_same_decision_twice_is_refused(at: Desk) -> None:
    await at.see(EXACT)
    await at.accept(1)
    with pytest.raises(InputError, match=r"the case is accepted since .* by anna"):
        await at.accept(1, BERT)


async def test_an_acceptance_against_a_rejection_is_explained(at: Desk) -> None:
    await at.see(NEAR)
    await at.reject(1)
    with pytest.raises(InputError, match="--explanation: is missing"):
        await at.accept(1)
    assert (await at.accept(1, explanation="looked again")).facts.state is CaseState.ACCEPTED


async def test_a_second_opinion_comes_from_another_person(at: Desk) -> None:
    flag = await at.see(NEAR)
    await at.does(1, decisions.ask_second_opinion(ANNA, "near the threshold"))
    assert (await at.case(1)).facts.waiting == (flag,)
    for attempt in (at.accept(1), at.reject(1), at.accept(1, flag_id=flag)):
        with pytest.raises(NotAuthorized, match="must come from another person"):
            await attempt
    assert (await at.accept(1, BERT)).facts.state is CaseState.ACCEPTED


async def test_a_second_opinion_says_what_is_in_doubt(at: Desk) -> None:
    await at.see(NEAR)
    with pytest.raises(InputError, match="--explanation: is missing"):
        await at.does(1, decisions.ask_second_opinion(ANNA, None))


async def test_the_last_decision_is_undone_by_who_took_it_within_its_minute(at: Desk) -> None:
    await at.see(NEAR)
    await at.reject(1)
    at.wait(minutes=5)
    await at.accept(1, explanation="looked again")
    with pytest.raises(NotAuthorized, match="anna took the last decision"):
        await at.does(1, decisions.undo(BERT, at.policy))
    at.wait(seconds=59)
    undone = await at.does(1, decisions.undo(ANNA, at.policy))
    assert undone.facts.state is CaseState.NOT_RELIED_ON, "what was decided before holds again"
    with pytest.raises(InputError, match="older than 60 s"):
        await at.does(1, decisions.undo(ANNA, at.policy))


async def test_after_its_minute_a_decision_is_replaced_not_undone(at: Desk) -> None:
    await at.see(NEAR)
    await at.accept(1)
    at.wait(seconds=60)
    with pytest.raises(InputError, match="older than 60 s"):
        await at.does(1, decisions.undo(ANNA, at.policy))


async def test_nothing_is_undone_where_nothing_was_decided(at: Desk) -> None:
    await at.see(NEAR)
    with pytest.raises(InputError, match="no decision to undo"):
        await at.does(1, decisions.undo(ANNA, at.policy))


async def test_among_many_only_exact_matches_are_accepted(at: Desk) -> None:
    await at.see(EXACT)
    await at.see(EXACT)
    await at.see(NEAR)
    assert (await at.does(1, decisions.accept_exact(ANNA))).facts.state is CaseState.ACCEPTED
    with pytest.raises(InputError, match=r"1 of 1 sightings are near matches \(12 bits\)"):
        await at.does(2, decisions.accept_exact(ANNA))
    with pytest.raises(InputError, match="somebody has decided on it before"):
        await at.does(1, decisions.accept_exact(BERT))


async def test_an_entry_that_was_withdrawn_is_not_accepted_any_more(at: Desk) -> None:
    await at.see(EXACT)
    with pytest.raises(InputError, match="still holds entry e1"):
        await at.reject(1, reason=ReasonCode.SOURCE_WITHDRAWN)
    await at.store.entries_stand("partner-a", [EntryStanding("e1", listed=False)], at.at)
    with pytest.raises(InputError, match="holds entry e1 no more"):
        await at.accept(1)
    case = await at.reject(1, reason=ReasonCode.SOURCE_WITHDRAWN)
    assert case.facts.state is CaseState.NOT_RELIED_ON


async def test_a_sighting_of_another_case_cannot_be_decided_here(at: Desk) -> None:
    await at.see(EXACT)
    flag = await at.see(NEAR)
    with pytest.raises(InputError, match=f"no sighting with flag {flag}"):
        await at.accept(1, flag_id=flag)


async def test_a_case_is_assigned_and_given_back(at: Desk) -> None:
    await at.see(EXACT)
    assert (await at.does(1, decisions.assign(ANNA, BERT))).facts.assigned_to == BERT
    with pytest.raises(InputError, match="assigned to bert already"):
        await at.does(1, decisions.assign(ANNA, BERT))
    assert (await at.does(1, decisions.assign(BERT, None))).facts.assigned_to is None


async def test_of_two_who_decide_at_once_one_is_told_of_the_other(at: Desk, tmp_path: Path) -> None:
    await at.see(EXACT)
    async with open_store(tmp_path / "store.sqlite3") as elsewhere:
        other = Desk(elsewhere, at.policy, at.at)
        done = await asyncio.gather(at.accept(1, ANNA), other.accept(1, BERT), return_exceptions=True)
    (refused,) = [each for each in done if isinstance(each, Exception)]
    assert isinstance(refused, InputError)
    assert "is accepted since" in str(refused)
    assert len(await at.events(EventType.CASE_DECIDED)) == 1


async def test_what_is_refused_leaves_no_trace(at: Desk) -> None:
    await at.see(NEAR)
    before = await at.events()
    with pytest.raises(InputError):
        await at.reject(1, reason=ReasonCode.SOURCE_WITHDRAWN)
    with pytest.raises(InputError, match="case 9: there is none"):
        await at.accept(9)
    assert await at.events() == before


@pytest.mark.parametrize("words", ["", "  ", "x" * 501])
async def test_words_are_there_and_bounded(at: Desk, words: str) -> None:
    await at.see(NEAR)
    with pytest.raises(InputError, match="takes 1 to 500 characters"):
        await at.accept(1, explanation=words)
