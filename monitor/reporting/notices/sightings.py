"""Sightings from a file: one JSON object a line, with the fields of `Sighting`."""

import json
import re
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from monitor.errors import InputError
from monitor.model import (
    IDENTIFIER,
    USERNAME,
    Algorithm,
    Category,
    ChannelId,
    FlagId,
    MediaKind,
    MessageId,
    Sighting,
)

Word = TypeVar("Word", bound=StrEnum)
_NAMES = tuple(f.name for f in fields(Sighting))
_OPTIONAL = frozenset({"username", "mime", "size", "quality", "error_bound", "rendition", "category"})


def read_sightings(path: Path) -> tuple[Sighting, ...]:
    """The sightings of a JSON Lines file, in its order. Raises InputError with file, line and field."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as e:
        raise InputError(f"{path}: cannot be read as UTF-8 text ({type(e).__name__})") from e
    return tuple(_sighting(line, f"{path}, line {n}") for n, line in enumerate(lines, 1) if line.strip())


def _sighting(line: str, where: str) -> Sighting:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        raise InputError(f"{where}: not JSON; write one object a line") from None
    if not isinstance(row, dict):
        raise InputError(f"{where}: not an object; write one object a line")
    if unknown := sorted(row.keys() - set(_NAMES)):
        raise InputError(f"{where}: {unknown[0][:40]}: unknown field; there are {', '.join(_NAMES)}")
    if lacks := [n for n in _NAMES if row.get(n) is None and n not in _OPTIONAL]:
        raise InputError(f"{where}: {lacks[0]}: is missing")
    read = _Row(row, where)
    return Sighting(
        flag_id=FlagId(read.number("flag_id")),
        channel_id=ChannelId(read.number("channel_id")),
        username=read.word("username", USERNAME.pattern) if row.get("username") is not None else None,
        message_id=MessageId(read.number("message_id")),
        link=read.word("link", r"https://t\.me/[A-Za-z0-9_/]{1,100}"),
        posted_at=read.time("posted_at"),
        first_seen_at=read.time("first_seen_at"),
        flagged_at=read.time("flagged_at"),
        media_kind=read.member("media_kind", MediaKind),
        mime=read.word("mime", r"[a-z0-9./+-]{1,100}") if row.get("mime") is not None else None,
        size=read.maybe("size"),
        hash_list=read.word("hash_list", IDENTIFIER.pattern),
        list_version=read.word("list_version", IDENTIFIER.pattern),
        entry=read.word("entry", IDENTIFIER.pattern),
        algorithm=read.member("algorithm", Algorithm),
        distance=read.number("distance"),
        threshold=read.number("threshold"),
        quality=read.maybe("quality"),
        error_bound=read.maybe("error_bound"),
        rendition=read.word("rendition", r"[A-Za-z0-9._:-]{1,64}")
        if row.get("rendition") is not None
        else None,
        category=read.member("category", Category) if row.get("category") is not None else None,
        licensor=read.text("licensor"),
        list_reference=read.text("list_reference"),
    )


class _Row:
    """One line's values, each of the type that is asked for, or an error that names field and line."""

    def __init__(self, row: Mapping[str, Any], where: str) -> None:
        self._row = row
        self._where = where

    def number(self, name: str) -> int:
        value = self._row[name]
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
            raise self._wrong(name, "is no number")
        return value

    def maybe(self, name: str) -> int | None:
        return None if self._row.get(name) is None else self.number(name)

    def text(self, name: str) -> str:
        value = self._row[name]
        if not isinstance(value, str) or not 1 <= len(value) <= 500:
            raise self._wrong(name, "is no text of 1 to 500 characters")
        return value

    def word(self, name: str, pattern: str) -> str:
        value = self._row[name]
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise self._wrong(name, "is not of its form")
        return value

    def time(self, name: str) -> datetime:
        try:
            value = datetime.fromisoformat(self._row[name])
        except (TypeError, ValueError):
            raise self._wrong(name, "is no time; write for example 2026-11-01T12:00:00Z") from None
        if value.tzinfo is None:
            raise self._wrong(name, "has no time zone; write for example 2026-11-01T12:00:00Z")
        return value

    def member(self, name: str, kind: type[Word]) -> Word:
        try:
            return kind(self._row[name])
        except ValueError:
            raise self._wrong(name, f"is none of {', '.join(kind)}") from None

    def _wrong(self, name: str, what: str) -> InputError:
        return InputError(f"{self._where}: {name}: {what}")
