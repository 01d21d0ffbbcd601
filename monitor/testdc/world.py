"""The world that the test data centre serves, and that a script drives: users, channels, files, reports."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from monitor.testdc import media
from monitor.testdc.channel import Access, Channel, When
from monitor.testdc.media import Document, DocumentKind, Embedded, File, Photo
from monitor.testdc.menu import Menu
from monitor.testdc.posts import Event, Notice, Noticed, User
from monitor.testdc.references import FileReferences

REFERENCE_LIFE = 3600.0
ACCOUNT_DIFFERENCE_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Report:
    """A report that a user carried through to its end: the texts chosen in the menu, and the comment."""

    at: float
    user: User
    channel_id: int
    ids: tuple[int, ...]
    path: tuple[str, ...]
    comment: str


class World:
    """`clock` gives Unix seconds. Everything random comes from `seed`: the same script, the same world."""

    def __init__(self, clock: Callable[[], float] = time.time, seed: int = 7) -> None:
        self.now = clock
        self._random = random.Random(seed)  # noqa: S311 — repeatable on purpose
        self._secret = self._random.randbytes(32)
        self.users: dict[int, User] = {}
        self.channels: dict[int, Channel] = {}
        self.files: dict[int, File] = {}
        self.reports: list[Report] = []
        self.menu = Menu()
        self.references = FileReferences(clock, self._secret, REFERENCE_LIFE)
        # More private messages than this in one difference are answered with "too long".
        self.account_difference_limit = ACCOUNT_DIFFERENCE_LIMIT
        # More changes of a channel than this are "too long", whatever limit the client gives; None: its limit.
        self.channel_difference_limit: int | None = None
        self._listeners: list[Callable[[Event], None]] = []
        self._hashes: dict[tuple[int, int], int] = {}

    # Making things

    def user(
        self,
        phone: str | None = None,
        code: str | None = None,
        password: str | None = None,
        *,
        first_name: str = "Test",
        last_name: str | None = None,
        username: str | None = None,
        dc: int = 1,
        token: str | None = None,
        scans_after: float | None = None,
    ) -> User:
        """A user. With a phone and a code it may sign in at data centre `dc`, with a password in two steps; with
        `scans_after` it accepts login tokens by itself. Raises ValueError where the name is taken."""
        self.check_name(username)
        user = User(
            5_000_000_000 + 7 * len(self.users) + 1,
            first_name,
            last_name,
            username,
            phone and _digits(phone),
            code,
            password,
            dc,
            token,
            scans_after,
        )
        self.users[user.id] = user
        return user

    def bot(self, token: str, username: str | None = None, *, first_name: str = "Bot", dc: int = 1) -> User:
        """A bot, which signs in with its token. It hears of channels whose owner added it: `Channel.add_bot`.
        Raises ValueError where the name is taken."""
        return self.user(first_name=first_name, username=username, dc=dc, token=token)

    def channel(
        self,
        username: str | None = None,
        *,
        title: str | None = None,
        kind: Literal["broadcast", "group"] = "broadcast",
        access: Access = "public",
        participants: int = 1,
        created: When = None,
        **traits: Any,
    ) -> Channel:
        """A channel, or with kind ``group`` a public group. `access` is ``public``, ``request`` (public name,
        joining must be approved) or ``private`` (no name). `traits`: noforwards, verified, scam, fake, about,
        linked (another channel), difference_limit (its own `World.channel_difference_limit`)."""
        self.check_name(username)
        channel = Channel(
            self,
            1_500_000_000 + 13 * len(self.channels) + 1,
            None if access == "private" else username,
            title=title or username or "Untitled",
            kind=kind,
            access=access,
            participants=participants,
            created=self.seconds(created),
            **traits,
        )
        self.channels[channel.id] = channel
        return channel

    def photo(
        self, picture: bytes, dc: int = 1, *, progressive: bool = False, spoiler: bool = False
    ) -> Photo:
        """A photo from a JPEG or PNG, stored at data centre `dc`; sizes are made when first asked for."""
        photo = Photo(
            self.random_long(), self.random_long(), dc, self.seconds(None), picture, progressive, spoiler
        )
        self.files[photo.id] = photo
        return photo

    def document(
        self,
        data: bytes,
        *,
        mime: str = "application/octet-stream",
        name: str | None = None,
        kind: DocumentKind = "file",
        width: int = 0,
        height: int = 0,
        duration: float = 0,
        dc: int = 1,
        thumb: bytes | None = None,
        spoiler: bool = False,
    ) -> Document:
        """A file, kept as it is. `thumb` is a picture from which a thumbnail is made."""
        document = Document(
            self.random_long(),
            self.random_long(),
            dc,
            self.seconds(None),
            data,
            mime,
            name,
            kind,
            width,
            height,
            duration,
            thumb,
            spoiler,
        )
        self.files[document.id] = document
        return document

    def poll(self, question: str, *answers: str) -> Embedded:
        """A poll with its answers."""
        return media.poll(self.random_long(), question, answers)

    def web_page(
        self, url: str, title: str = "", description: str = "", photo: Photo | None = None
    ) -> Embedded:
        """A link's preview."""
        return media.web_page(self.random_long(), url, title, description, photo)

    def geo(self, latitude: float, longitude: float) -> Embedded:
        """A place, in degrees."""
        return media.place(latitude, longitude)

    def contact(self, phone: str, first_name: str, last_name: str = "") -> Embedded:
        """A contact's card."""
        return media.contact(phone, first_name, last_name)

    def paid_media(self, *items: File, stars: int = 1) -> Embedded:
        """Media that must be bought for that many stars."""
        return media.paid(stars, items)

    def notify(self, user: User, text: str) -> None:
        """A private message from the service account."""
        user.pts += 1
        notice = Notice(len(user.notices) + 1, user.pts, self.seconds(None), text)
        user.notices.append(notice)
        self.publish(Noticed(user, notice))

    # Finding things

    def by_phone(self, phone: str) -> User | None:
        """The user who signs in with that number; a leading plus and spaces do not matter."""
        wanted = _digits(phone)
        return next((user for user in self.users.values() if user.phone == wanted), None)

    def by_token(self, token: str) -> User | None:
        """The bot that signs in with that token."""
        return next((user for user in self.users.values() if user.token == token), None)

    def by_name(self, username: str) -> User | Channel | None:
        """Who bears a public name now; case does not matter. A closed channel has lost its name."""
        wanted = username.casefold()
        bearers: list[User | Channel] = [*self.channels.values(), *self.users.values()]
        for bearer in bearers:
            if bearer.username and bearer.username.casefold() == wanted:
                return None if isinstance(bearer, Channel) and bearer.closed else bearer
        return None

    def check_name(self, username: str | None) -> None:
        """Raises ValueError where the public name is taken."""
        if username is not None and self.by_name(username) is not None:
            raise ValueError(f"the name {username!r} is taken")

    def joined(self, user: User) -> list[Channel]:
        """The channels that a user is a member of and may see."""
        return [c for c in self.channels.values() if user.id in c.members and c.may_see(user)]

    def access_hash(self, user: User, entity_id: int) -> int:
        """The access hash under which one account knows a channel or user: different for each account."""
        key = (user.id, entity_id)
        if key not in self._hashes:
            digest = hashlib.blake2b(b"%d:%d" % key, key=self._secret, digest_size=8).digest()
            self._hashes[key] = int.from_bytes(digest, "little", signed=True) or 1
        return self._hashes[key]

    @property
    def reported(self) -> dict[tuple[int, int], tuple[tuple[str, ...], str]]:
        """What was reported, by channel and message id: the texts chosen in the menu, and the comment; the last
        report of each."""
        return {
            (report.channel_id, post_id): (report.path, report.comment)
            for report in self.reports
            for post_id in report.ids
        }

    # Time, chance, and who listens

    def seconds(self, when: When) -> int:
        """Unix seconds; None is now, a datetime without a zone is UTC."""
        if isinstance(when, datetime):
            return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())
        return int(self.now() if when is None else when)

    def random_long(self) -> int:
        """A positive 63-bit number."""
        return self._random.getrandbits(62) + 1

    def subscribe(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Calls `listener` with every event from now on; the function returned ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def publish(self, event: Event) -> None:
        """Tells all listeners, in order, before it returns."""
        for listener in self._listeners:
            listener(event)


def _digits(phone: str) -> str:
    return "".join(filter(str.isdigit, phone))
