"""Reports: prepared → approved → sent or handed over → acknowledged → outcome; one an item and route, ever.

Nothing here sends anything: a person, or the part that speaks to a recipient, does, and then says so here.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from monitor.errors import NotAuthorized
from monitor.model import (
    CaseState,
    Category,
    EventType,
    ReportingPolicy,
    ReportOutcome,
    ReportState,
    Route,
    Scalar,
)
from monitor.reporting.acting import Case, Rule, needed, step, taken_up, words
from monitor.reporting.begun import ended, left
from monitor.reporting.casefacts import SENDABLE, FlagState, Report
from monitor.reporting.decisions import undo_ends
from monitor.reporting.holds import check_not_held
from monitor.store.cases import CaseRecord, Step

ReportRule = Callable[[Case, Report], Sequence[Step]]

PLATFORM = frozenset({Route.TELEGRAM, Route.TELEGRAM_MAIL, Route.DSA})
"""Routes to who can remove an item."""
AUTHORITIES = frozenset({Route.HOTLINE, Route.NCMEC, Route.KR_POLICE})
"""Routes to who can secure evidence of a child's abuse before it is removed."""
ANSWERABLE = (ReportState.SENT, ReportState.HANDED_OVER, ReportState.ACKNOWLEDGED, ReportState.OUTCOME)


def prepare(
    operator: str,
    route: Route,
    policy: ReportingPolicy,
    *,
    recipient: str | None = None,
    again: bool = False,
    explanation: str | None = None,
) -> Rule:
    """A report of all accepted sightings that were not reported on this route yet; with `again` of those too.

    Platforms are not told of what is known to be gone. Its number is the case's `record.next_report`.
    """

    def rule(case: Case) -> Sequence[Step]:
        _check_case(case)
        category = _category(case, route, policy)
        if again:
            needed(explanation, "--reason", "--again reports what was reported; say why")
        flags = _reportable(case, route, again)
        _check_order(case, route, category, flags, policy)
        body: dict[str, Scalar] = {
            "report_id": case.record.next_report,
            "route": route.value,
            "recipient": recipient,
            "category": category.value,
            "explanation": words(explanation, "--reason"),
        }
        return [step(EventType.REPORT_PREPARED, operator, body, flags)]

    return rule


def approve(operator: str, policy: ReportingPolicy) -> ReportRule:
    """Let a report go out. Under four eyes by another person than the one who prepared it."""

    def rule(case: Case, report: Report) -> Sequence[Step]:
        _check_state(case, report, (ReportState.PREPARED,), "approved")
        if policy.four_eyes and report.prepared_by == operator:
            raise NotAuthorized(
                f"report {report.report_id}: {operator} prepared it; reporting.four_eyes wants another person"
            )
        check_may_leave(case, report, policy)
        return [step(EventType.REPORT_APPROVED, operator, {"report_id": report.report_id})]

    return rule


def sent(operator: str, policy: ReportingPolicy, *, reference: str | None = None) -> ReportRule:
    """Record that an approved report was sent, under which reference of the recipient or the mail.

    Also that the mail of one that fell while it was on its way has arrived: that is to be corrected.
    """
    usual = _left(EventType.REPORT_SENT, operator, policy, reference)

    def rule(case: Case, report: Report) -> Sequence[Step]:
        steps = left(report, operator, words(reference, "--reference"))
        return ended(case, report, steps) or usual(case, report)

    return rule


def handed_over(operator: str, policy: ReportingPolicy, *, reference: str | None = None) -> ReportRule:
    """Record that a person entered an approved report into a form, or handed it to somebody."""
    return _left(EventType.REPORT_HANDED_OVER, operator, policy, reference)


