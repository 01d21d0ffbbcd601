"""Rescans: media that was settled waits again, for the sake of hashes that came later."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, and_, func, null, or_, select, update

from monitor.errors import InputError, NotAuthorized
from monitor.model import ChannelState, EventType, MediaOutcome, Refusal, Scalar
from monitor.store import events
from monitor.store.events import Salt
from monitor.store.schema import channels, flags, hash_lists, media, messages

_PENDING = media.c.outcome == MediaOutcome.PENDING.value


@dataclass(frozen=True, slots=True)
class Rescanned:
    """What has come of a rescan so far. `request` is its event, `items` are all that it had fetched again.

    `left` still wait to be examined; `stuck` wait too, but in channels that are not collected any more.
    `flags` are new ones, `outcomes` those of items that do not wait.
    """

    request: int
    items: int
    left: int
    stuck: int
    flags: int
    outcomes: Mapping[MediaOutcome, int]


def request(
    conn: Connection,
    salt: Salt,
    *,
    operator: str,
    since: datetime,
    until: datetime | None = None,
    hash_list: str | None = None,
    username: str | None = None,
    at: datetime,
) -> int:
    """Let media posted in the window (both ends included) wait again, with an event; returns its number.

    What has matched is left alone, and so is what can no longer be asked for. With `hash_list` only what
    was settled before that list's current version was loaded. Raises InputError for a list or a channel
    that is not on record, NotAuthorized for a channel that is not collected.
    """
    loaded_at, version = (None, None) if hash_list is None else _current(conn, hash_list)
    number = events.following(conn)
    again: ColumnElement[bool] = media.c.outcome != MediaOutcome.MATCH.value
    if loaded_at is not None:
        # What was settled later was compared with this version already.
        again = and_(again, or_(_PENDING, media.c.settled_at < loaded_at))
    marked = conn.execute(
        update(media)
        .where(again, media.c.media_id.in_(_posted(conn, since, until, username)))
        .values(outcome=MediaOutcome.PENDING.value, settled_at=null(), rescan=number)
    )
    body: dict[str, Scalar] = {
        "operator": operator,
        "since": since.isoformat(),
        "until": None if until is None else until.isoformat(),
        "hash_list": hash_list,
        "version": version,
        "username": username,
        "items": marked.rowcount,
    }
    return events.handed_in(conn, salt, EventType.RESCAN_REQUESTED, body, at)


def progress(conn: Connection, request: int) -> Rescanned:
    """How far a rescan has come; see `Reader.rescanned`."""
    ours = media.c.rescan == request
    counted = select(media.c.outcome, func.count()).where(ours).group_by(media.c.outcome)
    outcomes = {MediaOutcome(outcome): n for outcome, n in conn.execute(counted)}
    waiting = outcomes.pop(MediaOutcome.PENDING, 0)
    reachable = select(func.count()).where(
        ours, _PENDING, select(1).where(messages.c.media_id == media.c.media_id, _collected()).exists()
    )
    raised = select(func.count()).select_from(flags).join(media, media.c.media_id == flags.c.media_id)
    left = conn.execute(reachable).scalar_one() if waiting else 0
    return Rescanned(
        request=request,
        items=waiting + sum(outcomes.values()),
        left=left,
        stuck=waiting - left,
        # An item that had matched before would not be among them: all of its flags are new.
        flags=conn.execute(raised.where(ours)).scalar_one(),
        outcomes=outcomes,
    )


def _collected() -> ColumnElement[bool]:
    """The message can be asked for: it is not known to be deleted, in a channel that is collected."""
    ids = select(channels.c.channel_id).where(channels.c.state == ChannelState.COLLECTING.value)
    return and_(messages.c.deleted_seen_at.is_(None), messages.c.channel_id.in_(ids))


def _posted(
    conn: Connection, since: datetime, until: datetime | None, username: str | None
) -> Select[tuple[int]]:
    """Ids of media that was posted in the window and can still be asked for."""
    chosen = select(messages.c.media_id).where(
        messages.c.media_id.is_not(None), messages.c.posted_at >= since, _collected()
    )
    if until is not None:
        chosen = chosen.where(messages.c.posted_at <= until)
    if username is not None:
        chosen = chosen.where(messages.c.channel_id == _channel(conn, username))
    return chosen


def _channel(conn: Connection, username: str) -> int:
    found = conn.execute(select(channels).where(func.lower(channels.c.username) == username.lower()))
    row = found.one_or_none()
    if row is None:
        raise InputError(f"{username}: is not on record; monitor channels list shows what is")
    if row.state != ChannelState.COLLECTING:
        why = Refusal(row.reason).explanation if row.reason else "it was not joined yet"
        raise NotAuthorized(f"{username}: is not collected: {why}")
    return int(row.channel_id)


def _current(conn: Connection, name: str) -> tuple[datetime, str]:
    """When the list's current version was loaded, and what it is called."""
    row = conn.execute(
        select(hash_lists.c.loaded_at, hash_lists.c.version)
        .where(hash_lists.c.name == name)
        .order_by(hash_lists.c.hash_list_id.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        known = ", ".join(conn.execute(select(hash_lists.c.name).distinct()).scalars()) or "none"
        raise InputError(f"{name}: no such list was ever loaded; known are: {known}. See monitor reload")
    return row.loaded_at, row.version
