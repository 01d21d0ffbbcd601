"""Reports in the app as rows: read, and made an event when they are settled."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select

from monitor.errors import InputError
from monitor.model import (
    Approval,
    ChannelId,
    ErrandFailure,
    ErrandState,
    EventType,
    InAppReport,
    Label,
    MessageId,
    Scalar,
)
from monitor.store import events
from monitor.store.events import Salt
from monitor.store.schema import errand_menus, errands

BETWEEN = " > "
"""What stands between the texts of a path in an event."""


def prove(conn: Connection, salt: Salt, errand_id: int, at: datetime) -> None:
    """The event of an errand that is settled."""
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
    kind = EventType.REPORT_SENT if state is ErrandState.SENT else EventType.REPORT_FAILED
    events.append(conn, salt, kind, body, at)


def one(conn: Connection, errand_id: int) -> InAppReport:
    """One report; see `Reader.in_app_report`."""
    return _report(conn, row_of(conn, errand_id))


def all_of(conn: Connection, *, troubled: bool) -> list[InAppReport]:
    """Reports, oldest first; see `Reader.in_app_reports`."""
    query = select(errands).order_by(errands.c.errand_id)
    if troubled:
        later = errands.alias("later")
        # A further try of the same message takes its place.
        newer = (
            select(1)
            .where(
                later.c.account == errands.c.account,
                later.c.channel_id == errands.c.channel_id,
                later.c.message_id == errands.c.message_id,
                later.c.errand_id > errands.c.errand_id,
            )
            .exists()
        )
        arrived = errands.c.state == ErrandState.SENT.value
        query = query.where(~arrived, errands.c.seen_by.is_(None), ~newer)
    return [_report(conn, row) for row in conn.execute(query).mappings().all()]


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
