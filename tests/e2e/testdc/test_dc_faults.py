"""Faults that a test orders, and how the client meets them."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from telethon import TelegramClient, errors
from telethon.crypto import rsa
from telethon.sessions import MemorySession
from telethon.tl import functions

from monitor.testdc import Cluster, Delay, Drop, FloodWait, Rpc, User, World


async def test_a_flood_wait_strikes_as_often_as_ordered(client: Any, cluster: Cluster, world: World) -> None:
    world.channel("example_news").post("hello")
    cluster.faults.add("messages.getHistory", FloodWait(2), count=1)
    with pytest.raises(errors.FloodWaitError) as raised:
        await client.get_messages("example_news", 1)
    assert raised.value.seconds == 2
    # Telethon itself remembers waits above three seconds only.
    assert len(await client.get_messages("example_news", 1)) == 1


async def test_any_error_can_be_ordered(client: Any, cluster: Cluster, world: World) -> None:
    world.channel("example_news")
    cluster.faults.add("channels.joinChannel", Rpc(400, "CHANNELS_TOO_MUCH"), count=2)
    for _ in range(2):
        with pytest.raises(errors.ChannelsTooMuchError):
            await client(functions.channels.JoinChannelRequest("example_news"))
    await client(functions.channels.JoinChannelRequest("example_news"))


async def test_a_fault_may_wait_its_turn_and_be_for_one_account(
    client: Any, open_client: Any, cluster: Cluster, world: World, alice: User
) -> None:
    bob = await open_client(world.user(phone="15550009", code="99999"))
    cluster.faults.add("updates.getState", Rpc(400, "X_Y"), account=alice, after=1)
    request = functions.updates.GetStateRequest()
    await client(request)
    await bob(request)
    await bob(request)
    with pytest.raises(errors.RPCError):
        await client(request)


async def test_a_delayed_request_does_not_hold_up_others(client: Any, cluster: Cluster) -> None:
    cluster.faults.add("updates.getState", Delay(0.4))
    began = time.monotonic()
    slow = asyncio.create_task(client(functions.updates.GetStateRequest()))
    await asyncio.sleep(0)
    await client.get_me()
    assert time.monotonic() - began < 0.3 and not slow.done()
    assert (await slow).pts
    assert time.monotonic() - began >= 0.4


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_dropped_connection_is_made_again_and_the_request_repeated(
    client: Any, cluster: Cluster, world: World, alice: User, when: Any
) -> None:
    news = world.channel("example_news")
    cluster.faults.add("channels.joinChannel", Drop(when))
    entity = await client.get_entity("example_news")
    took_effect_at: list[int] = []
    world.subscribe(lambda _: took_effect_at.append(len(cluster.requests("channels.joinChannel"))))
    await asyncio.wait_for(client(functions.channels.JoinChannelRequest(entity)), 5)
    assert alice.id in news.members
    assert len(cluster.requests("channels.joinChannel")) == 2
    assert took_effect_at == [1 if when == "after" else 2]


async def test_a_share_of_requests_can_be_hit(client: Any, cluster: Cluster) -> None:
    cluster.faults.add("updates.getState", Rpc(400, "X_Y"), count=None, fraction=0.4)
    results = await asyncio.gather(
        *(client(functions.updates.GetStateRequest()) for _ in range(50)), return_exceptions=True
    )
    hit = sum(isinstance(result, errors.RPCError) for result in results)
    assert 10 <= hit <= 30
    cluster.faults.clear()
    await client(functions.updates.GetStateRequest())


async def test_a_client_reconnects_after_a_cut(client: Any, cluster: Cluster, alice: User) -> None:
    assert cluster.cut() == 1
    assert (await asyncio.wait_for(client.get_me(), 5)).id == alice.id
    assert cluster.cut(dc=2) == 0


async def test_what_a_handler_cannot_cope_with_is_not_hidden(world: World, alice: User) -> None:
    not_media: Any = "not media"
    with pytest.raises(ExceptionGroup, match="handlers") as raised:
        async with Cluster(world) as cluster:
            rsa.add_key(cluster.public_key, old=False)
            session = MemorySession()
            session.set_dc(1, cluster.host, cluster.port(1))
            client = TelegramClient(session, 12345, "hash")
            await client.connect()
            await client.send_code_request(alice.phone)
            await client.sign_in(alice.phone, alice.code)
            world.channel("example_news").post(media=not_media)
            with pytest.raises(errors.BadRequestError):
                await client.get_messages("example_news", 1)
            await client.disconnect()
    assert isinstance(raised.value.exceptions[0], AttributeError)


async def test_a_taken_port_leaves_nothing_open(world: World, cluster: Cluster) -> None:
    with pytest.raises(OSError, match="in use"):
        async with Cluster(world, ports=(0, cluster.port(1))):
            pass
