"""The values that travel from the wire to the report.

Frozen and slotted, standard library alone. No field can carry a sentence from a message: integers,
enumerations, times, digests and short identifiers with an alphabet of their own. What an operator
declares (authorizations, purposes) is free text, and only there; a line of the platform's own menu is a
`Label`. All datetimes are aware UTC.
"""

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NewType

ChannelId = NewType("ChannelId", int)
"""The bare positive id of a channel or supergroup, without the -100 prefix of the bot API."""
MessageId = NewType("MessageId", int)
MediaId = NewType("MediaId", int)
"""Photo or document id: the same for every account, and kept through forwards."""
FlagId = NewType("FlagId", int)
CaseId = NewType("CaseId", int)

IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
"""What entry, list and account names are made of."""
USERNAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{3,31}")
"""A public username, as the platform allows it."""
MAILBOX = re.compile(
    r"(?=.{3,254}\Z)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@"
    r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+"
)
"""A mail address in RFC 5322's plain form: ASCII, without display name, quotes or comment."""


class Algorithm(enum.StrEnum):
    """A hash algorithm, by the name that lists and configurations use."""

    MD5 = "md5"
    SHA1 = "sha1"
    SHA256 = "sha256"
    PDQ = "pdq"
    PHASH = "phash"
    DHASH = "dhash"
    VPDQ = "vpdq"
    """PDQ of a frame of a film; an entry of a list has one for each of its frames."""

    @property
    def size(self) -> int:
        """Length of a value in bytes."""
        return _HASH_BYTES[self]

    @property
    def exact(self) -> bool:
        """True for digests of bytes, false for perceptual hashes."""
        return self in (Algorithm.MD5, Algorithm.SHA1, Algorithm.SHA256)


_HASH_BYTES: Mapping[str, int] = {
    "md5": 16,
    "sha1": 20,
    "sha256": 32,
    "pdq": 32,
    "phash": 8,
    "dhash": 8,
    "vpdq": 32,
}


@dataclass(frozen=True, slots=True)
class Hash:
    """A hash value with its algorithm."""

    algorithm: Algorithm
    value: bytes

    def __post_init__(self) -> None:
        if len(self.value) != self.algorithm.size:
            raise ValueError(f"{self.algorithm} takes {self.algorithm.size} bytes, not {len(self.value)}")


# -- people ------------------------------------------------------------------------------------------------


class Role(enum.StrEnum):
    """What a person may do: see, decide, take out what was found, or set it all up.

    Each includes VIEWER, and none another: who sets things up does not thereby decide.
    """

    VIEWER = "viewer"
    REVIEWER = "reviewer"
    EXPORTER = "exporter"
    ADMIN = "admin"


# -- channels and authorizations ---------------------------------------------------------------------------


class Basis(enum.StrEnum):
    """On what an authorization rests."""

    OWNER_CONSENT = "owner_consent"
    ETHICS_APPROVAL = "ethics_approval"
    STATUTORY_MANDATE = "statutory_mandate"
    CONTRACT = "contract"


class ChatKind(enum.StrEnum):
    """What a public username can lead to, as `includes` names it."""

    BROADCAST = "broadcast"
    GROUP = "group"


class ChannelState(enum.StrEnum):
    """Where a declared channel stands."""

    DECLARED = "declared"
    COLLECTING = "collecting"
    REFUSED = "refused"
    STOPPED = "stopped"


class Refusal(enum.StrEnum):
    """Why a channel is refused or was stopped."""

    NO_AUTHORIZATION = "no_authorization"
    NOT_YET_VALID = "authorization_not_yet_valid"
    EXPIRED = "authorization_expired"
    REVOKED = "authorization_revoked"
    INVITE_LINK = "invite_link"
    JOIN_REQUEST = "join_request_needed"
    PRIVATE = "private"
    NAME_MOVED = "name_moved"
    NOT_FOUND = "not_found"
    NOT_A_CHANNEL = "not_a_channel"
    KIND_NOT_INCLUDED = "kind_not_included"
    GONE = "gone"
    RESTRICTED = "restricted"
    NOT_ADDED = "bot_not_added"
    ACCOUNT_FULL = "account_full"
    UNEXPECTED = "unexpected_answer"

    @property
    def explanation(self) -> str:
        """One sentence for people: what is wrong and what to do."""
        return _REFUSALS[self.value]


