"""Whatever people try, in whatever order: only what may follow follows, and rows say what the fold says.

The audit below reads the events alone and by brute force; it shares nothing with the fold but the words.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.errors import InputError, NotAuthorized
from monitor.model import (
    CaseState,
    Category,
    EntryStanding,
    Event,
    EventType,
    ListAction,
    ReasonCode,
    ReportingPolicy,
    ReportOutcome,
    Route,
)
from monitor.reporting import aftermath, decisions, holds, negatives, reports
from monitor.reporting.acting import Case, Rule, standing
from monitor.reporting.casefacts import FlagState
from monitor.reporting.casework import fold
from monitor.reporting.chronology import told
from monitor.store.casebook import list_cases
from monitor.store.cases import CaseRecord, Item, Step
from monitor.store.report_book import list_reports
from tests.contract.making import START
from tests.unit.reporting.desk import CHILD, Desk, desk

POLICY = ReportingPolicy(four_eyes=True)
PEOPLE = ("anna", "bert", "cara")
ROUTES = (Route.HOTLINE, Route.TELEGRAM, Route.DSA)

Try = tuple[str, str, int, Route, int]
"""What is tried, by whom, about which sighting or report, on which route, and how many seconds later."""


def tried(action: str, who: str, number: int, route: Route, at: datetime) -> Rule | None:
    """The rule behind an attempt; None where it is not a person's."""
    flag = number or None
    of: Callable[[reports.ReportRule], Rule] = lambda rule: lambda case: rule(case, case.report(number))  # noqa: E731
    rules: dict[str, Callable[[], Rule]] = {
        "accept": lambda: decisions.accept(who, flag_id=flag, explanation="looked"),
        "accept exact": lambda: decisions.accept_exact(who),
        "reject": lambda: decisions.reject(who, ReasonCode.LOW_QUALITY, flag_id=flag),
        "reject withdrawn": lambda: decisions.reject(who, ReasonCode.SOURCE_WITHDRAWN),
        "second opinion": lambda: decisions.ask_second_opinion(who, "in doubt", flag_id=flag),
        "undo": lambda: decisions.undo(who, POLICY),
        "assign": lambda: decisions.assign(who, PEOPLE[number % 3]),
        "hold": lambda: holds.hold(
            who, asked_by="an office", until=at + timedelta(seconds=90), reference="H-1"
        ),
        "end hold": lambda: holds.end_hold(who, explanation="agreed"),
        "negative": lambda: negatives.add(who, POLICY, days=1, explanation="see the mail"),
        "end negative": lambda: negatives.end(who, "a mistake"),
        "prepare": lambda: reports.prepare(who, route, POLICY),
        "prepare again": lambda: reports.prepare(who, route, POLICY, again=True, explanation="no answer"),
        "approve": lambda: of(reports.approve(who, POLICY)),
        "sent": lambda: of(reports.sent(who, POLICY)),
        "hand over": lambda: of(reports.handed_over(who, POLICY)),
        "failed": lambda: of(reports.failed(who, "refused")),
        "acknowledge": lambda: of(reports.acknowledge(who, "T-1")),
        "outcome": lambda: of(reports.came_out(who, list(ReportOutcome)[number % 6])),
        "correct": lambda: of(reports.correct(who, "told them")),
        "due": lambda: lambda case: aftermath.falls_due(case, POLICY),
    }
    return rules[action]() if action in rules else None


HAPPENS = ("see", "withdraw", "restore")
ACTIONS = (
    *("accept", "accept exact", "reject", "reject withdrawn", "second opinion", "undo", "assign", "hold"),
    *("end hold", "negative", "end negative", "prepare", "prepare again", "approve", "sent", "hand over"),
    *("failed", "acknowledge", "outcome", "correct", "due", *HAPPENS),
)
TRIES = st.lists(
    st.tuples(
        # What leads far is tried more often.
        st.sampled_from((*ACTIONS, *("accept", "reject", "prepare", "approve", "sent") * 3)),
        st.sampled_from(PEOPLE),
        st.integers(0, 3),
        st.sampled_from(ROUTES),
        st.sampled_from((0, 1, 30, 61, 100, 86_400, 3 * 86_400)),
    ),
    max_size=40,
)


# -- in memory: the rules and the fold, audited


