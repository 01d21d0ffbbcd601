"""The only process that writes: the store, for a collector at the other end of a socket.

Started by `monitor run` as `python -m monitor.recorder_process SOCKET CONFIG LEVEL`. It reads no secret, has no
network, and opens the store only when the collector has found everything in order.
"""

import asyncio
import logging
import signal
import socket
import sys
from pathlib import Path

from monitor import logs
from monitor.bars import history_bars
from monitor.collector import Progress
from monitor.config import Config, load
from monitor.confinement import confine_recorder
from monitor.errors import MonitorError
from monitor.store import open_store
from monitor.wire import Notices, Pipe, greeting, serve

log = logging.getLogger(__name__)


def main(arguments: list[str]) -> int:
    """Serve until the collector ends; the exit code of the error that it named, if any."""
    descriptor, path, level = int(arguments[0]), Path(arguments[1]), int(arguments[2])
    logs.set_up(level)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
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
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, _ask_to_stop, pipe)
    named: list[MonitorError] = []
    notices = Notices(progress=progress, failed=named.append)
    try:
        if await greeting(pipe):
            async with open_store(config.database) as store:
                await serve(store, pipe, notices)
    finally:
        pipe.close()
    if named:
        raise named[0]


def _ask_to_stop(pipe: Pipe) -> None:
    pipe.send_soon((0, "stop", None))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
