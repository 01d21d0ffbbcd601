"""What people do in the channels of a run."""

import functools
import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from monitor.matching.image import hash_image
from monitor.testdc import Channel, Document, Photo, Post, User, World
from monitor.testdc.pictures import picture

LISTED_FILES = {f"file-{n}": random.Random(f"listed {n}").randbytes(3000 + 977 * n) for n in range(3)}
"""Files that are on the hash list, by entry."""
LISTED_PICTURE = 1
PICTURES = (LISTED_PICTURE, 2, 3)
"""Seeds of pictures; the first is on the hash list."""
SIZES = (0, 1, 900, 5000, 70_000)
"""Bytes of files that are not."""


@functools.cache
def made(seed: int) -> bytes:
    """A picture, made once."""
    return picture(seed, 320, 240)


@functools.cache
def lists() -> dict[str, list[tuple[str, str]]]:
    """What is listed: algorithm → hash and entry."""
    return {
        "sha256": [(hashlib.sha256(data).hexdigest(), entry) for entry, data in LISTED_FILES.items()],
        "pdq": [(hash_image(made(LISTED_PICTURE)).pdq.hex(), "picture-1")],
    }


@dataclass
class People:
    """Each method is one thing that somebody does; what was done goes to `say`."""

    world: World
    channels: list[Channel]
    other: Channel
    """A channel that the account is a member of and that nobody has authorized."""
    say: Callable[[str], None]
    members: list[User] = field(default_factory=list)
    edits: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    """When a post was edited for all to see."""

    def history(self, channel: Channel, posts: int, chance: random.Random) -> None:
        """What a channel holds before anybody looks."""
        for _ in range(posts):
            media = self._media(chance) if chance.random() < 0.1 else None
            channel.post("before", media=media, sender=self._sender(channel, chance))
            if chance.random() < 0.05:
                channel.delete(chance.choice(channel.alive))

    # -- posting

    def post(self, chance: random.Random) -> None:
        channel = chance.choice(self.channels)
        reply = self._some(channel, chance) if chance.random() < 0.3 else None
        self._told(
            channel.post("words", sender=self._sender(channel, chance), reply_to=reply and reply.id), "posted"
        )

    def post_media(self, chance: random.Random) -> None:
        channel = chance.choice(self.channels)
        self._told(
            channel.post("words", media=self._media(chance), sender=self._sender(channel, chance)),
            "posted media",
        )

    def album(self, chance: random.Random) -> None:
        channel = chance.choice(self.channels)
        media = [self._media(chance) for _ in range(chance.randint(2, 4))]
        posts = channel.album(media, "words", sender=self._sender(channel, chance))
        self.say(f"{channel.username}: album {[post.id for post in posts]}")

    def forward(self, chance: random.Random) -> None:
        channel, source = chance.choice(self.channels), chance.choice([*self.channels, self.other])
        original = self._some(source, chance)
        if original is not None:
            self._told(channel.post(forward=original, sender=self._sender(channel, chance)), "forwarded")

    def burst(self, chance: random.Random) -> None:
        channel, number = chance.choice(self.channels), chance.choice((20, 110))
        first = channel.top + 1
        for _ in range(number):
            channel.post("many", sender=self._sender(channel, chance))
        self.say(f"{channel.username}: {number} posts from {first}")

    def service(self, chance: random.Random) -> None:
        channel = chance.choice(self.channels)
        post = self._some(channel, chance)
        if post is not None and chance.random() < 0.7:
            self._told(channel.service("pin", post.id), "pinned")
        else:
            self._told(channel.service("photo"), "took the photo away")

    def rename(self, chance: random.Random) -> None:
        channel = chance.choice(self.channels)
        self._told(channel.service("title", f"Title {chance.random()}"), "renamed")

    def elsewhere(self, chance: random.Random) -> None:
        """Something happens where the account is a member and nobody has authorized anything."""
        self.other.post("not ours", media=self._media(chance))
        self.world.notify(next(iter(self.world.users.values())), "a private message")

    # -- changing

    def edit(self, chance: random.Random) -> None:
        if (found := self._one(chance)) is not None:
            self._edited(*found, text="other words")

    def edit_media(self, chance: random.Random) -> None:
        if (found := self._one(chance)) is not None:
            self._edited(*found, media=self._media(chance))

    def edit_twice(self, chance: random.Random) -> None:
        """Within one second, so that the server's date does not tell which was last."""
        if (found := self._one(chance)) is not None:
            self._edited(*found, media=self._media(chance))
            self._edited(*found, media=self._media(chance))

    def react(self, chance: random.Random) -> None:
        if (found := self._one(chance)) is not None:
            channel, post = found
            channel.react(post.id, {"👍": chance.randint(1, 9)})
            self.say(f"{channel.username}: reactions to {post.id}")

    def delete(self, chance: random.Random) -> None:
        channel = chance.choice(self.channels)
        ids = {post.id for _ in range(chance.randint(1, 4)) if (post := self._some(channel, chance))}
        channel.delete(*sorted(ids))
        self.say(f"{channel.username}: deleted {sorted(ids)}")

    def delete_newest(self, chance: random.Random) -> None:
        channel = chance.choice(self.channels)
        ids = [i for i in channel.alive[-chance.randint(1, 3) :] if i > 1]
        channel.delete(*ids)
        self.say(f"{channel.username}: deleted the newest {ids}")

    def blink(self, chance: random.Random) -> None:
        """Posted and deleted at once: between two looks there was nothing."""
        channel = chance.choice(self.channels)
        post = channel.post("gone", media=self._media(chance))
        channel.delete(post.id)
        self._told(post, "posted and deleted")

    # -- choosing

    def _one(self, chance: random.Random) -> tuple[Channel, Post] | None:
        channel = chance.choice(self.channels)
        post = self._some(channel, chance)
        return None if post is None else (channel, post)

    def _some(self, channel: Channel, chance: random.Random) -> Post | None:
        """A post, one of the newest more often than not; no service message."""
        ids = channel.alive[-10:] if chance.random() < 0.6 else channel.alive
        posts = [post for i in ids if (post := channel.get(i)) and post.action is None]
        return chance.choice(posts) if posts else None

    def _media(self, chance: random.Random) -> Document | Photo:
        dc = chance.choice((1, 1, 1, 1, 2))
        draw = chance.random()
        if draw < 0.3:
            return self.world.photo(made(chance.choice(PICTURES)), dc=dc)
        if draw < 0.6:
            return self.world.document(chance.choice(list(LISTED_FILES.values())), dc=dc)
        return self.world.document(chance.randbytes(chance.choice(SIZES)), dc=dc)

    def _sender(self, channel: Channel, chance: random.Random) -> User | None:
        return None if channel.broadcast else chance.choice(self.members)

    def _edited(self, channel: Channel, post: Post, **change: object) -> None:
        channel.edit(post.id, **change)  # type: ignore[arg-type]
        self.edits.setdefault((channel.id, post.id), []).append(self.world.seconds(None))
        self.say(f"{channel.username}: edited {post.id}")

    def _told(self, post: Post, what: str) -> None:
        name = self.world.channels[post.channel_id].username
        self.say(f"{name}: {what} {post.id}")
