"""One run of one side of the throughput benchmark, in a process of its own; prints messages and seconds."""

import asyncio
import contextlib
import json
import sqlite3
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from benchmarks import throughput
from monitor import daemon
from monitor.collector import collect
from monitor.config import Config, load
from monitor.prepare import Prepared, prepare
from monitor.store import open_store
from monitor.telegram.client import connect
from monitor.telegram.connection import Connection
from monitor.telegram.session import StoredSession
from monitor.telegram.signin import by_phone, sign_in


async def bare(folder: Path, number: int) -> tuple[int, float]:
    """A Telethon client that reads the history and drops every message."""
    config = load(folder / "config.yaml")
    prepared = prepare(config)
    session = StoredSession("main")
    async with connect(
        session, prepared.credentials["main"], prepared.endpoint, signed_in=False
    ) as connection:
        await _sign_in(connection)
        entity = await connection.client.get_entity(config.channels[0].username)
        count, started = 0, time.perf_counter()
        # Without wait_time=0 the library pauses for a second after each page.
        async for _ in connection.client.iter_messages(entity, reverse=True, wait_time=0):
            count += 1
        return count, time.perf_counter() - started


async def ours(folder: Path, number: int) -> tuple[int, float]:
    """The daemon with all its processes: from the moment the channel is joined until the last row is durable."""
    prepared = await _signed_in(folder, f"ours-{number}")
    return await _timed(prepared.config, lambda stop: daemon.run(prepared.config, stop))


async def direct(folder: Path, number: int) -> tuple[int, float]:
    """The same in one process, the store used directly: what the split is compared with."""
    prepared = await _signed_in(folder, f"direct-{number}")

    async def run(stop: asyncio.Event) -> None:
        async with open_store(prepared.config.database) as store:
            await collect(prepared, store, None, stop, lambda username, done, total: None)

    return await _timed(prepared.config, run)


async def _signed_in(folder: Path, name: str) -> Prepared:
    path = folder / f"config-{name}.yaml"
    path.write_text(f"state_dir: state-{name}\n" + (folder / "config.yaml").read_text())
    return await signed_in(path)


async def signed_in(path: Path) -> Prepared:
    """A configuration whose account is signed in at the data centre."""
    config = load(path)
    prepared = prepare(config)
    session = StoredSession("main")
    async with connect(
        session, prepared.credentials["main"], prepared.endpoint, signed_in=False
    ) as connection:
        await _sign_in(connection)
    state = session.state()
    async with open_store(config.database) as store:
        if state is not None:
            await store.save_session(state)
    return prepared


async def _timed(
    config: Config, run: Callable[[asyncio.Event], Coroutine[Any, Any, None]]
) -> tuple[int, float]:
    stop = asyncio.Event()
    running = asyncio.create_task(run(stop))
    with contextlib.closing(sqlite3.connect(config.database)) as database:
        await _until(database, "SELECT count(*) FROM channels WHERE state = 'collecting'", 1)
        started = time.perf_counter()
        # One row that the index of the primary key finds: looking must cost next to nothing.
        await _until(database, "SELECT coalesce(max(cursor), 0) FROM coverage", throughput.MESSAGES)
        ended = time.perf_counter()
        (count,) = database.execute("SELECT count(*) FROM messages").fetchone()
    stop.set()
    await running
    return count, ended - started


async def _until(database: sqlite3.Connection, query: str, least: int) -> None:
    while database.execute(query).fetchone()[0] < least:
        await asyncio.sleep(0.005)


async def _sign_in(connection: Connection) -> None:
    answers = iter(("15550001", "22222"))
    await sign_in(connection, by_phone(lambda question, secret: next(answers)))


if __name__ == "__main__":
    which = {"bare": bare, "ours": ours, "direct": direct}[sys.argv[1]]
    messages, seconds = asyncio.run(which(Path(sys.argv[2]), int(sys.argv[3])))
    print(json.dumps({"messages": messages, "seconds": seconds}))
