"""Matches of media with lists, and the flags they raise."""

from dataclasses import dataclass
from datetime import datetime

from monitor.model.hashes import Algorithm
from monitor.model.ids import ChannelId, FlagId, MediaId, MessageId
from monitor.model.lists import Category
from monitor.model.media import MediaKind, MediaOutcome


@dataclass(frozen=True, slots=True)
class Match:
    """A hash of ours within a list's threshold of one of its entries. Distances in bits.

    `error_bound` says that a smaller rendition decided: the most that its hash was seen to be off the original's.
    Of a film the distance is that of the nearest frame; `query_share` and `list_share` are the per cent of the film's
    frames, and of the entry's, that are near one of the other's, rounded down. A listed picture has no `list_share`.
    `category` is what the entry's label means; None where it has none, or none that is mapped.
    """

    hash_list: str
    list_version: str
    entry: str
    algorithm: Algorithm
    distance: int
    threshold: int
    quality: int | None = None
    error_bound: int | None = None
    query_share: int | None = None
    list_share: int | None = None
    category: Category | None = None


@dataclass(frozen=True, slots=True)
class Examined:
    """The outcome of one media item. `fetched` in bytes; `rendition` names the size that decided;
    `channel_id` and `message_id` are the message through which it was asked for."""

    media_id: MediaId
    outcome: MediaOutcome
    at: datetime
    fetched: int = 0
    rendition: str | None = None
    matches: tuple[Match, ...] = ()
    channel_id: ChannelId | None = None
    message_id: MessageId | None = None


@dataclass(frozen=True, slots=True)
class Flag:
    """One media item in one message, with its matches."""

    flag_id: FlagId
    channel_id: ChannelId
    message_id: MessageId
    media_id: MediaId
    raised_at: datetime
    media_kind: MediaKind
    rendition: str | None
    matches: tuple[Match, ...]