def arrived(operator: str) -> ReportRule:
    """Record that all items of an approved report have arrived in the app. Each was asked about before it left: what
    came in between does not make that unsaid. If the report fell meanwhile, it is to be corrected."""

    def rule(case: Case, report: Report) -> Sequence[Step]:
        if report.state is ReportState.SUPERSEDED and report.correction is None:
            body: dict[str, Scalar] = {"report_id": report.report_id, "reason": "sent_meanwhile"}
            return [step(EventType.CORRECTION_OPENED, operator, body)]
        _check_state(case, report, SENDABLE, "sent")
        return [step(EventType.REPORT_SENT, operator, {"report_id": report.report_id})]

    return rule


def failed(operator: str, reason: str, *, explanation: str | None = None) -> ReportRule:
    """Record that an approved report could not be sent. It stays open and loud until it is sent. `reason` is a word.

    Also that the mail of one that fell while it was on its way has not arrived: then nobody waits for it any more.
    """

    def rule(case: Case, report: Report) -> Sequence[Step]:
        body: dict[str, Scalar] = {
            "report_id": report.report_id,
            "reason": reason,
            "explanation": words(explanation, "--explanation"),
        }
        if over := ended(case, report, [step(EventType.MAIL_PUT_OFF, operator, body)]):
            return over
        _check_state(case, report, SENDABLE, "sent")
        return [step(EventType.REPORT_FAILED, operator, body)]

    return rule


def acknowledge(operator: str, reference: str | None) -> ReportRule:
    """Record that the recipient has it, under their reference."""

    def rule(case: Case, report: Report) -> Sequence[Step]:
        _check_state(case, report, (ReportState.SENT, ReportState.HANDED_OVER), "acknowledged")
        number = needed(reference, "--reference", "give the recipient's reference")
        return [
            step(
                EventType.REPORT_ACKNOWLEDGED,
                operator,
                {"report_id": report.report_id, "reference": number},
            )
        ]

    return rule


def came_out(operator: str, outcome: ReportOutcome, *, reference: str | None = None) -> ReportRule:
    """Record what the recipient did; a later answer replaces an earlier one."""

    def rule(case: Case, report: Report) -> Sequence[Step]:
        _check_state(case, report, ANSWERABLE, "answered")
        if report.outcome is outcome:
            raise case.refuse(f"report {report.report_id} has the outcome {outcome} already")
        body: dict[str, Scalar] = {
            "report_id": report.report_id,
            "outcome": outcome.value,
            "reference": words(reference, "--reference"),
        }
        return [step(EventType.REPORT_OUTCOME, operator, body)]

    return rule


def correct(operator: str, explanation: str | None) -> ReportRule:
    """Record that the recipient was told that a report no longer stands."""

    def rule(case: Case, report: Report) -> Sequence[Step]:
        if report.correction_since is None:
            raise case.refuse(f"report {report.report_id} has no correction to make")
        why = needed(explanation, "--explanation", "say who was told, and how")
        body: dict[str, Scalar] = {"report_id": report.report_id, "reason": "made", "explanation": why}
        return [step(EventType.CORRECTION_DONE, operator, body)]

    return rule


def check_may_send(case: Case, report: Report, policy: ReportingPolicy) -> None:
    """Raises InputError with the reason when an item of a report may not be sent now."""
    _check_state(case, report, SENDABLE, "sent")
    check_may_leave(case, report, policy)


def gate(report_id: int, policy: ReportingPolicy, at: datetime) -> Callable[[CaseRecord], None]:
    """Asks of a case as it is on record whether an item of its report may be sent at `at`; see `check_may_send`."""

    def check(record: CaseRecord) -> None:
        case = taken_up(record, at)
        check_may_send(case, case.report(report_id), policy)

    return check


def check_may_leave(case: Case, report: Report, policy: ReportingPolicy) -> None:
    """Raises InputError with the reason when a report may not leave the house now."""
    _check_case(case)
    _check_order(case, report.route, report.category, report.flags, policy)
    for flag in sorted(report.flags):
        decision = case.facts.governing(flag)
        if decision is None or case.facts.flags.get(flag) is not FlagState.ACCEPTED:
            raise case.refuse(f"report {report.report_id}: the match of flag {flag} is not accepted")
        if case.at < (ends := undo_ends(decision, policy)):
            raise case.refuse(
                f"report {report.report_id}: the decision can be undone until {ends:%H:%M:%S} (UTC); nothing leaves"
                " before"
            )


