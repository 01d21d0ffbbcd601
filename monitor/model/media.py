"""Media: what a message says of it, what it hashes to, what came of it."""

import enum
from dataclasses import dataclass

from monitor.model.hashes import Algorithm, Hash
from monitor.model.ids import ChannelId, MediaId, MessageId


class MediaKind(enum.StrEnum):
    """What a message carries."""

    PHOTO = "photo"
    VIDEO = "video"
    ROUND = "round"
    GIF = "gif"
    VOICE = "voice"
    AUDIO = "audio"
    STICKER = "sticker"
    DOCUMENT = "document"
    PAID = "paid"
    WEB_PAGE = "web_page"
    POLL = "poll"
    GEO = "geo"
    CONTACT = "contact"
    STORY = "story"
    OTHER = "other"


FETCHED_KINDS = frozenset(
    {
        MediaKind.PHOTO,
        MediaKind.VIDEO,
        MediaKind.ROUND,
        MediaKind.GIF,
        MediaKind.VOICE,
        MediaKind.AUDIO,
        MediaKind.STICKER,
        MediaKind.DOCUMENT,
    }
)
"""Kinds with a file that can be fetched; the others are words and numbers, or kept from us (paid, story)."""


@dataclass(frozen=True, slots=True)
class MediaRef:
    """Media as the message describes it, before any byte is fetched.

    `media_id` is None for kinds without bytes. `mime` is one of the registered types, or "other":
    the sender chooses it, and could write words there. `size` in bytes, `duration` in seconds.
    """

    kind: MediaKind
    media_id: MediaId | None = None
    mime: str | None = None
    size: int | None = None
    width: int | None = None
    height: int | None = None
    duration: int | None = None


class MediaOutcome(enum.StrEnum):
    """What came of one media item.

    INCOMPLETE ended before its announced size, PARTIAL is a film of which some was broken or beyond the limits, and
    what there was matched nothing; ON_CDN is given out only through a content delivery network; KIND_OFF and
    TOO_LARGE were left out by the configuration; GONE is no longer there, or refused.
    """

    PENDING = "pending"
    MATCH = "match"
    NO_MATCH = "no_match"
    LOW_QUALITY = "low_quality"
    UNDECODABLE = "undecodable"
    EMPTY = "empty"
    INCOMPLETE = "incomplete"
    PARTIAL = "partial"
    TOO_LARGE = "too_large"
    KIND_OFF = "kind_off"
    ON_CDN = "on_cdn"
    GONE = "gone"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class PendingMedia:
    """Media that waits to be fetched, and one message through which it can be."""

    media: MediaRef
    media_id: MediaId
    channel_id: ChannelId
    message_id: MessageId


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a film or a moving picture: its PDQ (32 bytes) and quality (0–100), `second` of the film."""

    second: float
    pdq: bytes
    quality: int

    def __post_init__(self) -> None:
        if len(self.pdq) != Algorithm.PDQ.size:
            raise ValueError(f"a frame's PDQ takes {Algorithm.PDQ.size} bytes, not {len(self.pdq)}")


@dataclass(frozen=True, slots=True)
class MediaHashes:
    """All hashes of one item. `quality` (0–100) is PDQ's; width and height in pixels of what they stand for.

    `undecodable` says that the bytes claim to be a picture or a film and could not be read as one;
    their digests are there all the same. `screened` says that a smaller rendition stood for the original: its
    digests are those of the rendition, its perceptual hashes a few bits off the original's. `frames` are those
    that were looked at of what moves; `partial` says that it has more, which were beyond the limits or broken.
    """

    hashes: tuple[Hash, ...]
    quality: int | None = None
    width: int | None = None
    height: int | None = None
    undecodable: bool = False
    screened: bool = False
    frames: tuple[Frame, ...] = ()
    partial: bool = False

    @property
    def best_quality(self) -> int | None:
        """PDQ's quality where the item shows most; None when it shows nothing."""
        shown = [frame.quality for frame in self.frames]
        return max(shown if self.quality is None else [self.quality, *shown], default=None)
