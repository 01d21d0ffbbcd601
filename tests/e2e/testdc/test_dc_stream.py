"""Faults on the way of updates, and of bytes."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from typing import Any

import pytest
from telethon import errors
from telethon.tl import functions, types

from monitor.testdc import Break, Channel, Cluster, Double, Drop, Late, Lose, Rpc, TooLong, User, World

STATE = functions.updates.GetStateRequest()


@pytest.fixture
async def client(open_client: Any, alice: User, news: Channel) -> Any:
    """Alice, who joined the news, and whose client asks for nothing by itself."""
    return await open_client(alice, auto_reconnect=False)


def watch(client: Any) -> asyncio.Queue[Any]:
    """Containers of updates as they come from the wire, instead of Telethon's own handling of them."""
    client._updates_handle.cancel()
    queue: asyncio.Queue[Any] = client._updates_queue
    return queue


async def ids(queue: asyncio.Queue[Any], seconds: float = 0.3) -> list[int]:
    """Ids of the posts that came within so many seconds."""
    await asyncio.sleep(seconds)
    found = [queue.get_nowait() for _ in range(queue.qsize())]
    return [update.message.id for whole in found for update in whole.updates]


async def test_a_share_of_updates_is_lost_and_a_share_doubled(
    client: Any, cluster: Cluster, news: Channel
) -> None:
    queue = watch(client)
    cluster.faults.disturb(Lose(), fraction=0.2)
    cluster.faults.disturb(Double(), fraction=0.05)
    sent = [news.post(str(n)).id for n in range(400)]
    times = Counter(await ids(queue))
    lost, doubled = (sum(times[i] == n for i in sent) for n in (0, 2))
    assert 50 < lost < 110 and 5 < doubled < 35
    assert cluster.faults.struck["Lose"] == lost
    cluster.faults.clear()
    news.post("and now all is well")
    assert await ids(queue) == [news.top]


async def test_late_updates_are_overtaken_and_all_come(client: Any, cluster: Cluster, news: Channel) -> None:
    queue = watch(client)
    cluster.faults.disturb(Late(0.3))
    sent = [news.post(str(n)).id for n in range(100)]
    assert len(await ids(queue, 0.1)) < 100
    cluster.faults.clear()
    rest = await ids(queue, 0.4)
    assert 0 < len(rest) and rest != sorted(rest) and set(rest) < set(sent)


async def test_the_same_seed_loses_the_same_updates(world: World, alice: User, news: Channel) -> None:
    def lost(seed: int) -> list[bool]:
        faults = Cluster(world, seed).faults
        faults.disturb(Lose(), fraction=0.5)
        return [not faults.deliver(alice, news).delays for _ in range(50)]

    assert lost(1) == lost(1) != lost(2)


async def test_a_disturbance_may_be_for_one_account_and_one_channel(
    client: Any, open_client: Any, cluster: Cluster, world: World, alice: User, news: Channel
) -> None:
    bob, other = world.user(phone="15550009", code="99999"), world.channel("other_news")
    for user, channel in ((bob, news), (bob, other), (alice, other)):
        channel.join(user)
    hers, his = watch(client), watch(await open_client(bob))
    await asyncio.sleep(0.1)
    while not hers.empty():
        hers.get_nowait()
    cluster.faults.disturb(Lose(), account=alice, channel=news, count=2, after=1)
    for _ in range(4):
        news.post("news")
    other.post("other")
    assert await ids(hers) == [2, 5, 2]
    assert await ids(his) == [2, 3, 4, 5, 2]


async def test_a_client_can_be_told_to_look_for_itself(
    client: Any, cluster: Cluster, alice: User, news: Channel
) -> None:
    queue = watch(client)
    cluster.faults.disturb(TooLong(), count=1)
    cluster.faults.disturb(TooLong(whole=True), count=1, after=1)
    news.post("one")
    news.post("two")
    cluster.too_long(alice)
    cluster.too_long(alice, news)
    first, second, third, fourth = [await asyncio.wait_for(queue.get(), 5) for _ in range(4)]
    for told, pts in ((first, news.pts - 1), (fourth, news.pts)):
        assert [type(u) for u in told.updates] == [types.UpdateChannelTooLong]
        assert (told.updates[0].channel_id, told.updates[0].pts) == (news.id, pts)
    assert isinstance(second, types.UpdatesTooLong) and isinstance(third, types.UpdatesTooLong)


@pytest.mark.parametrize("where", ["channel", "world"])
async def test_a_difference_can_be_made_too_long_early(
    client: Any, world: World, news: Channel, where: str
) -> None:
    since = news.pts
    for number in range(4):
        news.post(str(number))
    peer = await client.get_input_entity("example_news")
    channel = types.InputChannel(peer.channel_id, peer.access_hash)
    nothing = types.ChannelMessagesFilterEmpty()
    request = functions.updates.GetChannelDifferenceRequest(channel, nothing, since, 100)
    for limit, expected in (
        (4, types.updates.ChannelDifference),
        (3, types.updates.ChannelDifferenceTooLong),
    ):
        if where == "channel":
            news.difference_limit = limit
        else:
            world.channel_difference_limit = limit
        assert isinstance(await client(request), expected)


