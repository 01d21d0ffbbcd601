"""Recording messages: rows, counts over time, media that wait and the ledger, all in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, null, select, update

from monitor.model import (
    Batch,
    ChannelId,
    Counters,
    Forward,
    Look,
    MediaId,
    MediaKind,
    MediaOutcome,
    MediaRef,
    MessageId,
    MessageRecord,
    Recorded,
)
from monitor.store import flags, ledger, media
from monitor.store.columns import EPOCH, to_micros
from monitor.store.engine import Cell, executemany, insert, lookup
from monitor.store.events import Salt
from monitor.store.flags import Sighting
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
_NO_FORWARD = Forward(EPOCH)
_NO_MEDIA = MediaRef(MediaKind.OTHER)
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

NOTHING = Counters()
Key = tuple[ChannelId, MessageId]


@dataclass(slots=True)
class _Known:
    """What is on record of a message, as far as it decides what another record of it changes."""

    edited_at: int | None
    as_of: int
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
    deleted: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    """By the number of the batch that said so."""
    batch: int = 0
    """The number of the batch that is being looked at."""
    carried: dict[MediaId, datetime] = field(default_factory=dict)
    lost: dict[MediaId, datetime] = field(default_factory=dict)
    sightings: list[Sighting] = field(default_factory=list)
    unknown: dict[Key, datetime] = field(default_factory=dict)
    """Deleted, and nothing is on record of them."""
    added: dict[Key, int] = field(default_factory=dict)
    """New on record, with the number of the batch that brought it."""
    returned: dict[ChannelId, list[MessageId]] = field(default_factory=dict)
    """New on record, with ids that may have been taken for absent."""
    new: int = 0


def record(conn: Connection, salt: Salt, version: str, batches: Sequence[Batch]) -> Recorded:
    """Upsert messages, media and the ledger; see `ports.Store.record`."""
    before = ledger.load(conn, {batch.channel_id for batch in batches})
    changes = _collect(_known(conn, batches, before), before, version, batches)
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
    conn: Connection, before: Mapping[ChannelId, Stand], changes: _Changes, batches: Sequence[Batch]
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
    conn: Connection, changes: _Changes, channel_id: ChannelId, ids: Sequence[int], at: datetime
) -> None:
    """These were recorded, and are gone."""
    conn.execute(_DELETED, [{"channel": channel_id, "message": i, "at": at} for i in ids])
    m = messages.c
    for (media_id,) in lookup(conn, _CARRIED, m.message_id, ids, channel_id):
        changes.lost[MediaId(media_id)] = at


def _known(
    conn: Connection, batches: Sequence[Batch], stands: Mapping[ChannelId, Stand]
) -> dict[Key, _Known]:
    """What is on record of the messages that the batches name. Above what was seen there is nothing."""
    wanted: dict[ChannelId, set[MessageId]] = {channel_id: set() for channel_id in stands}
    for batch in batches:
        seen = stands[batch.channel_id].seen
        ids = wanted[batch.channel_id]
        ids.update(m.message_id for m in batch.messages if m.message_id <= seen)
        ids.update(i for i in batch.deleted if i <= seen)
    known = {}
    for channel_id, ids in wanted.items():
        for message_id, edited_at, as_of, *counts, media_id, deleted_at in lookup(
            conn, _KNOWN, messages.c.message_id, ids, channel_id
        ):
            known[channel_id, message_id] = _Known(
                edited_at, as_of, Counters(*counts), media_id, deleted_at is not None
            )
    return known


def _collect(
    known: dict[Key, _Known], stands: Mapping[ChannelId, Stand], version: str, batches: Sequence[Batch]
) -> _Changes:
    changes = _Changes()
    for changes.batch, batch in enumerate(batches):
        if batch.seen_at is None and (batch.deleted or batch.span is not None):
            raise ValueError("a batch that deletes or covers ground says when that was seen")
        seen = stands[batch.channel_id].seen
        for message in batch.messages:
            if message.channel_id != batch.channel_id:
                raise ValueError("a batch holds messages of its own channel")
            if _add(changes, known, version, message):
                changes.added[batch.channel_id, message.message_id] = changes.batch
                if message.message_id <= seen:
                    changes.returned.setdefault(batch.channel_id, []).append(message.message_id)
        for message_id in batch.deleted:
            _delete(changes, known, (batch.channel_id, message_id), batch.seen_at)
    return changes


def _add(changes: _Changes, known: dict[Key, _Known], version: str, message: MessageRecord) -> bool:
    """Take in one record; whether nothing was on record of the message."""
    key = (message.channel_id, message.message_id)
    at = message.first_seen_at
    media_id = message.media.media_id if message.media else None
    edited_at = None if message.edited_at is None else to_micros(message.edited_at)
    before = known.get(key)
    new = before is None
    if before is None:
        changes.new += 1
        before = known[key] = _Known(None, 0, NOTHING, None)
        if (gone := changes.unknown.pop(key, None)) is not None:
            # The news of its deletion overtook it.
            before.deleted = True
            changes.deleted.setdefault(changes.batch, []).append(
                {"channel": key[0], "message": key[1], "at": gone}
            )
    else:
        if _stale(message, edited_at, before):
            return False
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
    before.edited_at = before.edited_at if edited_at is None else edited_at
    before.as_of, before.counters, before.media_id = message.as_of, message.counters, media_id
    return new


def _stale(message: MessageRecord, edited_at: int | None, before: _Known) -> bool:
    """Whether what is on record is newer. Positions tell; where one is unknown, the edits do."""
    if message.as_of and before.as_of:
        return message.as_of < before.as_of
    return (edited_at or 0) < (before.edited_at or 0)


def _delete(changes: _Changes, known: dict[Key, _Known], key: Key, at: datetime | None) -> None:
    if at is None:
        return  # refused before
    before = known.get(key)
    if before is None:
        changes.unknown.setdefault(key, at)
        return
    if before.deleted:
        return
    before.deleted = True
    row = {"channel": key[0], "message": key[1], "at": at}
    changes.deleted.setdefault(changes.batch, []).append(row)
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
        message.as_of,
        None if message.look_at is None else to_micros(message.look_at),
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
