"""The register of recipients: where each route's reports go, as published, and when that was last compared."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from monitor.errors import InputError
from monitor.model import IDENTIFIER, MAILBOX, Category, Route

STALE_AFTER_DAYS = 180
"""Older than that, an entry warns."""
_PUBLISHED = "recipients.toml"
_URL = re.compile(r"https://[A-Za-z0-9./?=&_%#~:-]+")
_NEEDED = ("name", "jurisdiction", "languages", "source")


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who takes reports on a route, and how. `route` is None for services that only victims can use.

    `checked_on` is the latest day for which this is known to agree with what the recipient publishes; None
    when nobody has compared them. `categories` are those that it takes, empty for all of the route.
    """

    id: str
    name: str
    jurisdiction: str
    languages: tuple[str, ...]
    source: str
    route: Route | None = None
    url: str | None = None
    email: str | None = None
    phone: str | None = None
    postal: str | None = None
    notes: str | None = None
    categories: frozenset[Category] = frozenset()
    checked_on: date | None = None

    def takes(self, category: Category) -> bool:
        """Whether items of the category may be reported to it."""
        return not self.categories or category in self.categories

    def check(self, route: Route, category: Category) -> None:
        """Raises InputError when reports on this route, or of this category, are not for this recipient.

        A generic notice can go to whoever takes reports on any route.
        """
        if self.route is None or (self.route is not route and route is not Route.GENERIC):
            raise InputError(f"{self.id}: takes {self.route or 'no reports'}, not {route}; name another")
        if not self.takes(category):
            takes = ", ".join(sorted(self.categories))
            raise InputError(f"{self.id}: takes {takes}, not {category}; name another")


@dataclass(frozen=True, slots=True)
class Register:
    """All recipients, in the order of the files. `dated` is the day of the published file."""

    dated: date
    recipients: tuple[Recipient, ...]
    _by_id: Mapping[str, Recipient] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_id", {r.id: r for r in self.recipients})

    def recipient(self, id: str) -> Recipient:
        """The entry of that id. Raises InputError with those that there are."""
        try:
            return self._by_id[id]
        except KeyError:
            known = ", ".join(self._by_id)
            raise InputError(f"{id[:80]}: no such recipient; the register has {known}") from None

    def on(self, route: Route, category: Category | None = None) -> tuple[Recipient, ...]:
        """The recipients of a route, and of a category where one is given."""
        return tuple(
            r for r in self.recipients if r.route is route and (category is None or r.takes(category))
        )

    def choose(self, id: str | None, route: Route, category: Category) -> Recipient | None:
        """The recipient of that id, or the only one that there is on the route for the category.

        None where nobody is on it: in the app, and of a generic notice to whom the register does not know. Raises
        InputError for one that there is not or that takes something else, and when one of several must be named.
        """
        if id is not None:
            found = self.recipient(id)
            found.check(route, category)
            return found
        several = self.on(route, category)
        if len(several) > 1:
            names = ", ".join(r.id for r in several)
            raise InputError(f"{route}: there are several recipients; name one with --recipient: {names}")
        return several[0] if several else None

    @property
    def for_victims(self) -> tuple[Recipient, ...]:
        """Services that only victims can use."""
        return tuple(r for r in self.recipients if r.route is None)


def load_register(own: Path | None = None) -> Register:
    """The published register, with the entries of an operator's file over it.

    There an entry of a known id changes the keys that it names; one of a new id is added. Raises InputError
    with file and entry.
    """
    published = files("monitor.reporting.notices").joinpath(_PUBLISHED).read_text(encoding="utf-8")
    register = _read(published, _PUBLISHED, None)
    if own is None:
        return register
    try:
        text = own.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise InputError(f"{own}: cannot be read as UTF-8 text ({type(e).__name__})") from e
    return _read(text, str(own), register)


def stale(register: Register, today: date) -> tuple[Recipient, ...]:
    """The entries that were compared more than 180 days before `today`, or never."""
    return tuple(
        r
        for r in register.recipients
        if r.checked_on is None or (today - r.checked_on).days > STALE_AFTER_DAYS
    )


def _read(text: str, name: str, under: Register | None) -> Register:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise InputError(f"{name}: not valid TOML: {e}") from None
    if unknown := sorted(data.keys() - {"dated", "recipient"}):
        raise InputError(f"{name}: {unknown[0]}: unknown key; there are dated and [[recipient]]")
    dated = data.get("dated", under.dated if under else None)
    if not isinstance(dated, date) or isinstance(dated, datetime):
        raise InputError(f"{name}: dated: is missing or no day; write for example dated = 2026-11-22")
    entries = data.get("recipient", [])
    if not (isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries)):
        raise InputError(f"{name}: recipient: write each entry under a line [[recipient]]")
    known = {r.id: r for r in under.recipients} if under else {}
    seen: set[str] = set()
    for number, entry in enumerate(entries, 1):
        id = entry.get("id")
        if not (isinstance(id, str) and IDENTIFIER.fullmatch(id)):
            raise InputError(f"{name}: entry {number}: id: is missing or no identifier")
        if id in seen:
            raise InputError(f"{name}: {id}: stands twice")
        seen.add(id)
        known[id] = _entry(entry, f"{name}: {id}", known.get(id))
    return Register(dated, tuple(known.values()))


def _entry(entry: Mapping[str, Any], where: str, base: Recipient | None) -> Recipient:
    """One recipient, checked key by key."""
    names = {f.name for f in fields(Recipient)}
    if unknown := sorted(entry.keys() - names):
        raise InputError(f"{where}: {unknown[0]}: unknown key; there are {', '.join(sorted(names))}")
    if base is None and (missing := [key for key in _NEEDED if not entry.get(key)]):
        raise InputError(f"{where}: {missing[0]}: is missing")
    values: dict[str, Any] = {key: _value(key, value, where) for key, value in entry.items()}
    return replace(base, **values) if base else Recipient(**values)


def _value(key: str, value: object, where: str) -> object:
    """A key's value as `Recipient` has it. Raises InputError."""
    if key == "checked_on":
        if _is_day(value):
            return value
        raise InputError(f"{where}: {key}: is no day; write for example {key} = 2026-11-22")
    if key in ("languages", "categories"):
        if not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
            raise InputError(f'{where}: {key}: is no list of words; write for example ["en"]')
        return (
            tuple(value) if key == "languages" else frozenset(_member(Category, v, key, where) for v in value)
        )
    if not isinstance(value, str) or not value.strip() or len(value) > 2000:
        raise InputError(f"{where}: {key}: is no text, empty, or longer than 2,000 characters")
    if key == "route":
        return _member(Route, value, key, where)
    if key == "url" and not _URL.fullmatch(value):
        raise InputError(f"{where}: url: is no plain https:// address")
    if key == "email" and not MAILBOX.fullmatch(value):
        raise InputError(f"{where}: email: is no mail address")
    return value


def _member(kind: type[Category] | type[Route], value: str, key: str, where: str) -> Category | Route:
    try:
        return kind(value)
    except ValueError:
        raise InputError(f"{where}: {key}: {value[:40]} is none of {', '.join(kind)}") from None


def _is_day(value: object) -> bool:
    # A datetime is a date as well, and has an hour that means nothing here.
    return isinstance(value, date) and not isinstance(value, datetime)
