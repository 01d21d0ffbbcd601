"""What catching up costs the platform: a count of requests, exact, from the server's own journal."""

import asyncio
import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from monitor.store import open_reader
from monitor.testdc import Channel, Cluster, World
from tests.faults.wire import virtual
from tests.faults.wire.machine import Machine, served, signed_in
from tests.faults.wire.virtual import Clock

WEEK = 7 * 86_400.0
PAGE = 100


@dataclass(frozen=True)
class Away:
    """What was asked after an absence, and what may be."""

    asked: Counter[str]
    allowed: float
    missed: int


@pytest.mark.parametrize("channels", [120, pytest.param(500, marks=pytest.mark.prove)])
@pytest.mark.timeout(900)
def test_catching_up_after_a_week_asks_for_what_was_missed(
    channels: int, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    away = virtual.run(lambda clock: _after_a_week(tmp_path, clock, channels))
    asked = sum(away.asked.values())
    record_property(
        "figures",
        f"{channels} channels, {away.missed:,} posts missed: {asked} requests, at most {away.allowed:.0f} allowed",
    )
    assert asked <= away.allowed, away.asked


async def _after_a_week(folder: Path, clock: Clock, count: int) -> Away:
    chance = random.Random(count)
    world = World(clock=clock.true)
    user = world.user(phone="15550001", code="22222")
    channels = [world.channel(f"place_{number}") for number in range(count)]
    for channel in channels:
        channel.join(user)
        for _ in range(10):
            channel.post("before")
    async with Cluster(world, clock=clock.true) as cluster:
        declared = [{"username": channel.username} for channel in channels]
        budgets = {"joins_per_day": count, "resolves_per_day": count}
        machine = Machine(folder, clock.utc, served(cluster), declared, {}, **budgets)
        await machine.sign_in(signed_in(cluster, user))
        machine.start()
        await _caught_up(machine, channels)
        await machine.stop()
        await asyncio.sleep(WEEK)
        missed = [chance.choice((0, 0, 0, 1, 20, 90, 230)) for _ in channels]
        for channel, number in zip(channels, missed, strict=True):
            for _ in range(number):
                channel.post("while away")
        cluster.journal.clear()
        machine.start()
        await _caught_up(machine, channels)
        # Long enough for a look at the dialogs that finds nothing to do.
        await asyncio.sleep(60)
        await machine.stop()
    allowed = 1.1 * (math.ceil(count / PAGE) + sum(math.ceil(number / PAGE) for number in missed))
    return Away(Counter(entry.name for entry in cluster.journal), allowed, sum(missed))


async def _caught_up(machine: Machine, channels: list[Channel]) -> None:
    tops = {channel.id: channel.top for channel in channels}
    async with asyncio.timeout(86_400):
        while True:
            await asyncio.sleep(10)
            machine.check()
            async with open_reader(machine.database) as reader:
                stands = {status.channel_id: status.cursor for status in await reader.channel_status()}
            if stands == tops:
                return
