"""A report by mail: begun on record, sent once, and what came of it.

That a mail is begun is durable before a byte of it leaves. Whoever comes second, or after a crash, sees that it may
have arrived, and does not send it again before a person has asked the recipient.
"""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime

from monitor.errors import MailRefused, MailUncertain, MonitorError
from monitor.model import EventType, ReportingPolicy, Scalar
from monitor.reporting import reports
from monitor.reporting.acting import Case, act_on_report, look, step
from monitor.reporting.begun import UNCERTAIN, begun_mail, left
from monitor.reporting.casefacts import SENDABLE, Report
from monitor.reporting.notices import Approval, MailServer, Sent, compose, send
from monitor.reporting.noticing import Office, draw
from monitor.store import SqlStore
from monitor.store.cases import Step, case_of


async def mail(
    store: SqlStore,
    report_id: int,
    office: Office,
    server: MailServer,
    policy: ReportingPolicy,
    *,
    operator: str,
    clock: Callable[[], datetime],
) -> Sent:
    """Send the notice of an approved report by mail, and record that, under the mail's Message-ID.

    Raises InputError when it may not leave or cannot be mailed; MailUnavailable when it was not sent and the report
    is as it was; MailRefused and MailUncertain once the report is on record as failed.
    """
    case = await look(store.reader, await store.reader.run(case_of, report_id), clock())
    report = case.report(report_id)
    _check(case, report, policy)
    notice = await draw(store.reader, case, report, office)
    approval = Approval(report.approved_by or "", report.approved_at or report.prepared_at, report_id)
    data = compose(notice, server, approval).as_bytes()
    digest = hashlib.sha256(data).hexdigest()

    async def record(rule: reports.ReportRule) -> None:
        await act_on_report(store, report_id, rule, clock())

    await record(lambda case, report: _begin(case, report, policy, operator, digest))
    try:
        sent = await send(notice, server, approval)
    except (MailRefused, MailUncertain) as e:
        reason = UNCERTAIN if isinstance(e, MailUncertain) else "mail_refused"
        await record(lambda case, report: _fail(case, report, operator, reason))
        raise
    except MonitorError:
        await record(lambda case, report: [_put_off(report, operator)])
        raise
    await record(lambda case, report: left(report, operator, sent.message_id))
    return sent


def _check(case: Case, report: Report, policy: ReportingPolicy) -> None:
    """Raises InputError when a report may not leave, or a mail of it may have."""
    reports.sent("", policy)(case, report)  # what could not be recorded as sent is not sent
    begun = begun_mail(case.record.events, report.report_id)
    if begun is not None:
        number = report.report_id
        raise case.refuse(
            f"report {number}: a mail of it was begun at {begun.at:%Y-%m-%d %H:%M:%S} (UTC) and may have arrived; ask"
            f" the recipient, then: monitor report sent {number}, or monitor report failed {number} --explanation"
        )


def _begin(case: Case, report: Report, policy: ReportingPolicy, operator: str, digest: str) -> list[Step]:
    _check(case, report, policy)
    body: dict[str, Scalar] = {"report_id": report.report_id, "route": report.route.value, "sha256": digest}
    return [step(EventType.MAIL_BEGUN, operator, body)]


def _put_off(report: Report, operator: str) -> Step:
    return step(
        EventType.MAIL_PUT_OFF, operator, {"report_id": report.report_id, "reason": "mail_unavailable"}
    )


def _fail(case: Case, report: Report, operator: str, reason: str) -> Sequence[Step]:
    # One that fell meanwhile does not stand up again by failing; the begun mail stays on record.
    if report.state not in SENDABLE:
        return []
    return reports.failed(operator, reason)(case, report)
