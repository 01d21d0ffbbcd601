"""Recording messages: rows, counts over time, media that wait and cursors, all in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, select, update

from monitor.model import (
    Batch,
    ChannelId,
    Counters,
    Forward,
    MediaId,
    MediaKind,
    MediaOutcome,
    MediaRef,
    MessageId,
    MessageRecord,
    Recorded,
)
from monitor.store import flags, media
from monitor.store.columns import EPOCH, to_micros
from monitor.store.engine import Cell, executemany, insert, lookup
from monitor.store.events import Salt
from monitor.store.flags import Sighting
from monitor.store.schema import counters, cursors, messages, restrictions

COUNTS = ("views", "forwards", "replies", "reactions")
KEPT = {"channel_id", "message_id", "first_seen_at", "source", "account", "tool_version", "deleted_seen_at"}
"""What the first record of a message settles, or a deletion; further records leave it as it is."""

_new = insert(messages)
_UPSERT = _new.on_conflict_do_update(
    index_elements=["channel_id", "message_id"],
    set_={c.name: _new.excluded[c.name] for c in messages.c if c.name not in KEPT},
)
_sample = insert(counters)
_SAMPLE = _sample.on_conflict_do_update(
    index_elements=["channel_id", "message_id", "at"],
    set_={name: _sample.excluded[name] for name in COUNTS},
)
_KNOWN = select(*messages.c["message_id", "edited_at", *COUNTS, "media_id", "deleted_seen_at"]).where(
    messages.c.channel_id == bindparam("channel")
)
_NO_FORWARD = Forward(EPOCH)
_NO_MEDIA = MediaRef(MediaKind.OTHER)

_KEY = (messages.c.channel_id == bindparam("channel"), messages.c.message_id == bindparam("message"))
_DELETED = (
    update(messages)
    .where(*_KEY, messages.c.deleted_seen_at.is_(None))
    .values(deleted_seen_at=bindparam("at", type_=messages.c.deleted_seen_at.type))
)
_UNRESTRICT = delete(restrictions).where(
    restrictions.c.channel_id == bindparam("channel"), restrictions.c.message_id == bindparam("message")
)
_RESTRICT = insert(restrictions).on_conflict_do_nothing()  # named twice is named once
_cursor = insert(cursors)
_MOVE = _cursor.on_conflict_do_update(
    index_elements=["channel_id"], set_={"cursor": _cursor.excluded.cursor, "top": _cursor.excluded.top}
)

NOTHING = Counters()
Key = tuple[ChannelId, MessageId]


class _Stand(NamedTuple):
    """A channel's cursor, and the highest message id on record."""

    cursor: int
    top: int


@dataclass(slots=True)
class _Known:
    """What is on record of a message, as far as it decides what another record of it changes."""

    edited_at: int | None
    counters: Counters
    media_id: MediaId | None
    deleted: bool = False


@dataclass(slots=True)
class _Changes:
    """What one call writes, collected before the first write."""

    rows: list[tuple[Cell, ...]] = field(default_factory=list)
    samples: list[tuple[Cell, ...]] = field(default_factory=list)
    unrestricted: list[dict[str, Any]] = field(default_factory=list)
    restricted: dict[Key, list[dict[str, Any]]] = field(default_factory=dict)
    deleted: list[dict[str, Any]] = field(default_factory=list)
    carried: dict[MediaId, datetime] = field(default_factory=dict)
    lost: dict[MediaId, datetime] = field(default_factory=dict)
    sightings: list[Sighting] = field(default_factory=list)
    new: int = 0


def record(conn: Connection, salt: Salt, version: str, batches: Sequence[Batch]) -> Recorded:
    """Upsert messages, media and cursors; see `ports.Store.record`."""
    stands = _stands(conn, batches)
    changes = _collect(_known(conn, batches, stands), version, batches)
    media.wait(conn, changes.carried)  # before the messages, which refer to it
    executemany(conn, _UPSERT, changes.rows)
    executemany(conn, _SAMPLE, changes.samples)
    restricted = [row for of_message in changes.restricted.values() for row in of_message]
    for statement, rows in (
        (_UNRESTRICT, changes.unrestricted),
        (_RESTRICT, restricted),
        (_DELETED, changes.deleted),
    ):
        if rows:
            conn.execute(statement, rows)
    media.lose(conn, changes.lost)
    outcomes = media.outcomes(conn, changes.carried.keys() | changes.lost.keys())
    matched = [s for s in changes.sightings if outcomes[s.media_id] == MediaOutcome.MATCH]
    return Recorded(
        new=changes.new,
        flags=flags.raise_flags(conn, salt, matched),
        media_pending=MediaOutcome.PENDING in outcomes.values(),
        lagging=_move(conn, stands, batches),
    )


def cursor(conn: Connection, channel_id: ChannelId) -> int:
    """The channel's cursor; 0 at the start."""
    found = conn.execute(select(cursors.c.cursor).where(cursors.c.channel_id == channel_id))
    return found.scalar_one_or_none() or 0


def _stands(conn: Connection, batches: Sequence[Batch]) -> dict[ChannelId, _Stand]:
    """Where the channels of the batches stand before them."""
    stands = {batch.channel_id: _Stand(0, 0) for batch in batches}
    found = conn.execute(select(cursors).where(cursors.c.channel_id.in_(stands)))
    return stands | {ChannelId(row.channel_id): _Stand(row.cursor, row.top) for row in found}


