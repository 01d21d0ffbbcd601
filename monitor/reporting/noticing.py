"""The notice of a report: what it needs is asked when the report is prepared, and its making is an event."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from monitor.errors import InputError
from monitor.model import (
    CaseId,
    Category,
    EventType,
    OperatorDetails,
    ReportingPolicy,
    ReportState,
    Route,
    Sighting,
)
from monitor.reporting import reports
from monitor.reporting.acting import Case, Rule, act_on_report, look, step
from monitor.reporting.casefacts import Report
from monitor.reporting.files import writing
from monitor.reporting.notices import (
    REQUIREMENTS,
    Notice,
    Particulars,
    Register,
    Templates,
    eml,
    missing,
    render,
)
from monitor.store import Reader, SqlStore
from monitor.store.cases import Step, case_of
from monitor.store.sightings import sightings

FORMATS = ("text", "eml", "html")
"""As what a notice can be written."""
NOT_OUT = (ReportState.PREPARED, ReportState.APPROVED, ReportState.FAILED)


@dataclass(frozen=True, slots=True)
class Office:
    """What an operator's notices are made with: who they are, to whom they can go, their wording."""

    details: OperatorDetails | None
    register: Register
    templates: Templates


def prepare(
    operator: str,
    route: Route,
    policy: ReportingPolicy,
    office: Office,
    found: Sequence[Sighting],
    *,
    recipient: str | None = None,
    again: bool = False,
    explanation: str | None = None,
) -> Rule:
    """A report as `reports.prepare` makes it, to a recipient of the register, of which a notice can be made.

    `found` are the sightings of the case. Raises InputError naming all that the notice would lack.
    """

    def rule(case: Case) -> Sequence[Step]:
        (made,) = reports.prepare(operator, route, policy, again=again, explanation=explanation)(case)
        if route not in REQUIREMENTS:
            if recipient is not None:
                raise InputError(f"--recipient: {route} is sent in the app and takes none")
            return [made]
        category = Category(str(made.body["category"]))
        covered = [sighting for sighting in found if sighting.flag_id in made.flags]
        to = office.register.choose(recipient, route, category)
        _complete(route, missing(route, office.details, covered, category))
        return [made] if to is None else [replace(made, body=made.body | {"recipient": to.id})]

    return rule


async def write(
    store: SqlStore,
    report_id: int,
    office: Office,
    *,
    operator: str,
    kind: str,
    at: datetime,
    path: Path | None = None,
) -> tuple[Notice, bytes]:
    """The notice of a report that has not left, and its bytes in one of `FORMATS`, once the event of it is durable.

    At `path` the file (0600) is written whole before its event, and gets its name after it: what cannot be written
    leaves no event, and no notice lies there that is not on record.
    Raises InputError for a report that there is not or that has left or fallen, and naming all that is missing.
    """
    case = await look(store.reader, await store.reader.run(case_of, report_id), at)
    notice = await draw(store.reader, case, _not_out(case, case.report(report_id)), office)
    data = eml(notice) if kind == "eml" else (notice.html if kind == "html" else notice.text).encode()
    body = {
        "report_id": report_id,
        "route": notice.route and notice.route.value,
        "format": kind,
        "sha256": hashlib.sha256(data).hexdigest(),
    }

    def rule(case: Case, report: Report) -> Sequence[Step]:
        _not_out(case, report)
        return [step(EventType.NOTICE_MADE, operator, body)]

    if path is None:
        await act_on_report(store, report_id, rule, at)
        return notice, data
    with writing(path) as file:
        file.write(data)
        file.close()
        await act_on_report(store, report_id, rule, at)
        file.keep()
    return notice, data


async def draw(reader: Reader, case: Case, report: Report, office: Office) -> Notice:
    """The notice of a report, from the store. It bears the time of the approval, or of the preparation before that:
    as long as the facts are the same it is the same, byte for byte, however often it is made.

    Raises InputError naming all that is missing.
    """
    case_id, number = case.record.case_id, report.report_id
    found = await reader.run(sightings, case_id, number)
    if absent := report.flags - {sighting.flag_id for sighting in found}:
        raise case.refuse(f"report {number}: flag {min(absent)} is not on record any more; prepare another")
    _complete(report.route, missing(report.route, office.details, found, report.category))
    channels = await reader.channels()
    return render(
        report.route,
        found,
        category=report.category,
        details=office.details,
        particulars=Particulars(
            CaseId(case_id),
            report.approved_at or report.prepared_at,
            number,
            {
                channel.profile.channel_id: channel.authorization
                for channel in channels
                if channel.profile is not None and channel.authorization is not None
            },
        ),
        recipient=None if report.recipient is None else office.register.recipient(report.recipient),
        templates=office.templates,
    )


def _complete(route: Route, lacks: Sequence[str]) -> None:
    if lacks:
        raise InputError("\n".join(f"{route}: {what}" for what in lacks))


def _not_out(case: Case, report: Report) -> Report:
    if report.state not in NOT_OUT:
        raise case.refuse(
            f"report {report.report_id} is {report.state}; a notice is made of one that is prepared or approved"
        )
    return report
