"""Which rows of an export are wanted."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from monitor.errors import InputError
from monitor.model import Category
from monitor.store.schema import cases, channels, hash_lists

OPTIONS = {
    "since": "--since",
    "until": "--until",
    "channels": "--channel",
    "hash_list": "--list",
    "category": "--category",
    "state": "--state",
    "cases": "--case",
}
"""What each filter is called on the command line."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Rows from `since` to `until` (both included) by their own time, of any of these channels (usernames, in any
    case), of one list, category, state, of any of these cases. None and () take all."""

    since: datetime | None = None
    until: datetime | None = None
    channels: tuple[str, ...] = ()
    hash_list: str | None = None
    category: Category | None = None
    state: str | None = None
    cases: tuple[int, ...] = ()

    def given(self) -> Iterator[tuple[str, Any]]:
        """The filters that are set, by name."""
        for field in fields(self):
            value = getattr(self, field.name)
            if value not in (None, ()):
                yield field.name, value

    def __str__(self) -> str:
        """As an event keeps them: "since=2026-11-01T00:00:00+00:00 channels=one,two"; empty when there are none."""
        return " ".join(f"{name}={_spelled(value)}" for name, value in self.given())


def _spelled(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def on_record(conn: Connection, filters: Filters) -> None:
    """Raises InputError for a channel or a list that is not: a mistyped name would give an empty file."""
    for username in filters.channels:
        found = select(channels.c.username).where(func.lower(channels.c.username) == username.lower())
        if not conn.execute(found).first():
            raise InputError(f"--channel {username}: is not on record; monitor channels list shows what is")
    for number in filters.cases:
        known = select(cases.c.case_id).where(cases.c.case_id == number, cases.c.opened_at.is_not(None))
        if not conn.execute(known).first():
            raise InputError(f"--case {number}: there is none; monitor cases list shows what there is")
    if filters.hash_list is not None:
        lists = select(hash_lists.c.name).union(select(cases.c.hash_list))
        names = sorted(conn.execute(lists).scalars())
        if filters.hash_list not in names:
            raise InputError(
                f"--list {filters.hash_list}: is not on record; there {'is' if len(names) == 1 else 'are'}"
                f" {', '.join(names) or 'none'}"
            )
