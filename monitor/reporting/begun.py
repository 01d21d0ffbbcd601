"""Mails of reports that were begun and have no end: they may have arrived, and a person has to ask."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.model import Event, EventType, ReportState, Scalar
from monitor.reporting.acting import Case, look, step
from monitor.reporting.casefacts import SENDABLE, Report
from monitor.store import Reader
from monitor.store.cases import Step
from monitor.store.report_book import mailed

UNCERTAIN = "mail_uncertain"
_ENDS = (
    EventType.MAIL_PUT_OFF,
    EventType.REPORT_FAILED,
    EventType.REPORT_SENT,
    EventType.REPORT_HANDED_OVER,
)


_MAY_BE_OUT = (*SENDABLE, ReportState.SUPERSEDED)


@dataclass(frozen=True, slots=True)
class Begun:
    """A mail that was begun at that time and may have arrived: nobody has said what came of it."""

    report_id: int
    at: datetime


async def unended(reader: Reader, at: datetime) -> list[Begun]:
    """The mails that were begun and have no end on record, by report, also of reports that fell meanwhile: this process
    or another was stopped while one was on its way, or is at it right now."""
    found = []
    for case_id in await reader.run(mailed):
        case = await look(reader, case_id, at)
        for report in case.facts.reports.values():
            begun = begun_mail(case.record.events, report.report_id) if report.state in _MAY_BE_OUT else None
            if begun is not None:
                found.append(Begun(report.report_id, begun.at))
    return sorted(found, key=lambda mail: mail.report_id)


def begun_mail(events: Sequence[Event], report_id: int) -> Event | None:
    """The begun mail of a report of which nobody has said what came of it."""
    begun = None
    for event in events:
        if event.body.get("report_id") != report_id:
            continue
        if event.type is EventType.MAIL_BEGUN:
            begun = event
        elif event.type in _ENDS and event.body.get("reason") != UNCERTAIN:
            begun = None
    return begun


def left(report: Report, operator: str, reference: str | None) -> list[Step]:
    """That the mail has left: true whatever was decided meanwhile; what was reversed then is to be corrected."""
    number = report.report_id
    steps = [step(EventType.REPORT_SENT, operator, {"report_id": number, "reference": reference})]
    if report.state is ReportState.SUPERSEDED:
        body: dict[str, Scalar] = {"report_id": number, "reason": "reversed_meanwhile"}
        steps.append(step(EventType.CORRECTION_OPENED, operator, body))
    return steps


def ended(case: Case, report: Report, steps: Sequence[Step]) -> Sequence[Step]:
    """The steps that end a mail of a report that fell while it was on its way; none where there is no such mail."""
    fell = report.state is ReportState.SUPERSEDED
    return steps if fell and begun_mail(case.record.events, report.report_id) else ()
