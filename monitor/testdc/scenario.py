"""Scenario files: a world and its faults from a short YAML.

    seed: 7
    login_token_seconds: 30
    users:
      - {phone: "15550001", code: "22222", password: null, dc: 1, first_name: Ada, scans_after: null}
    bots:
      - {token: "1000:bot-token", username: example_bot, dc: 1}
    channels:
      - {username: example_news, kind: broadcast, access: public, posts: 3000,
         photos: 0.2, documents: 0.05, live_per_second: 2, bots: [example_bot], difference_limit: null}
    faults:
      - {request: messages.getHistory, flood_wait: 3, count: 1}
      - {request: upload.getFile, delay: 0.5, fraction: 0.1, count: null, dc: 2}
      - {update: lose, fraction: 0.2, channel: example_news}
      - {update: late, seconds: 5}

Unknown keys are refused. Shares are between 0 and 1. A fault of a request has one of flood_wait (seconds), error
([code, name]), delay (seconds) and drop (before, after or middle). A fault of updates is lose, double, late (up to
`seconds`), too_long (`whole`: of the account) or break, and lasts for ever unless it has a count. A user with
`scans_after` accepts each login token so many seconds after it was made. Any transport will do, obfuscated too.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from monitor.testdc.channel import Channel
from monitor.testdc.cluster import Cluster
from monitor.testdc.errors import ScenarioError
from monitor.testdc.forms import checked
from monitor.testdc.media import Photo
from monitor.testdc.orders import ordered
from monitor.testdc.pictures import picture
from monitor.testdc.posts import Post, User
from monitor.testdc.world import World

PICTURES = 24
SECONDS_BETWEEN_POSTS = 60
DOCUMENT_BYTES = 6000
_USER = {
    "phone": str,
    "code": str,
    "password": str,
    "dc": int,
    "first_name": str,
    "scans_after": float,
}
_BOT = {"token": str, "username": str, "dc": int}
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
    "bots": list,
    "difference_limit": int,
}
_WHOLE = {
    "seed": int,
    "login_token_seconds": float,
    "users": list,
    "bots": list,
    "channels": list,
    "faults": list,
}


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
    order: Callable[[Cluster], None]

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
    whole = checked(raw, _WHOLE, "the file")
    seed = whole.get("seed", 7)
    world = World(seed=seed)
    for number, entry in enumerate(whole.get("users", []), 1):
        world.user(**_somebody(entry, _USER, f"users[{number}]", ("phone", "code")))
    for number, entry in enumerate(whole.get("bots", []), 1):
        fields = _somebody(entry, _BOT, f"bots[{number}]", ("token", "username"))
        try:
            world.bot(**fields)
        except ValueError as error:
            raise ScenarioError(f"bots[{number}]: {error}") from error
    live = [
        _channel(world, entry, _chance(seed, number), f"channels[{number}]")
        for number, entry in enumerate(whole.get("channels", []), 1)
    ]
    faults = [ordered(world, entry, f"faults[{n}]") for n, entry in enumerate(whole.get("faults", []), 1)]

    def order(cluster: Cluster) -> None:
        for add in faults:
            add(cluster.faults)
        if (life := whole.get("login_token_seconds")) is not None:
            cluster.sign_ins.token_life = life

    return Scenario(seed, world, tuple(filter(None, live)), order)


def _chance(seed: int, number: int) -> random.Random:
    return random.Random(f"{seed}:{number}")  # noqa: S311 — repeatable on purpose


def _somebody(raw: object, form: dict[str, type], where: str, required: tuple[str, ...]) -> dict[str, Any]:
    fields = checked(raw, form, where, required)
    if fields.get("dc", 1) not in (1, 2):
        raise ScenarioError(f"{where}.dc: {fields['dc']} is neither 1 nor 2")
    return fields


def _channel(world: World, raw: object, chance: random.Random, where: str) -> Live | None:
    fields = checked(raw, _CHANNEL, where, required=("username",))
    count, rate = fields.pop("posts", None) or 0, fields.pop("live_per_second", None) or 0.0
    bots = [world.by_name(str(name)) for name in fields.pop("bots", None) or []]
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

    for bot in bots:
        if not isinstance(bot, User) or not bot.bot:
            raise ScenarioError(f"{where}.bots: only usernames that stand under bots can be named")
        channel.add_bot(bot)

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
