"""A world full of words that must never be written down: one of every kind that the platform can send.

`mark(kind)` gives a sentence for each kind, `name(kind)` one plain word, `phone(kind)` digits; `inside` the same as
`mark` for what stands inside media bytes. Everything is generated and benign.
"""

import io
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from PIL import Image, PngImagePlugin
from telethon.tl import types

from monitor.testdc.channel import Channel
from monitor.testdc.media import Document, Embedded, Media, Photo
from monitor.testdc.pictures import picture, pixels
from monitor.testdc.posts import Origin, Post, User
from monitor.testdc.render import Renderer
from monitor.testdc.world import World

Mark = Callable[[str], str]
CODE = "22222"
BROADCAST, GROUP, OTHER = "canary_news", "canary_forum", "canary_second"
LISTED = 1


@dataclass(slots=True)
class Canaries:
    """The world, the account that signs in, and what a search needs to know of the media."""

    world: World
    user: User
    mark: Mark
    name: Mark
    phone: Mark
    inside: Mark
    channels: dict[str, Channel] = field(default_factory=dict)
    bytes_of_media: list[bytes] = field(default_factory=list)
    listed: bytes = b""
    posted: int = 0
    _chance: random.Random = field(default_factory=lambda: random.Random(5))  # noqa: S311 — repeatable on purpose

    def photo(self, number: int) -> Photo:
        """A photo in the platform's sizes, all of which are remembered for the search."""
        made = self.world.photo(picture(number, 320, 240), dc=1 + number % 2)
        self.bytes_of_media += [made.stripped, *(rendition.data for rendition in made.renditions)]
        return made

    def file(self, data: bytes, *, name: str = "name of a file", **more: Any) -> Document:
        """A file under a marked name."""
        made = self.world.document(data, name=f"{self.name(name)}.bin", **more)
        self.bytes_of_media += [data, *(rendition.data for rendition in made.thumbs)]
        return made

    def step(self, number: int) -> None:
        """One thing that happens while the daemon runs: a post, an edit, a deletion, a change of the channel."""
        news, forum = self.channels[BROADCAST], self.channels[GROUP]
        match number % 8:
            case 0:
                post = news.post(self.mark("text posted live"), views=3)
                news.edit(post.id, self.mark("text after an edit"))
            case 1:
                news.post(self.mark("caption posted live"), media=self.photo(100 + number))
            case 2:
                forum.post(self.mark("text posted live in a group"), sender=self._somebody())
            case 3:
                noise = self._chance.randbytes(1500)
                news.post(media=self.file(noise, name="name of a file posted live", mime="application/zip"))
            case 4:
                post = news.post(self.mark("text that is deleted"), media=self.photo(100 + number))
                news.delete(post.id)
            case 5:
                broken = broken_files(self.inside)
                data = broken[number // 8 % len(broken)]
                news.post(media=self.file(data, name="name of a broken file", mime="image/jpeg"))
            case 6:
                news.service("title", self.mark("new title of a channel")[:100])
            case 7:
                forum.post(forward=news.get(news.top))
                news.react(news.top, {self.mark("reaction")[:20]: 3})
        self.posted += 1

    def _somebody(self) -> User:
        return self.world.user(
            first_name=self.mark("first name of a user"),
            last_name=self.mark("last name of a user"),
            username=f"{self.name('username of a user')}_{len(self.world.users)}",
            phone=self.phone("phone number of a user"),
        )


class MarkedRenderer(Renderer):
    """Adds what the test data centre has no use for otherwise: buttons, quotes, other people's numbers."""

    def __init__(self, world: World, mark: Mark) -> None:
        super().__init__(world)
        self._mark = mark

    def _message(self, post: Post) -> Any:
        tl = super()._message(post)
        if not isinstance(tl, types.Message):
            return tl
        url = f"https://example.org/{self._mark('address behind a button')}"
        data = self._mark("data of a button").encode()
        buttons = [
            types.KeyboardInlineButton(self._mark("text of a button"), kind)
            for kind in (types.InlineButtonTypeUrl(url), types.InlineButtonTypeCallback(data))
        ]
        tl.reply_markup = types.ReplyInlineMarkup([types.KeyboardInlineButtonRow(buttons)])
        if tl.reply_to is not None:
            tl.reply_to.quote, tl.reply_to.quote_text = True, self._mark("quoted text")
        return tl

    def user(self, user: User, viewer: User | None) -> Any:
        tl = super().user(user, viewer)
        tl.phone = user.phone
        return tl


def canaries(world: World, mark: Mark, name: Mark, phone: Mark, inside: Mark) -> Canaries:
    """Fill an empty world: a channel, a group, a second channel, and in them every kind of content."""
    user = world.user(
        phone=phone("the account's own phone number"),
        code=CODE,
        first_name=mark("the account's first name"),
        last_name=mark("the account's last name"),
        username=name("the account's username"),
    )
    made = Canaries(world, user, mark, name, phone, inside)
    for username in (BROADCAST, GROUP, OTHER):
        made.channels[username] = world.channel(
            username,
            title=mark("title of a channel"),
            about=mark("description of a channel"),
            kind="group" if username == GROUP else "broadcast",
        )
    _texts(made)
    _embedded(made)
    _pictures(made)
    _broken(made)
    return made


def _texts(made: Canaries) -> None:
    news, forum, second, mark = (
        made.channels[BROADCAST],
        made.channels[GROUP],
        made.channels[OTHER],
        made.mark,
    )
    url = f"https://example.org/{made.name('address in an entity')}"
    language = made.name("language of a block of code")
    entities = [types.MessageEntityTextUrl(0, 4, url), types.MessageEntityPre(0, 4, language)]
    first = news.post(mark("text of a message"), entities=entities, author=mark("signature of an author"))
    news.post(
        mark("text of a pinned message"), restriction=(("all", "terms", mark("text of a restriction")),)
    )
    news.service("pin", first.id)
    news.post(mark("text of a message"), forward=Origin(1_700_000_000, name=mark("name of a hidden author")))
    for _ in range(6):
        person = made._somebody()
        post = forum.post(mark("text of a message in a group"), sender=person, reply_to=forum.top)
        forum.react(post.id, {"👍": 2})
    forum.post(mark("text of a message"), forward=Origin(1_700_000_000, user_id=person.id), sender=person)
    second.post(forward=first)
    made.posted += 12


def _embedded(made: Canaries) -> None:
    news, mark, world = made.channels[BROADCAST], made.mark, made.world
    name = made.name
    link = f"https://example.org/{name('address of a web page')}"
    card = types.MessageMediaContact(
        made.phone("phone number of a contact"), mark("name of a contact"), "", mark("card of a contact"), 0
    )
    place = types.MessageMediaVenue(
        types.GeoPoint(1, 2, 0),
        mark("title of a place"),
        mark("address of a place"),
        name("provider of a place"),
        "1",
        "",
    )
    song = types.DocumentAttributeAudio(
        3, title=mark("title of a song"), performer=mark("performer of a song")
    )
    sticker = types.DocumentAttributeSticker(mark("word of a sticker")[:30], types.InputStickerSetEmpty())
    for media in (
        world.poll(mark("question of a poll"), mark("answer of a poll"), mark("answer of a poll")),
        world.web_page(
            link, mark("title of a web page"), mark("description of a web page"), made.photo(LISTED + 50)
        ),
        Embedded(lambda refer: card),
        Embedded(lambda refer: place),
        _document(made, song, mime=name("MIME type")),
        _document(made, sticker, mime="image/webp"),
    ):
        news.post(mark("caption"), media=media)
        made.posted += 1


def _document(made: Canaries, attribute: Any, mime: str) -> Media:
    file = made.file(made._chance.randbytes(900))

    def build(refer: Callable[[int], bytes]) -> Any:
        tl = file.tl(refer)
        tl.document.mime_type = f"text/{mime}" if "/" not in mime else mime
        tl.document.attributes.append(attribute)
        return tl

    return Embedded(build)


def _pictures(made: Canaries) -> None:
    news, mark = made.channels[BROADCAST], made.mark
    made.listed = picture(LISTED, 320, 240)
    for number in (LISTED, 2, 3):
        news.post(mark("caption of a photo"), media=made.photo(number))
    news.album([made.photo(4), made.photo(5)], mark("caption of an album"))
    for kind, data in marked_pictures(made.inside).items():
        news.post(mark("caption of a file"), media=made.file(data, mime=f"image/{kind.lower()}"))
    made.posted += 5 + len(marked_pictures(made.inside))


def _broken(made: Canaries) -> None:
    for data in broken_files(made.inside):
        media = made.file(data, name="name of a broken file", mime="image/jpeg")
        made.channels[OTHER].post(made.mark("caption of a broken file"), media=media)
        made.posted += 1


def marked_pictures(inside: Mark) -> dict[str, bytes]:
    """Pictures of several formats with marked EXIF, XMP, ICC profile and comments."""
    image = Image.fromarray(pixels(77, 96, 72))
    exif = Image.Exif()
    exif[0x010E], exif[0x013B] = inside("EXIF description"), inside("EXIF artist")
    profile = b"\0" * 128 + inside("ICC profile").encode()
    packet = f"<x:xmpmeta>{inside('XMP packet')}</x:xmpmeta>".encode()
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt("Comment", inside("text chunk of a PNG"), zip=True)
    options: dict[str, dict[str, Any]] = {
        "JPEG": {
            "exif": exif,
            "icc_profile": profile,
            "xmp": packet,
            "comment": inside("comment of a JPEG").encode(),
        },
        "PNG": {"pnginfo": chunks, "icc_profile": profile, "exif": exif},
        "WEBP": {"exif": exif.tobytes(), "xmp": packet},
        "GIF": {"comment": inside("comment of a GIF").encode()},
        "TIFF": {"tiffinfo": exif},
    }
    made = {}
    for kind, more in options.items():
        out = io.BytesIO()
        image.save(out, kind, **more)
        made[kind] = out.getvalue()
    return made


def broken_files(inside: Mark) -> tuple[bytes, ...]:
    """Files that no decoder can finish, with words in them that an error could quote."""
    pictures = marked_pictures(inside)
    words = inside("text inside a broken file").encode()
    return (
        pictures["JPEG"][: len(pictures["JPEG"]) // 2],
        b"\xff\xd8\xff\xe0" + words,
        pictures["PNG"][:60] + words + pictures["PNG"][60:],
        pictures["WEBP"][:200],
        b"GIF89a" + words,
        b"\0\0\0\x20ftypisom" + words,
        b"PK\3\4" + words,
        b"<svg xmlns='http://www.w3.org/2000/svg'><text>" + words + b"</text></svg>",
        words,
        b"",
    )
