"""Reports: where they can go, what they tell, what becomes of them."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from monitor.model.hashes import Algorithm
from monitor.model.ids import ChannelId, FlagId, MessageId
from monitor.model.lists import Category
from monitor.model.media import MediaKind


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
