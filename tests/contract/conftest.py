"""The stores that have to pass the contract. A further one adds a factory, and runs the same tests."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from monitor.model import Event, EventType
from monitor.ports import Store
from monitor.store import Reader, open_store
from monitor.wire import Notices, Pipe, RemoteStore, serve


@dataclass
class Opened:
    """A store under test, and what can be read of what it committed."""

    store: Store
    reader: Reader

    async def messages(self) -> list[dict[str, Any]]:
        return [dict(row) async for row in self.reader.message_rows()]

    async def flags(self) -> list[dict[str, Any]]:
        return [dict(row) async for row in self.reader.flag_rows()]

    async def events(self, kind: EventType | None = None) -> list[Event]:
        return [event async for event in self.reader.events() if kind in (None, event.type)]


Factory = Callable[[Path], AbstractAsyncContextManager[Opened]]


@asynccontextmanager
async def sqlite(folder: Path) -> AsyncIterator[Opened]:
    async with open_store(folder / "store.sqlite3") as store:
        yield Opened(store, store.reader)


@asynccontextmanager
async def remote(folder: Path) -> AsyncIterator[Opened]:
    """The same store behind the socket that the collector uses."""
    ours, theirs = socket.socketpair()
    async with open_store(folder / "store.sqlite3") as store, asyncio.TaskGroup() as tasks:
        served = Pipe(*await asyncio.open_connection(sock=ours))
        tasks.create_task(serve(store, served, Notices()))
        pipe = Pipe(*await asyncio.open_connection(sock=theirs))
        proxy = RemoteStore(pipe)
        tasks.create_task(proxy.run())
        try:
            yield Opened(proxy, store.reader)
        finally:
            pipe.close()
            served.close()


FACTORIES: list[Factory] = [sqlite, remote]


@pytest.fixture(params=FACTORIES, ids=lambda factory: factory.__name__)
def factory(request: pytest.FixtureRequest) -> Factory:
    return request.param


@pytest.fixture
async def opened(factory: Factory, tmp_path: Path) -> AsyncIterator[Opened]:
    async with factory(tmp_path) as opened:
        yield opened
