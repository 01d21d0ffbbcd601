"""Decisions about a match: accepted, not relied on, or a second opinion; of a whole case or of one sighting.

Nobody here has seen the item. What is decided is whether the match is relied on, never what a picture shows.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from monitor.errors import NotAuthorized
from monitor.model import CaseState, EventType, ReasonCode, ReportingPolicy
from monitor.reporting.acting import Case, Rule, needed, step, words
from monitor.reporting.casefacts import Decision, FlagState, Report
from monitor.store.cases import Step

EXACT, WITHIN = "exact_match", "within_threshold"
"""On what an acceptance rests: the same bytes, or a distance that the list allows."""


def accept(operator: str, *, flag_id: int | None = None, explanation: str | None = None) -> Rule:
    """Rely on the match. An acceptance covers sightings that come later; one against a decision is explained."""

    def rule(case: Case) -> Sequence[Step]:
        before = _decidable(case, operator, flag_id, CaseState.ACCEPTED)
        why = words(explanation, "--explanation")
        if before is not None and before.state is CaseState.NOT_RELIED_ON:
            needed(explanation, "--explanation", "the match was not relied on; say what has changed")
        if case.facts.withdrawn_at is not None:
            raise case.refuse(
                f"{case.record.hash_list} holds entry {case.record.entry} no more; reject it:"
                f" --reason {ReasonCode.SOURCE_WITHDRAWN}"
            )
        covered = [item for item in case.record.items if flag_id in (None, item.flag_id)]
        if not covered:
            raise case.refuse("has no sighting to decide on")
        reason = EXACT if all(item.exact for item in covered) else WITHIN
        ended = (
            [step(EventType.NEGATIVE_ENDED, operator, {"reason": "match_accepted"})]
            if case.facts.negative_until is not None
            else []
        )
        return [_decided(operator, CaseState.ACCEPTED, flag_id, reason, explanation=why), *ended]

    return rule


def accept_exact(operator: str) -> Rule:
    """Rely on a case among many at once: only where every sighting has the very bytes of the entry."""

    def rule(case: Case) -> Sequence[Step]:
        if why := not_in_bulk(case):
            raise case.refuse(f"{why}; decide on it alone: monitor cases accept {case.record.case_id}")
        return accept(operator)(case)

    return rule


def not_in_bulk(case: Case) -> str | None:
    """Why a case cannot be accepted among many; None when it can."""
    if case.facts.state is not CaseState.OPEN or case.facts.decisions:
        return "somebody has decided on it before"
    if case.facts.quarantined:
        return "its entry is in quarantine"
    if case.facts.withdrawn_at is not None:
        return "its list holds the entry no more"
    if not case.record.items:
        return "it has no sighting"
    near = [item for item in case.record.items if not item.exact]
    if near:
        least, most = min(item.distance for item in near), max(item.distance for item in near)
        away = f"{least} bits" if least == most else f"{least} to {most} bits"
        return (
            f"{len(near):,} of {len(case.record.items):,} sightings are near matches ({away}), not exact ones"
        )
    return None


def reject(
    operator: str,
    reason: ReasonCode,
    *,
    flag_id: int | None = None,
    reference: str | None = None,
    explanation: str | None = None,
) -> Rule:
    """Do not rely on the match. What was reported on it gets a correction; what was not sent falls.

    Of a case it covers what has been seen so far: what comes later is asked about again.
    """

    def rule(case: Case) -> Sequence[Step]:
        _decidable(case, operator, flag_id, CaseState.NOT_RELIED_ON)
        if reason is ReasonCode.OTHER_DOCUMENTED:
            needed(reference, "--reference", f"{reason} says that the reason is documented; name where")
        if reason is ReasonCode.SOURCE_WITHDRAWN and case.facts.withdrawn_at is None:
            raise case.refuse(
                f"{case.record.hash_list} still holds entry {case.record.entry}; {reason} is for entries withdrawn"
            )
        decided = _decided(
            operator,
            CaseState.NOT_RELIED_ON,
            flag_id,
            reason.value,
            reference=words(reference, "--reference"),
            explanation=words(explanation, "--explanation"),
        )
        covered = {
            flag
            for flag in case.facts.flags
            if flag == flag_id or (flag_id is None and flag not in case.facts.own)
        }
        cause = case.record.next_event
        return [decided, *corrections(case, covered, operator, "decision_reversed", cause)]

    return rule


def ask_second_opinion(operator: str, explanation: str | None, *, flag_id: int | None = None) -> Rule:
    """Leave the decision to another person, and say what is in doubt."""

    def rule(case: Case) -> Sequence[Step]:
        _decidable(case, operator, flag_id, CaseState.SECOND_OPINION)
        why = needed(explanation, "--explanation", "say what the other person is to look at")
        return [step(EventType.SECOND_OPINION_ASKED, operator, {"flag_id": flag_id, "explanation": why})]

    return rule


def undo(operator: str, policy: ReportingPolicy) -> Rule:
    """Take the last decision back: by the same person, while it can be undone. What it opened is closed."""

    def rule(case: Case) -> Sequence[Step]:
        if not case.facts.decisions:
            raise case.refuse("there is no decision to undo")
        last = case.facts.decisions[-1]
        if last.operator != operator:
            raise NotAuthorized(
                f"case {case.record.case_id}: {last.operator} took the last decision, and alone may undo it"
            )
        if case.at >= undo_ends(last, policy):
            raise case.refuse(
                f"the last decision is older than {policy.undo_seconds} s; take another one, and say why"
            )
        opened = [
            step(EventType.CORRECTION_DONE, operator, {"report_id": report.report_id, "reason": "undone"})
            for report in case.facts.reports.values()
            if report.correction_since and report.correction and report.correction.cause == last.seq
        ]
        body = {"undoes": last.seq, "flag_id": last.flag_id}
        return [step(EventType.CASE_UNDONE, operator, body), *opened]

    return rule


def assign(operator: str, assignee: str | None) -> Rule:
    """Whose case it is; None for nobody's. Others may decide on it all the same."""

    def rule(case: Case) -> Sequence[Step]:
        if case.facts.assigned_to == assignee:
            raise case.refuse(f"is assigned to {assignee or 'nobody'} already")
        return [step(EventType.CASE_ASSIGNED, operator, {"assignee": assignee})]

    return rule


