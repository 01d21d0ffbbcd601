"""What is recorded of a channel at a time, and how far it is accounted for."""

from dataclasses import dataclass
from datetime import datetime

from monitor.model.ids import ChannelId, MessageId
from monitor.model.messages import MessageRecord, Source


@dataclass(frozen=True, slots=True)
class Span:
    """The ids in (after, upto]."""

    after: MessageId
    upto: MessageId


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages of one channel that are recorded in one transaction, with what they settle.

    `span`: the server was asked for every id in it, and what it has came with this batch: an id that did not
    come is deleted. `deleted` are ids that it said were deleted. `top` is an id that it is known to have given
    out. `position`: the channel's sequence of changes (the platform's `pts`) is taken in up to here, with this
    batch and those before it. `stale`: what is on record of these ids may have changed unseen, and must be
    asked for again; `fresh` says that nothing is stale after all.
    """

    channel_id: ChannelId
    messages: tuple[MessageRecord, ...] = ()
    span: Span | None = None
    deleted: tuple[MessageId, ...] = ()
    seen_at: datetime | None = None
    source: Source = Source.LIVE
    top: MessageId = MessageId(0)
    position: int = 0
    stale: Span | None = None
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Coverage:
    """How far a channel is accounted for.

    Every id from `start` to `cursor` is recorded, or known to be deleted; ids above, up to `top`, may be missing.
    `past` was the newest id when coverage began. `position` is where it stands in the platform's sequence of
    changes, 0 while that is unknown; what is `stale` must be asked for again.
    """

    start: MessageId = MessageId(1)
    cursor: MessageId = MessageId(0)
    top: MessageId = MessageId(0)
    past: MessageId = MessageId(0)
    position: int = 0
    stale: Span | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """Messages of one channel whose counters are to be read again."""

    channel_id: ChannelId
    message_ids: tuple[MessageId, ...]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a `record` call changed: rows that were new, flags raised on media known already,
    whether media now wait, and the channels that still have a gap above their cursor."""

    new: int = 0
    flags: int = 0
    media_pending: bool = False
    lagging: frozenset[ChannelId] = frozenset()