def _left(kind: EventType, operator: str, policy: ReportingPolicy, reference: str | None) -> ReportRule:
    def rule(case: Case, report: Report) -> Sequence[Step]:
        check_may_send(case, report, policy)
        number = words(reference, "--reference")
        return [step(kind, operator, {"report_id": report.report_id, "reference": number})]

    return rule


def _check_state(case: Case, report: Report, states: Sequence[ReportState], what: str) -> None:
    if report.state in states:
        return
    hint = ""
    if report.state is ReportState.SUPERSEDED:
        hint = "; a decision was reversed, or its entry withdrawn, before it was sent"
    elif report.state is ReportState.PREPARED:
        hint = "; first: monitor report approve"
    elif report.state is ReportState.APPROVED:
        hint = "; first: monitor report sent, or hand-over"
    raise case.refuse(f"report {report.report_id} is {report.state} and cannot be {what}{hint}")


def _check_case(case: Case) -> None:
    check_not_held(case)
    if case.facts.quarantined:
        raise case.refuse(
            "its entry is in quarantine: it matched too much; look, then: monitor lists release"
        )
    if case.facts.withdrawn_at is not None:
        raise case.refuse(f"{case.record.hash_list} holds entry {case.record.entry} no more")
    if "report" not in case.record.permitted_uses:
        raise case.refuse(
            f"the terms of {case.record.hash_list} do not permit to report with it; see permitted_uses"
        )


def _category(case: Case, route: Route, policy: ReportingPolicy) -> Category:
    category, record = case.record.category, case.record
    if category is None:
        raise case.refuse(
            f"entry {record.entry} has no category; say under hash_lists, {record.hash_list}, labels what its label"
            " means, then: monitor reload"
        )
    allowed = policy.routes.get(category, ())
    if route not in allowed:
        known = ", ".join(allowed) or "none; see reporting.routes"
        raise case.refuse(f"{route}: no route for the category {category}; those are: {known}")
    return category


def _reportable(case: Case, route: Route, again: bool) -> tuple[int, ...]:
    accepted = {flag for flag, state in case.facts.flags.items() if state is FlagState.ACCEPTED}
    if not accepted:
        hint = "" if case.facts.state is CaseState.NOT_RELIED_ON else "; first: monitor cases accept"
        raise case.refuse(f"no match is accepted{hint}")
    gone = {item.flag_id for item in case.record.items if item.deleted_seen_at is not None}
    there = accepted - gone if route in PLATFORM else accepted
    if not there:
        raise case.refuse(f"{route}: every sighting is gone already; there is nothing to remove")
    told = {
        flag: report.report_id
        for report in case.facts.reports.values()
        if report.route is route and report.state is not ReportState.SUPERSEDED
        for flag in report.flags
    }
    new = there if again else there - told.keys()
    if not new:
        numbers = ", ".join(map(str, sorted({told[flag] for flag in there})))
        raise case.refuse(
            f"{route}: each sighting is in report {numbers} on this route; once more with --again --reason"
        )
    return tuple(sorted(new))


def _check_order(
    case: Case,
    route: Route,
    category: Category,
    flags: Sequence[int] | frozenset[int],
    policy: ReportingPolicy,
) -> None:
    if category is not Category.CHILD or route not in PLATFORM or policy.platform_first:
        return
    told = {
        flag
        for report in case.facts.reports.values()
        if report.route in AUTHORITIES and report.out
        for flag in report.flags
    }
    if not told.issuperset(flags):
        raise case.refuse(
            f"{route}: a hotline or the police comes first ({', '.join(sorted(AUTHORITIES))}), as removal can destroy"
            " evidence; send that report, or set reporting.platform_first"
        )
