"""Finding reports, and what of them waits for people."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Select, and_, func, select

from monitor.model import Category, EventType, ReportState, Route
from monitor.store.schema import case_events, cases, events, flags, messages, report_items, reports


class ReportLine(NamedTuple):
    """A report in a list; `items` is the number of its sightings, `correction_since` that of an open correction."""

    report_id: int
    case_id: int
    hash_list: str
    entry: str
    route: Route
    recipient: str | None
    category: Category
    state: ReportState
    items: int
    prepared_at: datetime
    sent_at: datetime | None
    correction_since: datetime | None
    escalated_at: datetime | None


class Tasks(NamedTuple):
    """What waits for people: reports that failed, corrections to make, reports whose items are still to be seen."""

    failed: int
    corrections: int
    escalations: int


def list_reports(
    conn: Connection,
    *,
    state: ReportState | None = None,
    case_id: int | None = None,
    corrections: bool = False,
) -> list[ReportLine]:
    """Reports by number; with `corrections` those that have one open."""
    query = (
        select(reports, cases.c.hash_list, cases.c.entry, func.count(report_items.c.flag_id).label("items"))
        .join(cases, cases.c.case_id == reports.c.case_id)
        .join(report_items, report_items.c.report_id == reports.c.report_id)
        .group_by(reports.c.report_id)
        .order_by(reports.c.report_id)
    )
    if state is not None:
        query = query.where(reports.c.state == state.value)
    if case_id is not None:
        query = query.where(reports.c.case_id == case_id)
    if corrections:
        query = query.where(reports.c.correction_since.is_not(None))
    return [
        ReportLine(
            report_id=row.report_id,
            case_id=row.case_id,
            hash_list=row.hash_list,
            entry=row.entry,
            route=Route(row.route),
            recipient=row.recipient,
            category=Category(row.category),
            state=ReportState(row.state),
            items=row.items,
            prepared_at=row.prepared_at,
            sent_at=row.sent_at,
            correction_since=row.correction_since,
            escalated_at=row.escalated_at,
        )
        for row in conn.execute(query)
    ]


def tasks(conn: Connection) -> Tasks:
    """How much waits for people. An escalation waits until an item of its report is seen no more, or the case was
    reported once more after it."""
    failed = select(func.count()).where(reports.c.state == ReportState.FAILED.value)
    corrections = select(func.count()).where(reports.c.correction_since.is_not(None))
    return Tasks(
        failed=conn.execute(failed).scalar_one(),
        corrections=conn.execute(corrections).scalar_one(),
        escalations=conn.execute(
            select(func.count()).select_from(open_escalations().subquery())
        ).scalar_one(),
    )


def sendable(conn: Connection, route: Route) -> list[int]:
    """Numbers of the reports on a route that were approved and have not left as a whole."""
    states = (ReportState.APPROVED.value, ReportState.FAILED.value)
    query = select(reports.c.report_id).where(reports.c.route == route.value, reports.c.state.in_(states))
    return list(conn.execute(query.order_by(reports.c.report_id)).scalars())


def mailed(conn: Connection) -> list[int]:
    """Cases of which a mail was begun, with a report that was approved, or fell, and is not known to have left."""
    states = (ReportState.APPROVED.value, ReportState.FAILED.value, ReportState.SUPERSEDED.value)
    unsent = select(reports.c.case_id).where(reports.c.state.in_(states))
    begun = (
        select(case_events.c.case_id)
        .join(events, events.c.seq == case_events.c.seq)
        .where(events.c.type == EventType.MAIL_BEGUN.value, case_events.c.case_id.in_(unsent))
    )
    return sorted(set(conn.execute(begun).scalars()))


def open_escalations() -> Select[tuple[int]]:
    """Ids of reports whose escalation still waits for somebody."""
    again = reports.alias("again")
    return select(reports.c.report_id).where(
        reports.c.escalated_at.is_not(None),
        select(report_items.c.flag_id)
        .join(flags, flags.c.flag_id == report_items.c.flag_id)
        .join(
            messages,
            and_(messages.c.channel_id == flags.c.channel_id, messages.c.message_id == flags.c.message_id),
        )
        .where(report_items.c.report_id == reports.c.report_id, messages.c.deleted_seen_at.is_(None))
        .exists(),
        ~select(again.c.report_id)
        .where(again.c.case_id == reports.c.case_id, again.c.sent_at > reports.c.escalated_at)
        .exists(),
    )
