"""Channels, and who allowed their collection."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from monitor.model.ids import ChannelId, MessageId


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
