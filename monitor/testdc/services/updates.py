"""updates.*: what an account missed (https://core.telegram.org/api/updates)."""

from __future__ import annotations

from typing import Any

from telethon.tl import functions, types

from monitor.testdc.channel import Channel
from monitor.testdc.dispatch import Call, Service, seconds
from monitor.testdc.errors import RpcError
from monitor.testdc.posts import Kind
from monitor.testdc.services.channels import visible_channel

# No answer carries more changes than this; a limit beyond it is served in slices.
SLICE = 100
LEAST_LIMIT, LARGEST_LIMIT = 1, 100_000
# Seconds after which a client may ask again for a channel it watches.
TIMEOUT = 30


def state(call: Call) -> Any:
    """Where the account's own sequence stands now."""
    return types.updates.State(call.account.pts, 0, call.world.seconds(None), 0, unread_count=0)


def _get_state(call: Call) -> Any:
    return state(call)


def _get_difference(call: Call) -> Any:
    request, account = call.request, call.account
    if request.pts <= 0:
        raise RpcError(400, "PERSISTENT_TIMESTAMP_EMPTY")
    if request.pts > account.pts:
        raise RpcError(400, "PERSISTENT_TIMESTAMP_INVALID")
    limit = min(request.pts_total_limit or call.world.account_difference_limit, 1_000_000)
    if account.pts - request.pts > limit:
        return types.updates.DifferenceTooLong(account.pts)
    since = seconds(request.date)
    # Channels have sequences of their own: here stands only that theirs moved on. Dates are whole seconds, so
    # a channel that changed in the client's own second is named again.
    moved = [channel for channel in call.world.joined(account) if channel.changed_at >= since]
    messages = [call.render.notice(account, n) for n in account.notices if n.pts > request.pts]
    if not moved and not messages:
        return types.updates.DifferenceEmpty(call.world.seconds(None), 0)
    return types.updates.Difference(
        messages,
        [],
        [types.UpdateChannelTooLong(channel.id, channel.pts) for channel in moved],
        [call.render.channel(channel, account) for channel in moved],
        [],
        state(call),
    )


def _get_channel_difference(call: Call) -> Any:
    request = call.request
    channel = visible_channel(call, request.channel)
    if request.pts <= 0:
        raise RpcError(400, "PERSISTENT_TIMESTAMP_EMPTY")
    if request.pts > channel.pts:
        raise RpcError(400, "PERSISTENT_TIMESTAMP_INVALID")
    if request.limit < LEAST_LIMIT:
        raise RpcError(400, "LIMIT_INVALID")
    if request.pts == channel.pts:
        return types.updates.ChannelDifferenceEmpty(channel.pts, final=True, timeout=TIMEOUT)
    limits = (
        min(request.limit, LARGEST_LIMIT),
        channel.difference_limit,
        call.world.channel_difference_limit,
    )
    # "The provided pts + limit < remote pts": too many changes to hand over one by one.
    if request.pts + min(limit for limit in limits if limit is not None) < channel.pts:
        return _too_long(call, channel)
    missed = channel.since(request.pts)
    shown = missed[:SLICE]
    updates = [u for c in shown if c.kind is not Kind.NEW and (u := call.render.change(channel, c))]
    posts = [post for c in shown if c.kind is Kind.NEW and (post := channel.get(c.ids[0]))]
    chats, users = call.render.around([channel], posts, call.account)
    return types.updates.ChannelDifference(
        shown[-1].pts,
        [call.render.post(post) for post in posts],
        updates,
        chats,
        users,
        final=len(shown) == len(missed) or None,
        timeout=TIMEOUT,
    )


def _too_long(call: Call, channel: Channel) -> Any:
    ids = list(reversed(channel.alive[-call.request.limit :]))[:SLICE]
    posts = [post for i in ids if (post := channel.get(i))]
    chats, users = call.render.around([channel], posts, call.account)
    return types.updates.ChannelDifferenceTooLong(
        call.render.dialog(channel),
        [call.render.post(post) for post in posts],
        chats,
        users,
        final=True,
        timeout=TIMEOUT,
    )


_HANDLERS = {
    functions.updates.GetStateRequest: _get_state,
    functions.updates.GetDifferenceRequest: _get_difference,
    functions.updates.GetChannelDifferenceRequest: _get_channel_difference,
}
SERVICE = Service(_HANDLERS, bots=frozenset(_HANDLERS))
