"""A month of one daemon's life in virtual time; prints the memory of its process at each day's end, in bytes.

python -m tests.faults.wire.month FOLDER DAYS
"""

import asyncio
import ctypes
import gc
import json
import os
import random
import sys
from pathlib import Path

from monitor.testdc import Channel, Cluster, Document, World
from tests.faults.wire import virtual
from tests.faults.wire.machine import Machine, served, signed_in
from tests.faults.wire.virtual import Clock

DAY = 86_400.0
POSTS, EDITS, DELETIONS = 60, 15, 8
"""A day."""


async def month(folder: Path, clock: Clock, days: int) -> list[int]:
    """Bytes in memory after each day: of the daemon and of the small world it watches."""
    chance = random.Random(7)
    world = World(clock=clock.true)
    user = world.user(phone="15550001", code="22222")
    channels = [world.channel(f"place_{number}") for number in range(3)]
    listed = {"sha256": [("0" * 64, "none")]}
    used = []
    async with Cluster(world, clock=clock.true) as cluster:
        declared = [{"username": channel.username} for channel in channels]
        machine = Machine(folder, clock.utc, served(cluster), declared, listed)
        await machine.sign_in(signed_in(cluster, user))
        machine.start()
        for day in range(days):
            await asyncio.gather(*(_something(chance, channels, world, n) for n in range(POSTS)))
            cluster.cut()
            await asyncio.sleep((day + 1) * DAY - clock.passed())
            machine.check()
            # What the server remembers is not what the daemon needs.
            cluster.journal.clear()
            world.files.clear()
            used.append(_resident())
        await machine.stop()
    return used


async def _something(chance: random.Random, channels: list[Channel], world: World, number: int) -> None:
    channel = chance.choice(channels)
    await asyncio.sleep(chance.uniform(0, DAY - 600))
    media: Document | None = world.document(chance.randbytes(500)) if number % 6 == 0 else None
    channel.post("words", media=media)
    if number < EDITS:
        channel.edit(channel.top, "other words")
    if number < DELETIONS:
        channel.delete(chance.choice(channel.alive))


def _resident() -> int:
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    where, how_long = Path(sys.argv[1]), int(sys.argv[2])
    print(json.dumps(virtual.run(lambda clock: month(where, clock, how_long))))
