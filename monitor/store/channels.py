"""Declared channels: their authorizations, and where each of them stands."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from monitor.errors import ChannelRefused, ConfigError, InputError, NotAuthorized
from monitor.model import (
    Authorization,
    Basis,
    Channel,
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
from monitor.store.schema import authorizations, channels, coverage

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
        *authorizations.c[_AUTHORIZATION],
        func.coalesce(coverage.c.cursor, 0).label("cursor"),
    )
    .outerjoin(authorizations, authorizations.c.authorization_id == channels.c.authorization_id)
    .outerjoin(coverage, coverage.c.channel_id == channels.c.channel_id)
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
            _add(conn, salt, declaration, at)
        else:
            _redeclare(conn, salt, row, declaration, at)
    for row in known.values():
        _withdraw(conn, salt, row, at)


def joined(conn: Connection, salt: Salt, username: str, profile: Profile, account: str, at: datetime) -> None:
    """The channel is being collected; see `ports.Store.joined`."""
    row = _row(conn, username)
    if row is None or row["authorization_id"] is None:
        raise ChannelRefused(Refusal.NO_AUTHORIZATION)
    if row["reason"] == Refusal.REVOKED:
        raise ChannelRefused(Refusal.REVOKED)
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
    if row["reason"] in (reason, Refusal.REVOKED):
        return  # a revocation holds, whatever else is wrong with the channel
    was_collected = row["state"] in (ChannelState.COLLECTING, ChannelState.STOPPED)
    _leave(conn, salt, row, ChannelState.STOPPED if was_collected else ChannelState.REFUSED, reason, at)


def revoke(
    conn: Connection, salt: Salt, username: str, *, explanation: str, operator: str, at: datetime
) -> bool:
    """End a channel's authorization, with an event; False when it was revoked already.

    It is stopped at once as far as the records go, and holds until another reference is declared. Raises
    InputError for a channel that is not on record, NotAuthorized for one without an authorization.
    """
    row = _row(conn, username)
    if row is None:
        raise InputError(f"{username}: is not on record; monitor channels list shows what is")
    if row["reason"] == Refusal.REVOKED:
        return False
    if row["authorization_id"] is None:
        raise NotAuthorized(f"{username}: has no authorization that could be revoked")
    body: dict[str, Scalar] = {
        "username": row["username"],
        "channel_id": row["channel_id"],
        "reference": row["reference"],
        "operator": operator,
        "explanation": explanation,
    }
    events.handed_in(conn, salt, EventType.AUTHORIZATION_REVOKED, body, at)
    if row["state"] == ChannelState.COLLECTING:
        _leave(conn, salt, row, ChannelState.STOPPED, Refusal.REVOKED, at)
    else:
        _set(conn, row, state=ChannelState.STOPPED.value, reason=Refusal.REVOKED.value)
    return True


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


def _add(conn: Connection, salt: Salt, declaration: Declaration, at: datetime) -> None:
    conn.execute(
        insert(channels).values(
            username=declaration.username,
            authorization_id=_authorize(conn, salt, declaration, at),
            state=ChannelState.DECLARED.value,
            account=declaration.account,
            leave_when_ended=declaration.leave_when_ended,
            **_scope(declaration),
        )
    )


def _redeclare(conn: Connection, salt: Salt, row: RowMapping, declaration: Declaration, at: datetime) -> None:
    """A channel that was declared before: nothing is written unless something has changed."""
    if declaration.account not in (None, row["account"]):
        _set(conn, row, account=declaration.account)
    if declaration.leave_when_ended != bool(row["leave_when_ended"]):
        _set(conn, row, leave_when_ended=declaration.leave_when_ended)
    authorization, scope = declaration.authorization, _scope(declaration)
    same_scope = all(row[name] == value for name, value in scope.items())
    if not same_scope:
        _set(conn, row, **scope)
    if authorization is None:
        _withdraw(conn, salt, row, at)
        return
    if same_scope and all(row[name] == value for name, value in _record(authorization).items()):
        return
    changes: dict[str, Any] = {"authorization_id": _authorize(conn, salt, declaration, at)}
    new_reference = authorization.reference != row["reference"]
    # What was refused or stopped may be tried again; a revocation holds until another reference is declared.
    if row["reason"] is not None and (new_reference or row["reason"] != Refusal.REVOKED):
        changes |= {"state": ChannelState.DECLARED.value, "reason": None}
        if new_reference and row["reason"] == Refusal.NAME_MOVED:
            # Whoever holds the name now is the one authorized.
            changes |= dict.fromkeys(_PROFILE)
    _set(conn, row, **changes)


def _withdraw(conn: Connection, salt: Salt, row: RowMapping, at: datetime) -> None:
    """The channel has no authorization any more. A revoked one stays revoked, with what was revoked."""
    if row["authorization_id"] is not None and row["reason"] != Refusal.REVOKED:
        _set(conn, row, authorization_id=None)
        _leave(conn, salt, row, ChannelState.STOPPED, Refusal.NO_AUTHORIZATION, at)


def _authorize(conn: Connection, salt: Salt, declaration: Declaration, at: datetime) -> int | None:
    """Keep what is declared as a further record, with its event; returns the record's id."""
    authorization, scope = declaration.authorization, _scope(declaration)
    if authorization is None:
        return None
    values = _record(authorization)
    inserted = insert(authorizations).values(username=declaration.username, declared_at=at, **scope, **values)
    authorization_id = conn.execute(inserted.returning(authorizations.c.authorization_id)).scalar_one()
    body: dict[str, Scalar] = {
        **scope,
        **values,
        "username": declaration.username,
        "valid_from": authorization.valid_from.isoformat(),
        "valid_until": authorization.valid_until.isoformat(),
        "document_sha256": authorization.document_sha256.hex() if authorization.document_sha256 else None,
    }
    events.append(conn, salt, EventType.AUTHORIZATION_DECLARED, body, at)
    return int(authorization_id)


def _record(authorization: Authorization) -> dict[str, Any]:
    """An authorization as its columns hold it."""
    values = {name: getattr(authorization, name) for name in _AUTHORIZATION}
    return values | {"basis": authorization.basis.value}


def _scope(declaration: Declaration) -> dict[str, Any]:
    """What an authorization covers, as the columns hold it."""
    return {"includes": " ".join(sorted(declaration.includes)), "declared_id": declaration.channel_id}


def _row(conn: Connection, username: str) -> RowMapping | None:
    return (
        conn.execute(_ALL.where(func.lower(channels.c.username) == username.lower())).mappings().one_or_none()
    )


def _set(conn: Connection, row: RowMapping, **values: Any) -> None:
    conn.execute(update(channels).where(channels.c.username == row["username"]).values(**values))


def _channel(row: RowMapping) -> Channel:
    return Channel(
        username=row["username"],
        state=ChannelState(row["state"]),
        authorization=None if row["authorization_id"] is None else _authorization(row),
        reason=None if row["reason"] is None else Refusal(row["reason"]),
        profile=None if row["channel_id"] is None else _profile(row),
        cursor=MessageId(row["cursor"]),
        account=row["account"],
        includes=frozenset(ChatKind(kind) for kind in row["includes"].split()),
        leave_when_ended=bool(row["leave_when_ended"]),
    )


def _authorization(row: RowMapping) -> Authorization:
    values = {name: row[name] for name in _AUTHORIZATION}
    return Authorization(**(values | {"basis": Basis(row["basis"])}))


def _profile(row: RowMapping) -> Profile:
    values = {name: row[name] for name in _PROFILE}
    return Profile(**(values | {name: bool(row[name]) for name in ("verified", "scam", "fake")}))