_REFUSALS: Mapping[str, str] = {
    "no_authorization": "no authorization record; declare one in the configuration",
    "authorization_not_yet_valid": "its authorization is not yet in force; wait for valid_from",
    "authorization_expired": "its authorization has expired; declare a renewed one under a new reference",
    "authorization_revoked": "its authorization was revoked; declare a new one under a new reference",
    "invite_link": "an invite link leads to a chat that is not public; only public usernames may be declared",
    "join_request_needed": "it takes members by request; only channels open to everyone are joined",
    "private": "it is private, or no longer public",
    "name_moved": "the name now belongs to another channel than the one authorized; authorize it anew",
    "not_found": "nobody holds this username",
    "not_a_channel": "the username belongs to a person or a bot",
    "kind_not_included": "it is a public group; add group to its includes if the authorization covers it",
    "gone": "it was deleted or banned, or this account was removed from it",
    "restricted": "the platform hides it from everybody; nothing can be read until that ends",
    "bot_not_added": "a bot cannot join; ask the channel's owner to add it",
    "account_full": "the account holds as many channels as the platform allows; declare a further account",
    "unexpected_answer": "the platform answered in a way this version does not know; the log names it",
}


@dataclass(frozen=True, slots=True)
class Authorization:
    """Who allowed the collection of one channel, on what basis, for how long."""

    reference: str
    granted_by: str
    basis: Basis
    valid_from: datetime
    valid_until: datetime
    document_sha256: bytes | None = None
    approved_by: str | None = None
    terms: str | None = None

    def refusal(self, now: datetime) -> Refusal | None:
        """Why it is not in force at `now`; None when it is. Both ends are included."""
        if now < self.valid_from:
            return Refusal.NOT_YET_VALID
        if now > self.valid_until:
            return Refusal.EXPIRED
        return None


@dataclass(frozen=True, slots=True)
class Backfill:
    """How much of a channel's past is collected: the last so many messages, those since a time, or all."""

    messages: int | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Declaration:
    """One channel as the configuration declares it; without an authorization nothing is asked about it.

    With `leave_when_ended` the account leaves the channel when its authorization has ended.
    """

    username: str
    authorization: Authorization | None
    includes: frozenset[ChatKind] = frozenset({ChatKind.BROADCAST})
    channel_id: ChannelId | None = None
    account: str | None = None
    leave_when_ended: bool = False
    backfill: Backfill = Backfill()


@dataclass(frozen=True, slots=True)
class Profile:
    """What the platform says of a channel itself; titles and descriptions are left out."""

    channel_id: ChannelId
    created_at: datetime | None = None
    participants: int | None = None
    verified: bool = False
    scam: bool = False
    fake: bool = False
    linked_channel_id: ChannelId | None = None


@dataclass(frozen=True, slots=True)
class Channel:
    """A declared channel as the store knows it. `reason` is set when it is refused or stopped.

    `cursor` is the highest message id up to which everything is accounted for; 0 before the first page.
    """

    username: str
    state: ChannelState
    authorization: Authorization | None
    reason: Refusal | None = None
    profile: Profile | None = None
    cursor: MessageId = MessageId(0)
    account: str | None = None
    includes: frozenset[ChatKind] = frozenset({ChatKind.BROADCAST})
    leave_when_ended: bool = False


# -- messages ----------------------------------------------------------------------------------------------


class MessageKind(enum.StrEnum):
    """A post, or a notice by the platform (title changed, message pinned …)."""

    MESSAGE = "message"
    SERVICE = "service"


class Source(enum.StrEnum):
    """How a message came to us first."""

    LIVE = "live"
    RECONCILE = "reconcile"
    BACKFILL = "backfill"


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


# -- media, hashes, matches --------------------------------------------------------------------------------


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
    category: "Category | None" = None


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


# -- hash lists --------------------------------------------------------------------------------------------


class ListAction(enum.StrEnum):
    """What a match with a list leads to."""

    FLAG = "flag"
    REVIEW = "review"
    IGNORE = "ignore"


class Category(enum.StrEnum):
    """What the items under a list's label are; it decides to whom they can be reported."""

    CHILD = "child"
    ADULT_FILMED = "adult_filmed"
    ADULT_SYNTHETIC = "adult_synthetic"
    TERRORISM = "terrorism"
    UNKNOWN = "unknown"


