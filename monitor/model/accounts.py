"""Accounts: their sessions, and how they behave."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from monitor.model.ids import ChannelId


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