@dataclass
class Sheet:
    """A case without a store: what was appended, and the clock."""

    at: datetime = START
    events: list[Event] = field(default_factory=list)
    flags: int = 0
    withdrawn: bool = False

    def record(self) -> CaseRecord:
        number = sum(event.type is EventType.REPORT_PREPARED for event in self.events)
        items = tuple(Item(flag, False, 9, None) for flag in range(1, self.flags + 1))
        return CaseRecord(
            *(1, "partner-a", "e1", START, Category.CHILD, ListAction.FLAG, frozenset({"report"}), False),
            *(items, tuple(self.events), len(self.events), number + 1),
        )

    def append(self, kind: EventType, **body: Any) -> None:
        self.events.append(Event(len(self.events), self.at, kind, body))

    def happens(self, action: str) -> None:
        if action == "see" and self.flags < 3:
            self.flags += 1
            self.append(EventType.FLAG_RAISED, flag_id=self.flags, media_kind="photo", channel_id=987654)
        elif action in ("withdraw", "restore") and self.withdrawn is (action == "restore"):
            self.withdrawn = not self.withdrawn
            kind = EventType.ENTRY_WITHDRAWN if self.withdrawn else EventType.ENTRY_RESTORED
            self.append(kind, case_id=1)

    def does(self, rule: Rule) -> bool:
        record = self.record()
        try:
            steps: Sequence[Step] = rule(Case(record, fold(record.events, self.at)))
        except (InputError, NotAuthorized):
            return False
        for step in steps:
            numbers = {"flags": " ".join(map(str, step.flags))} if step.flags else {}
            self.append(step.type, **step.body, **numbers)
        return bool(steps)


def flag_of(event: Event) -> int | None:
    found = event.body.get("flag_id")
    return None if found is None else int(found)


def decision_on(past: Sequence[Event], flag: int) -> Event | None:
    """The decision that holds for a sighting: the last one on it, else the last one on the case."""
    gone = {event.body["undoes"] for event in past if event.type is EventType.CASE_UNDONE}
    made = [
        event
        for event in past
        if event.type in (EventType.CASE_DECIDED, EventType.SECOND_OPINION_ASKED) and event.seq not in gone
    ]
    own = [event for event in made if flag_of(event) == flag]
    general = [event for event in made if flag_of(event) is None]
    return (own or general or [None])[-1]


def accepted(past: Sequence[Event], flag: int) -> bool:
    found = decision_on(past, flag)
    return found is not None and found.body.get("decision") == "accepted"


def held(past: Sequence[Event], at: datetime) -> bool:
    last = [e for e in past if e.type in (EventType.CASE_HELD, EventType.CASE_HOLD_ENDED)][-1:]
    return bool(last) and "until" in last[0].body and datetime.fromisoformat(str(last[0].body["until"])) > at


def on_report(past: Sequence[Event], number: object, *kinds: EventType) -> list[Event]:
    return [e for e in past if e.body.get("report_id") == number and (not kinds or e.type in kinds)]


LEAVES = (EventType.REPORT_SENT, EventType.REPORT_HANDED_OVER)
BEFORE: dict[EventType, tuple[EventType, ...]] = {
    EventType.REPORT_APPROVED: (EventType.REPORT_PREPARED,),
    EventType.REPORT_SENT: (EventType.REPORT_APPROVED, EventType.REPORT_FAILED),
    EventType.REPORT_HANDED_OVER: (EventType.REPORT_APPROVED, EventType.REPORT_FAILED),
    EventType.REPORT_FAILED: (EventType.REPORT_APPROVED, EventType.REPORT_FAILED),
    EventType.REPORT_ACKNOWLEDGED: LEAVES,
    EventType.REPORT_OUTCOME: (*LEAVES, EventType.REPORT_ACKNOWLEDGED, EventType.REPORT_OUTCOME),
}
"""What the last step of a report must have been."""


