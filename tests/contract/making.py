"""Short ways to make the values that tests record."""

from datetime import UTC, datetime, timedelta
from typing import Any

from monitor.model import (
    Algorithm,
    Authorization,
    Basis,
    Batch,
    ChannelId,
    Declaration,
    Examined,
    ListAction,
    ListVersion,
    Match,
    MediaId,
    MediaKind,
    MediaOutcome,
    MediaRef,
    MessageId,
    MessageKind,
    MessageRecord,
    Moment,
    Profile,
    Source,
    Span,
    Terms,
)
from monitor.ports import Store

START = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
CHANNEL = ChannelId(1_500_000_001)
OTHER = ChannelId(1_500_000_002)
AUTHORIZATION = Authorization(
    reference="IRB-1",
    granted_by="Ethics Board",
    basis=Basis.ETHICS_APPROVAL,
    valid_from=START,
    valid_until=START + timedelta(days=180),
    document_sha256=bytes(range(32)),
    approved_by="second person",
    terms="metadata and hashes",
)
PDQ = Match("partner-a", "3-0123456789ab", "e1", Algorithm.PDQ, distance=12, threshold=31, quality=88)
MD5 = Match("partner-a", "3-0123456789ab", "e1", Algorithm.MD5, distance=0, threshold=0)


def later(seconds: float) -> datetime:
    """So many seconds after the start of the test's time."""
    return START + timedelta(seconds=seconds)


def moment(seconds: float, boot: str | None = "boot-1") -> Moment:
    """So many seconds after the start of the test's time, and of the machine's."""
    return Moment(later(seconds), int(seconds * 1e6), boot)


def declared(username: str = "example_one", **changes: Any) -> Declaration:
    return Declaration(username, **{"authorization": AUTHORIZATION} | changes)


def profile(channel_id: int = CHANNEL, **changes: Any) -> Profile:
    return Profile(channel_id=ChannelId(channel_id), **{"created_at": START, "participants": 7} | changes)


def message(number: int, channel: ChannelId = CHANNEL, **changes: Any) -> MessageRecord:
    usual: dict[str, Any] = {
        "kind": MessageKind.MESSAGE,
        "posted_at": later(number),
        "first_seen_at": later(10_000),
        "source": Source.BACKFILL,
        "account": "main",
        "post": True,
    }
    return MessageRecord(channel_id=channel, message_id=MessageId(number), **usual | changes)


def picture(media_id: int, **changes: Any) -> MediaRef:
    usual: dict[str, Any] = {"mime": "image/jpeg", "size": 9_000, "width": 1280, "height": 960}
    return MediaRef(MediaKind.PHOTO, MediaId(media_id), **usual | changes)


def batch(*messages: MessageRecord, channel: ChannelId = CHANNEL, **more: Any) -> Batch:
    return Batch(channel, messages, **{"seen_at": later(10_000)} | more)


def span(after: int, upto: int) -> Span:
    return Span(MessageId(after), MessageId(upto))


async def cursor(store: Store, channel: ChannelId) -> int:
    """Up to where the channel is accounted for; 0 before anything is."""
    found = await store.coverage(channel)
    return 0 if found is None else found.cursor


def gone(*numbers: int, at: datetime, channel: ChannelId = CHANNEL) -> Batch:
    return Batch(channel, deleted=tuple(MessageId(n) for n in numbers), seen_at=at)


def matched(media_id: int, *matches: Match, at: datetime = START) -> Examined:
    return Examined(MediaId(media_id), MediaOutcome.MATCH, at, 9_000, "x", matches or (PDQ,))


def settled(media_id: int, outcome: MediaOutcome, at: datetime = START) -> Examined:
    return Examined(MediaId(media_id), outcome, at, 9_000, "x")


def hash_list(count: int = 3, **changes: Any) -> ListVersion:
    usual: dict[str, Any] = {
        "name": "partner-a",
        "algorithm": Algorithm.PDQ,
        "action": ListAction.FLAG,
        "count": count,
        "sha256": bytes([count]) * 32,
        "terms": Terms("Partner A", "DSA-12", frozenset({"detect", "report"})),
        "max_distance": 31,
        "min_quality": 50,
    }
    return ListVersion(**usual | changes)
