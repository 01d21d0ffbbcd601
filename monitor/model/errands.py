"""Reports in the app: what a person asked for, and how far it has come."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from monitor.model.ids import ChannelId, MessageId

LONGEST_LABEL = 64
MOST_LABELS = 24
"""Characters of one line of the platform's menu, and lines of one menu, that are shown."""
LONGEST_PATH = 8
LONGEST_COMMENT = 512
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
