"""The only process that writes: the store, for a collector at the other end of a socket.

Started by `monitor run` as `python -m monitor.recorder_process SOCKET CONFIG LEVEL bars|quiet`, with the text of the
configuration on standard input. Of secrets it reads the report log's key alone, before it is confined; it has no
network, and opens the store only when the collector
has found everything in order and the daemon has said that it is this pair's turn.
"""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path

from monitor import cord, logs
from monitor.bars import history_bars
from monitor.config import Config
from monitor.confinement import confine_recorder
from monitor.cord import Cord
from monitor.errors import MonitorError, StoreBusy
from monitor.ports import Progress
from monitor.proving import keep_up, signer
from monitor.reporting.aftermath import take_due
from monitor.reportlog import Signer
from monitor.store import Reader, SqlStore, open_store
from monitor.streams import finish
from monitor.wire import Notices, Pipe, greeting, serve

log = logging.getLogger("monitor.recorder")

ERRAND_LOOK = 0.5
"""Seconds between two looks at whether a person wants something done."""
OBJECTS = 10_000
"""New objects after which the garbage collector looks for circles: records are many, and in none."""
DUE_LOOK = 60.0
"""Seconds between two looks at what falls due in cases."""


def main(arguments: list[str]) -> int:
    """Serve until the collector ends; the exit code of the error that it named, if any."""
    descriptor, path, level = int(arguments[0]), Path(arguments[1]), int(arguments[2])
    logs.set_up(level)
    # A service manager signals every process; this one ends when its standard input does.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    try:
        config = cord.configuration(path)
        key = signer(config)
        confine_recorder([config.state], required=config.confinement == "required")
        asyncio.run(_serve(config, key, socket.socket(fileno=descriptor), bars=arguments[3] == "bars"))
    except MonitorError as e:
        cord.say_wrong(e)
        return e.exit_code
    return 0


async def _serve(config: Config, key: Signer | None, channel: socket.socket, *, bars: bool) -> None:
    pipe = Pipe(*await asyncio.open_connection(sock=channel))
    held = await Cord.hold()
    try:
        if not await greeting(pipe):
            return
        cord.say(cord.READY)
        if await held.go():
            with history_bars(shown=bars) as progress:
                await _record(config, key, pipe, held, progress)
    finally:
        pipe.close()


async def _record(config: Config, key: Signer | None, pipe: Pipe, held: Cord, progress: Progress) -> None:
    """Serve the store. Raises the error that the collector named."""
    named: list[MonitorError] = []
    notices = Notices(progress=progress, failed=named.append, working=lambda: cord.say(cord.WORKING))
    async with open_store(config.database, flood_guard=config.matching.flood_guard) as store:
        beside = {
            asyncio.create_task(_ask_to_stop(held, pipe), name="cord"),
            asyncio.create_task(_pass_errands_on(store.reader, pipe), name="errands"),
            asyncio.create_task(_take_due(config, store), name="due"),
        }
        ended = asyncio.Event()
        keeping = None
        if key is not None:
            keeping = asyncio.create_task(keep_up(config, store.reader, key, ended), name="report log")
        # What was made so far stays: the garbage collector need not walk through it ever again.
        gc.freeze()
        gc.set_threshold(OBJECTS)
        try:
            await serve(store, pipe, notices)
        finally:
            for task in beside:
                task.cancel()
            # Before the store is closed: an answer that a connection still owes would never come then.
            await asyncio.wait(beside)
            ended.set()
            if keeping is not None:
                await keeping
    if named:
        raise named[0]


async def _ask_to_stop(held: Cord, pipe: Pipe) -> None:
    """When the daemon asks for an end, pass it on to the collector."""
    await held.end()
    with contextlib.suppress(ConnectionError):
        await pipe.send((0, "stop", None))


async def _pass_errands_on(reader: Reader, pipe: Pipe) -> None:
    """Tell the collector when a person wants something done: other processes leave it in the store."""
    while True:
        with contextlib.suppress(ConnectionError, StoreBusy):
            if await reader.errands_due(datetime.now(UTC)):
                await pipe.send((0, "errand", None))
        await asyncio.sleep(ERRAND_LOOK)


async def _take_due(config: Config, store: SqlStore) -> None:
    """What falls due in cases by itself: holds and negative entries that end, corrections, escalations."""
    while True:
        await asyncio.sleep(DUE_LOOK)
        try:
            await take_due(store, config.reporting.value(), datetime.now(UTC))
        except MonitorError as e:
            log.error("what is due in cases waits: %s", e)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    finally:
        finish()
