"""What stands of a case is a fold over its events, and nothing else. Pure; it checks nothing.

Whether an event may follow was checked by the rule that gave it (decisions, holds, reports, negatives, aftermath),
over this same fold and within the transaction that appended it. An event whose body was erased says nothing any more.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from monitor.model import (
    CaseState,
    Category,
    ErrandState,
    Event,
    EventType,
    ReportOutcome,
    ReportState,
    Route,
)
from monitor.reporting.casefacts import CaseFacts, Correction, Decision, FlagState, Hold, Report


def fold(events: Iterable[Event], at: datetime) -> CaseFacts:
    """What these events of one case, in their order, come to at `at`."""
    told = [event for event in events if event.body]
    # What was undone within its minute was never decided.
    undone = {event.body["undoes"] for event in told if event.type is EventType.CASE_UNDONE}
    state = _Folding()
    for event in told:
        state.last = event.seq
        if event.seq not in undone and (take := _TAKES.get(event.type)) is not None:
            take(state, event)
            if event.type in _FELLING:
                state.supersede()
    return state.facts(at)


@dataclass(slots=True)
class _Folding:
    """How far the fold has come. `joined` has the event with which each sighting joined."""

    joined: dict[int, int] = field(default_factory=dict)
    general: Decision | None = None
    own: dict[int, Decision] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    assigned_to: str | None = None
    holds: dict[str, Hold] = field(default_factory=dict)
    negative_until: datetime | None = None
    withdrawn_at: datetime | None = None
    quarantined: bool = False
    reports: dict[int, Report] = field(default_factory=dict)
    last: int = -1

    def flag_state(self, flag_id: int) -> CaseState:
        if (own := self.own.get(flag_id)) is not None:
            return own.state
        if self.general is None:
            return CaseState.OPEN
        later = self.joined.get(flag_id, -1) > self.general.seq
        if later and self.general.state is CaseState.NOT_RELIED_ON:
            return CaseState.OPEN  # a rejection says nothing about what came later
        return self.general.state

    def supersede(self) -> None:
        """What has not been sent falls, once one of its sightings may not be reported any more."""
        unsent = (ReportState.PREPARED, ReportState.APPROVED, ReportState.FAILED)
        fallen = (CaseState.OPEN, CaseState.NOT_RELIED_ON)
        for report in self.reports.values():
            if report.state in unsent and (
                self.withdrawn_at or any(self.flag_state(flag) in fallen for flag in report.flags)
            ):
                self.change(report.report_id, state=ReportState.SUPERSEDED)

    def change(self, report_id: int, **changes: Any) -> None:
        if report_id in self.reports:
            self.reports[report_id] = replace(self.reports[report_id], **changes)

    def facts(self, at: datetime) -> CaseFacts:
        standing = self.general.state if self.general else CaseState.OPEN
        states = {flag: self.flag_state(flag) for flag in sorted(self.joined)}
        waiting = [self.joined[flag] for flag, state in states.items() if state is CaseState.OPEN]
        negative = self.negative_until is not None and at < self.negative_until
        reopened = standing is CaseState.NOT_RELIED_ON and bool(waiting) and not negative
        in_force = [hold for hold in self.holds.values() if at < hold.until]
        return CaseFacts(
            at=at,
            state=CaseState.OPEN if reopened else standing,
            standing=standing,
            settled=None if self.general is None else min(waiting, default=self.last + 1) - 1,
            flags={
                flag: FlagState.SUPPRESSED if negative and state is CaseState.OPEN else FlagState(state.value)
                for flag, state in states.items()
            },
            decisions=tuple(self.decisions),
            general=self.general,
            own=self.own,
            assigned_to=self.assigned_to,
            holds=tuple(in_force),
            expired_holds=tuple(hold for hold in self.holds.values() if hold not in in_force),
            held_until=max((hold.until for hold in self.holds.values()), default=None),
            negative_until=self.negative_until,
            withdrawn_at=self.withdrawn_at,
            quarantined=self.quarantined,
            reports=self.reports,
        )


# -- what each event changes --------------------------------------------------------------------------------


def _joined(state: _Folding, event: Event) -> None:
    state.joined.setdefault(_number(event, "flag_id"), event.seq)


def _decided(state: _Folding, event: Event) -> None:
    asked = event.type is EventType.SECOND_OPINION_ASKED
    decision = CaseState.SECOND_OPINION if asked else CaseState(_word(event, "decision"))
    flag_id = event.body.get("flag_id")
    made = Decision(
        seq=event.seq,
        at=event.at,
        operator=_word(event, "operator"),
        state=decision,
        reason=_text(event, "reason"),
        flag_id=None if flag_id is None else int(flag_id),
    )
    state.decisions.append(made)
    if made.flag_id is None:
        state.general = made
    else:
        state.own[made.flag_id] = made


def _assigned(state: _Folding, event: Event) -> None:
    state.assigned_to = _text(event, "assignee")


def _held(state: _Folding, event: Event) -> None:
    state.holds[_word(event, "reference")] = Hold(
        reference=_word(event, "reference"),
        asked_by=_word(event, "asked_by"),
        until=datetime.fromisoformat(_word(event, "until")),
        operator=_word(event, "operator"),
        at=event.at,
    )


def _hold_ended(state: _Folding, event: Event) -> None:
    state.holds.pop(_word(event, "reference"), None)


def _negative(state: _Folding, event: Event) -> None:
    added = event.type is EventType.NEGATIVE_ADDED
    state.negative_until = datetime.fromisoformat(_word(event, "until")) if added else None


def _listed(state: _Folding, event: Event) -> None:
    state.withdrawn_at = event.at if event.type is EventType.ENTRY_WITHDRAWN else None


def _guarded(state: _Folding, event: Event) -> None:
    state.quarantined = event.type is EventType.ENTRY_QUARANTINED


def _prepared(state: _Folding, event: Event) -> None:
    report_id = _number(event, "report_id")
    state.reports[report_id] = Report(
        report_id=report_id,
        route=Route(_word(event, "route")),
        recipient=_text(event, "recipient"),
        category=Category(_word(event, "category")),
        flags=frozenset(map(int, _word(event, "flags").split())),
        prepared_by=_word(event, "operator"),
        prepared_at=event.at,
        again="explanation" in event.body,
    )


def _approved(state: _Folding, event: Event) -> None:
    who = _word(event, "operator")
    state.change(
        _number(event, "report_id"), state=ReportState.APPROVED, approved_by=who, approved_at=event.at
    )


def _left(state: _Folding, event: Event) -> None:
    sent = event.type is EventType.REPORT_SENT
    state.change(
        _number(event, "report_id"),
        state=ReportState.SENT if sent else ReportState.HANDED_OVER,
        sent_at=event.at,
        reference=_text(event, "reference"),
        failure=None,
    )


def _failed(state: _Folding, event: Event) -> None:
    reason = _text(event, "reason")
    state.change(_number(event, "report_id"), state=ReportState.FAILED, failure=reason)


def _item_left(state: _Folding, event: Event) -> None:
    # The report's own state is not touched. But what has left of it, or may have, must be corrected if it falls.
    report = state.reports.get(_number(event, "report_id"))
    left = event.type is EventType.ITEM_REPORTED or event.body.get("state") == ErrandState.UNKNOWN
    if left and report is not None and report.sent_at is None:
        state.change(report.report_id, sent_at=event.at)


def _acknowledged(state: _Folding, event: Event) -> None:
    reference = _text(event, "reference")
    state.change(_number(event, "report_id"), state=ReportState.ACKNOWLEDGED, reference=reference)


def _came_out(state: _Folding, event: Event) -> None:
    state.change(
        _number(event, "report_id"),
        state=ReportState.OUTCOME,
        outcome=ReportOutcome(_word(event, "outcome")),
        outcome_by=_word(event, "operator"),
    )


def _correction(state: _Folding, event: Event) -> None:
    report_id = _number(event, "report_id")
    report = state.reports.get(report_id)
    if event.type is EventType.CORRECTION_OPENED:
        cause = event.body.get("cause")
        opened = Correction(event.at, None if cause is None else int(cause))
        state.change(report_id, correction=opened)
    elif report is not None and report.correction is not None:
        undone = event.body.get("reason") == "undone"  # with the decision that opened it
        done = None if undone else replace(report.correction, done_at=event.at)
        state.change(report_id, correction=done)


def _escalated(state: _Folding, event: Event) -> None:
    state.change(_number(event, "report_id"), escalated_at=event.at)


_TAKES: Mapping[EventType, Callable[[_Folding, Event], None]] = {
    EventType.FLAG_RAISED: _joined,
    EventType.FLAG_COMPLETED: _joined,
    EventType.CASE_DECIDED: _decided,
    EventType.SECOND_OPINION_ASKED: _decided,
    EventType.CASE_ASSIGNED: _assigned,
    EventType.CASE_HELD: _held,
    EventType.CASE_HOLD_ENDED: _hold_ended,
    EventType.NEGATIVE_ADDED: _negative,
    EventType.NEGATIVE_ENDED: _negative,
    EventType.ENTRY_WITHDRAWN: _listed,
    EventType.ENTRY_RESTORED: _listed,
    EventType.ENTRY_QUARANTINED: _guarded,
    EventType.ENTRY_RELEASED: _guarded,
    EventType.REPORT_PREPARED: _prepared,
    EventType.REPORT_APPROVED: _approved,
    EventType.REPORT_SENT: _left,
    EventType.REPORT_HANDED_OVER: _left,
    EventType.REPORT_FAILED: _failed,
    EventType.ITEM_REPORTED: _item_left,
    EventType.ITEM_NOT_REPORTED: _item_left,
    EventType.REPORT_ACKNOWLEDGED: _acknowledged,
    EventType.REPORT_OUTCOME: _came_out,
    EventType.CORRECTION_OPENED: _correction,
    EventType.CORRECTION_DONE: _correction,
    EventType.ESCALATION_OPENED: _escalated,
}


_FELLING = frozenset(
    {
        EventType.CASE_DECIDED,
        EventType.SECOND_OPINION_ASKED,
        EventType.ENTRY_WITHDRAWN,
        EventType.REPORT_PREPARED,
    }
)
"""After which a report that was not sent may have fallen."""


def _number(event: Event, key: str) -> int:
    return int(event.body.get(key) or 0)


def _word(event: Event, key: str) -> str:
    return str(event.body[key])


def _text(event: Event, key: str) -> str | None:
    found = event.body.get(key)
    return None if found is None else str(found)