def _known(
    conn: Connection, batches: Sequence[Batch], stands: Mapping[ChannelId, _Stand]
) -> dict[Key, _Known]:
    """What is on record of the messages that the batches name. Above a channel's top there is nothing."""
    wanted: dict[ChannelId, set[MessageId]] = {channel_id: set() for channel_id in stands}
    for batch in batches:
        top = stands[batch.channel_id].top
        ids = wanted[batch.channel_id]
        ids.update(m.message_id for m in batch.messages if m.message_id <= top)
        ids.update(i for i in batch.deleted if i <= top)
    known = {}
    for channel_id, ids in wanted.items():
        for message_id, edited_at, *counts, media_id, deleted_at in lookup(
            conn, _KNOWN, messages.c.message_id, ids, channel_id
        ):
            known[channel_id, message_id] = _Known(
                edited_at, Counters(*counts), media_id, deleted_at is not None
            )
    return known


def _collect(known: dict[Key, _Known], version: str, batches: Sequence[Batch]) -> _Changes:
    changes = _Changes()
    for batch in batches:
        for message in batch.messages:
            if message.channel_id != batch.channel_id:
                raise ValueError("a batch holds messages of its own channel")
            _add(changes, known, version, message)
        for message_id in batch.deleted:
            _delete(changes, known, (batch.channel_id, message_id), batch.seen_at)
    return changes


def _add(changes: _Changes, known: dict[Key, _Known], version: str, message: MessageRecord) -> None:
    key = (message.channel_id, message.message_id)
    at = message.first_seen_at
    media_id = message.media.media_id if message.media else None
    edited_at = None if message.edited_at is None else to_micros(message.edited_at)
    before = known.get(key)
    if before is None:
        changes.new += 1
        before = known[key] = _Known(None, NOTHING, None)
    else:
        if (edited_at or 0) < (before.edited_at or 0):
            return
        changes.unrestricted.append({"channel": key[0], "message": key[1]})
        changes.restricted.pop(key, None)
    changes.rows.append(_row(message, edited_at, media_id, version))
    if message.counters != before.counters:
        changes.samples.append(_sampled(message))
    if message.restrictions:
        changes.restricted[key] = [
            {"channel_id": key[0], "message_id": key[1], "platform": r.platform, "reason": r.reason}
            for r in message.restrictions
        ]
    if message.media and media_id is not None:
        changes.carried[media_id] = at
        changes.sightings.append(Sighting(*key, media_id, message.media.kind.value, at))
        if before.deleted:
            changes.lost[media_id] = at
    if before.media_id is not None and before.media_id != media_id:
        changes.lost[before.media_id] = at
    before.edited_at, before.counters, before.media_id = edited_at, message.counters, media_id


def _delete(changes: _Changes, known: dict[Key, _Known], key: Key, at: datetime | None) -> None:
    if at is None:
        raise ValueError("a batch that deletes says when that was seen")
    before = known.get(key)
    if before is None or before.deleted:
        return
    before.deleted = True
    changes.deleted.append({"channel": key[0], "message": key[1], "at": at})
    if before.media_id is not None:
        changes.lost[before.media_id] = at


def _row(
    message: MessageRecord, edited_at: int | None, media_id: MediaId | None, version: str
) -> tuple[Cell, ...]:
    """The message in the order of the table's columns, as the driver takes it."""
    forward, item, counts = message.forward or _NO_FORWARD, message.media or _NO_MEDIA, message.counters
    return (
        message.channel_id,
        message.message_id,
        message.kind.value,
        message.action,
        to_micros(message.posted_at),
        edited_at,
        to_micros(message.first_seen_at),
        None,
        message.source.value,
        message.account,
        version,
        message.grouped_id,
        message.sender,
        message.post,
        message.silent,
        message.pinned,
        message.noforwards,
        message.ttl,
        message.reply_to_id,
        message.topic_id,
        message.via_bot_id,
        None if message.forward is None else to_micros(message.forward.date),
        forward.channel_id,
        forward.message_id,
        forward.sender,
        counts.views,
        counts.forwards,
        counts.replies,
        counts.reactions,
        None if message.media is None else message.media.kind.value,
        media_id,
        item.mime,
        item.size,
        item.width,
        item.height,
        item.duration,
        message.spoiler,
        message.price,
    )


def _sampled(message: MessageRecord) -> tuple[Cell, ...]:
    counts = message.counters
    return (
        message.channel_id,
        message.message_id,
        to_micros(message.first_seen_at),
        counts.views,
        counts.forwards,
        counts.replies,
        counts.reactions,
    )


def _move(
    conn: Connection, stands: Mapping[ChannelId, _Stand], batches: Sequence[Batch]
) -> frozenset[ChannelId]:
    """Move each channel's cursor over the ground its batches cover; returns the channels with a gap above."""
    after = dict(stands)
    for batch in batches:
        at, top = after[batch.channel_id]
        if batch.span and at >= batch.span.after:
            at = max(at, batch.span.upto)
        top = max(top, max((message.message_id for message in batch.messages), default=0))
        after[batch.channel_id] = _Stand(at, top)
    moved = [
        {"channel_id": channel_id, "cursor": stand.cursor, "top": stand.top}
        for channel_id, stand in after.items()
        if stand != stands[channel_id]
    ]
    if moved:
        conn.execute(_MOVE, moved)
    return frozenset(channel_id for channel_id, stand in after.items() if stand.top > stand.cursor)
