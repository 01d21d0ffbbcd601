"""Declared channels: their authorizations, and where each of them stands."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from monitor.errors import ChannelRefused, ConfigError
from monitor.model import (
    Authorization,
    Basis,
    Channel,
    ChannelId,
    ChannelState,
    ChatKind,
    Declaration,
    EventType,
    MessageId,
    Profile,
    Refusal,
    Scalar,
)
from monitor.store import events
from monitor.store.events import Salt
from monitor.store.schema import authorizations, channels, cursors

_AUTHORIZATION = (
    "reference",
    "granted_by",
    "basis",
    "valid_from",
    "valid_until",
    "document_sha256",
    "approved_by",
    "terms",
)
_PROFILE = ("channel_id", "created_at", "participants", "verified", "scam", "fake", "linked_channel_id")
_ALL = (
    select(
        channels,
        *(authorizations.c[name] for name in _AUTHORIZATION),
        authorizations.c.includes,
        authorizations.c.channel_id.label("declared_id"),
        func.coalesce(cursors.c.cursor, 0).label("cursor"),
    )
    .join(authorizations, authorizations.c.authorization_id == channels.c.authorization_id)
    .outerjoin(cursors, cursors.c.channel_id == channels.c.channel_id)
    .order_by(channels.c.username)
)


def all_channels(conn: Connection) -> list[Channel]:
    """Every channel ever declared, by username."""
    return [_channel(row) for row in conn.execute(_ALL).mappings()]


def declare(conn: Connection, salt: Salt, declarations: Sequence[Declaration], at: datetime) -> None:
    """Bring the rows in line with what is declared; see `ports.Store.declare`."""
    # Usernames are compared without regard to case, as the platform does.
    twice = [name for name, n in Counter(d.username.lower() for d in declarations).items() if n > 1]
    if twice:
        raise ConfigError(f"channels: {twice[0]} is declared twice; keep one declaration of it")
    known = {row["username"].lower(): row for row in conn.execute(_ALL).mappings()}
    for declaration in declarations:
        row = known.pop(declaration.username.lower(), None)
        if row is None:
            authorization_id = _authorize(conn, salt, declaration, at)
            conn.execute(
                insert(channels).values(
                    username=declaration.username,
                    authorization_id=authorization_id,
                    state=ChannelState.DECLARED.value,
                    account=declaration.account,
                )
            )
            continue
        if declaration.account not in (None, row["account"]):
            _set(conn, row, account=declaration.account)
        withdrawn = row["reason"] == Refusal.NO_AUTHORIZATION
        if _declared(declaration) != {name: row[name] for name in _declared(declaration)} or withdrawn:
            _renew(conn, row, _authorize(conn, salt, declaration, at), declaration)
    for row in known.values():
        if row["reason"] != Refusal.NO_AUTHORIZATION:
            _leave(conn, salt, row, ChannelState.STOPPED, Refusal.NO_AUTHORIZATION, at)


def joined(conn: Connection, salt: Salt, username: str, profile: Profile, account: str, at: datetime) -> None:
    """The channel is being collected; see `ports.Store.joined`."""
    row = _row(conn, username)
    if row is None:
        raise ChannelRefused(Refusal.NO_AUTHORIZATION)
    if row["reason"] in (Refusal.NO_AUTHORIZATION, Refusal.REVOKED):
        raise ChannelRefused(Refusal(row["reason"]))
    expected = row["declared_id"] or row["channel_id"]
    if expected not in (None, profile.channel_id):
        raise ChannelRefused(Refusal.NAME_MOVED)
    _set(
        conn,
        row,
        state=ChannelState.COLLECTING.value,
        reason=None,
        account=account,
        **{name: getattr(profile, name) for name in _PROFILE},
    )
    if row["state"] != ChannelState.COLLECTING:
        body: dict[str, Scalar] = {
            "username": row["username"],
            "channel_id": profile.channel_id,
            "account": account,
            "reference": row["reference"],
        }
        events.append(conn, salt, EventType.CHANNEL_JOINED, body, at)


def refused(conn: Connection, salt: Salt, username: str, reason: Refusal, at: datetime) -> None:
    """The channel is refused or stopped; see `ports.Store.refused`."""
    row = _row(conn, username)
    if row is None:
        raise ChannelRefused(Refusal.NO_AUTHORIZATION)
    if row["reason"] == reason:
        return
    was_collected = row["state"] in (ChannelState.COLLECTING, ChannelState.STOPPED)
    _leave(conn, salt, row, ChannelState.STOPPED if was_collected else ChannelState.REFUSED, reason, at)


def _leave(
    conn: Connection, salt: Salt, row: RowMapping, state: ChannelState, reason: Refusal, at: datetime
) -> None:
    _set(conn, row, state=state.value, reason=reason.value)
    stopped = state is ChannelState.STOPPED
    body: dict[str, Scalar] = {
        "username": row["username"],
        "channel_id": row["channel_id"],
        "reason": reason.value,
        "reference": row["reference"],
    }
    events.append(conn, salt, EventType.CHANNEL_STOPPED if stopped else EventType.CHANNEL_REFUSED, body, at)


def _authorize(conn: Connection, salt: Salt, declaration: Declaration, at: datetime) -> int:
    """Keep what is declared as a further record, with its event; returns the record's id."""
    values = _declared(declaration)
    channel_id = values.pop("declared_id")
    result = conn.execute(
        insert(authorizations)
        .values(username=declaration.username, declared_at=at, channel_id=channel_id, **values)
        .returning(authorizations.c.authorization_id)
    )
    a = declaration.authorization
    body: dict[str, Scalar] = {
        "username": declaration.username,
        "channel_id": channel_id,
        "includes": values["includes"],
        "reference": a.reference,
        "granted_by": a.granted_by,
        "basis": a.basis.value,
        "valid_from": a.valid_from.isoformat(),
        "valid_until": a.valid_until.isoformat(),
        "document_sha256": None if a.document_sha256 is None else a.document_sha256.hex(),
        "approved_by": a.approved_by,
        "terms": a.terms,
    }
    events.append(conn, salt, EventType.AUTHORIZATION_DECLARED, body, at)
    return int(result.scalar_one())


