"""What the batches of one call change, worked out before the first write: rows, samples, deletions, media."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from monitor.model import (
    Batch,
    ChannelId,
    Counters,
    Forward,
    MediaId,
    MediaKind,
    MediaRef,
    MessageId,
    MessageRecord,
)
from monitor.store.columns import EPOCH, to_micros
from monitor.store.engine import Cell
from monitor.store.flags import Sighting
from monitor.store.ledger import Stand

_NO_FORWARD = Forward(EPOCH)
_NO_MEDIA = MediaRef(MediaKind.OTHER)
NOTHING = Counters()
Key = tuple[ChannelId, MessageId]


@dataclass(slots=True)
class Known:
    """What is on record of a message, as far as it decides what another record of it changes."""

    edited_at: int | None
    as_of: int
    counters: Counters
    media_id: MediaId | None
    deleted: bool = False


@dataclass(slots=True)
class Changes:
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


def collect(
    known: dict[Key, Known],
    removed: Set[Key],
    stands: Mapping[ChannelId, Stand],
    version: str,
    batches: Sequence[Batch],
) -> Changes:
    """What the batches change, given what is on record. What was removed from it does not come back.

    Raises ValueError for a batch that contradicts itself.
    """
    changes = Changes()
    for changes.batch, batch in enumerate(batches):
        if batch.seen_at is None and (batch.deleted or batch.span is not None):
            raise ValueError("a batch that deletes or covers ground says when that was seen")
        seen = stands[batch.channel_id].seen
        for message in batch.messages:
            if message.channel_id != batch.channel_id:
                raise ValueError("a batch holds messages of its own channel")
            if (batch.channel_id, message.message_id) in removed:
                continue
            if _add(changes, known, version, message):
                changes.added[batch.channel_id, message.message_id] = changes.batch
                if message.message_id <= seen:
                    changes.returned.setdefault(batch.channel_id, []).append(message.message_id)
        for message_id in batch.deleted:
            _delete(changes, known, (batch.channel_id, message_id), batch.seen_at)
    return changes


def _add(changes: Changes, known: dict[Key, Known], version: str, message: MessageRecord) -> bool:
    """Take in one record; whether nothing was on record of the message."""
    key = (message.channel_id, message.message_id)
    at = message.first_seen_at
    media_id = message.media.media_id if message.media else None
    edited_at = None if message.edited_at is None else to_micros(message.edited_at)
    before = known.get(key)
    new = before is None
    if before is None:
        changes.new += 1
        before = known[key] = Known(None, 0, NOTHING, None)
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


def _stale(message: MessageRecord, edited_at: int | None, before: Known) -> bool:
    """Whether what is on record is newer. Positions tell; where one is unknown, the edits do."""
    if message.as_of and before.as_of:
        return message.as_of < before.as_of
    return (edited_at or 0) < (before.edited_at or 0)


def _delete(changes: Changes, known: dict[Key, Known], key: Key, at: datetime | None) -> None:
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
    """The message in the order of the table's columns, as the driver takes it: a truth value as 0 or 1, for which it
    need not look for an adapter."""
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
        +message.post,
        +message.silent,
        +message.pinned,
        +message.noforwards,
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
        +message.spoiler,
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
