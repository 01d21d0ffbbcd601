"""The protocol below the requests: transports, salts, gzip, containers, service messages."""

from __future__ import annotations

import asyncio
import struct
import time
from typing import Any

import pytest
from telethon.network import (
    ConnectionTcpAbridged,
    ConnectionTcpFull,
    ConnectionTcpIntermediate,
    ConnectionTcpObfuscated,
)
from telethon.tl import functions, types

from monitor.testdc import Cluster, User, World
from monitor.testdc.dispatch import Call
from monitor.testdc.pictures import picture


class ObfuscatedIntermediate(ConnectionTcpObfuscated):
    packet_codec = ConnectionTcpIntermediate.packet_codec


@pytest.mark.parametrize(
    ("transport", "name"),
    [
        (ConnectionTcpFull, "full"),
        (ConnectionTcpAbridged, "abridged"),
        (ConnectionTcpIntermediate, "intermediate"),
        (ConnectionTcpObfuscated, "obfuscated abridged"),
        (ObfuscatedIntermediate, "obfuscated intermediate"),
    ],
)
async def test_every_transport_carries_small_and_large(
    open_client: Any, cluster: Cluster, world: World, alice: User, transport: Any, name: str
) -> None:
    client = await open_client(alice, connection=transport)
    [connection] = cluster._dcs[1].connections
    assert connection._transport is not None and connection._transport.name == name
    photo = world.photo(picture(1, 1200, 900), dc=2)
    world.channel("example_news").post(media=photo)
    [message] = await client.get_messages("example_news", 1)
    assert await client.download_media(message, bytes) == photo.renditions[-1].data
    assert (await client(functions.PingRequest(5))).ping_id == 5


async def test_large_requests_and_answers_arrive_gzipped_or_not(client: Any, world: World) -> None:
    news = world.channel("example_news")
    for number in range(100):
        news.post("the same words " * 20 + str(number))
    # Telethon gzips requests over 512 bytes that shrink by it, and so do we with answers.
    repeated = await client(functions.channels.GetMessagesRequest("example_news", [1] * 200))
    assert len(repeated.messages) == 200
    texts = [message.message for message in await client.get_messages("example_news", 100)]
    assert texts == [post.text for post in reversed(news.posts[1:])]


async def test_several_requests_travel_in_one_container(client: Any, cluster: Cluster) -> None:
    answers = await client([functions.updates.GetStateRequest(), functions.help.GetConfigRequest()])
    assert [type(answer).__name__ for answer in answers] == ["State", "Config"]
    ordered = await client([functions.updates.GetStateRequest() for _ in range(3)], ordered=True)
    assert len(ordered) == 3


async def test_a_new_salt_is_learned_without_loss(client: Any, cluster: Cluster) -> None:
    before = client._sender._state.salt
    cluster.rotate_salts()
    states = await client([functions.updates.GetStateRequest() for _ in range(5)])
    assert len(states) == 5
    assert client._sender._state.salt not in (0, before)


@pytest.mark.parametrize("seconds", [-1000, 1000])
async def test_a_wrong_clock_is_put_right(client: Any, seconds: int) -> None:
    client._sender._state.time_offset = seconds
    client._sender._state._last_msg_id = 0
    assert await asyncio.wait_for(client.get_me(), 5)
    assert abs(client._sender._state.time_offset) <= 1


async def test_a_sequence_number_that_falls_back_is_refused_and_mended(client: Any) -> None:
    for _ in range(3):
        await client(functions.updates.GetStateRequest())
    client._sender._state._sequence = 0
    assert await asyncio.wait_for(client.get_me(), 5)
    assert client._sender._state._sequence > 60


async def test_service_messages_are_answered(client: Any) -> None:
    sender = client._sender
    assert (await sender.send(functions.PingRequest(77))).ping_id == 77
    salts = await sender.send(functions.GetFutureSaltsRequest(3))
    assert salts.salts[0].salt == sender._state.salt
    ended = await sender.send(functions.DestroySessionRequest(12345))
    assert isinstance(ended, types.DestroySessionNone)
    dropped = await sender.send(functions.RpcDropAnswerRequest(1))
    assert isinstance(dropped, types.RpcAnswerUnknown)


async def test_ping_delay_disconnect_hangs_up_in_time(client: Any, cluster: Cluster) -> None:
    before = client._sender._state.id
    await client._sender.send(functions.PingDelayDisconnectRequest(1, disconnect_delay=0))
    for _ in range(200):
        await asyncio.sleep(0.01)
        if client._sender._state.id != before:
            return  # the client met a closed connection, and made another session
    pytest.fail("still connected")


async def test_a_destroyed_key_is_gone(client: Any, cluster: Cluster) -> None:
    answer = await client._sender.send(functions.DestroyAuthKeyRequest())
    assert isinstance(answer, types.DestroyAuthKeyOk)


async def test_noise_closes_a_connection_and_nothing_else(client: Any, cluster: Cluster) -> None:
    for noise in (
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xee\xee\xee\xee" + b"\xff" * 40,
        b"\xef\x02" + b"\0" * 8,
        b"\x55" * 99,
    ):
        reader, writer = await asyncio.open_connection(cluster.host, cluster.port(1))
        writer.write(noise)
        writer.write_eof()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await asyncio.wait_for(reader.readexactly(1000), 5)
        writer.close()
    assert await client.get_me()


async def test_an_unknown_key_is_answered_with_minus_404(cluster: Cluster) -> None:
    reader, writer = await asyncio.open_connection(cluster.host, cluster.port(1))
    packet = struct.pack("<Q", 1234567) + bytes(16) + bytes(32)
    writer.write(b"\xee\xee\xee\xee" + struct.pack("<i", len(packet)) + packet)
    assert struct.unpack("<ii", await asyncio.wait_for(reader.readexactly(8), 5)) == (4, -404)
    writer.close()


async def test_a_page_of_history_costs_the_server_little(client: Any, cluster: Cluster, world: World) -> None:
    news = world.channel("example_news")
    for number in range(1000):
        news.post(f"post {number} with some words in it", views=number)
    peer = await client.get_input_entity("example_news")
    request = functions.messages.GetHistoryRequest(peer, 500, None, 0, 100, 0, 0, 0)
    await client(request)
    [(_, session)] = cluster._listeners()
    call = Call(request, cluster, 1, session)
    began = time.process_time()
    for _ in range(20):
        cluster.carry_out(call)
    assert (time.process_time() - began) / 20 < 0.01
