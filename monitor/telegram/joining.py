"""From a declared username to a channel that may be collected, or to the reason why not.

The order matters: the authorization is looked at before any request, the platform's description of the
channel before joining. An invite link never gets here; the configuration refuses it.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from telethon.tl import functions, types

from monitor.errors import ChannelError, ChannelGone, ChannelPrivate, ChannelRefused
from monitor.model import Channel, ChannelId, ChannelState, ChatKind, Declaration, Profile, Refusal
from monitor.telegram.connection import Connection
from monitor.telegram.convert import profile
from monitor.telegram.politeness import JOIN

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Standing:
    """What became of one declared channel: its profile when it is collected, else the reason."""

    username: str
    profile: Profile | None = None
    reason: Refusal | None = None


async def stand(
    connection: Connection,
    declaration: Declaration,
    known: Channel | None,
    now: datetime,
    entity: Any = None,
) -> Standing:
    """Join the channel if it is authorized, public and open to all; else say why not.

    `known` is what the store has: a name that led to one channel before must lead to it again, and a
    channel that was being collected and that the account is no longer in was lost, and is not joined again.
    `entity` is what the platform said of the channel just now, which need not be asked for again.
    Raises FloodWait when the platform wants a longer pause, SourceUnavailable, SessionRevoked.
    """
    name = declaration.username
    try:
        refused = refusal(declaration, known, now)
        return Standing(name, await _join(connection, declaration, known, refused, entity))
    except ChannelRefused as e:
        return Standing(name, reason=e.reason)
    except ChannelPrivate:
        return Standing(name, reason=Refusal.PRIVATE)
    except ChannelGone:
        return Standing(name, reason=Refusal.GONE)
    except ChannelError as e:
        log.warning("unexpected answer: %s", e, extra={"channel": name})
        return Standing(name, reason=Refusal.UNEXPECTED)


def refusal(declaration: Declaration, channel: Channel | None, now: datetime) -> Refusal | None:
    """Why nothing may even be asked about a channel; None when an authorization is in force."""
    if declaration.authorization is None:
        return Refusal.NO_AUTHORIZATION
    if channel is not None and channel.state is ChannelState.STOPPED and channel.reason is Refusal.REVOKED:
        return Refusal.REVOKED
    return declaration.authorization.refusal(now)


_ENDED = (Refusal.EXPIRED, Refusal.REVOKED, Refusal.NO_AUTHORIZATION)


def to_leave(channels: Iterable[Channel]) -> list[ChannelId]:
    """Channels to leave: of what is on record, what was stopped because its authorization has ended, where the
    configuration asks for that. One that is authorized under another name is not left."""
    ended: set[ChannelId] = set()
    kept: set[ChannelId] = set()
    for channel in channels:
        if channel.profile is not None:
            stopped = channel.state is ChannelState.STOPPED and channel.reason in _ENDED
            (ended if stopped and channel.leave_when_ended else kept).add(channel.profile.channel_id)
    return sorted(ended - kept)


async def leave(connection: Connection, channel_id: ChannelId) -> bool:
    """Leave a channel that this account has joined; false when it is not known to have.

    Its access hash is forgotten, so that it is left once. Raises FloodWait, SourceUnavailable, SessionRevoked.
    """
    access = connection.session.peers.get(channel_id)
    if access is None:
        return False
    request = functions.channels.LeaveChannelRequest(types.InputChannel(channel_id, access))
    try:
        await connection.call(request)
    except ChannelError as e:
        # Removed from it before, or it is gone: either way this account is not in it.
        log.info("nothing to leave: %s", e, extra={"channel": channel_id})
    connection.session.forget(channel_id)
    return True


def fits(entity: Any, declaration: Declaration, channel_id: ChannelId) -> bool:
    """Whether what the platform says of a channel lets it be collected as before."""
    try:
        _check(entity, declaration, channel_id)
    except (ChannelRefused, ChannelGone):
        return False
    return not entity.left


async def _join(
    connection: Connection,
    declaration: Declaration,
    channel: Channel | None,
    refused: Refusal | None,
    entity: Any,
) -> Profile:
    if refused is not None:
        raise ChannelRefused(refused)
    expected = declaration.channel_id or (channel.profile.channel_id if channel and channel.profile else None)
    entity = entity or await _look(connection, declaration.username, expected)
    _check(entity, declaration, expected)
    if entity.left and channel is not None and channel.state is ChannelState.COLLECTING:
        if entity.id in connection.session.peers:
            raise ChannelGone(Refusal.GONE.explanation)
    if entity.left and connection.session.bot:
        raise ChannelRefused(Refusal.NOT_ADDED)
    known = channel.profile if channel is not None else None
    created_at = entity.date if entity.left else known.created_at if known else None
    if entity.left:
        await connection.call(functions.channels.JoinChannelRequest(_input(entity)))
    connection.session.remember({ChannelId(entity.id): entity.access_hash})
    if known is not None and not entity.left:
        # Seen before: the full description need not be asked for at every start.
        return profile(entity, created_at, known.participants, known.linked_channel_id)
    full = (await connection.call(functions.channels.GetFullChannelRequest(_input(entity)))).full_chat
    return profile(entity, created_at, full.participants_count, full.linked_chat_id)


async def _look(connection: Connection, username: str, expected: ChannelId | None) -> Any:
    """The platform's description of the channel: by id where this account knows it, else by name."""
    access = connection.session.peers.get(expected) if expected else None
    if expected is not None and access is not None:
        answer = await connection.call(
            functions.channels.GetChannelsRequest([types.InputChannel(expected, access)])
        )
        return answer.chats[0] if answer.chats else None
    # A name is resolved once: not before the join that is to follow may be made.
    connection.politeness.ready(JOIN)
    answer = await connection.call(functions.contacts.ResolveUsernameRequest(username))
    if not isinstance(answer.peer, types.PeerChannel):
        raise ChannelRefused(Refusal.NOT_A_CHANNEL)
    return next((chat for chat in answer.chats if chat.id == answer.peer.channel_id), None)


def _check(entity: Any, declaration: Declaration, expected: ChannelId | None) -> None:
    """Raise unless the channel is the authorized one, of a kind that it includes, public and open to all."""
    if not isinstance(entity, types.Channel):
        raise ChannelGone(Refusal.GONE.explanation)
    if expected is not None and entity.id != expected:
        raise ChannelRefused(Refusal.NAME_MOVED)
    if not _holds(entity, declaration.username):
        raise ChannelRefused(Refusal.PRIVATE if _unnamed(entity) else Refusal.NAME_MOVED)
    kind = ChatKind.BROADCAST if entity.broadcast else ChatKind.GROUP
    if kind not in declaration.includes:
        raise ChannelRefused(Refusal.KIND_NOT_INCLUDED)
    if any(reason.platform == "all" for reason in entity.restriction_reason or ()):
        raise ChannelRefused(Refusal.RESTRICTED)
    if entity.left and entity.join_request:
        raise ChannelRefused(Refusal.JOIN_REQUEST)


def _holds(entity: Any, username: str) -> bool:
    names = [entity.username, *(name.username for name in entity.usernames or () if name.active)]
    return any(name is not None and name.lower() == username for name in names)


def _unnamed(entity: Any) -> bool:
    return entity.username is None and not any(name.active for name in entity.usernames or ())


def _input(entity: Any) -> Any:
    return types.InputChannel(entity.id, entity.access_hash)
