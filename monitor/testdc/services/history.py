"""messages.getHistory and what else reads posts."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import Any

from telethon.tl import functions, types

from monitor.testdc.channel import Channel
from monitor.testdc.dispatch import Call, Service, seconds
from monitor.testdc.errors import RpcError
from monitor.testdc.services.channels import visible_channel

PAGE = 100
IDS = 200


def page(
    alive: Sequence[int],
    *,
    before: int,
    add_offset: int,
    limit: int,
    max_id: int = 0,
    min_id: int = 0,
) -> list[int]:
    """Ids of one page, newest first (https://core.telegram.org/api/offsets).

    `alive` is ascending. The list is read newest first; `before` is how many of the oldest ids lie beyond the
    offset; the page is the stretch of `limit` ids from there, moved by `add_offset` (towards newer ones where
    negative), cut where the list ends, and only then filtered by `max_id` and `min_id`, both exclusive.
    """
    end = before - add_offset
    ids = alive[max(0, end - limit) : max(0, end)]
    return [i for i in reversed(ids) if (not max_id or i < max_id) and (not min_id or i > min_id)]


def _get_history(call: Call) -> Any:
    request = call.request
    channel = visible_channel(call, request.peer)
    alive = channel.alive
    before = len(alive)
    if request.offset_id:
        before = bisect.bisect_left(alive, request.offset_id)
    elif date := seconds(request.offset_date):
        before = bisect.bisect_left(alive, date, key=lambda i: _date(channel, i))
    ids = page(
        alive,
        before=before,
        add_offset=request.add_offset,
        limit=max(0, min(request.limit, PAGE)),
        max_id=request.max_id,
        min_id=request.min_id,
    )
    position = len(alive) - 1 - bisect.bisect_left(alive, ids[0]) if ids and request.offset_id else None
    return _messages(call, channel, ids, len(alive), position)


def _date(channel: Channel, post_id: int) -> int:
    post = channel.get(post_id)
    return post.date if post else 0


def _messages(
    call: Call, channel: Channel, ids: Sequence[int], count: int, position: int | None = None
) -> Any:
    posts = [post for i in ids if (post := channel.get(i))]
    chats, users = call.render.around([channel], posts, call.account)
    return types.messages.ChannelMessages(
        channel.pts,
        count,
        call.render.posts(channel, ids),
        [],
        chats,
        users,
        offset_id_offset=position,
    )


def _get_channel_messages(call: Call) -> Any:
    channel = visible_channel(call, call.request.channel)
    if not call.request.id:
        raise RpcError(400, "MESSAGE_IDS_EMPTY")
    ids = [given if isinstance(given, int) else getattr(given, "id", 0) for given in call.request.id[:IDS]]
    return _messages(call, channel, ids, len(ids))


def _get_messages(call: Call) -> Any:
    # Outside of channels this world has nothing but the service account's messages.
    notices = {notice.id: notice for notice in call.account.notices}
    ids = [getattr(given, "id", 0) for given in call.request.id[:IDS]]
    found = [
        call.render.notice(call.account, notices[i]) if i in notices else types.MessageEmpty(i) for i in ids
    ]
    return types.messages.Messages(found, [], [], [])


def _get_views(call: Call) -> Any:
    channel = visible_channel(call, call.request.peer)
    counted = []
    for post_id in call.request.id[:IDS]:
        post = channel.get(post_id)
        if post is None:
            counted.append(types.MessageViews())
            continue
        if call.request.increment and post.views is not None:
            post.views, post.rendered = post.views + 1, None
        replies = None if post.replies is None else types.MessageReplies(post.replies, 0)
        counted.append(types.MessageViews(post.views, post.forwards, replies))
    return types.messages.MessageViews(counted, [], [])


_FOR_ALL = {
    functions.channels.GetMessagesRequest: _get_channel_messages,
    functions.messages.GetMessagesRequest: _get_messages,
}
SERVICE = Service(
    {
        **_FOR_ALL,
        functions.messages.GetHistoryRequest: _get_history,
        functions.messages.GetMessagesViewsRequest: _get_views,
    },
    bots=frozenset(_FOR_ALL),
)