async def test_dialogs_and_updates_carry_the_sequence(client: Any, news: Channel) -> None:
    queue = watch(client)
    news.post("hello")
    [update] = (await asyncio.wait_for(queue.get(), 5)).updates
    assert (update.pts, update.pts_count) == (news.pts, 1)
    request = functions.messages.GetDialogsRequest(None, 0, types.InputPeerEmpty(), 100, 0)
    [dialog] = (await client(request)).dialogs
    assert (dialog.pts, dialog.top_message) == (news.pts, news.top)


# Bytes


async def test_in_a_black_hole_nothing_moves_and_afterwards_all(
    client: Any, cluster: Cluster, alice: User, news: Channel
) -> None:
    queue = watch(client)
    began = time.monotonic()
    assert cluster.black_hole(0.6, account=alice) == 1
    news.post("hello")
    asked = asyncio.create_task(client(STATE))
    assert await ids(queue, 0.3) == []
    assert not asked.done() and not cluster.requests("updates.getState")[1:]
    assert (await asyncio.wait_for(asked, 10)).pts
    assert time.monotonic() - began >= 0.6
    assert await ids(queue, 0.1) == [news.top]


async def test_who_connects_in_a_black_hole_waits_too(cluster: Cluster, open_client: Any) -> None:
    began = time.monotonic()
    assert cluster.black_hole(0.5) == 0
    await open_client()
    assert time.monotonic() - began >= 0.5


async def test_a_connection_that_runs_out_in_a_black_hole_ends_after_it(
    client: Any, cluster: Cluster
) -> None:
    await client._sender.send(functions.PingDelayDisconnectRequest(1, disconnect_delay=1))
    cluster.black_hole(1.6)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.disconnected, 1.3)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await asyncio.wait_for(client.disconnected, 10)


async def test_a_slow_line_is_slow_both_ways_and_loses_nothing(
    client: Any, cluster: Cluster, world: World, news: Channel
) -> None:
    noise = random.Random(1)
    for _ in range(100):
        news.post(noise.randbytes(50).hex())
    peer = await client.get_input_entity("example_news")
    assert cluster.slow(20_000) == 1
    began = time.monotonic()
    messages = await client.get_messages(peer, 100)
    slow = time.monotonic() - began
    assert [m.message for m in messages] == [p.text for p in news.posts[:0:-1]]
    cluster.slow(None)
    began = time.monotonic()
    await client.get_messages(peer, 100)
    assert slow > 0.15 and slow > 2 * (time.monotonic() - began)


async def test_an_answer_may_be_broken_off_in_its_middle(
    client: Any, open_client: Any, cluster: Cluster, world: World, alice: User, news: Channel
) -> None:
    other = world.channel("other_news")
    entity = await client.get_entity("other_news")
    cluster.faults.add("channels.joinChannel", Drop("middle"))
    with pytest.raises(asyncio.IncompleteReadError) as broken:
        await asyncio.wait_for(client(functions.channels.JoinChannelRequest(entity)), 10)
    assert broken.value.partial
    assert alice.id in other.members


async def test_an_update_may_be_broken_off_in_its_middle(
    client: Any, cluster: Cluster, news: Channel
) -> None:
    queue = watch(client)
    cluster.faults.disturb(Break(), count=1)
    news.post("hello")
    with pytest.raises(asyncio.IncompleteReadError) as broken:
        await asyncio.wait_for(client.disconnected, 10)
    assert broken.value.partial and queue.empty()


async def test_one_data_centre_may_be_out_of_order(open_client: Any, alice: User, cluster: Cluster) -> None:
    client = await open_client(alice, request_retries=0, raise_last_call_error=True)
    cluster.faults.add("*", Rpc(-503, "Timeout"), count=None, dc=2)
    assert await client(STATE)
    cluster.faults.add("*", Rpc(-503, "Timeout"), count=None, dc=1)
    with pytest.raises(errors.TimedOutError):
        await asyncio.wait_for(client(STATE), 30)


@pytest.mark.parametrize(
    ("code", "name", "expected"),
    [
        (420, "FLOOD_WAIT_7", errors.FloodWaitError),
        (420, "FLOOD_PREMIUM_WAIT_7", errors.FloodPremiumWaitError),
        (420, "FROZEN_METHOD_INVALID", errors.FrozenMethodInvalidError),
        (400, "PEER_FLOOD", errors.PeerFloodError),
        (500, "INTERNAL", errors.ServerError),
        (-500, "No workers running", errors.ServerError),
        (406, "AUTH_KEY_DUPLICATED", errors.AuthKeyDuplicatedError),
    ],
)
async def test_the_client_knows_each_error(
    open_client: Any, alice: User, cluster: Cluster, code: int, name: str, expected: type[Exception]
) -> None:
    client = await open_client(alice, request_retries=0, raise_last_call_error=True)
    cluster.faults.add("updates.getState", Rpc(code, name), count=None)
    with pytest.raises(expected) as raised:
        await asyncio.wait_for(client(STATE), 30)
    assert getattr(raised.value, "seconds", 7) == 7


async def test_lost_keys_may_come_back(client: Any, open_client: Any, cluster: Cluster, alice: User) -> None:
    cluster.forget_keys(alice)
    with pytest.raises(errors.AuthKeyNotFound):
        await client.get_me()
    cluster.recall_keys(alice)
    session = client.session
    again = await open_client(session=session)
    assert (await again.get_me()).id == alice.id
