"""Recording messages: rows, counts over time, media that wait and the ledger, all in one transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, func, null, select, update

from monitor.model import (
    Batch,
    ChannelId,
    Counters,
    Look,
    MediaId,
    MediaOutcome,
    MessageId,
    Recorded,
)
from monitor.store import flags, ledger, media, removals
from monitor.store.engine import executemany, insert, lookup
from monitor.store.events import Salt
from monitor.store.intake import Changes, Key, Known, collect
from monitor.store.ledger import Stand
from monitor.store.schema import counters, messages, restrictions

COUNTS = ("views", "forwards", "replies", "reactions")
KEPT = {"channel_id", "message_id", "first_seen_at", "source", "account", "tool_version", "deleted_seen_at"}
"""What the first record of a message settles, or a deletion; further records leave it as it is."""

_new = insert(messages)
_UPSERT = _new.on_conflict_do_update(
    index_elements=["channel_id", "message_id"],
    set_={c.name: _new.excluded[c.name] for c in messages.c if c.name not in KEPT}
    # An edit that was seen stays on record, though a later change hides it.
    | {"edited_at": func.coalesce(_new.excluded.edited_at, messages.c.edited_at)},
)
_sample = insert(counters)
_SAMPLE = _sample.on_conflict_do_update(
    index_elements=["channel_id", "message_id", "at"],
    set_={name: _sample.excluded[name] for name in COUNTS},
)
_KNOWN = select(
    *messages.c["message_id", "edited_at", "as_of", *COUNTS, "media_id", "deleted_seen_at"]
).where(messages.c.channel_id == bindparam("channel"))
_CARRIED = select(messages.c.media_id).where(
    messages.c.channel_id == bindparam("channel"), messages.c.media_id.is_not(None)
)

_KEY = (messages.c.channel_id == bindparam("channel"), messages.c.message_id == bindparam("message"))
_DELETED = (
    update(messages)
    .where(*_KEY, messages.c.deleted_seen_at.is_(None))
    .values(deleted_seen_at=bindparam("at", type_=messages.c.deleted_seen_at.type), look_at=null())
)
_UNRESTRICT = delete(restrictions).where(
    restrictions.c.channel_id == bindparam("channel"), restrictions.c.message_id == bindparam("message")
)
_RESTRICT = insert(restrictions).on_conflict_do_nothing()  # named twice is named once


def record(conn: Connection, salt: Salt, version: str, batches: Sequence[Batch]) -> Recorded:
    """Upsert messages, media and the ledger; see `ports.Store.record`."""
    before = ledger.load(conn, {batch.channel_id for batch in batches})
    changes = collect(*_known(conn, batches, before), before, version, batches)
    media.wait(conn, changes.carried)  # before the messages, which refer to it
    executemany(conn, _UPSERT, changes.rows)
    executemany(conn, _SAMPLE, changes.samples)
    for channel_id, ids in changes.returned.items():
        for message_id, at in ledger.revive(conn, channel_id, ids):
            _mark_deleted(conn, changes, channel_id, [message_id], at)
    restricted = [row for of_message in changes.restricted.values() for row in of_message]
    for statement, rows in (
        (_UNRESTRICT, changes.unrestricted),
        (_RESTRICT, restricted),
    ):
        if rows:
            conn.execute(statement, rows)
    after = _account(conn, before, changes, batches)
    media.lose(conn, changes.lost)
    outcomes = media.outcomes(conn, changes.carried.keys() | changes.lost.keys())
    matched = [s for s in changes.sightings if outcomes[s.media_id] == MediaOutcome.MATCH]
    return Recorded(
        new=changes.new,
        flags=flags.raise_flags(conn, salt, matched),
        media_pending=MediaOutcome.PENDING in outcomes.values(),
        lagging=frozenset(channel_id for channel_id, stand in after.items() if stand.top > stand.cursor),
    )


def due_looks(conn: Connection, channels: Sequence[ChannelId], at: datetime, limit: int) -> list[Look]:
    """See `ports.Store.due_looks`."""
    m = messages.c
    rows = conn.execute(
        select(m.channel_id, m.message_id)
        .where(m.look_at.is_not(None), m.look_at <= at, m.channel_id.in_(channels))
        .order_by(m.look_at)
        .limit(limit)
    )
    due: dict[ChannelId, list[MessageId]] = {}
    for channel_id, message_id in rows:
        due.setdefault(ChannelId(channel_id), []).append(MessageId(message_id))
    return [Look(channel_id, tuple(sorted(ids))) for channel_id, ids in due.items()]


def _account(
    conn: Connection, before: Mapping[ChannelId, Stand], changes: Changes, batches: Sequence[Batch]
) -> dict[ChannelId, Stand]:
    """Bring the ledger in line with the rows, batch by batch."""
    after, overlapped = dict(before), _overlapped(batches)
    for number, batch in enumerate(batches):
        if said := changes.deleted.get(number):
            conn.execute(_DELETED, said)
        unknown = [i for i in batch.deleted if (batch.channel_id, i) in changes.unknown]
        after[batch.channel_id], missing = ledger.cover(
            conn, after[batch.channel_id], batch, unknown, overlapped=overlapped[number]
        )
        # What a later batch brought had not been there to be missed.
        vanished = [
            i for i in missing if changes.added.get((batch.channel_id, MessageId(i)), number) <= number
        ]
        if vanished and batch.seen_at is not None:
            _mark_deleted(conn, changes, batch.channel_id, vanished, batch.seen_at)
    after = {channel_id: ledger.advance(conn, channel_id, stand) for channel_id, stand in after.items()}
    ledger.save(conn, before, after)
    return after


def _overlapped(batches: Sequence[Batch]) -> list[bool]:
    """For each batch, whether a later one brings a message of its span; pages in their order do not."""
    found: list[bool] = []
    lowest: dict[ChannelId, MessageId] = {}
    for batch in reversed(batches):
        low = lowest.get(batch.channel_id)
        found.append(batch.span is not None and low is not None and low <= batch.span.upto)
        ids = [m.message_id for m in batch.messages]
        if ids:
            lowest[batch.channel_id] = min(ids) if low is None else min(low, *ids)
    return found[::-1]


def _mark_deleted(
    conn: Connection, changes: Changes, channel_id: ChannelId, ids: Sequence[int], at: datetime
) -> None:
    """These were recorded, and are gone."""
    conn.execute(_DELETED, [{"channel": channel_id, "message": i, "at": at} for i in ids])
    m = messages.c
    for (media_id,) in lookup(conn, _CARRIED, m.message_id, ids, channel_id):
        changes.lost[MediaId(media_id)] = at


def _known(
    conn: Connection, batches: Sequence[Batch], stands: Mapping[ChannelId, Stand]
) -> tuple[dict[Key, Known], set[Key]]:
    """What is on record of the messages that the batches name, and those of them that were removed from it.

    Above what was seen there is nothing.
    """
    wanted: dict[ChannelId, set[MessageId]] = {channel_id: set() for channel_id in stands}
    for batch in batches:
        seen = stands[batch.channel_id].seen
        ids = wanted[batch.channel_id]
        ids.update(m.message_id for m in batch.messages if m.message_id <= seen)
        ids.update(i for i in batch.deleted if i <= seen)
    known: dict[Key, Known] = {}
    removed: set[Key] = set()
    for channel_id, ids in wanted.items():
        for message_id, edited_at, as_of, *counts, media_id, deleted_at in lookup(
            conn, _KNOWN, messages.c.message_id, ids, channel_id
        ):
            known[channel_id, message_id] = Known(
                edited_at, as_of, Counters(*counts), media_id, deleted_at is not None
            )
        unknown = (i for i in ids if (channel_id, i) not in known)
        removed |= {(channel_id, MessageId(i)) for i in removals.removed(conn, channel_id, unknown)}
    return known, removed
