"""One run of the daemon over a channel of photos, in a process of its own; prints photos and seconds."""

import asyncio
import contextlib
import json
import sqlite3
import sys
import time
from pathlib import Path

from benchmarks import photos
from benchmarks.throughput_worker import signed_in
from monitor import daemon

NONE_YET = "SELECT count(*) FROM channels WHERE state = 'collecting'"
SETTLED = "SELECT count(*) FROM media WHERE outcome <> 'pending'"


async def run(folder: Path) -> tuple[int, float]:
    """From the moment the channel is joined until the last photo is settled."""
    config = (await signed_in(folder / "config.yaml")).config
    stop = asyncio.Event()
    running = asyncio.create_task(daemon.run(config, stop))
    with contextlib.closing(sqlite3.connect(config.database)) as database:
        while not database.execute(NONE_YET).fetchone()[0]:
            await asyncio.sleep(0.005)
        began = time.perf_counter()
        while (count := database.execute(SETTLED).fetchone()[0]) < photos.PHOTOS:
            await asyncio.sleep(0.01)
        ended = time.perf_counter()
    stop.set()
    await running
    return count, ended - began


if __name__ == "__main__":
    found, seconds = asyncio.run(run(Path(sys.argv[1])))
    print(json.dumps({"photos": found, "seconds": seconds}))
