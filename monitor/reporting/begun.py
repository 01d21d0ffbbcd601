"""Mails of reports that were begun and have no end: they may have arrived, and a person has to ask."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.model import Event, EventType
from monitor.reporting.acting import look
from monitor.reporting.casefacts import SENDABLE
from monitor.store import Reader
from monitor.store.report_book import mailed

UNCERTAIN = "mail_uncertain"
_ENDS = (
    EventType.MAIL_PUT_OFF,
    EventType.REPORT_FAILED,
    EventType.REPORT_SENT,
    EventType.REPORT_HANDED_OVER,
)


@dataclass(frozen=True, slots=True)
class Begun:
    """A mail that was begun at that time and may have arrived: nobody has said what came of it."""

    report_id: int
    at: datetime


async def unended(reader: Reader, at: datetime) -> list[Begun]:
    """The mails of reports to be sent that were begun and have no end on record, by report: this process or another was
    stopped while one was on its way, or is at it right now."""
    found = []
    for case_id in await reader.run(mailed):
        case = await look(reader, case_id, at)
        for report in case.facts.reports.values():
            begun = begun_mail(case.record.events, report.report_id) if report.state in SENDABLE else None
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
