"""The rows on record against what the server has: exactly the same, or a line for each difference."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from monitor.model import MediaOutcome
from monitor.store import Reader, open_reader
from monitor.store.sums import Sums
from monitor.testdc import Channel, Document, Photo, Post
from tests.faults.wire.people import LISTED_FILES, LISTED_PICTURE, People, made

Rows = Mapping[tuple[int, int], Mapping[Any, Any]]


async def differences(database: Path, people: People) -> list[str]:
    """A line for each thing on record that is not as the server has it; none when all is."""
    async with _read(database) as (reader, rows):
        found = [line for channel in people.channels for line in _channel(rows, channel, people)]
        ours = {channel.id for channel in people.channels}
        found += [f"channel {c}: {i} is on record and not ours" for c, i in rows if c not in ours]
        for sums in await reader.coverage():
            found += _ledger(rows, sums, next((c for c in people.channels if c.id == sums.channel_id), None))
        flags = {(row["channel_id"], row["message_id"], row["media_id"]) async for row in reader.flag_rows()}
        found += _flags(rows, flags)
        return found


@asynccontextmanager
async def _read(database: Path) -> AsyncIterator[tuple[Reader, Rows]]:
    async with open_reader(database) as reader:
        yield reader, {(row["channel_id"], row["message_id"]): row async for row in reader.message_rows()}


def _channel(rows: Rows, channel: Channel, people: People) -> Iterator[str]:
    name = channel.username
    on_record = {
        message_id: row for (channel_id, message_id), row in rows.items() if channel_id == channel.id
    }
    here = {i for i, row in on_record.items() if row["deleted_seen_at"] is None}
    alive = set(channel.alive)
    if missing := sorted(alive - on_record.keys()):
        yield f"{name}: not on record: {missing}"
    if wrongly := sorted(alive & on_record.keys() - here):
        yield f"{name}: on record as deleted and still there: {wrongly}"
    if still := sorted(here - alive):
        yield f"{name}: deleted, and not on record as such: {still}"
    for post in channel.posts:
        if post.id in on_record:
            yield from _post(on_record[post.id], post, name, people)
    for message_id, row in on_record.items():
        if row["media_outcome"] in (MediaOutcome.PENDING, MediaOutcome.FAILED):
            yield f"{name}: {message_id}: media is {row['media_outcome']}"


def _ledger(rows: Rows, sums: Sums, channel: Channel | None) -> Iterator[str]:
    """Each id from the beginning to the newest is counted once; the newest may be gone before anybody looked."""
    if channel is None:
        yield f"channel {sums.channel_id}: is in the ledger and not ours"
        return
    kinds = Counter(row["kind"] for (channel_id, i), row in rows.items() if channel_id == channel.id)
    service = kinds["service"]
    expected = {
        "start": (sums.start, 1),
        "holes": (sums.holes, 0),
        "stale ids": (sums.stale, 0),
        "service messages": (sums.service, service),
        "recorded": (sums.recorded, kinds.total() - service),
        "deleted": (sums.deleted, sums.top - kinds.total()),
    }
    for what, (counted, right) in expected.items():
        if counted != right:
            yield f"{channel.username}: the ledger counts {counted} {what}, not {right}"
    if not channel.top <= sums.top <= _given(channel):
        yield f"{channel.username}: the ledger ends at {sums.top}; {channel.top} is there"


def _post(row: Mapping[Any, Any], post: Post, name: str | None, people: People) -> Iterator[str]:
    for column, expected in _expected(post, people).items():
        if row[column] not in expected:
            yield f"{name}: {post.id}: {column} is {row[column]}, not {' or '.join(map(str, expected))}"


def _expected(post: Post, people: People) -> dict[str, tuple[Any, ...]]:
    """Column → what may stand there."""
    origin, item = post.origin, post.media if isinstance(post.media, Document | Photo) else None
    return {
        "kind": ("service" if post.action is not None else "message",),
        "posted_at": (_time(post.date),),
        "edited_at": _edited(post, people),
        "grouped_id": (post.grouped_id,),
        "reply_to_id": (post.reply_to,),
        "forward_date": (_time(origin.date) if origin else None,),
        "forward_channel_id": (origin.channel_id if origin else None,),
        "forward_message_id": (origin.post_id if origin else None,),
        "media_id": (item.id if item else None,),
        "media_outcome": (outcome(item) if item else None,),
    }


def _edited(post: Post, people: People) -> tuple[datetime | None, ...]:
    """A hidden edit is none. Where it followed real ones the platform shows no date any more: who saw one of them
    has its date, who looked later has none."""
    if post.edit_hidden:
        return (None, *map(_time, people.edits.get((post.channel_id, post.id), ())))
    return (None if post.edited is None else _time(post.edited),)


def outcome(item: Document | Photo) -> MediaOutcome:
    """What must come of an item."""
    if isinstance(item, Photo):
        return MediaOutcome.MATCH if item.source == made(LISTED_PICTURE) else MediaOutcome.NO_MATCH
    if item.data in LISTED_FILES.values():
        return MediaOutcome.MATCH
    return MediaOutcome.NO_MATCH if item.data else MediaOutcome.EMPTY


def _flags(rows: Rows, flags: set[tuple[int, int, int]]) -> Iterator[str]:
    """Every message that carries a listed item now has its flag; one that carried it before keeps its own."""
    for (channel_id, message_id), row in rows.items():
        key = (channel_id, message_id, row["media_id"])
        if row["media_outcome"] == MediaOutcome.MATCH and key not in flags:
            yield f"channel {channel_id}: {message_id}: media {row['media_id']} is listed and not flagged"


def _given(channel: Channel) -> int:
    """The newest id that the channel has ever had."""
    return max(i for change in channel.log for i in change.ids)


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
