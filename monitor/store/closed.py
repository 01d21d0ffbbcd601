"""Closed cases that have been kept long enough go whole: rows, sightings that no other case holds, bodies of events.

What stays is that the entry matched a media item, in a row of `cases` under a new number that nobody sees: the item is
never fetched again, and a later sighting of it still raises a flag. That is then another case, and the old number
never means anything else.
"""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Select, and_, delete, exists, func, or_, select, update

from monitor.model import CaseState, ReportState
from monitor.store import events as recorded
from monitor.store.case_state import NEGATIVE, NOW, STATE
from monitor.store.cases import CaseRecord, read
from monitor.store.errand_rows import open_still
from monitor.store.events import Salt
from monitor.store.schema import (
    case_events,
    cases,
    errands,
    events,
    flag_matches,
    flags,
    negative_list,
    report_items,
    reports,
)

if TYPE_CHECKING:
    from monitor.store.store import SqlStore

Over = Callable[[CaseRecord, datetime], bool]
"""Whether, by its events, nothing of a case waits for anybody at that time."""

_DECIDED = (CaseState.ACCEPTED.value, CaseState.NOT_RELIED_ON.value)
_ANSWERED = (ReportState.OUTCOME.value, ReportState.SUPERSEDED.value)
_of_message = and_(flags.c.channel_id == errands.c.channel_id, flags.c.message_id == errands.c.message_id)


def due(conn: Connection, before: datetime, at: datetime, over: Over) -> list[int]:
    """The cases of which nothing waits for anybody, nothing has happened and nothing was seen since `before`."""
    found = conn.execute(_still(before), {"now": at}).scalars().all()
    return [case_id for case_id in found if over(read(conn, case_id), at)]


async def remove(store: "SqlStore", before: datetime, at: datetime, over: Over) -> int:
    """Remove what is `due`, each case in a transaction of its own, which asks again; how many went."""
    wanted = await store.reader.run(due, before, at, over)
    return sum([await store.run(_take, case_id, before, at, over) for case_id in wanted])


def _still(before: datetime) -> Select[int]:
    """Cases that their rows say are closed and old, by number; the time that it is about is `now`."""
    happened = exists().where(
        case_events.c.case_id == cases.c.case_id,
        events.c.seq == case_events.c.seq,
        events.c.at >= before,
    )
    seen = exists().where(
        flag_matches.c.case_id == cases.c.case_id,
        flags.c.flag_id == flag_matches.c.flag_id,
        flags.c.raised_at >= before,
    )
    waits = exists().where(
        reports.c.case_id == cases.c.case_id,
        or_(reports.c.state.not_in(_ANSWERED), reports.c.correction_since.is_not(None)),
    )
    of_report = exists().where(
        reports.c.case_id == cases.c.case_id, reports.c.report_id == errands.c.report_id
    )
    of_sighting = exists().where(
        _of_message, flag_matches.c.flag_id == flags.c.flag_id, flag_matches.c.case_id == cases.c.case_id
    )
    on_its_way = exists().where(
        open_still(), or_(of_report.correlate(cases, errands), of_sighting.correlate(cases, errands))
    )
    c = cases.c
    return (
        select(c.case_id)
        .where(
            c.opened_at.is_not(None),
            STATE.in_(_DECIDED),
            c.quarantined_at.is_(None),
            or_(c.held_until.is_(None), c.held_until <= NOW),
        )
        .where(~happened, ~seen, ~waits, ~on_its_way, ~exists().where(NEGATIVE))
        .order_by(c.case_id)
    )


def _take(conn: Connection, _salt: Salt, case_id: int, before: datetime, at: datetime, over: Over) -> bool:
    """Remove a case if it is due still; whether it was."""
    found = conn.execute(_still(before).where(cases.c.case_id == case_id), {"now": at}).first()
    if found is None or not over(read(conn, case_id), at):
        return False
    _forget_events(conn, case_id)
    _forget_reports(conn, case_id)
    others = flag_matches.alias()
    shared = exists().where(others.c.flag_id == flag_matches.c.flag_id, others.c.case_id != case_id)
    alone = select(flag_matches.c.flag_id).where(flag_matches.c.case_id == case_id, ~shared)
    conn.execute(delete(flags).where(flags.c.flag_id.in_(alone)))
    conn.execute(delete(flag_matches).where(flag_matches.c.case_id == case_id))
    _wait_to_be_seen(conn, case_id)
    return True


def _forget_events(conn: Connection, case_id: int) -> None:
    """Bodies of the events that are of no other case; what two cases rest on goes with the second."""
    others = case_events.alias()
    shared = exists().where(others.c.seq == case_events.c.seq, others.c.case_id != case_id)
    recorded.forget(conn, select(case_events.c.seq).where(case_events.c.case_id == case_id, ~shared))
    conn.execute(delete(case_events).where(case_events.c.case_id == case_id))


def _forget_reports(conn: Connection, case_id: int) -> None:
    """Reports, places on the negative list, and reports in the app of messages that no other case holds."""
    theirs = select(reports.c.report_id).where(reports.c.case_id == case_id)
    of_flag = and_(_of_message, flag_matches.c.flag_id == flags.c.flag_id)
    ours = exists().where(of_flag, flag_matches.c.case_id == case_id)
    held = exists().where(of_flag, flag_matches.c.case_id != case_id)
    conn.execute(delete(errands).where(or_(ours, errands.c.report_id.in_(theirs)), ~held))
    conn.execute(delete(report_items).where(report_items.c.report_id.in_(theirs)))
    for table in (reports, negative_list):
        conn.execute(delete(table).where(table.c.case_id == case_id))


def _wait_to_be_seen(conn: Connection, case_id: int) -> None:
    """What remains is of the entry, not of the case; its matches follow to the new number by themselves."""
    number = conn.execute(select(func.max(cases.c.case_id) + 1)).scalar_one()
    conn.execute(
        update(cases)
        .where(cases.c.case_id == case_id)
        .values(
            case_id=number,
            opened_at=None,
            state=CaseState.OPEN.value,
            settled=None,
            assigned_to=None,
            held_until=None,
        )
    )
