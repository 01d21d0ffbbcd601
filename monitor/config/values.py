"""What one value of the file may be, and how people may write it."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from monitor.model import IDENTIFIER, USERNAME

INVITE = re.compile(r"^\+|joinchat|t(elegram)?\.me/\+|tg://join|invite=", re.IGNORECASE)
"""What an invite link looks like, in any of its forms."""

_UNITS = {
    "": 1,
    "B": 1,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "KIB": 1024,
    "MIB": 1024**2,
    "GIB": 1024**3,
}


def _identifier(value: str) -> str:
    if not IDENTIFIER.fullmatch(value):
        raise ValueError(
            "takes letters, digits, '.', '_', ':' and '-', 64 at most, beginning with a letter or digit"
        )
    return value


def _username(value: object) -> object:
    if not isinstance(value, str):
        return value
    if INVITE.search(value):
        raise ValueError("is an invite link; only public usernames may be declared, never invite-only chats")
    name = value.removeprefix("@")
    if not USERNAME.fullmatch(name):
        raise ValueError("is not a public username; write the bare name, such as example_channel")
    return name.lower()


def _size(value: object) -> object:
    """Bytes from 1000, "200MB" or "64 MiB"."""
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]*)", value.strip())
    if found is None or found[2].upper() not in _UNITS:
        raise ValueError("is not a size; write for example 200MB")
    return int(float(found[1]) * _UNITS[found[2].upper()])


_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def _duration(value: object) -> object:
    """A time span from "30s", "5m", "6h", "3d" or "2w"."""
    found = re.fullmatch(r"(\d+)\s*([smhdw])", value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError("is not a time span; write for example 5m, 6h, 3d or 2w")
    return timedelta(seconds=int(found[1]) * _SECONDS[found[2]])


def moment(value: object, *, end_of_day: bool) -> datetime:
    """A time in UTC from a date or a time as people write them; a date alone is its first or its last microsecond.

    Raises ValueError for what is neither.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value) if len(value) > 10 else date.fromisoformat(value)
        except ValueError as e:
            raise ValueError("is not a date; write for example 2026-11-01") from e
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, date):
        clock = time.max.replace(tzinfo=UTC) if end_of_day else time(tzinfo=UTC)
        return datetime.combine(value, clock)
    raise ValueError("is not a date; write for example 2026-11-01")


Beginning = Annotated[datetime, BeforeValidator(lambda value: moment(value, end_of_day=False))]
"""A time in UTC; a date alone is its first microsecond."""
Ending = Annotated[datetime, BeforeValidator(lambda value: moment(value, end_of_day=True))]
"""A time in UTC; a date alone is its last microsecond: until that day, the day included."""
Name = Annotated[str, AfterValidator(_identifier)]
Username = Annotated[str, BeforeValidator(_username)]
Size = Annotated[int, BeforeValidator(_size), Field(gt=0)]
Duration = Annotated[timedelta, BeforeValidator(_duration)]
Words = Annotated[str, Field(min_length=1, max_length=500)]


class Section(BaseModel):
    """One mapping of the file: frozen, and no key that is not known."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
