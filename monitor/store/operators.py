"""The people who act: their roles, and when they were added and disabled.

A name given to a command is a declaration by somebody who has the machine's shell; a password is what the
console asks for. Neither stands in an event.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, insert, select, update

from monitor.errors import InputError, NotPermitted
from monitor.model import IDENTIFIER, EventType, Role, Scalar
from monitor.store import events, passwords
from monitor.store.events import Salt
from monitor.store.schema import operators

if TYPE_CHECKING:
    from monitor.store.store import SqlStore


@dataclass(frozen=True, slots=True)
class Operator:
    """One person. `password` says whether there is one; `disabled_at` is None for who may act."""

    name: str
    roles: frozenset[Role]
    password: bool
    created_at: datetime
    disabled_at: datetime | None = None

    def may(self, role: Role) -> bool:
        """Whether this person may act in that role."""
        return self.disabled_at is None and (role in self.roles or role is Role.VIEWER)


def everybody(conn: Connection) -> list[Operator]:
    """All operators ever added, by name."""
    return [_operator(row) for row in conn.execute(select(operators).order_by(operators.c.name))]


def require(known: Sequence[Operator], configured: str, name: str, role: Role) -> None:
    """See that a person may act in a role. Raises NotPermitted, which says what to do.

    Until the first operator is added there is one person, whom the configuration names, with every role.
    """
    found = next((one for one in known if one.name == name), None)
    if found is None:
        if not known and name == configured:
            return
        remedy = f"an admin adds people: monitor operators add {name} --role {role}"
        if not known:
            remedy = f"the configuration's operator is {configured}; monitor operators add brings in others"
        raise NotPermitted(f"{name}: is no operator; {remedy}")
    if found.disabled_at is not None:
        raise NotPermitted(
            f"{name}: was disabled on {found.disabled_at:%Y-%m-%d}; act as somebody else (--as)"
        )
    if not found.may(role):
        has = ", ".join(sorted(found.roles))
        raise NotPermitted(f"{name}: needs the role {role} for this, and has {has}; monitor operators list")


def add(
    conn: Connection, salt: Salt, name: str, roles: Iterable[Role], *, operator: str, at: datetime
) -> None:
    """Add a person, with an event. Raises InputError for one who is there, or a first one who is no admin."""
    given = frozenset(roles)
    known = everybody(conn)
    if not IDENTIFIER.fullmatch(name):
        raise InputError(f"{name[:64]}: a name takes letters, digits, '.', '_', ':' and '-', 64 at most")
    if any(one.name == name for one in known):
        raise InputError(f"{name}: is an operator already; monitor operators change gives other roles")
    if not known and Role.ADMIN not in given:
        raise InputError(
            f"{name}: the first operator has to be an admin, or nobody could add a second; add --role admin"
        )
    conn.execute(insert(operators).values(name=name, roles=_spelled(given, name), created_at=at))
    body: dict[str, Scalar] = {"name": name, "roles": _spelled(given, name), "operator": operator}
    events.append(conn, salt, EventType.OPERATOR_ADDED, body, at)


def change(
    conn: Connection,
    salt: Salt,
    name: str,
    *,
    roles: Iterable[Role] | None = None,
    disabled: bool | None = None,
    operator: str,
    at: datetime,
) -> bool:
    """Give a person other roles, disable or enable them, with an event; False when all is so already.

    Raises InputError for one who is not there, and when no admin would be left.
    """
    before = _known(conn, name)
    given = before.roles if roles is None else frozenset(roles)
    disabled = before.disabled_at is not None if disabled is None else disabled
    if (given, disabled) == (before.roles, before.disabled_at is not None):
        return False
    if before.may(Role.ADMIN) and (disabled or Role.ADMIN not in given) and not _another_admin(conn, name):
        raise InputError(f"{name}: is the only admin; make somebody else one first")
    disabled_at = (before.disabled_at or at) if disabled else None
    conn.execute(
        update(operators)
        .where(operators.c.name == name)
        .values(roles=_spelled(given, name), disabled_at=disabled_at)
    )
    body: dict[str, Scalar] = {
        "name": name,
        "roles": _spelled(given, name),
        "disabled": disabled,
        "operator": operator,
    }
    events.append(conn, salt, EventType.OPERATOR_CHANGED, body, at)
    return True


async def set_password(store: "SqlStore", name: str, password: str, *, operator: str, at: datetime) -> None:
    """Keep a password, in place of the one before, with an event that does not hold it. Raises InputError."""
    passwords.check(password)
    kept = await asyncio.to_thread(passwords.hashed, password)
    await store.run(_keep, name, kept, operator, at)


async def verify_password(store: "SqlStore", name: str, password: str) -> Operator | None:
    """The person whose password this is; None when it is not, or the name is unknown, disabled or without one.

    Which of these it is cannot be told from the time taken, some 100 ms. A password that is kept under older
    parameters is kept anew.
    """
    person, kept = await store.run(_password, name)
    right = await asyncio.to_thread(passwords.verified, password, kept)
    if not right or person is None or kept is None:
        return None
    if passwords.outdated(kept):
        fresh = await asyncio.to_thread(passwords.hashed, password)
        await store.run(_renew, name, kept, fresh)
    return person


def _keep(conn: Connection, salt: Salt, name: str, kept: str, operator: str, at: datetime) -> None:
    _known(conn, name)
    conn.execute(update(operators).where(operators.c.name == name).values(password_hash=kept))
    body: dict[str, Scalar] = {"name": name, "password": True, "operator": operator}
    events.append(conn, salt, EventType.OPERATOR_CHANGED, body, at)


def _password(conn: Connection, _salt: Salt, name: str) -> tuple[Operator | None, str | None]:
    row = conn.execute(
        select(operators).where(operators.c.name == name, operators.c.disabled_at.is_(None))
    ).one_or_none()
    return (None, None) if row is None else (_operator(row), row.password_hash)


def _renew(conn: Connection, _salt: Salt, name: str, before: str, fresh: str) -> None:
    # Only in the place of what was verified: another may have been set meanwhile.
    mine = (operators.c.name == name, operators.c.password_hash == before)
    conn.execute(update(operators).where(*mine).values(password_hash=fresh))


def _known(conn: Connection, name: str) -> Operator:
    row = conn.execute(select(operators).where(operators.c.name == name)).one_or_none()
    if row is None:
        raise InputError(f"{name[:64]}: is no operator; monitor operators list shows who is")
    return _operator(row)


def _another_admin(conn: Connection, name: str) -> bool:
    return any(one.name != name and one.may(Role.ADMIN) for one in everybody(conn))


def _spelled(roles: frozenset[Role], name: str) -> str:
    if not roles:
        raise InputError(f"{name}: takes at least one role of {', '.join(Role)}")
    return " ".join(sorted(roles))


def _operator(row: Row[Any]) -> Operator:
    return Operator(
        row.name,
        frozenset(map(Role, row.roles.split())),
        row.password_hash is not None,
        row.created_at,
        row.disabled_at,
    )
