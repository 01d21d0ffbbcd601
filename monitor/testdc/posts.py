"""What the world keeps of a post, a user and a change: plain records without behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from monitor.testdc.media import Media


@dataclass(eq=False)
class User:
    """A person, or with a `token` a bot. With a phone or a token it may sign in, at its home data centre."""

    id: int
    first_name: str
    last_name: str | None = None
    username: str | None = None
    phone: str | None = None
    code: str | None = None
    password: str | None = None
    dc: int = 1
    token: str | None = None
    # Accepts each login token so many seconds after it was made, as if a person scanned it.
    scans_after: float | None = None
    # The account's own sequence (private messages): starts at 1, as a pts of 0 means none.
    pts: int = 1
    notices: list[Notice] = field(default_factory=list)

    @property
    def bot(self) -> bool:
        """Whether it is a bot."""
        return self.token is not None

    @property
    def label(self) -> str:
        """The phone, or for those without one a name made of the id."""
        return self.phone or f"{'bot' if self.bot else 'user'}{self.id}"


@dataclass(frozen=True, slots=True)
class Notice:
    """A private message from the service account."""

    id: int
    pts: int
    date: int
    text: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a forwarded post came from."""

    date: int
    channel_id: int | None = None
    post_id: int | None = None
    user_id: int | None = None
    name: str | None = None


@dataclass(slots=True, eq=False)
class Post:
    """One message of a channel. Change it through the channel, which tells those who listen."""

    id: int
    channel_id: int
    date: int
    text: str = ""
    media: Media | None = None
    sender: User | None = None
    origin: Origin | None = None
    reply_to: int | None = None
    topic: int | None = None
    grouped_id: int | None = None
    silent: bool = False
    pinned: bool = False
    spoiler: bool = False
    noforwards: bool = False
    ttl: int | None = None
    entities: list[Any] | None = None
    views: int | None = None
    forwards: int | None = None
    replies: int | None = None
    reactions: dict[str, int] | None = None
    restriction: tuple[tuple[str, str, str], ...] = ()
    via_bot: int | None = None
    author: str | None = None
    edited: int | None = None
    edit_hidden: bool = False
    action: Any = None
    # Serialised form and the time until which it may be used again (its file references age).
    rendered: tuple[bytes, float, int] | None = None


class Kind(Enum):
    """What happened to posts."""

    NEW = "new"
    EDIT = "edit"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Change:
    """One step of a channel's sequence: `pts` after it, and by how much it grew."""

    channel_id: int
    kind: Kind
    ids: tuple[int, ...]
    pts: int
    count: int


@dataclass(frozen=True, slots=True)
class ChannelChanged:
    """A channel, or somebody's place in it, is not what it was. `users` are those to be told."""

    channel_id: int
    users: frozenset[int]


@dataclass(frozen=True, slots=True)
class Noticed:
    """A user got a private message from the service account."""

    user: User
    notice: Notice


Event = Change | ChannelChanged | Noticed
