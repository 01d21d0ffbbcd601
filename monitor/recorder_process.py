"""The only process that writes: the store, for a collector at the other end of a socket.

Started by `monitor run` as `python -m monitor.recorder_process SOCKET CONFIG LEVEL`. It reads no secret, has no
network, and opens the store only when the collector has found everything in order.
"""

import asyncio
import contextlib
import gc
import signal
import socket
import sys
from pathlib import Path

from monitor import logs
from monitor.bars import history_bars
from monitor.config import Config, load
from monitor.confinement import confine_recorder
from monitor.errors import MonitorError
from monitor.ports import Progress
from monitor.store import open_store
from monitor.wire import Notices, Pipe, greeting, serve


def main(arguments: list[str]) -> int:
    """Serve until the collector ends; the exit code of the error that it named, if any."""
    descriptor, path, level = int(arguments[0]), Path(arguments[1]), int(arguments[2])
    logs.set_up(level)
    # A service manager signals every process; this one ends when its standard input does.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    try:
        config = load(path)
        confine_recorder([config.state], required=config.confinement == "required")
        with history_bars() as progress:
            asyncio.run(_serve(config, socket.socket(fileno=descriptor), progress))
    except MonitorError as e:
        for line in str(e).splitlines():
            print(f"monitor: {line}", file=sys.stderr)
        return e.exit_code
    return 0


async def _serve(config: Config, channel: socket.socket, progress: Progress) -> None:
    pipe = Pipe(*await asyncio.open_connection(sock=channel))
    cord = asyncio.create_task(_ask_to_stop(pipe), name="cord")
    named: list[MonitorError] = []
    notices = Notices(progress=progress, failed=named.append)
    try:
        if await greeting(pipe):
            async with open_store(config.database) as store:
                # What was made so far stays: the garbage collector need not walk through it ever again.
                gc.freeze()
                await serve(store, pipe, notices)
    finally:
        cord.cancel()
        pipe.close()
    if named:
        raise named[0]


async def _ask_to_stop(pipe: Pipe) -> None:
    """Wait until standard input ends, then ask the collector for an end."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()
    with contextlib.suppress(ConnectionError):
        await pipe.send((0, "stop", None))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