class Provenance(enum.StrEnum):
    """Which implementation computed a list's PDQ hashes: they differ by some bits.

    CPP_512 is the tool of the reference in C++, which brings a picture to 512 × 512 first: 5 to 8 bits from
    the others on average, 28 at most.
    """

    UNKNOWN = "unknown"
    OWN = "channel-monitor"
    PYTHON_PDQHASH = "python-pdqhash"
    CPP_512 = "cpp-512"


@dataclass(frozen=True, slots=True)
class Terms:
    """Under which terms a list is held."""

    licensor: str
    reference: str
    permitted_uses: frozenset[str]


@dataclass(frozen=True, slots=True)
class HashEntry:
    """One entry of a list: an identifier, its hash and, where the list gives one, a label."""

    entry: str
    hash: Hash
    label: str | None = None


@dataclass(frozen=True, slots=True)
class ListVersion:
    """A hash list in the state in which it was loaded. `version` is made of count and digest.

    A file with hashes of several algorithms is as many lists of one name and one version; `count` is that of
    all. Its terms end with `expires`. `added` and `withdrawn` count the hashes that an exchange has ever added and
    withdrawn, so that two versions tell what lies between them; None for a file, which does not say.
    """

    name: str
    algorithm: Algorithm
    action: ListAction
    count: int
    sha256: bytes
    terms: Terms
    max_distance: int
    min_quality: int
    provenance: Provenance = Provenance.UNKNOWN
    expires: datetime | None = None
    added: int | None = None
    withdrawn: int | None = None

    @property
    def version(self) -> str:
        """Count and the first twelve hex digits of the SHA-256 of the file, e.g. "1200-9f86d081884c"."""
        return f"{self.count}-{self.sha256.hex()[:12]}"


# -- sessions ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class UpdateState:
    """Where an account stands in the platform's stream of updates."""

    pts: int
    qts: int
    date: datetime
    seq: int


@dataclass(frozen=True, slots=True)
class SessionState:
    """A signed-in account: keys and ids, no name and no phone number.

    `peers` maps ids of authorized channels to this account's access hashes.
    """

    account: str
    dc: int
    host: str
    port: int
    auth_key: bytes = field(repr=False)
    user_id: int | None = None
    bot: bool = False
    updates: UpdateState | None = None
    peers: Mapping[ChannelId, int] = field(default_factory=dict, repr=False)


# -- how accounts behave -----------------------------------------------------------------------------------


class Budget(enum.StrEnum):
    """What an account may do only so often; joins, resolves and reports by the day, the others by the hour."""

    JOINS = "joins"
    RESOLVES = "resolves"
    PAGES = "pages"
    FILE_PARTS = "file_parts"
    REPORTS = "reports"


class AccountState(enum.StrEnum):
    """Whether an account can work."""

    ACTIVE = "active"
    FROZEN = "frozen"
    REVOKED = "revoked"


class AccountReason(enum.StrEnum):
    """Why an account does not work as it should."""

    FROZEN = "frozen"
    BANNED = "banned"
    SIGNED_OUT = "signed_out"
    KEY_DUPLICATED = "key_duplicated"
    PEER_FLOOD = "peer_flood"


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment by the platform's clock, and where the machine's stood: `elapsed` in microseconds of its
    monotonic clock, which counts on through restarts of a process, within the same `boot`."""

    at: datetime
    elapsed: int
    boot: str | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """So many requests of a budget, reserved at one time by the platform's clock."""

    budget: Budget
    at: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Waits:
    """The pauses that the platform asked an account for before one method: the end of the last, by its clock;
    how many there were, and their seconds in all."""

    method: str
    until: datetime
    count: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Conduct:
    """What is on record of how an account behaved and was treated. `since` goes with state and reason;
    `last` is the latest moment at which anything of it was written."""

    account: str
    state: AccountState = AccountState.ACTIVE
    reason: AccountReason | None = None
    since: datetime | None = None
    joins_paused_until: datetime | None = None
    last: Moment | None = None
    spent: tuple[Spent, ...] = ()
    waits: tuple[Waits, ...] = ()


# -- cases, decisions, reports -----------------------------------------------------------------------------


class CaseState(enum.StrEnum):
    """Where the decision about a match stands. It is about the match: nobody here has seen the item."""

    OPEN = "open"
    ACCEPTED = "accepted"
    NOT_RELIED_ON = "not_relied_on"
    SECOND_OPINION = "second_opinion"


