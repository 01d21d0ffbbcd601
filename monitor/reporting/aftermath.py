"""What falls due after a decision or a report: ends of holds and negative entries, corrections, escalations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.errors import InputError
from monitor.model import AUTOMATIC, EventType, ReportingPolicy, ReportOutcome
from monitor.reporting import holds, in_app, negatives
from monitor.reporting.acting import Case, act, look, step
from monitor.reporting.casefacts import Report
from monitor.reporting.decisions import corrections
from monitor.store import SqlStore
from monitor.store.cases import Step, falling_due

SETTLED = frozenset({ReportOutcome.NOT_ILLEGAL, ReportOutcome.DUPLICATE, ReportOutcome.NEEDS_MORE})
"""Answers after which nobody waits for an item to go."""


@dataclass(frozen=True, slots=True)
class Due:
    """Something that fell due in a case, with its report where it has one."""

    case_id: int
    type: EventType
    report_id: int | None


Looks = Mapping[int, bool]
"""Whether a flag's item was visible when it was last looked at; one that is not in it was not looked at."""


def still_visible(case: Case, policy: ReportingPolicy, looks: Looks | None = None) -> list[Step]:
    """The escalations to open: of reports that left so long ago while an item of theirs is still to be seen.

    An item is taken to be visible until its message is known to be deleted, or a look says otherwise. A report is
    escalated once; not while it waits for more from us, and not when the recipient leaves the item where it is.
    """
    before = case.at - timedelta(seconds=policy.still_visible_seconds)
    seen = visible(case, looks)

    def due(report: Report) -> bool:
        return (
            report.sent_at is not None
            and report.sent_at <= before
            and report.escalated_at is None
            and report.correction is None
            and report.outcome not in SETTLED
            and not seen.isdisjoint(report.flags)
        )

    return [
        step(
            EventType.ESCALATION_OPENED,
            AUTOMATIC,
            {"report_id": report.report_id, "reason": "still_visible"},
            tuple(seen & report.flags),
        )
        for report in case.facts.reports.values()
        if due(report)
    ]


def visible(case: Case, looks: Looks | None = None) -> frozenset[int]:
    """The sightings of a case that can still be seen, as far as is known."""
    known = looks or {}
    return frozenset(
        item.flag_id
        for item in case.record.items
        if item.deleted_seen_at is None and known.get(item.flag_id, True)
    )


def withdrawn(case: Case) -> list[Step]:
    """The corrections to open because the source has withdrawn the entry: one for each report that went out."""
    if case.facts.withdrawn_at is None:
        return []
    return corrections(case, set(case.facts.flags), AUTOMATIC, "entry_withdrawn")


def falls_due(case: Case, policy: ReportingPolicy, looks: Looks | None = None) -> list[Step]:
    """All that is due in a case now."""
    return [
        *holds.run_out(case),
        *negatives.run_out(case),
        *withdrawn(case),
        *still_visible(case, policy, looks),
    ]


async def take_due(
    store: SqlStore, policy: ReportingPolicy, at: datetime, looks: Looks | None = None
) -> list[Due]:
    """Open and end what is due by now in all cases, each in a transaction of its own. Doing it again adds nothing."""
    sent_before = at - timedelta(seconds=policy.still_visible_seconds)
    found: list[Due] = []
    for case_id in await store.reader.run(falling_due, sent_before, at):
        taken: list[Step] = []

        def rule(case: Case, taken: list[Step] = taken) -> Sequence[Step]:
            taken[:] = falls_due(case, policy, looks)
            return taken

        try:
            # Most of these have nothing due: they are only looked at, which takes no lock.
            if not falls_due(await look(store.reader, case_id, at), policy, looks):
                continue
            await act(store, case_id, rule, at)
        except InputError:
            continue  # there is no such case any more: retention has removed it meanwhile
        found += [
            Due(case_id, each.type, int(number) if (number := each.body.get("report_id")) else None)
            for each in taken
        ]
    return found + [Due(*ended) for ended in await in_app.take_ends(store, at)]