def audit(events: Sequence[Event]) -> None:
    """Every event with the ones before it."""
    for position, event in enumerate(events):
        past, body, undo = events[:position], event.body, timedelta(seconds=POLICY.undo_seconds)
        if event.type in (EventType.FLAG_RAISED, EventType.ENTRY_WITHDRAWN, EventType.ENTRY_RESTORED):
            continue
        assert body["operator"], "somebody did it"
        withdrawn = [e for e in past if e.type in (EventType.ENTRY_WITHDRAWN, EventType.ENTRY_RESTORED)][-1:]
        is_withdrawn = bool(withdrawn) and withdrawn[0].type is EventType.ENTRY_WITHDRAWN
        if event.type in (EventType.CASE_DECIDED, EventType.SECOND_OPINION_ASKED):
            assert body.get("reason") or body.get("explanation"), "for a reason"
            flags = [flag_of(e) for e in past if e.type is EventType.FLAG_RAISED]
            concerned = [flag_of(event)] if flag_of(event) else flags
            asked = [decision_on(past, flag) for flag in concerned if flag is not None]
            for other in asked:
                if other is not None and other.type is EventType.SECOND_OPINION_ASKED:
                    on_other_sighting = flag_of(event) is None and flag_of(other) is not None
                    assert on_other_sighting or other.body["operator"] != body["operator"], "another person"
            if body.get("decision") == "accepted" or body.get("reason") == "source_withdrawn":
                assert is_withdrawn is (body["decision"] == "not_relied_on")
        elif event.type is EventType.CASE_UNDONE:
            undone = events[int(str(body["undoes"]))]
            assert undone.body["operator"] == body["operator"]
            assert event.at - undone.at < undo
        elif event.type is EventType.NEGATIVE_ADDED:
            answered = [e for e in past if e.body.get("outcome") == "not_illegal"]
            assert is_withdrawn or any(e.body["operator"] != body["operator"] for e in answered)
        elif event.type is EventType.REPORT_PREPARED:
            assert not held(past, event.at)
            assert not is_withdrawn
            flags = [int(flag) for flag in str(body["flags"]).split()]
            assert flags
            assert all(accepted(past, flag) for flag in flags)
            ordered(past, event, flags)
        if event.type in BEFORE:
            steps = on_report(past, body["report_id"], EventType.REPORT_PREPARED, *BEFORE)
            assert steps[-1].type in BEFORE[event.type]
        if event.type is EventType.REPORT_APPROVED:
            (prepared,) = on_report(past, body["report_id"], EventType.REPORT_PREPARED)
            assert prepared.body["operator"] != body["operator"], "four eyes"
        if event.type in (EventType.REPORT_APPROVED, *LEAVES):
            assert not held(past, event.at)
            (prepared,) = on_report(past, body["report_id"], EventType.REPORT_PREPARED)
            flags = [int(flag) for flag in str(prepared.body["flags"]).split()]
            for flag in flags:
                decision = decision_on(past, flag)
                assert decision is not None
                assert decision.body.get("decision") == "accepted"
                assert event.at - decision.at >= undo, "nothing leaves while it can be undone"
            ordered(past, prepared, flags)
        if event.type is EventType.CORRECTION_OPENED:
            assert on_report(past, body["report_id"], *LEAVES), "only what has left is corrected"


def ordered(past: Sequence[Event], prepared: Event, flags: Sequence[int]) -> None:
    """Of a child, a hotline has been told of each sighting before a platform is."""
    if prepared.body["route"] == Route.HOTLINE:
        return
    left = {e.body["report_id"] for e in past if e.type in LEAVES}
    told = {
        int(flag)
        for e in past
        if e.type is EventType.REPORT_PREPARED and e.body["route"] == Route.HOTLINE
        if e.body["report_id"] in left
        for flag in str(e.body["flags"]).split()
    }
    assert told.issuperset(flags)


def corrected(events: Sequence[Event]) -> None:
    """A report that left, and a sighting of which is rejected now, has had a correction opened."""
    for prepared in events:
        if prepared.type is not EventType.REPORT_PREPARED:
            continue
        number = prepared.body["report_id"]
        left = on_report(events, number, *LEAVES)
        for flag in str(prepared.body["flags"]).split():
            decision = decision_on(events, int(flag))
            rejected = decision is not None and decision.body.get("decision") == "not_relied_on"
            if left and rejected:
                assert on_report(events, number, EventType.CORRECTION_OPENED)


@settings(max_examples=400, deadline=None)
@given(tries=TRIES)
def test_only_what_may_follow_follows_each_with_who_when_and_why(tries: list[Try]) -> None:
    sheet = Sheet()
    sheet.happens("see")
    for action, who, number, route, seconds in tries:
        sheet.at += timedelta(seconds=seconds)
        rule = tried(action, who, number, route, sheet.at)
        if rule is None:
            sheet.happens(action)
        else:
            sheet.does(rule)
    audit(sheet.events)
    corrected(sheet.events)
    facts = fold(sheet.events, sheet.at)
    for flag, state in facts.flags.items():
        assert (state is FlagState.ACCEPTED) is accepted(sheet.events, flag)
    assert fold(sheet.events, sheet.at) == facts
    assert standing(sheet.events).state is facts.standing


@settings(max_examples=100, deadline=None)
@given(tries=TRIES, erased=st.sets(st.integers(0, 30)))
def test_a_case_whose_events_were_erased_can_still_be_folded(tries: list[Try], erased: set[int]) -> None:
    sheet = Sheet()
    for action, who, number, route, seconds in tries:
        sheet.at += timedelta(seconds=seconds)
        rule = tried(action, who, number, route, sheet.at)
        if rule is None:
            sheet.happens(action)
        else:
            sheet.does(rule)
    left = [Event(e.seq, e.at, e.type, {} if e.seq in erased else e.body) for e in sheet.events]
    fold(left, sheet.at)