class ReasonCode(enum.StrEnum):
    """Why a match is not relied on."""

    DISTANCE_TOO_LARGE = "distance_too_large"
    LOW_QUALITY = "low_quality"
    KNOWN_FALSE_POSITIVE = "known_false_positive"
    WRONG_CATEGORY = "wrong_category"
    LIST_ERROR = "list_error"
    SOURCE_WITHDRAWN = "source_withdrawn"
    OTHER_DOCUMENTED = "other_documented"


class Route(enum.StrEnum):
    """To whom, and how, a report can go."""

    TELEGRAM = "telegram"
    TELEGRAM_MAIL = "telegram_mail"
    DSA = "dsa"
    HOTLINE = "hotline"
    NCMEC = "ncmec"
    KR_REVIEW_BODY = "kr_review_body"
    KR_POLICE = "kr_police"
    KR_VICTIM_CENTRE = "kr_victim_centre"
    GENERIC = "generic"


class ReportState(enum.StrEnum):
    """Where a report stands on its route."""

    PREPARED = "prepared"
    APPROVED = "approved"
    SENT = "sent"
    HANDED_OVER = "handed_over"
    FAILED = "failed"
    ACKNOWLEDGED = "acknowledged"
    OUTCOME = "outcome"
    SUPERSEDED = "superseded"


class ReportOutcome(enum.StrEnum):
    """What the recipient did."""

    ACTIONED = "actioned"
    ALREADY_GONE = "already_gone"
    NOT_ILLEGAL = "not_illegal"
    DUPLICATE = "duplicate"
    NEEDS_MORE = "needs_more"
    NO_ANSWER = "no_answer"


@dataclass(frozen=True, slots=True)
class EntryStanding:
    """How an entry that has a case stands in a version of its list: whether it is `listed` there, and what its
    label means."""

    entry: str
    listed: bool
    category: Category | None = None


_EVERYWHERE = (Route.TELEGRAM, Route.TELEGRAM_MAIL, Route.DSA, Route.GENERIC)
_KOREAN = (Route.KR_REVIEW_BODY, Route.KR_POLICE, Route.KR_VICTIM_CENTRE)
ROUTES: Mapping[Category, tuple[Route, ...]] = {
    Category.CHILD: (Route.HOTLINE, Route.NCMEC, *_KOREAN, *_EVERYWHERE),
    Category.ADULT_FILMED: (*_EVERYWHERE, *_KOREAN),
    Category.ADULT_SYNTHETIC: (*_EVERYWHERE, *_KOREAN),
    Category.TERRORISM: _EVERYWHERE,
    Category.UNKNOWN: (),
}
"""On which routes items of a category may be reported, unless the configuration says otherwise."""


@dataclass(frozen=True, slots=True)
class ReportingPolicy:
    """What an operator's programme lays down for decisions and reports.

    A decision can be undone, and nothing leaves, for `undo_seconds`. With `four_eyes` a report is approved by another
    person than the one who prepared it. With `platform_first` the platform may be told of a child's case before a
    hotline or the police. An item that is visible `still_visible_seconds` after it was reported is escalated.
    """

    undo_seconds: int = 60
    four_eyes: bool = False
    platform_first: bool = False
    still_visible_seconds: int = 48 * 3600
    routes: Mapping[Category, tuple[Route, ...]] = field(default_factory=lambda: ROUTES)


@dataclass(frozen=True, slots=True)
class Sighting:
    """One flag as a report tells it: where the item is, and which entry it matched how closely.

    `link` leads to the message. `distance`, `threshold` and `error_bound` in bits, `size` in bytes.
    `category` is None where the list's label has no mapping.
    """

    flag_id: FlagId
    channel_id: ChannelId
    username: str | None
    message_id: MessageId
    link: str
    posted_at: datetime
    first_seen_at: datetime
    flagged_at: datetime
    media_kind: MediaKind
    mime: str | None
    size: int | None
    hash_list: str
    list_version: str
    entry: str
    algorithm: Algorithm
    distance: int
    threshold: int
    quality: int | None
    error_bound: int | None
    rendition: str | None
    category: Category | None
    licensor: str
    list_reference: str


