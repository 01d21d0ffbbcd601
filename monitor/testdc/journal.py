"""What was asked of the test data centre, for assertions. Texts, codes and passwords are left out."""

from __future__ import annotations

from typing import Any, NamedTuple

_SECRET = frozenset(
    {
        "message",
        "phone_code",
        "phone_code_hash",
        "password",
        "api_hash",
        "bot_auth_token",
        "token",
        "bytes",
        "settings",
    }
)


class Entry(NamedTuple):
    """One request: when (seconds of the world's clock), at which data centre, by whom (the phone, or ``bot``
    with its id; None before sign-in), under which key, its name as in the schema, and its parameters in a plain
    form."""

    at: float
    dc: int
    account: str | None
    key_id: int
    name: str
    parameters: dict[str, Any]


def request_name(request: Any) -> str:
    """A request's name as in the schema, such as ``messages.getHistory``."""
    kind = type(request)
    name: str = kind.__name__.removesuffix("Request")
    name = name[0].lower() + name[1:]
    space: str = kind.__module__.rsplit(".", 1)[-1]
    return name if space == "functions" else f"{space}.{name}"


def parameters(request: Any) -> dict[str, Any]:
    """A request's parameters as numbers, strings and lists of them; peers become their id."""
    return {
        name: _plain(value)
        for name, value in vars(request).items()
        if name not in _SECRET and value is not None
    }


def _plain(value: Any) -> Any:
    if isinstance(value, bool | int | float | str | bytes):
        return value
    if isinstance(value, list):
        return [_plain(item) for item in value]
    for attribute in ("channel_id", "user_id", "id", "peer"):
        if (inner := getattr(value, attribute, None)) is not None:
            return _plain(inner)
    return type(value).__name__
