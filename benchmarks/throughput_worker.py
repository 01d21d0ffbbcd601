"""One run of one side of the throughput benchmark, in a process of its own; prints messages and seconds."""

import asyncio
import contextlib
import json
import sqlite3
import sys
import time
from pathlib import Path

from benchmarks import throughput
from monitor import daemon
from monitor.config import load
from monitor.prepare import prepare
from monitor.store import open_store
from monitor.telegram.client import Connection, connect
from monitor.telegram.session import StoredSession
from monitor.telegram.signin import sign_in


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
    path = folder / f"config-{number}.yaml"
    path.write_text(f"state_dir: state-{number}\n" + (folder / "config.yaml").read_text())
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
    stop = asyncio.Event()
    running = asyncio.create_task(daemon.run(config, stop))
    with contextlib.closing(sqlite3.connect(config.database)) as database:
        await _until(database, "SELECT count(*) FROM channels WHERE state = 'collecting'", 1)
        started = time.perf_counter()
        # One row that the index of the primary key finds: looking must cost next to nothing.
        await _until(database, "SELECT coalesce(max(cursor), 0) FROM cursors", throughput.MESSAGES)
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
    await sign_in(connection, lambda question, secret: next(answers))


if __name__ == "__main__":
    which = {"bare": bare, "ours": ours}[sys.argv[1]]
    messages, seconds = asyncio.run(which(Path(sys.argv[2]), int(sys.argv[3])))
    print(json.dumps({"messages": messages, "seconds": seconds}))
