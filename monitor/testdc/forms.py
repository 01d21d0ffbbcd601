"""Mappings of a scenario file, checked against the form they must have."""

from __future__ import annotations

from typing import Any

from monitor.testdc.errors import ScenarioError


def checked(raw: object, form: dict[str, type], where: str, required: tuple[str, ...] = ()) -> dict[str, Any]:
    """The fields of a mapping; an integer may stand for a float, and null for anything.

    Raises `ScenarioError`, with `where` in its text, for an unknown key, a wrong type or a missing key.
    """
    if not isinstance(raw, dict):
        raise ScenarioError(f"{where}: keys with values are expected, found {type(raw).__name__}")
    fields = {}
    for key, value in raw.items():
        if key not in form:
            raise ScenarioError(f"{where}: unknown key {key!r}; known are {', '.join(form)}")
        wanted = form[key]
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if value is not None and (
            not isinstance(value, wanted) or (wanted is int and value in (True, False))
        ):
            raise ScenarioError(f"{where}.{key}: {wanted.__name__} is expected, found {value!r}")
        fields[key] = value
    if missing := [key for key in required if fields.get(key) is None]:
        raise ScenarioError(f"{where}: {missing[0]!r} is missing")
    return fields
