"""A channel or public group: its posts, its sequence of changes, who may see it."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from telethon.tl import types

from monitor.testdc.media import Media
from monitor.testdc.posts import Change, ChannelChanged, Kind, Origin, Post, User

if TYPE_CHECKING:
    from monitor.testdc.world import World

Access = Literal["public", "request", "private"]
When = datetime | float | None


class Channel:
    """Message ids are consecutive from 1, which is the service message of the creation; each change takes the
    next `pts`. Every method tells the connected sessions at once."""

    def __init__(
        self,
        world: World,
        channel_id: int,
        username: str | None,
        *,
        title: str,
        kind: Literal["broadcast", "group"],
        access: Access,
        participants: int,
        created: int,
        **traits: Any,
    ) -> None:
        self._world = world
        self.id = channel_id
        self.username = username
        self.title = title
        self.kind = kind
        self.access: Access = access
        self.participants = participants
        self.created = created
        self.noforwards: bool = traits.pop("noforwards", False)
        self.verified: bool = traits.pop("verified", False)
        self.scam: bool = traits.pop("scam", False)
        self.fake: bool = traits.pop("fake", False)
        self.about: str = traits.pop("about", "")
        self.linked: Channel | None = traits.pop("linked", None)
        self.difference_limit: int | None = traits.pop("difference_limit", None)
        if traits:
            raise TypeError(f"unknown trait {', '.join(traits)}")
        self.restriction: tuple[tuple[str, str, str], ...] = ()
        self.invite = f"T{channel_id:x}testInvite"
        self.members: dict[int, int] = {}  # user id → when joined
        self.banned: set[int] = set()
        self.closed = False
        self.pts = 1
        self.log: list[Change] = []
        self.changed_at = 0.0
        # Grows with every change of the channel itself: what was serialised before is stale.
        self.version = 0
        self._posts: list[Post | None] = []
        self._alive: list[int] = []
        self._append(created, action=types.MessageActionChannelCreate(title))

    # Reading

    @property
    def broadcast(self) -> bool:
        """False for a group, where people post."""
        return self.kind == "broadcast"

    @property
    def top(self) -> int:
        """The id of the newest post that is still there, 0 if there is none."""
        return self._alive[-1] if self._alive else 0

    @property
    def alive(self) -> Sequence[int]:
        """Ids of posts that were not deleted, ascending."""
        return self._alive

    def get(self, post_id: int) -> Post | None:
        """The post, None where it never was or was deleted."""
        return self._posts[post_id - 1] if 0 < post_id <= len(self._posts) else None

    @property
    def posts(self) -> list[Post]:
        """All posts that were not deleted, service messages too, oldest first."""
        return [post for post in self._posts if post is not None]

    def since(self, pts: int) -> list[Change]:
        """Changes after that point of the sequence, oldest first."""
        return self.log[bisect.bisect_right(self.log, pts, key=lambda change: change.pts) :]

    # Posting

    def post(
        self,
        text: str = "",
        *,
        date: When = None,
        media: Media | None = None,
        forward: Post | Origin | None = None,
        reply_to: int | None = None,
        grouped_id: int | None = None,
        sender: User | None = None,
        silent: bool = False,
        entities: list[Any] | None = None,
        views: int | None = None,
        **more: Any,
    ) -> Post:
        """A new post. `forward` takes another post with its text and media, or only names an origin.

        `more` are further fields of `Post`: topic, spoiler, ttl, forwards, replies, reactions, restriction,
        via_bot, author, noforwards.
        """
        origin = forward if isinstance(forward, Origin) else None
        if isinstance(forward, Post):
            text, media = text or forward.text, media or forward.media
            origin = forward.origin or Origin(forward.date, forward.channel_id, forward.id)
            if forward.forwards is not None:
                forward.forwards, forward.rendered = forward.forwards + 1, None
        if self.broadcast:
            views = 1 if views is None else views
            more.setdefault("forwards", 0)
        return self._append(
            self._world.seconds(date),
            text=text,
            media=media,
            origin=origin,
            reply_to=reply_to,
            grouped_id=grouped_id,
            sender=sender,
            silent=silent,
            entities=entities,
            views=views,
            **more,
        )

    def album(self, media: Iterable[Media], caption: str = "", **more: Any) -> list[Post]:
        """Several posts shown as one: they share a grouped id, the first one has the caption."""
        grouped_id = self._world.random_long()
        posts: list[Post] = []
        for item in media:
            text = "" if posts else caption
            posts.append(self.post(text, media=item, grouped_id=grouped_id, **more))
        return posts

    def service(self, what: str, value: Any = None, *, date: When = None) -> Post:
        """A service message: ``pin`` (value: a post's id), ``title`` (the new one) or ``photo`` (deleted)."""
        reply_to = None
        match what:
            case "pin":
                action, reply_to = types.MessageActionPinMessage(), value
                if pinned := self.get(value):
                    pinned.pinned, pinned.rendered = True, None
            case "title":
                self.title = value
                action = types.MessageActionChatEditTitle(value)
                self._touch(self.members)
            case "photo":
                action = types.MessageActionChatDeletePhoto()
            case _:
                raise ValueError(f"unknown service message {what!r}")
        return self._append(self._world.seconds(date), action=action, reply_to=reply_to)

    # Changing posts

    def edit(
        self,
        post_id: int,
        text: str | None = None,
        *,
        media: Media | None = None,
        hidden: bool = False,
        **fields: Any,
    ) -> None:
        """Edits a post. `hidden` is an edit that clients do not show, as reactions and buttons make them."""
        post = self._existing(post_id)
        post.text = post.text if text is None else text
        post.media = media or post.media
        for name, value in fields.items():
            setattr(post, name, value)
        post.edited, post.edit_hidden = self._world.seconds(None), hidden
        post.rendered = None
        self._record(Kind.EDIT, (post_id,), 1)

    def react(self, post_id: int, reactions: dict[str, int]) -> None:
        """New totals of a post's reactions, which go out as a hidden edit."""
        self.edit(post_id, hidden=True, reactions=reactions)

    def count(self, post_id: int, **counters: int) -> None:
        """New views, forwards or replies, which nobody is told of."""
        post = self._existing(post_id)
        for name, value in counters.items():
            setattr(post, name, value)
        post.rendered = None

    def delete(self, *post_ids: int) -> None:
        """Deletes posts; ids that are gone already are passed over."""
        ids = tuple(post_id for post_id in post_ids if self.get(post_id))
        for post_id in ids:
            self._posts[post_id - 1] = None
            del self._alive[bisect.bisect_left(self._alive, post_id)]
        if ids:
            self._record(Kind.DELETE, ids, len(ids))

    # Access

    def join(self, user: User) -> None:
        """The user is a member from now on."""
        if user.id not in self.members:
            self.members[user.id] = self._world.seconds(None)
            self.participants += 1
            self._touch([user.id])

    def add_bot(self, bot: User) -> None:
        """The owner makes a bot an administrator: the only way in for a bot. Raises ValueError for a person."""
        if not bot.bot:
            raise ValueError(f"{bot.label} is no bot")
        self.join(bot)

    def leave(self, user: User) -> None:
        """The user is no member any more."""
        if self.members.pop(user.id, None) is not None:
            self.participants -= 1
            self._touch([user.id])

    def ban(self, user: User | None = None) -> None:
        """Shuts one user out, or, without one, closes the channel to everybody."""
        if user is None:
            self.closed = True
            self._touch(self.members)
        else:
            self.banned.add(user.id)
            self.members.pop(user.id, None)
            self._touch([user.id])

    def make_private(self) -> None:
        """Gives up the public name; members stay, for all others it is closed."""
        self.access, self.username = "private", None
        self._touch(self.members)

    def restrict(self, platform: str, reason: str, text: str) -> None:
        """Adds a restriction label, such as ("all", "terms", "…")."""
        self.restriction += ((platform, reason, text),)
        self._touch(self.members)

    def rename(self, username: str | None) -> None:
        """Changes or, with None, drops the public name. Raises ValueError where it is taken."""
        self._world.check_name(username)
        self.username = username
        self._touch(self.members)

    def may_see(self, user: User) -> bool:
        """Whether the user may read: not shut out, and public or joined."""
        if self.closed or user.id in self.banned:
            return False
        return self.access != "private" or user.id in self.members

    # Keeping the sequence

    def _append(self, date: int, **fields: Any) -> Post:
        post = Post(len(self._posts) + 1, self.id, date, **fields)
        self._posts.append(post)
        self._alive.append(post.id)
        self._record(Kind.NEW, (post.id,), 1)
        return post

    def _existing(self, post_id: int) -> Post:
        post = self.get(post_id)
        if post is None:
            raise KeyError(f"no post {post_id} in channel {self.id}")
        return post

    def _record(self, kind: Kind, ids: tuple[int, ...], count: int) -> None:
        self.pts += count
        self.changed_at = self._world.now()
        change = Change(self.id, kind, ids, self.pts, count)
        self.log.append(change)
        self._world.publish(change)

    def _touch(self, users: Iterable[int]) -> None:
        self.version += 1
        self.changed_at = self._world.now()
        self._world.publish(ChannelChanged(self.id, frozenset(users)))
