"""The client in all tests here is an unmodified TelegramClient."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from telethon import TelegramClient
from telethon.crypto import rsa
from telethon.sessions import MemorySession

from monitor.testdc import Channel, Cluster, User, World

OpenClient = Callable[..., Awaitable[Any]]


@pytest.fixture(autouse=True)
def forgotten_configuration() -> Iterator[None]:
    """Telethon keeps the list of data centres on the class: each test has ports of its own."""
    yield
    TelegramClient._config = None


@pytest.fixture
def world() -> World:
    return World(seed=7)


@pytest.fixture
def alice(world: World) -> User:
    return world.user(phone="15550001", code="22222", first_name="Alice")


@pytest.fixture
def news(world: World, alice: User) -> Channel:
    """A channel that Alice has joined."""
    news = world.channel("example_news")
    news.join(alice)
    return news


@pytest.fixture
async def cluster(world: World) -> AsyncIterator[Cluster]:
    async with Cluster(world, seed=7) as cluster:
        rsa.add_key(cluster.public_key, old=False)
        yield cluster


@pytest.fixture
async def open_client(cluster: Cluster) -> AsyncIterator[OpenClient]:
    """Opens a client at a data centre, signed in where a user is given, and closes it after the test."""
    clients = []

    async def opened(user: User | None = None, *, dc: int = 1, session: Any = None, **options: Any) -> Any:
        if session is None:
            session = MemorySession()
            session.set_dc(dc, cluster.host, cluster.port(dc))
        options = {"retry_delay": 0.05, "flood_sleep_threshold": 0, **options}
        client = TelegramClient(session, 12345, "hash", **options)
        clients.append(client)
        await client.connect()
        if user is not None:
            await client.send_code_request(user.phone)
            await client.sign_in(user.phone, user.code)
        return client

    yield opened
    for client in clients:
        await client.disconnect()


@pytest.fixture
async def client(open_client: OpenClient, alice: User) -> Any:
    """Alice, signed in."""
    return await open_client(alice)
