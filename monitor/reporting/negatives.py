"""The negative list: entries whose further sightings nobody is asked about, for a time.

A rejection alone never gets there: it would hide a victim's image behind somebody's mistake. Either the source has
withdrawn the entry, or a recipient of a report called it not illegal and a second person agrees.
"""

from collections.abc import Sequence
from datetime import timedelta

from monitor.errors import NotAuthorized
from monitor.model import (
    AUTOMATIC,
    CaseState,
    EventType,
    ListAction,
    ReasonCode,
    ReportingPolicy,
    ReportOutcome,
)
from monitor.reporting.acting import Case, Rule, needed, step
from monitor.reporting.decisions import undo_ends
from monitor.store.cases import Step

DAYS, MOST_DAYS = 180, 365


def add(operator: str, policy: ReportingPolicy, *, days: int = DAYS, explanation: str | None = None) -> Rule:
    """Put a case's entry on the negative list for so many days."""

    def rule(case: Case) -> Sequence[Step]:
        facts, record = case.facts, case.record
        if not 1 <= days <= MOST_DAYS:
            raise case.refuse(f"--days: takes 1 to {MOST_DAYS}")
        if facts.negative:
            raise case.refuse(f"is on the negative list until {facts.negative_until:%Y-%m-%d}")
        if record.exact and record.action is not ListAction.REVIEW:
            raise case.refuse(
                f"has exact matches with {record.hash_list}, a list that flags; such an entry is never on the"
                " negative list. Ask the source to withdraw it"
            )
        decision = facts.general
        if decision is None or facts.standing is not CaseState.NOT_RELIED_ON:
            raise case.refuse("the match is not rejected; first: monitor cases reject")
        if case.at < undo_ends(decision, policy):
            raise case.refuse("the rejection can still be undone; wait a moment")
        body = {
            "reason": _ground(case, operator, decision.reason),
            "until": (case.at + timedelta(days=days)).isoformat(),
            "explanation": needed(explanation, "--explanation", "say on what it rests"),
        }
        return [step(EventType.NEGATIVE_ADDED, operator, body)]

    return rule


def _ground(case: Case, operator: str, reason: str | None) -> str:
    """On what it rests. Raises InputError when there is nothing, NotAuthorized when it takes another person."""
    if case.facts.withdrawn_at is not None and reason == ReasonCode.SOURCE_WITHDRAWN:
        return ReasonCode.SOURCE_WITHDRAWN
    told = [r for r in case.facts.reports.values() if r.outcome is ReportOutcome.NOT_ILLEGAL]
    if not told:
        raise case.refuse(
            "a rejection alone hides nothing: either its list has withdrawn the entry and it was rejected as"
            f" {ReasonCode.SOURCE_WITHDRAWN}, or a recipient has answered a report with {ReportOutcome.NOT_ILLEGAL}"
        )
    if all(report.outcome_by == operator for report in told):
        raise NotAuthorized(
            f"case {case.record.case_id}: {operator} recorded the recipient's answer; another person has to agree"
        )
    return ReportOutcome.NOT_ILLEGAL


def end(operator: str, explanation: str | None) -> Rule:
    """Take an entry off the negative list: what was seen meanwhile waits for a decision again."""

    def rule(case: Case) -> Sequence[Step]:
        if not case.facts.negative:
            raise case.refuse("is not on the negative list")
        why = needed(explanation, "--explanation", "say why")
        return [step(EventType.NEGATIVE_ENDED, operator, {"reason": "ended", "explanation": why})]

    return rule


def run_out(case: Case) -> list[Step]:
    """The end of a place on the list whose time is over."""
    if case.facts.negative_until is None or case.facts.negative:
        return []
    return [step(EventType.NEGATIVE_ENDED, AUTOMATIC, {"reason": "run_out"})]
