"""What is kept of one message."""

import enum
from dataclasses import dataclass
from datetime import datetime

from monitor.model.ids import ChannelId, MessageId
from monitor.model.media import MediaRef


class MessageKind(enum.StrEnum):
    """A post, or a notice by the platform (title changed, message pinned …)."""

    MESSAGE = "message"
    SERVICE = "service"


class Source(enum.StrEnum):
    """How a message came to us first."""

    LIVE = "live"
    RECONCILE = "reconcile"
    BACKFILL = "backfill"


@dataclass(frozen=True, slots=True)
class Counters:
    """Counts the platform shows with a message; None where it shows none."""

    views: int | None = None
    forwards: int | None = None
    replies: int | None = None
    reactions: int | None = None


@dataclass(frozen=True, slots=True)
class Forward:
    """Where a forwarded message came from; `sender` is a pseudonym."""

    date: datetime
    channel_id: ChannelId | None = None
    message_id: MessageId | None = None
    sender: str | None = None


@dataclass(frozen=True, slots=True)
class Restriction:
    """On which platform a message or channel is hidden, and the platform's word for why."""

    platform: str
    reason: str


@dataclass(frozen=True, slots=True)
class MessageRecord:
    """What is kept of one message. `sender` is a keyed pseudonym, `ttl` in seconds, `price` in stars.

    `as_of` is the position in the channel's sequence of changes up to which the record is known to be right,
    0 where the platform did not say; `look_at` is when its counters are to be read again.
    """

    channel_id: ChannelId
    message_id: MessageId
    kind: MessageKind
    posted_at: datetime
    first_seen_at: datetime
    source: Source
    account: str
    action: str | None = None
    edited_at: datetime | None = None
    grouped_id: int | None = None
    sender: str | None = None
    post: bool = False
    silent: bool = False
    pinned: bool = False
    noforwards: bool = False
    ttl: int | None = None
    reply_to_id: MessageId | None = None
    topic_id: MessageId | None = None
    via_bot_id: int | None = None
    forward: Forward | None = None
    counters: Counters = Counters()
    media: MediaRef | None = None
    spoiler: bool = False
    price: int | None = None
    restrictions: tuple[Restriction, ...] = ()
    as_of: int = 0
    look_at: datetime | None = None