def walk(seed: int, steps: int = 120) -> list[Try]:
    """Attempts from a seed: longer than what the property above draws."""
    chance = random.Random(seed)
    often, rarely = (
        ("accept", "prepare", "approve", "sent", "hand over", "due"),
        ("withdraw", "hold", "reject"),
    )
    weights = [6 if action in often else 0.5 if action in rarely else 1 for action in ACTIONS]
    pauses = (0, 1, 30, 61, 61, 100, 3 * 86_400)
    return [
        (action, chance.choice(PEOPLE), chance.randrange(5), chance.choice(ROUTES), chance.choice(pauses))
        for action in chance.choices(ACTIONS, weights, k=steps)
    ]


def test_long_walks_reach_every_event_and_stay_within_the_rules() -> None:
    reached: Counter[EventType] = Counter()
    for seed in range(200):
        sheet = Sheet()
        sheet.happens("see")
        for action, who, number, route, seconds in walk(seed):
            sheet.at += timedelta(seconds=seconds)
            rule = tried(action, who, number, route, sheet.at)
            if rule is None:
                sheet.happens(action)
            else:
                sheet.does(rule)
        audit(sheet.events)
        corrected(sheet.events)
        facts = fold(sheet.events, sheet.at)
        for flag, state in facts.flags.items():
            assert (state is FlagState.ACCEPTED) is accepted(sheet.events, flag)
        reached.update(event.type for event in sheet.events)
        sentences = [told(event).what for event in sheet.events]
        assert not any("987654" in sentence for sentence in sentences), "no sentence leads to an item"
    ours = list(EventType)[list(EventType).index(EventType.ENTRY_WITHDRAWN) :]
    ours = ours[: ours.index(EventType.ESCALATION_OPENED) + 1]
    assert {kind for kind in ours if not reached[kind]} == set()


# -- in the store: the rows are what the fold gives


class Runner:
    """One store and one event loop for many examples; each example has a case of its own."""

    def __init__(self, folder: Path) -> None:
        self._loop = asyncio.Runner()
        self._open = desk(folder, four_eyes=True)
        self.desk: Desk = self._loop.run(self._open.__aenter__())
        self._cases = 0

    def run(self, tries: list[Try]) -> None:
        self._cases += 1
        self._loop.run(self._run(tries, f"entry-{self._cases}"))

    async def _run(self, tries: list[Try], entry: str) -> None:
        at = self.desk
        match = type(CHILD)(**{**{f: getattr(CHILD, f) for f in CHILD.__slots__}, "entry": entry})
        flags = [await at.see(match)]
        case_id = (await at.of(match)).record.case_id
        first = max((line.report_id for line in await at.store.reader.run(list_reports)), default=0)
        for action, who, number, route, seconds in tries:
            at.wait(seconds=seconds)
            meant = number
            if number and action in ("accept", "reject", "second opinion"):
                meant = flags[(number - 1) % len(flags)]
            elif number:
                meant = first + number
            if action == "see":
                flags.append(await at.see(match))
            elif action in HAPPENS:
                standing = EntryStanding(entry, listed=action == "restore", category=Category.CHILD)
                await at.store.entries_stand("partner-a", [standing], at.at)
            elif (rule := tried(action, who, meant, route, at.at)) is not None:
                try:
                    await at.does(case_id, rule)
                except (InputError, NotAuthorized):
                    pass
            await self._compare(case_id)

    async def _compare(self, case_id: int) -> None:
        at = self.desk
        facts = (await at.case(case_id)).facts
        lines = [x for x in await at.store.reader.run(list_cases, at.at) if x.case_id == case_id]
        assert [line.state for line in lines] == [facts.state]
        (line,) = lines
        assert line.assigned_to == facts.assigned_to
        assert (line.held_until is not None) is bool(facts.holds)
        assert line.negative_until == (facts.negative_until if facts.negative else None)
        assert (line.withdrawn_at is None) is (facts.withdrawn_at is None)
        rows = await at.store.reader.run(list_reports, case_id=case_id)
        assert [
            (r.report_id, r.state, r.items, r.sent_at, r.correction_since, r.escalated_at) for r in rows
        ] == [
            (r.report_id, r.state, len(r.flags), r.sent_at, r.correction_since, r.escalated_at)
            for r in facts.reports.values()
        ]

    def close(self) -> None:
        self._loop.run(self._open.__aexit__(None, None, None))
        self._loop.close()


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    found = Runner(tmp_path_factory.mktemp("rows"))
    yield found
    found.close()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tries=TRIES)
def test_rows_say_what_the_fold_says_after_every_step(tries: list[Try], runner: Runner) -> None:
    runner.run(tries)


def test_a_fold_over_nothing_is_an_open_case_without_sightings() -> None:
    facts = fold([], START)
    assert (facts.state, facts.flags, facts.reports) == (CaseState.OPEN, {}, {})
