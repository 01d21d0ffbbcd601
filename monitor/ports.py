"""The seams between rooms, each with at least two real implementations or a process boundary to cross.

Every argument and every result is a frozen value of `monitor.model`, so that a proxy over a socket can
stand in for any of these.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from monitor.model import (
    AccountReason,
    AccountState,
    Batch,
    Channel,
    ChannelId,
    Conduct,
    Coverage,
    Declaration,
    EntryStanding,
    Errand,
    EventType,
    Examined,
    ListVersion,
    Look,
    Match,
    MediaHashes,
    MessageId,
    Moment,
    PendingMedia,
    Profile,
    Recorded,
    Refusal,
    Scalar,
    SessionState,
    Spent,
    Told,
    Totals,
)

Progress = Callable[[str, int, int], None]
"""Told of a channel's history: username, ids accounted for, ids in all."""


class Store(Protocol):
    """Where rows are kept. Each call is one transaction: done and durable when it returns, or not at all.

    Raises StoreBusy when another process holds the lock too long, StoreCorrupt when the file is damaged.
    """

    # -- accounts

    async def session(self, account: str) -> SessionState | None:
        """The account's saved session, or None when it never signed in."""

    async def save_session(self, state: SessionState) -> None:
        """Replace the account's session."""

    async def forget_session(self, account: str) -> None:
        """Remove the account's session and its peers; nothing happens when there is none."""

    async def conduct(self, account: str) -> Conduct:
        """What is on record of how the account behaved; nothing but its name when there is nothing."""

    async def spend(self, account: str, spent: Spent, now: Moment, keep_since: datetime) -> None:
        """Note requests of a budget before they are made; what the account spent of it before `keep_since`
        is forgotten. Spent twice at the same time counts twice."""

    async def flood_wait(self, account: str, method: str, seconds: int, now: Moment) -> None:
        """The platform asked for a pause of `seconds` before this method. A later end on record stays."""

    async def pause_joins(self, account: str, until: datetime, now: Moment) -> None:
        """No joins before `until`. A later end on record stays."""

    async def account_state(
        self, account: str, state: AccountState, reason: AccountReason | None, now: Moment
    ) -> None:
        """Whether the account can work. Since when is kept as long as state and reason stay the same."""

    # -- channels

    async def declare(self, declarations: Sequence[Declaration], at: datetime) -> None:
        """Bring channels in line with the configuration.

        A new username is added as DECLARED. A changed authorization (any field, or what it covers) is kept
        as a further record with its event; what was refused or stopped becomes DECLARED again, but what was
        REVOKED only under another reference. A channel no longer declared, or declared without one, loses
        its authorization (NO_AUTHORIZATION, STOPPED). Declaring the same again writes nothing. Usernames
        are compared without regard to case. Raises ConfigError when one is declared twice.
        """

    async def channels(self) -> list[Channel]:
        """All channels ever declared, by username."""

    async def joined(self, username: str, profile: Profile, account: str, at: datetime) -> None:
        """The channel is being collected by `account`. The first time, and after a refusal, an event.

        Raises ChannelRefused: NAME_MOVED when this username was declared or recorded with another channel
        id before, NO_AUTHORIZATION or REVOKED when there is no authorization that holds.
        """

    async def refused(self, username: str, reason: Refusal, at: datetime) -> None:
        """The channel was refused, or stopped if it was being collected. An event when the reason is new.

        Raises ChannelRefused(NO_AUTHORIZATION) when the username was never declared.
        """

    # -- messages

    async def record(self, batches: Sequence[Batch]) -> Recorded:
        """Upsert messages, their media and the ledger, in one transaction.

        Upserting keeps `first_seen_at`, `source` and `account` of the first record; a record as of an earlier
        position than the stored one changes nothing, nor, where one of them is unknown, one edited earlier; an
        edit once seen is never taken back. Media that is new waits as PENDING; media that matched already
        raises its flag on each further message at once; media that was GONE, FAILED or EMPTY waits again.
        `deleted` sets `deleted_seen_at` once, on rows that exist, and so does a span in which they did not come;
        media that waits and that no message carries any more is GONE; media that was GONE, lost a message and is
        carried by another waits again. Ids that are not on record and are deleted, or did not come, become absent.
        The cursor moves over all that is recorded or absent; of a span it is taken at its word when the cursor
        stands at `span.after` or beyond. A span makes what is stale fresh.
        """

    async def begin(self, channel_id: ChannelId, start: MessageId, top: MessageId, position: int) -> None:
        """Cover a channel from message id `start` on; its newest id is `top`, its sequence stands at `position`.

        Again with a lower start: the cursor goes back to it, over what is not on record yet. Nothing else changes
        of a channel that is covered already, but that `top` never falls and an unknown position becomes known.
        """

    async def coverage(self, channel_id: ChannelId) -> Coverage | None:
        """How far the channel is accounted for; None before anything is."""

    async def due_looks(self, channels: Sequence[ChannelId], at: datetime, limit: int) -> list[Look]:
        """Up to `limit` messages of these channels whose counters are due to be read again, by channel."""

    # -- media

    async def pending_media(self, channels: Sequence[ChannelId], limit: int) -> list[PendingMedia]:
        """Up to `limit` media items that wait and are carried by a message of these channels, oldest first.

        The message is the newest that carries the item and is not known to be deleted.
        """

    async def examined(self, outcome: Examined) -> int:
        """Settle one media item; raise a flag, with its event, for every message that carries it.

        Returns the number of new flags. Repeating it adds no flag. An item already settled as MATCH stays
        so; of an item that no message ever carried nothing is kept. An item that is GONE from a message which
        is known by now to carry it no more, while another does, stays pending: it is asked for through that.
        """

    # -- reports in the app

    async def errands(self, account: str, at: datetime) -> list[Errand]:
        """What this account is to report and may report now, in the order in which people asked."""

    async def errand_leaves(self, errand_id: int, at: datetime) -> bool:
        """A request is about to leave that may bring the errand to its end: it is SENDING from now on. False when it
        was taken back, or is no longer waiting: nothing may be sent then."""

    async def errand_told(self, told: Told) -> None:
        """What has come of an errand; what is sent, failed or unknown is an event. An errand that is settled, or was
        taken back, stays as it is, and only one that is SENDING can become SENT."""

    async def errands_lost(self, account: str, at: datetime) -> int:
        """Whoever served this account's errands is no more: those that were SENDING are UNKNOWN. How many."""

    # -- lists and events

    async def list_loaded(self, version: ListVersion, at: datetime) -> None:
        """Remember a list's version; an event when it differs from the last one of that name."""

    async def entries(self, hash_list: str) -> list[str]:
        """The entries of a list that have a case, sorted."""

    async def entries_stand(self, hash_list: str, standings: Sequence[EntryStanding], at: datetime) -> int:
        """Take down how entries stand in the list's version that was loaded: what their labels mean by now, and
        which the list holds no more, or again, with an event each. Entries without a case are passed over.

        What a withdrawn entry matched raises no further flag until it is listed again; then it does, for all that was
        seen meanwhile. Returns the number of flags raised by that.
        """

    async def append(self, kind: EventType, body: Mapping[str, Scalar], at: datetime) -> int:
        """Append an event that describes no other row; returns its sequence number."""

    async def totals(self) -> Totals:
        """Counts over everything."""


