"""Faults in a scenario file."""

from __future__ import annotations

from collections.abc import Callable

from monitor.testdc.channel import Channel
from monitor.testdc.errors import ScenarioError
from monitor.testdc.faults import (
    Break,
    Delay,
    Disturbance,
    Double,
    Drop,
    Fault,
    Faults,
    FloodWait,
    Late,
    Lose,
    Rpc,
    TooLong,
)
from monitor.testdc.forms import checked
from monitor.testdc.world import World

_FAULT = {
    "request": str,
    "count": int,
    "fraction": float,
    "after": int,
    "flood_wait": int,
    "error": list,
    "delay": float,
    "drop": str,
    "dc": int,
}
_UPDATE = {
    "update": str,
    "count": int,
    "fraction": float,
    "after": int,
    "seconds": float,
    "whole": bool,
    "channel": str,
}


def ordered(world: World, raw: object, where: str) -> Callable[[Faults], None]:
    """Gives the order that an entry of the file describes. Raises `ScenarioError`."""
    if isinstance(raw, dict) and "update" in raw:
        return _disturbance(world, raw, where)
    return _fault(raw, where)


def _fault(raw: object, where: str) -> Callable[[Faults], None]:
    fields = checked(raw, _FAULT, where, required=("request",))
    name = fields.pop("request")
    kinds = [key for key in ("flood_wait", "error", "delay", "drop") if fields.get(key) is not None]
    if len(kinds) != 1:
        raise ScenarioError(f"{where}: one of flood_wait, error, delay and drop is needed")
    value = fields.pop(kinds[0])
    fault: Fault
    match kinds[0], value:
        case "flood_wait", _:
            fault = FloodWait(value)
        case "error", [int() as code, str() as message]:
            fault = Rpc(code, message)
        case "delay", _:
            fault = Delay(value)
        case "drop", ("before" | "after" | "middle") as when:
            fault = Drop(when)
        case kind, _:
            raise ScenarioError(f"{where}.{kind}: {value!r} cannot be used")
    return lambda faults: faults.add(name, fault, **fields)


def _disturbance(world: World, raw: object, where: str) -> Callable[[Faults], None]:
    fields = checked(raw, _UPDATE, where, required=("update",))
    seconds, whole = fields.pop("seconds", None), fields.pop("whole", None)
    kinds: dict[str, Disturbance] = {
        "lose": Lose(),
        "double": Double(),
        "late": Late(seconds or 0.0),
        "too_long": TooLong(bool(whole)),
        "break": Break(),
    }
    kind = fields.pop("update")
    if kind not in kinds:
        raise ScenarioError(f"{where}.update: {kind!r} is none of {', '.join(kinds)}")
    if (seconds is not None) != (kind == "late") or (whole is not None and kind != "too_long"):
        raise ScenarioError(f"{where}: seconds belongs to late, and whole to too_long")
    if (name := fields.pop("channel", None)) is not None:
        fields["channel"] = world.by_name(name)
        if not isinstance(fields["channel"], Channel):
            raise ScenarioError(f"{where}.channel: {name!r} is no channel of this file")
    return lambda faults: faults.disturb(kinds[kind], **fields)
