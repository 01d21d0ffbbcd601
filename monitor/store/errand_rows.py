"""Reports in the app as rows: read, taken back, and made an event of their item when they are settled."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, or_, select, update

from monitor.errors import InputError
from monitor.model import (
    Approval,
    CaseState,
    ChannelId,
    ErrandFailure,
    ErrandState,
    EventType,
    InAppReport,
    Label,
    MessageId,
    ReportState,
    Scalar,
)
from monitor.store import events
from monitor.store.events import Salt
from monitor.store.flags import link
from monitor.store.schema import (
    cases,
    errand_menus,
    errands,
    flag_matches,
    flags,
    report_items,
    reports,
)

OPEN = (ErrandState.WAITING.value, ErrandState.ASKING.value)
"""States of an errand that has not left."""
BETWEEN = " > "
"""What stands between the texts of a path in an event."""


def prove(conn: Connection, salt: Salt, errand_id: int, at: datetime) -> None:
    """The event of an errand that is settled: one of every case that its message is a sighting of."""
    row = row_of(conn, errand_id)
    state = ErrandState(row["state"])
    path = json.loads(row["path"])
    body: dict[str, Scalar] = {
        "errand": errand_id,
        "report_id": row["report_id"],
        "account": row["account"],
        "channel_id": row["channel_id"],
        "message_id": row["message_id"],
        "operator": row["operator"],
        "approved_by": row["approved_by"],
        "approved_at": row["approved_at"].isoformat(),
        # What an unknown one may have chosen last is not known either.
        "path": BETWEEN.join(path[: row["steps"]] if state is ErrandState.SENT else path),
        "comment": row["comment"] if row["commented"] else None,
        "again": row["again"],
        "explanation": row["explanation"],
        "state": state.value,
        "failure": row["failure"],
    }
    kind = EventType.ITEM_REPORTED if state is ErrandState.SENT else EventType.ITEM_NOT_REPORTED
    link(conn, events.append(conn, salt, kind, body, at), concerned(conn, row))


def concerned(conn: Connection, row: Mapping[Any, Any]) -> list[int]:
    """The cases that an errand's message is a sighting of."""
    query = (
        select(flag_matches.c.case_id)
        .join(flags, flags.c.flag_id == flag_matches.c.flag_id)
        .where(flags.c.channel_id == row["channel_id"], flags.c.message_id == row["message_id"])
    )
    return sorted(set(conn.execute(query).scalars()))


def withdraw(
    conn: Connection, salt: Salt, errand_id: int, failure: ErrandFailure, operator: str, at: datetime
) -> None:
    """Take an errand back that has not left; see `SqlStore.withdraw_errand`."""
    row = row_of(conn, errand_id)
    if row["state"] not in OPEN:
        raise InputError(f"errand {errand_id}: is {row['state']}; only what has not left can be taken back")
    # The menu stays: it says what there was to choose from.
    conn.execute(
        update(errands)
        .where(errands.c.errand_id == errand_id)
        .values(state=ErrandState.FAILED.value, failure=failure.value, told_at=at)
    )
    if failure is ErrandFailure.WITHDRAWN:
        forget_menu(conn, errand_id)
        conn.execute(update(errands).where(errands.c.errand_id == errand_id).values(seen_by=operator))
    prove(conn, salt, errand_id, at)


def take_back(conn: Connection, salt: Salt, report_ids: Sequence[int], operator: str, at: datetime) -> None:
    """Take back what has not left of reports that may not leave any more."""
    waiting = errands.c.report_id.in_(report_ids), errands.c.state.in_(OPEN)
    for number in conn.execute(select(errands.c.errand_id).where(*waiting)).scalars().all():
        withdraw(conn, salt, number, ErrandFailure.WITHDRAWN, operator, at)


def take_back_case(conn: Connection, salt: Salt, case_id: int, operator: str, at: datetime) -> None:
    """Take back what has not left of any report of a case."""
    found = conn.execute(select(reports.c.report_id).where(reports.c.case_id == case_id))
    take_back(conn, salt, list(found.scalars()), operator, at)


