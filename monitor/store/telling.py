"""Reports in the app as whoever speaks to the platform takes them up, and what comes of them."""

import json
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, insert, or_, select, update

from monitor.model import (
    AUTOMATIC,
    ChannelId,
    ChannelState,
    Errand,
    ErrandFailure,
    ErrandState,
    MessageId,
    Told,
)
from monitor.store.errand_rows import forget_menu, prove, row_of, stopped, withdraw
from monitor.store.events import Salt
from monitor.store.schema import channels, errand_menus, errands

AT_ONCE = 20
"""Errands that are given out together."""


def due(conn: Connection, account: str, at: datetime) -> list[Errand]:
    """What an account may report now; see `ports.Store.errands`."""
    collected = (
        select(1)
        .where(
            channels.c.channel_id == errands.c.channel_id,
            channels.c.account == errands.c.account,
            channels.c.state == ChannelState.COLLECTING.value,
        )
        .exists()
    )
    rows = conn.execute(
        select(errands, collected.label("permitted"))
        .where(errands.c.account == account, _waiting(at))
        .order_by(errands.c.errand_id)
        .limit(AT_ONCE)
    )
    return [
        Errand(
            errand_id=row["errand_id"],
            channel_id=ChannelId(row["channel_id"]),
            message_id=MessageId(row["message_id"]),
            path=tuple(json.loads(row["path"])),
            comment=row["comment"],
            permitted=bool(row["permitted"]),
        )
        for row in rows.mappings()
    ]


def any_due(conn: Connection, at: datetime) -> bool:
    """Whether anybody has something to do; see `Reader.errands_due`."""
    return conn.execute(select(errands.c.errand_id).where(_waiting(at)).limit(1)).first() is not None


def _waiting(at: datetime) -> ColumnElement[bool]:
    return and_(
        errands.c.state == ErrandState.WAITING.value, or_(errands.c.until.is_(None), errands.c.until <= at)
    )


def leaves(conn: Connection, errand_id: int, at: datetime) -> bool:
    """A request is about to leave; see `ports.Store.errand_leaves`."""
    done = conn.execute(
        update(errands)
        .where(errands.c.errand_id == errand_id, errands.c.state == ErrandState.WAITING.value)
        .values(state=ErrandState.SENDING.value, told_at=at, until=None)
    )
    return done.rowcount == 1


def told(conn: Connection, salt: Salt, told: Told) -> None:
    """What has come of an errand; see `ports.Store.errand_told`."""
    row = row_of(conn, told.errand_id)
    before = ErrandState(row["state"])
    if before not in (ErrandState.WAITING, ErrandState.SENDING):
        return
    if told.state is ErrandState.SENDING or told.steps > len(json.loads(row["path"])):
        raise ValueError("an errand is told to be what it cannot be")
    if told.state is ErrandState.SENT and before is not ErrandState.SENDING:
        raise ValueError("what has not left cannot have arrived")
    conn.execute(
        update(errands)
        .where(errands.c.errand_id == told.errand_id)
        .values(
            state=told.state.value,
            failure=None if told.failure is None else told.failure.value,
            steps=told.steps,
            commented=told.commented,
            hidden=told.hidden,
            comment_optional=told.comment_optional,
            until=told.until,
            told_at=told.at,
        )
    )
    forget_menu(conn, told.errand_id)
    if told.menu:
        lines = enumerate(told.menu)
        conn.execute(
            insert(errand_menus),
            [{"errand_id": told.errand_id, "position": n, "text": line.text} for n, line in lines],
        )
    if told.state.settled:
        prove(conn, salt, told.errand_id, told.at)
    elif stopped(conn, row["report_id"], told.at):
        # A hold, for one, that came while a request was on its way.
        withdraw(conn, salt, told.errand_id, ErrandFailure.WITHDRAWN, AUTOMATIC, told.at)


def lost(conn: Connection, salt: Salt, account: str, at: datetime) -> int:
    """What was on its way when whoever served it ended; see `ports.Store.errands_lost`."""
    found = conn.execute(
        update(errands)
        .where(errands.c.account == account, errands.c.state == ErrandState.SENDING.value)
        .values(state=ErrandState.UNKNOWN.value, told_at=at)
        .returning(errands.c.errand_id)
    )
    numbers = sorted(found.scalars())
    for number in numbers:
        prove(conn, salt, number, at)
    return len(numbers)
