"""What has been kept long enough goes, by purpose; each run is two events, what was to go and what went.

What belongs to a case stays until the case goes: flagged messages with their samples and senders, and the bodies of
the events that its standing is worked out from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, and_, bindparam, delete, null, or_, select, update

from monitor.model import EventType, Purpose, Scalar
from monitor.store import closed, removals
from monitor.store import events as recorded
from monitor.store.closed import Over
from monitor.store.events import Salt
from monitor.store.removals import DOOMED, Doomed
from monitor.store.schema import counters, events, flags, messages
from monitor.store.walking import Work, walk

if TYPE_CHECKING:
    from monitor.store.store import SqlStore

FORGETTABLE = frozenset(
    {
        EventType.AUTHORIZATION_DECLARED,
        EventType.AUTHORIZATION_REVOKED,
        EventType.CHANNEL_JOINED,
        EventType.CHANNEL_REFUSED,
        EventType.CHANNEL_STOPPED,
        EventType.LIST_LOADED,
        EventType.EXPORT_MADE,
        EventType.SIGNED_IN,
        EventType.PSEUDONYM_KEY_ROTATED,
        EventType.RESCAN_REQUESTED,
        EventType.LIST_LOOKED_UP,
        EventType.LIST_ENTRY_ADDED,
        EventType.LIST_ENTRY_REMOVED,
        EventType.NOTICE_MADE,
        EventType.OPERATOR_ADDED,
        EventType.OPERATOR_CHANGED,
        EventType.RETENTION_RUN,
        EventType.ERASED,
        EventType.BACKUP_MADE,
        EventType.STORE_RESTORED,
    }
)
"""Types of events from whose bodies nothing is worked out: these can be without. A new type is not among them until
somebody has thought of it."""

MESSAGE = (messages.c.channel_id, messages.c.message_id)
_UNNAMED = (
    update(messages)
    .where(MESSAGE[0] == bindparam("channel"), MESSAGE[1] == bindparam("message"))
    .values(sender=null(), forward_sender=null())
)
_UNSAMPLED = delete(counters).where(
    counters.c.channel_id == bindparam("channel"),
    counters.c.message_id == bindparam("message"),
    counters.c.at == bindparam("time", type_=counters.c.at.type),
)


@dataclass(frozen=True, slots=True)
class Due:
    """What a policy asks for: rows of a purpose from before a moment, so many of them."""

    purpose: Purpose
    before: datetime
    rows: int


def due(conn: Connection, policy: Mapping[Purpose, timedelta], at: datetime, over: Over) -> list[Due]:
    """What would go now, by purpose. A message that is due twice counts in both, and one of a case in none. `over`
    says of a case whether nothing of it waits for anybody."""

    def rows(purpose: Purpose, before: datetime) -> int:
        if purpose is Purpose.CASES:
            return len(closed.due(conn, before, at, over))
        return _work(purpose, before).count(conn)

    return [
        Due(purpose, at - policy[purpose], rows(purpose, at - policy[purpose]))
        for purpose in Purpose
        if purpose in policy
    ]


async def retain(
    store: "SqlStore", policy: Mapping[Purpose, timedelta], *, operator: str, at: datetime, over: Over
) -> dict[Purpose, int]:
    """Remove what the policy no longer keeps, beside a daemon at work; the rows of each purpose. `over` as in `due`.

    Many transactions, each of some tens of milliseconds; a case goes in one. Interrupted, it has removed less, and goes
    on when run again.
    """
    before = {purpose: at - policy[purpose] for purpose in Purpose if purpose in policy}
    begun = await store.run(_begun, before, operator, at)
    gone = {
        purpose: await (
            closed.remove(store, moment, at, over)
            if purpose is Purpose.CASES
            else walk(store, _work(purpose, moment))
        )
        for purpose, moment in before.items()
    }
    await store.run(_done, begun, gone, operator, at)
    await store.overwrite()
    return gone


def _begun(
    conn: Connection, salt: Salt, before: Mapping[Purpose, datetime], operator: str, at: datetime
) -> int:
    body: dict[str, Scalar] = {f"{purpose}_before": moment.isoformat() for purpose, moment in before.items()}
    return recorded.append(conn, salt, EventType.RETENTION_RUN, {"operator": operator, **body}, at)


def _done(
    conn: Connection, salt: Salt, begun: int, gone: Mapping[Purpose, int], operator: str, at: datetime
) -> int:
    body: dict[str, Scalar] = {"operator": operator, "begun": begun}
    body |= {purpose.value: count for purpose, count in gone.items()}
    return recorded.append(conn, salt, EventType.RETENTION_RUN, body, at)


def _work(purpose: Purpose, before: datetime) -> Work:
    m, c, e = messages.c, counters.c, events.c
    alone = ~removals.flagged()
    match purpose:
        case Purpose.CASES:
            raise AssertionError("cases go whole, not row by row")
        case Purpose.MESSAGES:
            return Work(messages, and_(m.first_seen_at < before, alone), DOOMED, _remove)
        case Purpose.DELETED_MESSAGES:
            return Work(messages, and_(m.deleted_seen_at < before, alone), DOOMED, _remove)
        case Purpose.SENDERS:
            named = or_(m.sender.is_not(None), m.forward_sender.is_not(None))
            return Work(messages, and_(m.first_seen_at < before, named, alone), MESSAGE, _unname)
        case Purpose.COUNTERS:
            of_case = select(1).where(flags.c.channel_id == c.channel_id, flags.c.message_id == c.message_id)
            key = (c.channel_id, c.message_id, c.at)
            return Work(counters, and_(c.at < before, ~of_case.exists()), key, _remove_samples)
        case Purpose.EVENT_BODIES:
            types = [kind.value for kind in FORGETTABLE]
            forgotten = and_(e.at < before, e.body.is_not(None), e.type.in_(types))
            return Work(events, forgotten, (e.seq,), _forget)


def _remove(conn: Connection, rows: Sequence[Row[Any]]) -> None:
    removals.remove(conn, [Doomed._make(row) for row in rows])


def _unname(conn: Connection, rows: Sequence[Row[Any]]) -> None:
    conn.execute(_UNNAMED, [{"channel": row.channel_id, "message": row.message_id} for row in rows])


def _remove_samples(conn: Connection, rows: Sequence[Row[Any]]) -> None:
    conn.execute(_UNSAMPLED, [{"channel": r.channel_id, "message": r.message_id, "time": r.at} for r in rows])


def _forget(conn: Connection, rows: Sequence[Row[Any]]) -> None:
    recorded.forget(conn, [row.seq for row in rows])
