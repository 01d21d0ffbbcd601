"""channels.*: looking at channels, joining, leaving."""

from __future__ import annotations

from typing import Any

from telethon.tl import functions, types

from monitor.testdc.channel import Channel
from monitor.testdc.dispatch import Call, Service
from monitor.testdc.errors import RpcError
from monitor.testdc.services.users import find_user


def known_channel(call: Call, given: Any) -> Channel:
    """The channel behind an InputChannel or InputPeerChannel with this account's access hash, whoever may see
    it. Raises `RpcError` CHANNEL_INVALID, or PEER_ID_INVALID for what is no channel at all."""
    if not isinstance(given, types.InputChannel | types.InputPeerChannel):
        raise RpcError(400, "PEER_ID_INVALID")
    channel = call.world.channels.get(given.channel_id)
    if channel is None or given.access_hash != call.world.access_hash(call.account, channel.id):
        raise RpcError(400, "CHANNEL_INVALID")
    return channel


def visible_channel(call: Call, given: Any) -> Channel:
    """The channel, if this account may read it. Raises `RpcError` CHANNEL_INVALID or CHANNEL_PRIVATE."""
    channel = known_channel(call, given)
    if not channel.may_see(call.account):
        raise RpcError(400, "CHANNEL_PRIVATE")
    return channel


def _updates(call: Call, channel: Channel) -> Any:
    chat = call.render.channel(channel, call.account)
    now = call.world.seconds(None)
    return types.Updates([types.UpdateChannel(channel.id)], [], [chat], now, 0)


def _join(call: Call) -> Any:
    channel = visible_channel(call, call.request.channel)
    if channel.access == "request" and call.account.id not in channel.members:
        raise RpcError(400, "INVITE_REQUEST_SENT")
    channel.join(call.account)
    return types.messages.ChatInviteJoinResultOk(_updates(call, channel))


def _leave(call: Call) -> Any:
    channel = visible_channel(call, call.request.channel)
    if call.account.id not in channel.members:
        raise RpcError(400, "USER_NOT_PARTICIPANT")
    channel.leave(call.account)
    return _updates(call, channel)


def _get_channels(call: Call) -> Any:
    channels = [known_channel(call, given) for given in call.request.id]
    return types.messages.Chats([call.render.channel(channel, call.account) for channel in channels])


def _get_full_channel(call: Call) -> Any:
    channel = visible_channel(call, call.request.channel)
    full = types.ChannelFull(
        channel.id,
        channel.about,
        read_inbox_max_id=channel.top,
        read_outbox_max_id=0,
        unread_count=0,
        chat_photo=types.PhotoEmpty(0),
        notify_settings=types.PeerNotifySettings(),
        bot_info=[],
        pts=channel.pts,
        participants_count=channel.participants,
        linked_chat_id=channel.linked.id if channel.linked else None,
    )
    shown = [channel] + ([channel.linked] if channel.linked else [])
    chats = [call.render.channel(each, call.account) for each in shown]
    return types.messages.ChatFull(full, chats, [])


def _get_participant(call: Call) -> Any:
    channel = visible_channel(call, call.request.channel)
    user = find_user(call, call.request.participant)
    if user is None or user.id not in channel.members:
        raise RpcError(400, "USER_NOT_PARTICIPANT")
    since = channel.members[user.id]
    if user is call.account:
        participant = types.ChannelParticipantSelf(user.id, user.id, since)
    else:
        participant = types.ChannelParticipant(user.id, since)
    users = [call.render.user(user, call.account)]
    return types.channels.ChannelParticipant(participant, [], users)


def _check_invite(call: Call) -> Any:
    channel = next((c for c in call.world.channels.values() if c.invite == call.request.hash), None)
    if channel is None:
        raise RpcError(400, "INVITE_HASH_EXPIRED")
    if call.account.id in channel.members:
        return types.ChatInviteAlready(call.render.channel(channel, call.account))
    return types.ChatInvite(
        channel.title,
        types.PhotoEmpty(0),
        channel.participants,
        color=0,
        channel=True,
        broadcast=channel.broadcast or None,
        megagroup=not channel.broadcast or None,
        public=channel.username is not None or None,
        request_needed=channel.access == "request" or None,
    )


_FOR_ALL = {
    functions.channels.LeaveChannelRequest: _leave,
    functions.channels.GetChannelsRequest: _get_channels,
    functions.channels.GetFullChannelRequest: _get_full_channel,
    functions.channels.GetParticipantRequest: _get_participant,
}
SERVICE = Service(
    {
        **_FOR_ALL,
        functions.channels.JoinChannelRequest: _join,
        functions.messages.CheckChatInviteRequest: _check_invite,
    },
    bots=frozenset(_FOR_ALL),
)
