"""The world of the demo: channels with posts, pictures and files, and planted copies of listed items.

Everything is generated and benign. Texts, captions and file names carry marker words that occur nowhere
else, so that a search afterwards can tell whether any of them reached the disk.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from monitor.testdc.channel import Channel
from monitor.testdc.films import film
from monitor.testdc.media import File
from monitor.testdc.pictures import picture, snapshot
from monitor.testdc.posts import Post, User
from monitor.testdc.world import World

PHONE, CODE = "15550001", "22222"
ARCHIVE_POSTS = 3000
PICTURES = 150
FILES = 50
FILM_SECONDS = 6
HOUR = 3600

JOINED = ("daily_archive", "city_pictures", "file_corner", "second_hand", "open_forum", "live_wire")
EXPIRED, BY_REQUEST, MOVED = "closed_study", "members_only", "renamed_page"


@dataclass(slots=True)
class Showcase:
    """The world, what was planted in it, and what the lists hold.

    `planted` has channel id and message id of every sighting; `pictures`, `films` and `files` give the listed
    items by entry id, as bytes, from which the demo makes its three hash lists.
    """

    world: World
    user: User
    channels: dict[str, Channel]
    pictures: dict[str, bytes]
    films: dict[str, bytes]
    files: dict[str, bytes]
    planted: set[tuple[int, int]] = field(default_factory=set)
    moved_from: int = 0
    chance: random.Random = field(default_factory=random.Random)

    @property
    def posted(self) -> int:
        """Posts in the joined channels, service messages left out."""
        return sum(post.action is None for name in JOINED for post in self.channels[name].posts)

    def words(self) -> str:
        """A few marker words; `MARKER` occurs in each."""
        return " ".join(MARKER + "".join(self.chance.choices("bdfgklmnprstv", k=6)) for _ in range(4))

    def live(self) -> Iterator[Post]:
        """Posts that arrive while the demo runs: text, an edit, a new picture, two planted copies."""
        wire, forum = self.channels["live_wire"], self.channels["open_forum"]
        yield wire.post(self.words())
        yield self._plant(wire.post(self.words(), media=self._copy("picture-2", quality=70)))
        post = wire.post(self.words())
        wire.edit(post.id, self.words())
        yield post
        yield forum.post(self.words(), sender=self.world.user(first_name=self.words()))
        yield self._plant(wire.post(self.words(), media=self._file("file-3")))
        archive = self.channels["daily_archive"]
        archive.edit(archive.alive[20], self.words())
        yield wire.post(self.words(), media=self.world.photo(picture(9001, 640, 480)))

    def chatter(self) -> Post:
        """One more ordinary post, for a demo that goes on."""
        return self.channels["live_wire"].post(self.words())

    def _plant(self, post: Post) -> Post:
        self.planted.add((post.channel_id, post.id))
        return post

    def _copy(self, entry: str, width: int = 800, height: int = 600, quality: int = 92) -> File:
        return self.world.photo(picture(int(entry.removeprefix("picture-")), width, height, quality=quality))

    def _file(self, entry: str) -> File:
        return self.world.document(self.files[entry], name=f"{self.words()}.bin")


MARKER = "zqxwvjq"
"""How every marker word begins; no English word and no identifier of ours contains it."""


def showcase(world: World, seed: int) -> Showcase:
    """Fill an empty world: six channels to join, three to refuse, some 200 items, 18 planted sightings.

    Two more are planted by `Showcase.live`.
    """
    chance = random.Random(seed)  # noqa: S311 — repeatable on purpose
    user = world.user(phone=PHONE, code=CODE)
    channels = {
        name: world.channel(
            name,
            title=f"{MARKER}title {name}",
            kind="group" if name == "open_forum" else "broadcast",
            participants=1000,
        )
        for name in (*JOINED, EXPIRED)
    }
    channels[BY_REQUEST] = world.channel(BY_REQUEST, access="request", kind="group")
    # The authorization names the channel that held the name then; another one holds it now.
    before = world.channel(MOVED)
    before.rename("renamed_page_new")
    channels[MOVED] = world.channel(MOVED)
    shown = Showcase(
        world,
        user,
        channels,
        pictures={f"picture-{n}": picture(n) for n in range(1, 6)},
        films={"film-1": film(1, FILM_SECONDS)},
        files={f"file-{n}": chance.randbytes(20_000 + 1000 * n) for n in range(1, 5)},
        moved_from=before.id,
        chance=chance,
    )
    for name in (EXPIRED, BY_REQUEST, MOVED):
        for _ in range(5):
            channels[name].post(shown.words(), media=world.document(shown.files["file-1"]))
    _archive(shown)
    _pictures(shown)
    _files(shown)
    _forwards(shown)
    _films(shown)
    _forum(shown)
    channels["live_wire"].post(shown.words())
    return shown


def _archive(shown: Showcase) -> None:
    channel = shown.channels["daily_archive"]
    start = shown.world.seconds(None) - ARCHIVE_POSTS * HOUR
    for hour in range(ARCHIVE_POSTS):
        channel.post(shown.words(), date=start + hour * HOUR, views=shown.chance.randrange(10_000))
        if hour % 500 == 250:
            channel.service("pin", channel.top)


def _pictures(shown: Showcase) -> None:
    """Ordinary pictures, near misses among them, and the listed ones: as they are, recompressed, resized."""
    channel, world = shown.channels["city_pictures"], shown.world
    for number in range(PICTURES):
        width, height = shown.chance.choice(((960, 720), (1000, 750), (720, 960)))
        photo = world.photo(snapshot(1000 + number, width, height), dc=1 + number % 2)
        if number % 10 == 0:
            channel.album([photo, world.photo(snapshot(2000 + number, 800, 600))], shown.words())
        else:
            channel.post(shown.words(), media=photo)
    for entry, width, height, quality in (
        ("picture-1", 800, 600, 92),
        ("picture-1", 800, 600, 50),
        ("picture-2", 400, 300, 85),
        ("picture-3", 1280, 960, 80),
        ("picture-4", 800, 600, 35),
        ("picture-5", 640, 480, 75),
    ):
        shown._plant(channel.post(shown.words(), media=shown._copy(entry, width, height, quality)))
    # As a file the picture is not recompressed by the platform; perceptual hashes find it all the same.
    original = world.document(shown.pictures["picture-4"], mime="image/jpeg", name=f"{shown.words()}.jpg")
    shown._plant(channel.post(shown.words(), media=original))


def _files(shown: Showcase) -> None:
    """Ordinary files, near misses with one byte changed, and the listed ones."""
    channel, world = shown.channels["file_corner"], shown.world
    for number in range(FILES):
        data = shown.chance.randbytes(2_000 + 500 * number)
        document = world.document(
            data, name=f"{shown.words()}.zip", mime="application/zip", dc=1 + number % 2
        )
        channel.post(shown.words(), media=document)
    for entry in shown.files:
        near = bytearray(shown.files[entry])
        near[-1] ^= 1
        channel.post(shown.words(), media=world.document(bytes(near), name=f"{shown.words()}.bin"))
        shown._plant(channel.post(shown.words(), media=shown._file(entry)))
    channel.post(shown.words(), media=world.document(b"", name="empty.bin"))
    channel.post(shown.words(), media=world.document(b"\xff\xd8\xff\xe0 no picture", mime="image/jpeg"))


def _films(shown: Showcase) -> None:
    """The listed film, smaller and coded anew, and another one."""
    channel, world = shown.channels["city_pictures"], shown.world
    for seed in (1, 2):
        document = world.document(
            film(seed, FILM_SECONDS, 320, 240, rate=8, bit_rate=200_000),
            mime="video/mp4",
            kind="video",
            width=320,
            height=240,
            duration=FILM_SECONDS,
        )
        post = channel.post(shown.words(), media=document)
        if seed == 1:
            shown._plant(post)


def _forwards(shown: Showcase) -> None:
    """Forwards keep the media id: one fetch serves them all."""
    channel = shown.channels["second_hand"]
    planted = [
        post
        for name in ("city_pictures", "file_corner")
        for post in shown.channels[name].posts
        if (post.channel_id, post.id) in shown.planted
    ]
    for post in planted[::2]:
        shown._plant(channel.post(forward=post))
    for post in shown.channels["city_pictures"].posts[5:15]:
        channel.post(forward=post)


def _forum(shown: Showcase) -> None:
    """A public group, where people post; what they are called must not be kept."""
    channel, world = shown.channels["open_forum"], shown.world
    people = [world.user(first_name=shown.words(), username=f"{MARKER}person{n}") for n in range(5)]
    for number in range(40):
        channel.post(shown.words(), sender=people[number % 5], reply_to=channel.top if number % 3 else None)
    channel.post(
        shown.words(), sender=people[0], media=world.poll(shown.words(), shown.words(), shown.words())
    )
    channel.post(shown.words(), sender=people[1], media=world.geo(37.5665, 126.978))
    channel.post(shown.words(), sender=people[2], media=world.web_page("https://example.org/", shown.words()))
    channel.post(shown.words(), sender=people[3], media=world.contact("15550999", shown.words()))
