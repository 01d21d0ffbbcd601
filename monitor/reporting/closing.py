"""When nothing of a case waits for anybody, so that retention may remove it."""

from datetime import datetime

from monitor.model import CaseState, ReportState
from monitor.reporting.acting import Case, taken_up
from monitor.reporting.aftermath import withdrawn
from monitor.reporting.begun import begun_mail
from monitor.reporting.casefacts import Report
from monitor.store.cases import CaseRecord
from monitor.store.retention import FORGETTABLE

DECIDED = (CaseState.ACCEPTED, CaseState.NOT_RELIED_ON)


def over(record: CaseRecord, at: datetime) -> bool:
    """Whether a case is decided, with every sighting in it, and no hold, place on the negative list, quarantine,
    answer, mail or correction is still open.

    One that was removed before, and came back with a backup, has lost what it was decided on: it is over, if its rows
    say so, which the store has asked.
    """
    if any(not event.body and event.type not in FORGETTABLE for event in record.events):
        return True
    case = taken_up(record, at)
    facts = case.facts
    return (
        facts.state in DECIDED
        and not facts.waiting
        and not facts.holds
        and not facts.negative
        and not facts.quarantined
        and not withdrawn(case)
        and all(_done(case, report) for report in facts.reports.values())
    )


def _done(case: Case, report: Report) -> bool:
    """Whether nobody has to answer, send or correct anything more of a report."""
    fallen = report.state is ReportState.SUPERSEDED
    return (
        (fallen or report.state is ReportState.OUTCOME)
        and report.correction_since is None
        and not (fallen and report.out and report.correction is None)
        and begun_mail(case.record.events, report.report_id) is None
    )
