"""Erasing on a person's word: bodies of events, the messages of a channel or of a sender. Events say who, why and
how much, and not what; what takes many transactions has one before and one after.

What belongs to a case stays, and is counted: flagged messages, and events from whose bodies the standing of cases is
worked out. Rows of messages become numbers in the ledger, so that they are no holes and never come back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, func, null, select, update

from monitor.errors import InputError
from monitor.model import ChannelState, EventType, Scalar
from monitor.store import events as recorded
from monitor.store import removals
from monitor.store.events import Salt
from monitor.store.removals import DOOMED, Doomed
from monitor.store.retention import FORGETTABLE
from monitor.store.schema import channels, events, messages
from monitor.store.walking import Work, walk

if TYPE_CHECKING:
    from monitor.store.store import SqlStore

_UNFORWARDED = (
    update(messages)
    .where(messages.c.channel_id == bindparam("channel"), messages.c.message_id == bindparam("message"))
    .values(forward_sender=null())
)


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased: bodies of events, messages, and names of whom messages were forwarded from. `kept` are flagged
    messages, which stay; `overwritten` says whether all traces are out of the database's files."""

    events: int = 0
    messages: int = 0
    forwards: int = 0
    kept: int = 0
    overwritten: bool = True


async def erase_events(
    store: "SqlStore", seqs: Sequence[int], *, explanation: str, operator: str, at: datetime
) -> Erased:
    """Erase salt and body of these events. Their commitments stay, so the report log can be verified as before.

    Raises InputError, and nothing is erased, for one that is not there or that a case rests on.
    """
    count = await store.run(_events, sorted(set(seqs)), explanation, operator, at)
    return Erased(events=count, overwritten=await store.overwrite())


async def erase_channel(
    store: "SqlStore", username: str, *, explanation: str, operator: str, at: datetime
) -> Erased:
    """Erase the messages of a channel that is not collected any more; its authorizations stay.

    Raises InputError for one that is unknown, was never joined, or is being collected.
    """
    channel_id = await store.run(_left, username)
    work = Work(messages, and_(messages.c.channel_id == channel_id, ~removals.flagged()), DOOMED, _remove)
    kept = await store.reader.run(_count, and_(messages.c.channel_id == channel_id, removals.flagged()))
    scope: dict[str, Scalar] = {"what": "channel", "channel_id": channel_id}
    begun = await store.run(_note, {**scope, "explanation": explanation}, operator, at)
    gone = await walk(store, work)
    await store.run(_note, {**scope, "begun": begun, "messages": gone, "kept": kept}, operator, at)
    return Erased(messages=gone, kept=kept, overwritten=await store.overwrite())


async def erase_sender(
    store: "SqlStore", pseudonym: str, *, explanation: str, operator: str, at: datetime
) -> Erased:
    """Erase the messages of a sender, and the name where messages of others were forwarded from them."""
    m = messages.c
    alone, theirs, forwarded = ~removals.flagged(), m.sender == pseudonym, m.forward_sender == pseudonym
    kept = await store.reader.run(_count, and_(theirs, removals.flagged()))
    begun = await store.run(_note, {"what": "sender", "explanation": explanation}, operator, at)
    gone = await walk(store, Work(messages, and_(theirs, alone), DOOMED, _remove))
    key = (m.channel_id, m.message_id)
    unnamed = await walk(store, Work(messages, and_(forwarded, alone), key, _unforward))
    done: dict[str, Scalar] = {
        "what": "sender",
        "begun": begun,
        "messages": gone,
        "forwards": unnamed,
        "kept": kept,
    }
    await store.run(_note, done, operator, at)
    return Erased(messages=gone, forwards=unnamed, kept=kept, overwritten=await store.overwrite())


def _events(
    conn: Connection, salt: Salt, seqs: Sequence[int], explanation: str, operator: str, at: datetime
) -> int:
    found = conn.execute(select(events.c.seq, events.c.type).where(events.c.seq.in_(seqs)))
    known = {row.seq: row.type for row in found}
    for seq in seqs:
        if seq not in known:
            raise InputError(f"event {seq}: there is none; nothing was erased")
        if known[seq] not in FORGETTABLE:
            raise InputError(
                f"event {seq}: is a {known[seq]}, which the standing of a case is worked out from; nothing was erased"
            )
    count = recorded.forget(conn, seqs)
    scope: dict[str, Scalar] = {
        "what": "events",
        "seqs": " ".join(map(str, seqs)),
        "explanation": explanation,
        "events": count,
    }
    _note(conn, salt, scope, operator, at)
    return count


def _left(conn: Connection, _salt: Salt, username: str) -> int:
    c = channels.c
    row = conn.execute(
        select(c.channel_id, c.state).where(func.lower(c.username) == username.lower())
    ).one_or_none()
    if row is None or row.channel_id is None:
        raise InputError(f"{username}: is not on record, or was never joined; monitor channels list")
    # Another name can lead to the same channel.
    collected = select(c.username).where(
        c.channel_id == row.channel_id, c.state == ChannelState.COLLECTING.value
    )
    if conn.execute(collected).first() is not None:
        raise InputError(
            f"{username}: is being collected; end that first: monitor channels revoke {username}"
        )
    return int(row.channel_id)


def _count(conn: Connection, condition: ColumnElement[bool]) -> int:
    return int(conn.execute(select(func.count()).select_from(messages).where(condition)).scalar_one())


def _note(conn: Connection, salt: Salt, scope: Mapping[str, Scalar], operator: str, at: datetime) -> int:
    return recorded.append(conn, salt, EventType.ERASED, {"operator": operator, **scope}, at)


def _remove(conn: Connection, rows: Sequence[Row[Any]]) -> None:
    removals.remove(conn, [Doomed._make(row) for row in rows])


def _unforward(conn: Connection, rows: Sequence[Row[Any]]) -> None:
    conn.execute(_UNFORWARDED, [{"channel": row.channel_id, "message": row.message_id} for row in rows])