def stopped(conn: Connection, report_id: int | None, at: datetime) -> bool:
    """Whether a report was stopped while an item of it was on its way, so that what came back stays here."""
    query = (
        select(reports.c.report_id)
        .join(cases, cases.c.case_id == reports.c.case_id)
        .where(
            reports.c.report_id == report_id,
            or_(
                reports.c.state.not_in((ReportState.APPROVED.value, ReportState.FAILED.value)),
                cases.c.state == CaseState.SECOND_OPINION.value,
                cases.c.held_until > at,
                cases.c.withdrawn_at.is_not(None),
                cases.c.quarantined_at.is_not(None),
            ),
        )
    )
    return conn.execute(query).first() is not None


def one(conn: Connection, errand_id: int) -> InAppReport:
    """One report; see `Reader.in_app_report`."""
    return _report(conn, row_of(conn, errand_id))


def all_of(conn: Connection, *, troubled: bool, items_of: int | None = None) -> list[InAppReport]:
    """Reports, oldest first; see `Reader.in_app_reports`."""
    query = select(errands).order_by(errands.c.errand_id)
    if items_of is not None:
        query = query.where(
            select(1)
            .select_from(report_items.join(flags, flags.c.flag_id == report_items.c.flag_id))
            .where(
                report_items.c.report_id == items_of,
                flags.c.channel_id == errands.c.channel_id,
                flags.c.message_id == errands.c.message_id,
            )
            .exists()
        )
    if troubled:
        query = query.where(open_still())
    return [_report(conn, row) for row in conn.execute(query).mappings().all()]


def open_still() -> ColumnElement[bool]:
    """Whether the last try of a message has not arrived, or may not have, and nobody has taken note of that."""
    later = errands.alias("later")
    newer = (
        select(1)
        .where(
            later.c.account == errands.c.account,
            later.c.channel_id == errands.c.channel_id,
            later.c.message_id == errands.c.message_id,
            later.c.errand_id > errands.c.errand_id,
        )
        .correlate(errands)
        .exists()
    )
    return and_(errands.c.state != ErrandState.SENT.value, errands.c.seen_by.is_(None), ~newer)


def _report(conn: Connection, row: Mapping[Any, Any]) -> InAppReport:
    return InAppReport(
        errand_id=row["errand_id"],
        report_id=row["report_id"],
        account=row["account"],
        channel_id=ChannelId(row["channel_id"]),
        message_id=MessageId(row["message_id"]),
        operator=row["operator"],
        requested_at=row["requested_at"],
        approval=Approval(row["approved_by"], row["approved_at"]),
        path=tuple(json.loads(row["path"])),
        comment=row["comment"],
        again=row["again"],
        explanation=row["explanation"],
        state=ErrandState(row["state"]),
        failure=None if row["failure"] is None else ErrandFailure(row["failure"]),
        steps=row["steps"],
        commented=bool(row["commented"]),
        menu=tuple(Label(text) for text in menu_of(conn, row["errand_id"])),
        hidden=row["hidden"],
        comment_optional=None if row["comment_optional"] is None else bool(row["comment_optional"]),
        until=row["until"],
        told_at=row["told_at"],
        seen_by=row["seen_by"],
    )


def row_of(conn: Connection, errand_id: int) -> Mapping[Any, Any]:
    row = conn.execute(select(errands).where(errands.c.errand_id == errand_id)).mappings().one_or_none()
    if row is None:
        raise InputError(f"errand {errand_id}: is not on record; monitor report errands shows what is")
    return row


def menu_of(conn: Connection, errand_id: int) -> list[str]:
    query = select(errand_menus.c.text).where(errand_menus.c.errand_id == errand_id)
    return list(conn.execute(query.order_by(errand_menus.c.position)).scalars())


def forget_menu(conn: Connection, errand_id: int) -> None:
    conn.execute(delete(errand_menus).where(errand_menus.c.errand_id == errand_id))


def spelled(path: Sequence[str]) -> str:
    return json.dumps(list(path), ensure_ascii=False)