def undo_ends(decision: Decision, policy: ReportingPolicy) -> datetime:
    """When a decision becomes one that cannot be undone; nothing leaves before."""
    return decision.at + timedelta(seconds=policy.undo_seconds)


def corrections(
    case: Case, flags: set[int], operator: str, reason: str, cause: int | None = None
) -> list[Step]:
    """The corrections to open for what was reported of these sightings: one for each report, ever."""

    def due(report: Report) -> bool:
        return report.out and report.correction is None and not flags.isdisjoint(report.flags)

    return [
        step(
            EventType.CORRECTION_OPENED,
            operator,
            {"report_id": report.report_id, "reason": reason, "cause": cause},
        )
        for report in case.facts.reports.values()
        if due(report)
    ]


def _decided(
    operator: str, state: CaseState, flag_id: int | None, reason: str, **declared: str | None
) -> Step:
    body = {"decision": state.value, "flag_id": flag_id, "reason": reason, **declared}
    return step(EventType.CASE_DECIDED, operator, body)


def _decidable(case: Case, operator: str, flag_id: int | None, wanted: CaseState) -> Decision | None:
    """The decision that is replaced. Raises when this person may not take this one now."""
    facts = case.facts
    if flag_id is not None and flag_id not in facts.flags:
        raise case.refuse(f"has no sighting with flag {flag_id}; monitor cases show lists them")
    what = "the case" if flag_id is None else f"flag {flag_id}"
    before = facts.governing(flag_id)
    state = facts.state.value if flag_id is None else facts.flags[flag_id].value
    if before is None or (flag_id is not None and state in (FlagState.OPEN, FlagState.SUPPRESSED)):
        return None
    if state == wanted.value:
        raise case.refuse(f"{what} is {state} since {before.at:%Y-%m-%d %H:%M} (UTC), by {before.operator}")
    if before.state is CaseState.SECOND_OPINION and before.operator == operator:
        raise NotAuthorized(
            f"case {case.record.case_id}: {operator} asked for a second opinion; it must come from another person"
        )
    return before
