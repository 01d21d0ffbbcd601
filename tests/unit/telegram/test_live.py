"""What is pushed before a channel is followed is not forgotten: it is asked for as soon as the channel is."""

from datetime import UTC, datetime

import pytest
from telethon.tl import types

from monitor.model import ChannelId, Source
from monitor.telegram.convert import Context
from monitor.telegram.live import Live
from monitor.telegram.locations import References

CHANNEL = ChannelId(1500000001)


def live() -> Live:
    def context(source: Source, position: int) -> Context:
        return Context("main", source, datetime(2026, 11, 1, tzinfo=UTC), str, position)

    return Live(context, References(), lambda batch: True)


def deleted(pts: int) -> types.Updates:
    update = types.UpdateDeleteChannelMessages(CHANNEL, [1], pts, 1)
    return types.Updates([update], [], [], None, 0)


def posted(pts: int) -> types.Updates:
    post = types.Message(
        id=1, peer_id=types.PeerChannel(CHANNEL), date=datetime(2026, 11, 1, tzinfo=UTC), message=""
    )
    return types.Updates([types.UpdateNewChannelMessage(post, pts, 1)], [], [], None, 0)


@pytest.mark.parametrize("kind", [deleted, posted])
@pytest.mark.parametrize(("pts", "asked"), [(11, True), (10, False), (0, True)])
async def test_what_came_before_is_asked_for_when_it_lies_beyond_the_position(
    kind: type, pts: int, asked: bool
) -> None:
    updates = live()
    updates(kind(pts))
    updates.follow(CHANNEL, 10)
    assert updates.lagging.empty() is not asked
    assert updates.missing(CHANNEL) is asked


async def test_where_nothing_came_nothing_is_asked_for() -> None:
    updates = live()
    updates.follow(CHANNEL, 10)
    assert updates.lagging.empty()
    assert not updates.missing(CHANNEL)