class Download(Protocol):
    """An item being read. `rendition` is the photo size's letter, with the number of its first scans where these
    are all that is read ("y:2"), or "document"; `size` in bytes, as announced. `original_size` is the width and
    height of the largest size, in pixels as announced, when this is a smaller one; None when it is not.
    """

    @property
    def rendition(self) -> str: ...

    @property
    def size(self) -> int: ...

    @property
    def original_size(self) -> tuple[int, int] | None: ...

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """The item's bytes in order; fewer or more than `size` when it was announced wrongly. Close it when
        it is not read to its end. Raises MediaGone, MediaOnCdn, MediaUnavailable, FloodWait, SourceUnavailable.
        """


class Source(Protocol):
    """One signed-in account, as far as media is concerned."""

    async def locate(self, pending: PendingMedia, *, small: bool = False) -> Download:
        """Find the item through its message, with a fresh reference: in its largest size or, with `small`, in the
        least that shows what its hashes are, where there is one.

        Nothing is fetched yet. Raises MediaGone, FloodWait, SourceUnavailable, ChannelError.
        """


class Hashing(Protocol):
    """One item being hashed, chunk by chunk. Nothing of it outlives `finish`."""

    async def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""

    async def finish(self) -> MediaHashes:
        """Digests of all bytes and, when they are a picture or a film, perceptual hashes of what they show."""


class Hasher(Protocol):
    """Turns bytes into hashes; in this process, or in a confined worker."""

    def start(self, original_size: tuple[int, int] | None = None, *, films: bool = True) -> Hashing:
        """Begin with one item; with the original's width and height when its bytes are a smaller rendition.
        Without `films` nothing of what moves is decoded but a moving picture's first frame."""


class Matcher(Protocol):
    """The hash lists in force."""

    @property
    def perceptual(self) -> bool:
        """Whether a list of pictures' perceptual hashes is among them: whether a smaller rendition says anything."""

    @property
    def films(self) -> bool:
        """Whether a film's frames can match: whether it is worth decoding."""

    def suspects(self, hashes: MediaHashes) -> bool:
        """Whether the original of a rendition with these hashes may match: the radius is wider, the quality lower."""

    def match(self, hashes: MediaHashes) -> tuple[Match, ...]:
        """Every entry within its list's threshold, nearest first; empty when there is none."""