@dataclass(frozen=True, slots=True)
class OperatorDetails:
    """Who reports, as notices name them. `language` (en or ko) is that of sheets which exist in several."""

    organisation: str | None = None
    address: str | None = None
    contact_name: str | None = None
    email: str | None = None
    phone: str | None = None
    language: str = "en"


# -- what is not kept for ever -----------------------------------------------------------------------------


class Purpose(enum.StrEnum):
    """What a time can be laid down for after which it is removed."""

    MESSAGES = "messages"
    DELETED_MESSAGES = "deleted_messages"
    SENDERS = "senders"
    COUNTERS = "counters"
    EVENT_BODIES = "event_bodies"


# -- reports in the app ------------------------------------------------------------------------------------

LONGEST_LABEL, MOST_LABELS = 64, 24
"""Characters of one line of the platform's menu, and lines of one menu, that are shown."""
LONGEST_PATH, LONGEST_COMMENT = 8, 512
"""Choices on one way through the menu, and characters of a comment that goes with a report."""


class ErrandState(enum.StrEnum):
    """How far a report in the app has come.

    SENDING: requests have left that may bring it to its end. ASKING: the menu wants a person's choice. UNKNOWN:
    a request left and nobody heard the answer, so it may have arrived.
    """

    WAITING = "waiting"
    SENDING = "sending"
    ASKING = "asking"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"

    @property
    def settled(self) -> bool:
        """Whether nothing more will be done by itself."""
        return self in (ErrandState.SENT, ErrandState.FAILED, ErrandState.UNKNOWN)


class ErrandFailure(enum.StrEnum):
    """Why a report in the app was not sent."""

    NOT_OFFERED = "not_offered"
    MENU_CHANGED = "menu_changed"
    MORE_CHOICES = "more_choices"
    COMMENT_NEEDED = "comment_needed"
    MESSAGE_GONE = "message_gone"
    CHANNEL_GONE = "channel_gone"
    NOT_COLLECTED = "not_collected"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"

    @property
    def explanation(self) -> str:
        """One sentence for people: what is wrong and what to do."""
        return _ERRAND_FAILURES[self.value]


_ERRAND_FAILURES: Mapping[str, str] = {
    "not_offered": "the platform's menu does not offer that text; look at what it offers and choose anew",
    "menu_changed": "the platform's menu changed on the way; choose anew",
    "more_choices": "the menu asks for a further choice; name it with a further --choose",
    "comment_needed": "this choice needs a comment; give one with --comment",
    "message_gone": "the message is no longer there",
    "channel_gone": "the channel is gone, or this account can no longer see it",
    "not_collected": "the channel is no longer collected through this account; nothing is asked about it",
    "refused": "the platform refused it, or answered in a way this version does not know",
    "withdrawn": "a person took it back before it was sent",
}


@dataclass(frozen=True, slots=True)
class Label:
    """One line of the platform's menu: printable, without blanks around it. Raises ValueError for another text."""

    text: str

    def __post_init__(self) -> None:
        text = self.text
        if not 0 < len(text) <= LONGEST_LABEL or not text.isprintable() or text != text.strip():
            raise ValueError("a line of the menu is printable and of a bounded length")


@dataclass(frozen=True, slots=True)
class Approval:
    """That a report may be sent: who said so, and when."""

    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Errand:
    """A message to report in the app. `path` are the texts to choose in the menu, from its top; `comment` is None
    where a person is to be asked whether there is one, and empty for none. Not `permitted`: the channel is no longer
    collected through the account."""

    errand_id: int
    channel_id: ChannelId
    message_id: MessageId
    path: tuple[str, ...]
    comment: str | None
    permitted: bool = True


@dataclass(frozen=True, slots=True)
class Told:
    """What has come of an errand, at `at`.

    `steps` of its path were chosen; `commented` says that its comment went with them. Where the menu wants a choice,
    or does not offer the one that was wanted, `menu` is what it offers, without `hidden` lines that are no `Label`.
    `comment_optional` is set where a comment is wanted. WAITING `until` then: the account has to pause.
    """

    errand_id: int
    state: ErrandState
    at: datetime
    steps: int = 0
    commented: bool = False
    failure: ErrandFailure | None = None
    menu: tuple[Label, ...] = ()
    hidden: int = 0
    comment_optional: bool | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        if len(self.menu) > MOST_LABELS or (self.state is ErrandState.FAILED) != (self.failure is not None):
            raise ValueError("told of an errand what contradicts itself")


