"""The TL form of what the world holds, as one account sees it.

Posts and channels are serialised once and their bytes used again until they change: a page of history is
mostly copying.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from telethon.tl import types

from monitor.testdc.channel import Channel
from monitor.testdc.posts import Change, Kind, Notice, Post, User
from monitor.testdc.world import World

_VECTOR = b"\x15\xc4\xb5\x1c"
SERVICE_USER = 777000


@dataclass(frozen=True, slots=True)
class Raw:
    """An object that is serialised already, to be put where Telethon's classes take an object."""

    data: bytes

    def _bytes(self) -> bytes:
        return self.data


def vector(items: Iterable[Any]) -> Raw:
    """A bare vector of objects, as some methods answer with."""
    parts = [item._bytes() for item in items]
    return Raw(_VECTOR + len(parts).to_bytes(4, "little") + b"".join(parts))


class Renderer:
    """Builds TL objects of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._channels: dict[tuple[int, int], tuple[int, Raw]] = {}

    # Posts

    def post(self, post: Post) -> Raw:
        """A message; good for any account, as none of ours ever posts."""
        references = self._world.references
        now = self._world.now()
        cached = post.rendered
        if cached and cached[1] > now and cached[2] == references.generation:
            return Raw(cached[0])
        data: bytes = self._message(post)._bytes()
        good_until = references.fresh_until(now) if post.media else float("inf")
        post.rendered = (data, good_until, references.generation)
        return Raw(data)

    def posts(self, channel: Channel, ids: Iterable[int]) -> list[Raw]:
        """Messages in the order asked for; those that are gone are empty."""
        peer = types.PeerChannel(channel.id)
        return [
            self.post(post) if (post := channel.get(i)) else Raw(types.MessageEmpty(i, peer)._bytes())
            for i in ids
        ]

    def _message(self, post: Post) -> Any:
        channel = self._world.channels[post.channel_id]
        peer = types.PeerChannel(channel.id)
        sender = None
        if not channel.broadcast:
            # A group's post without a sender is one of its anonymous administrators.
            sender = types.PeerUser(post.sender.id) if post.sender else peer
        reply = None
        if post.reply_to or post.topic:
            reply = types.MessageReplyHeader(
                reply_to_msg_id=post.reply_to or post.topic,
                reply_to_top_id=post.topic if post.reply_to else None,
                forum_topic=bool(post.topic) or None,
            )
        if post.action is not None:
            return types.MessageService(
                post.id,
                peer,
                post.date,
                action=post.action,
                post=channel.broadcast or None,
                from_id=sender,
                reply_to=reply,
            )
        return types.Message(
            post.id,
            peer,
            post.date,
            post.text,
            post=channel.broadcast or None,
            silent=post.silent or None,
            pinned=post.pinned or None,
            noforwards=post.noforwards or None,
            edit_hide=post.edit_hidden or None,
            from_id=sender,
            fwd_from=self._forward(post),
            via_bot_id=post.via_bot,
            reply_to=reply,
            media=self._media(post),
            entities=post.entities,
            views=post.views,
            forwards=post.forwards,
            replies=self._replies(channel, post),
            edit_date=post.edited,
            post_author=post.author,
            grouped_id=post.grouped_id,
            reactions=_reactions(post),
            restriction_reason=[types.RestrictionReason(*r) for r in post.restriction] or None,
        )

    def _media(self, post: Post) -> Any:
        if post.media is None:
            return None
        return post.media.tl(self._world.references.issue, spoiler=post.spoiler, ttl=post.ttl)

    @staticmethod
    def _forward(post: Post) -> Any:
        origin = post.origin
        if origin is None:
            return None
        from_id = None
        if origin.channel_id is not None:
            from_id = types.PeerChannel(origin.channel_id)
        elif origin.user_id is not None:
            from_id = types.PeerUser(origin.user_id)
        return types.MessageFwdHeader(
            origin.date, from_id=from_id, from_name=origin.name, channel_post=origin.post_id
        )

    @staticmethod
    def _replies(channel: Channel, post: Post) -> Any:
        if post.replies is None:
            return None
        comments = channel.broadcast and channel.linked is not None
        group = channel.linked.id if comments and channel.linked else None
        return types.MessageReplies(post.replies, 0, comments=comments or None, channel_id=group)

    def notice(self, user: User, notice: Notice) -> Any:
        """A private message from the service account."""
        peer = types.PeerUser(SERVICE_USER)
        return types.Message(notice.id, peer, notice.date, notice.text, from_id=peer)

    def notice_update(self, user: User, notice: Notice) -> Any:
        """The update that brings such a message."""
        return types.UpdateNewMessage(self.notice(user, notice), notice.pts, 1)

    # Channels and users

    def channel(self, channel: Channel, viewer: User) -> Any:
        """A channel as one account sees it: `types.Channel`, or `types.ChannelForbidden`."""
        key = (channel.id, viewer.id)
        cached = self._channels.get(key)
        if cached is None or cached[0] != channel.version:
            cached = (channel.version, Raw(self._channel(channel, viewer)._bytes()))
            self._channels[key] = cached
        return cached[1]

    def _channel(self, channel: Channel, viewer: User) -> Any:
        access_hash = self._world.access_hash(viewer, channel.id)
        broadcast, group = channel.broadcast or None, not channel.broadcast or None
        if not channel.may_see(viewer):
            return types.ChannelForbidden(
                channel.id, access_hash, channel.title, broadcast=broadcast, megagroup=group
            )
        joined = channel.members.get(viewer.id)
        return types.Channel(
            channel.id,
            channel.title,
            types.ChatPhotoEmpty(),
            # For a member the date of joining, else that of the creation.
            channel.created if joined is None else joined,
            left=joined is None or None,
            broadcast=broadcast,
            megagroup=group,
            verified=channel.verified or None,
            scam=channel.scam or None,
            fake=channel.fake or None,
            restricted=bool(channel.restriction) or None,
            noforwards=channel.noforwards or None,
            join_request=channel.access == "request" or None,
            has_link=channel.linked is not None or None,
            access_hash=access_hash,
            admin_rights=types.ChatAdminRights(other=True) if viewer.bot and joined is not None else None,
            username=channel.username,
            restriction_reason=[types.RestrictionReason(*r) for r in channel.restriction] or None,
            participants_count=channel.participants,
        )

    def user(self, user: User, viewer: User | None) -> Any:
        """A user as one account sees it; only one's own phone number shows."""
        own = viewer is user
        return types.User(
            user.id,
            is_self=own or None,
            access_hash=self._world.access_hash(viewer or user, user.id),
            first_name=user.first_name,
            last_name=user.last_name,
            username=user.username,
            phone=user.phone if own else None,
            bot=user.bot or None,
            bot_info_version=1 if user.bot else None,
        )

    def around(
        self, channels: Sequence[Channel], posts: Iterable[Post], viewer: User
    ) -> tuple[list[Any], list[Any]]:
        """The chats and users which a client needs to understand these posts."""
        world = self._world
        chats = {channel.id: channel for channel in channels}
        users: dict[int, User] = {}
        for post in posts:
            if post.sender:
                users[post.sender.id] = post.sender
            if post.origin and (source := world.channels.get(post.origin.channel_id or 0)):
                chats[source.id] = source
            if post.origin and (author := world.users.get(post.origin.user_id or 0)):
                users[author.id] = author
        return (
            [self.channel(chat, viewer) for chat in chats.values()],
            [self.user(user, viewer) for user in users.values()],
        )

    def dialog(self, channel: Channel) -> Any:
        """A joined channel's line in the list of dialogs, with the channel's pts."""
        return types.Dialog(
            types.PeerChannel(channel.id),
            channel.top,
            read_inbox_max_id=channel.top,
            read_outbox_max_id=0,
            unread_count=0,
            unread_mentions_count=0,
            unread_reactions_count=0,
            unread_poll_votes_count=0,
            notify_settings=types.PeerNotifySettings(),
            pts=channel.pts,
        )

    # Changes

    def change(self, channel: Channel, change: Change) -> Any:
        """The update for one step of a channel's sequence, None where its post is gone since."""
        if change.kind is Kind.DELETE:
            return types.UpdateDeleteChannelMessages(channel.id, list(change.ids), change.pts, change.count)
        post = channel.get(change.ids[0])
        if post is None:
            return None
        form = types.UpdateNewChannelMessage if change.kind is Kind.NEW else types.UpdateEditChannelMessage
        return form(self.post(post), change.pts, change.count)


def _reactions(post: Post) -> Any:
    if not post.reactions:
        return None
    counts = [types.ReactionCount(types.ReactionEmoji(face), n) for face, n in post.reactions.items()]
    return types.MessageReactions(counts)
