"""messages.getDialogs and getPeerDialogs: the channels that an account has joined, newest post first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from telethon.tl import functions, types

from monitor.testdc.channel import Channel
from monitor.testdc.dispatch import Call, Service, seconds
from monitor.testdc.posts import Post
from monitor.testdc.services.channels import visible_channel
from monitor.testdc.services.updates import state

PAGE = 100


def _top(channel: Channel) -> Post | None:
    return channel.get(channel.top)


def _order(channel: Channel) -> tuple[int, int]:
    top = _top(channel)
    return (top.date if top else channel.created, channel.id)


def _get_dialogs(call: Call) -> Any:
    request = call.request
    joined = sorted(call.world.joined(call.account), key=_order, reverse=True)
    if request.folder_id:  # the archive is empty
        return types.messages.Dialogs([], [], [], [])
    rest = joined
    if date := seconds(request.offset_date):
        after = getattr(request.offset_peer, "channel_id", 0)
        rest = [channel for channel in joined if _order(channel) < (date, after)]
    shown = rest[: max(0, min(request.limit, PAGE))]
    dialogs, messages, chats, users = _lines(call, shown)
    if len(shown) == len(joined):
        return types.messages.Dialogs(dialogs, messages, chats, users)
    return types.messages.DialogsSlice(len(joined), dialogs, messages, chats, users)


def _get_peer_dialogs(call: Call) -> Any:
    wanted = [visible_channel(call, getattr(given, "peer", None)) for given in call.request.peers]
    return types.messages.PeerDialogs(*_lines(call, wanted), state(call))


def _lines(call: Call, channels: Sequence[Channel]) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    posts = [top for channel in channels if (top := _top(channel))]
    chats, users = call.render.around(channels, posts, call.account)
    return (
        [call.render.dialog(channel) for channel in channels],
        [call.render.post(post) for post in posts],
        chats,
        users,
    )


SERVICE = Service(
    {
        functions.messages.GetDialogsRequest: _get_dialogs,
        functions.messages.GetPeerDialogsRequest: _get_peer_dialogs,
    }
)
