"""Scenario files: a world and its faults from a short YAML.

    seed: 7
    users:
      - {phone: "15550001", code: "22222", password: null, dc: 1, first_name: Ada}
    channels:
      - {username: example_news, kind: broadcast, access: public, posts: 3000,
         photos: 0.2, documents: 0.05, live_per_second: 2}
    faults:
      - {request: messages.getHistory, flood_wait: 3, count: 1}
      - {request: upload.getFile, delay: 0.5, fraction: 0.1, count: null}

Unknown keys are refused. Shares are between 0 and 1; a fault has one of flood_wait (seconds), error ([code,
name]), delay (seconds) and drop (before or after).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from monitor.testdc.channel import Channel
from monitor.testdc.errors import ScenarioError
from monitor.testdc.faults import Delay, Drop, Fault, Faults, FloodWait, Rpc
from monitor.testdc.media import Photo
from monitor.testdc.pictures import picture
from monitor.testdc.posts import Post
from monitor.testdc.world import World

PICTURES = 24
SECONDS_BETWEEN_POSTS = 60
DOCUMENT_BYTES = 6000
_USER = {"phone": str, "code": str, "password": str, "dc": int, "first_name": str}
_CHANNEL = {
    "username": str,
    "title": str,
    "kind": str,
    "access": str,
    "posts": int,
    "photos": float,
    "documents": float,
    "live_per_second": float,
    "noforwards": bool,
    "verified": bool,
}
_FAULT = {
    "request": str,
    "count": int,
    "fraction": float,
    "after": int,
    "flood_wait": int,
    "error": list,
    "delay": float,
    "drop": str,
}
_WHOLE = {"seed": int, "users": list, "channels": list, "faults": list}


@dataclass(frozen=True)
class Live:
    """Something to post as long as the scenario runs: `post` makes one more, `seconds` is the pause."""

    post: Callable[[], Post]
    seconds: float


@dataclass(frozen=True)
class Scenario:
    """A world ready to be served, with what goes on in it."""

    seed: int
    world: World
    live: tuple[Live, ...]
    order_faults: Callable[[Faults], None]

    def prepare(self) -> None:
        """Makes all photo sizes now, so that no client waits for them, and no measurement counts them."""
        for file in self.world.files.values():
            if isinstance(file, Photo):
                _ = file.renditions, file.stripped


def load(path: Path) -> Scenario:
    """The scenario in a file. Raises `ScenarioError`."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScenarioError(f"{path}: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    try:
        return build(raw)
    except ScenarioError as error:
        raise ScenarioError(f"{path}: {error}") from error


def build(raw: object) -> Scenario:
    """The scenario that parsed YAML describes. Raises `ScenarioError`."""
    whole = _checked(raw, _WHOLE, "the file")
    seed = whole.get("seed", 7)
    world = World(seed=seed)
    for number, entry in enumerate(whole.get("users", []), 1):
        fields = _checked(entry, _USER, f"users[{number}]", required=("phone", "code"))
        if fields.get("dc", 1) not in (1, 2):
            raise ScenarioError(f"users[{number}].dc: {fields['dc']} is neither 1 nor 2")
        world.user(**fields)
    live = [
        _channel(world, entry, _chance(seed, number), f"channels[{number}]")
        for number, entry in enumerate(whole.get("channels", []), 1)
    ]
    faults = [_fault(entry, f"faults[{number}]") for number, entry in enumerate(whole.get("faults", []), 1)]

    def order(into: Faults) -> None:
        for name, fault, options in faults:
            into.add(name, fault, **options)

    return Scenario(seed, world, tuple(filter(None, live)), order)


def _chance(seed: int, number: int) -> random.Random:
    return random.Random(f"{seed}:{number}")  # noqa: S311 — repeatable on purpose


def _checked(
    raw: object, form: dict[str, type], where: str, required: tuple[str, ...] = ()
) -> dict[str, Any]:
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


def _channel(world: World, raw: object, chance: random.Random, where: str) -> Live | None:
    fields = _checked(raw, _CHANNEL, where, required=("username",))
    count, rate = fields.pop("posts", None) or 0, fields.pop("live_per_second", None) or 0.0
    photos, documents = (fields.pop(share, None) or 0.0 for share in ("photos", "documents"))
    for key, allowed in (("kind", ("broadcast", "group")), ("access", ("public", "request", "private"))):
        if fields.get(key, allowed[0]) not in allowed:
            raise ScenarioError(f"{where}.{key}: {fields[key]!r} is none of {', '.join(allowed)}")
    if min(photos, documents) < 0 or photos + documents > 1 or count < 0 or rate < 0:
        raise ScenarioError(f"{where}: posts, rate and shares must not be negative, nor shares exceed 1")
    begin = world.seconds(None) - (count + 1) * SECONDS_BETWEEN_POSTS
    try:
        channel = world.channel(created=begin, **fields)
    except ValueError as error:
        raise ScenarioError(f"{where}: {error}") from error

    def one_more(date: float | None = None) -> Post:
        return _post(world, channel, chance, photos, documents, date)

    for number in range(1, count + 1):
        one_more(begin + number * SECONDS_BETWEEN_POSTS)
    return Live(one_more, 1 / rate) if rate else None


def _post(
    world: World, channel: Channel, chance: random.Random, photos: float, documents: float, date: float | None
) -> Post:
    drawn = chance.random()
    words = f"Generated post {len(channel.alive)} of {channel.title}, " + "lorem " * chance.randrange(2, 12)
    if drawn < photos:
        media: Any = world.photo(_picture(chance.randrange(PICTURES)), dc=chance.choice((1, 1, 2)))
    elif drawn < photos + documents:
        media = world.document(chance.randbytes(DOCUMENT_BYTES), name=f"file-{chance.randrange(10**6)}.bin")
    else:
        media = None
    return channel.post(words, media=media, date=date, views=chance.randrange(1, 10_000))


_PICTURES: dict[int, bytes] = {}


def _picture(number: int) -> bytes:
    # A few pictures under many ids: making them and their sizes is what takes time.
    if number not in _PICTURES:
        _PICTURES[number] = picture(number)
    return _PICTURES[number]


def _fault(raw: object, where: str) -> tuple[str, Fault, dict[str, Any]]:
    fields = _checked(raw, _FAULT, where, required=("request",))
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
        case "drop", ("before" | "after") as when:
            fault = Drop(when)
        case kind, _:
            raise ScenarioError(f"{where}.{kind}: {value!r} cannot be used")
    return name, fault, fields