@dataclass(frozen=True, slots=True)
class InAppReport:
    """One report in the app as it is on record; see `Errand` and `Told`. `again` counts earlier ones of the same
    message and account that arrived, or may have; `seen_by` has taken note of a failure."""

    errand_id: int
    report_id: int | None
    account: str
    channel_id: ChannelId
    message_id: MessageId
    operator: str
    requested_at: datetime
    approval: Approval
    path: tuple[str, ...]
    comment: str | None
    again: int
    explanation: str | None
    state: ErrandState
    failure: ErrandFailure | None
    steps: int
    commented: bool
    menu: tuple[Label, ...]
    hidden: int
    comment_optional: bool | None
    until: datetime | None
    told_at: datetime | None
    seen_by: str | None


# -- events ------------------------------------------------------------------------------------------------


class EventType(enum.StrEnum):
    """What must be provable. The report log is the projection of these rows."""

    AUTHORIZATION_DECLARED = "authorization_declared"
    AUTHORIZATION_REVOKED = "authorization_revoked"
    CHANNEL_JOINED = "channel_joined"
    CHANNEL_REFUSED = "channel_refused"
    CHANNEL_STOPPED = "channel_stopped"
    LIST_LOADED = "list_loaded"
    FLAG_RAISED = "flag_raised"
    EXPORT_MADE = "export_made"
    SIGNED_IN = "signed_in"
    PSEUDONYM_KEY_ROTATED = "pseudonym_key_rotated"
    RESCAN_REQUESTED = "rescan_requested"
    ENTRY_QUARANTINED = "entry_quarantined"
    ENTRY_RELEASED = "entry_released"
    LIST_LOOKED_UP = "list_looked_up"
    LIST_ENTRY_ADDED = "list_entry_added"
    LIST_ENTRY_REMOVED = "list_entry_removed"
    LOG_KEY_ROTATED = "log_key_rotated"
    OPERATOR_ADDED = "operator_added"
    OPERATOR_CHANGED = "operator_changed"
    RETENTION_RUN = "retention_run"
    ERASED = "erased"
    BACKUP_MADE = "backup_made"
    STORE_RESTORED = "store_restored"
    # What becomes of a case.
    FLAG_COMPLETED = "flag_completed"
    ENTRY_WITHDRAWN = "entry_withdrawn"
    ENTRY_RESTORED = "entry_restored"
    CASE_DECIDED = "case_decided"
    CASE_UNDONE = "case_undone"
    SECOND_OPINION_ASKED = "second_opinion_asked"
    CASE_ASSIGNED = "case_assigned"
    CASE_HELD = "case_held"
    CASE_HOLD_ENDED = "case_hold_ended"
    NEGATIVE_ADDED = "negative_added"
    NEGATIVE_ENDED = "negative_ended"
    REPORT_PREPARED = "report_prepared"
    REPORT_APPROVED = "report_approved"
    NOTICE_MADE = "notice_made"
    MAIL_BEGUN = "mail_begun"
    MAIL_PUT_OFF = "mail_put_off"
    REPORT_SENT = "report_sent"
    REPORT_HANDED_OVER = "report_handed_over"
    REPORT_FAILED = "report_failed"
    REPORT_ACKNOWLEDGED = "report_acknowledged"
    REPORT_OUTCOME = "report_outcome"
    CORRECTION_OPENED = "correction_opened"
    CORRECTION_DONE = "correction_done"
    ESCALATION_OPENED = "escalation_opened"
    # One item of a report in the app.
    ITEM_REPORTED = "item_reported"
    ITEM_NOT_REPORTED = "item_not_reported"


AUTOMATIC = "monitor"
"""Who acted, where nobody did: what falls due by itself."""

Scalar = str | int | bool | None


@dataclass(frozen=True, slots=True)
class Event:
    """One row of `events`: `seq` counts from 0 without gaps; `body` holds ids and operators' declarations."""

    seq: int
    at: datetime
    type: EventType
    body: Mapping[str, Scalar]


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts over the whole store, for status and summaries.

    `messages` are all, `service` those of them that are the platform's notices; `media_fetched` are items of
    which bytes were read, `fetched_bytes` the bytes of all of them.
    """

    messages: int
    service: int
    media: int
    media_pending: int
    media_fetched: int
    fetched_bytes: int
    flags: int
    events: int