def _renew(conn: Connection, row: RowMapping, authorization_id: int, declaration: Declaration) -> None:
    """Put a further authorization in force: what was refused or stopped may be tried again.

    A revocation holds until another reference is declared. Another reference for a name that has moved
    authorizes the channel that holds it now.
    """
    changes: dict[str, Any] = {"authorization_id": authorization_id}
    new_reference = declaration.authorization.reference != row["reference"]
    if row["reason"] is not None and (new_reference or row["reason"] != Refusal.REVOKED):
        changes |= {"state": ChannelState.DECLARED.value, "reason": None}
        if row["reason"] == Refusal.NAME_MOVED and new_reference:
            changes |= dict.fromkeys(_PROFILE)
    _set(conn, row, **changes)


def _declared(declaration: Declaration) -> dict[str, Any]:
    """What is declared of a channel, as the columns hold it."""
    values: dict[str, Any] = {name: getattr(declaration.authorization, name) for name in _AUTHORIZATION}
    values["basis"] = declaration.authorization.basis.value
    values["includes"] = " ".join(sorted(declaration.includes))
    values["declared_id"] = declaration.channel_id
    return values


def _row(conn: Connection, username: str) -> RowMapping | None:
    return (
        conn.execute(_ALL.where(func.lower(channels.c.username) == username.lower())).mappings().one_or_none()
    )


def _set(conn: Connection, row: RowMapping, **values: Any) -> None:
    conn.execute(update(channels).where(channels.c.username == row["username"]).values(**values))


def _channel(row: RowMapping) -> Channel:
    authorization = {name: row[name] for name in _AUTHORIZATION} | {"basis": Basis(row["basis"])}
    return Channel(
        username=row["username"],
        state=ChannelState(row["state"]),
        authorization=Authorization(**authorization),
        reason=None if row["reason"] is None else Refusal(row["reason"]),
        profile=None if row["channel_id"] is None else _profile(row),
        cursor=MessageId(row["cursor"]),
        account=row["account"],
        includes=frozenset(ChatKind(kind) for kind in row["includes"].split()),
    )


def _profile(row: RowMapping) -> Profile:
    return Profile(
        channel_id=ChannelId(row["channel_id"]),
        created_at=row["created_at"],
        participants=row["participants"],
        verified=bool(row["verified"]),
        scam=bool(row["scam"]),
        fake=bool(row["fake"]),
        linked_channel_id=row["linked_channel_id"],
    )
