"""kill -9 at any moment: what was acknowledged is there, once, and nothing is half there."""

import asyncio
import random
import sys
from pathlib import Path

import pytest

from monitor.model import MediaOutcome
from tests.contract.conftest import Factory
from tests.contract.making import CHANNEL
from tests.contract.recording import SIZE


async def record_and_kill(name: str, folder: Path, seconds: float) -> tuple[int, set[int]]:
    """Let a process record for so long, kill it; returns what it had acknowledged."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.contract.recording", name, str(folder), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    cursor, flags = int((await process.stdout.readline()).split()[1]), set()
    await asyncio.sleep(seconds)
    process.kill()
    said, _ = await process.communicate()
    for line in said.decode().splitlines(keepends=True):
        if line.endswith("\n"):
            word, number = line.split()
            if word == "rows":
                cursor = int(number)
            else:
                flags.add(int(number))
    return cursor, flags


async def kill_often(factory: Factory, folder: Path, times: int) -> None:
    chance = random.Random(times)
    flagged: set[int] = set()
    for _ in range(times):
        cursor, flags = await record_and_kill(factory.__name__, folder, chance.uniform(0, 0.15))
        flagged |= flags
        async with factory(folder) as opened:
            numbers = [row["message_id"] for row in await opened.messages()]
            assert numbers == list(range(1, len(numbers) + 1)), "no row is missing or doubled"
            assert cursor <= len(numbers) <= cursor + SIZE, "at most the call that was under way is more"
            assert await opened.store.cursor(CHANNEL) == len(numbers)
            kept = {row["message_id"] for row in await opened.flags()}
            events = await opened.events()
            assert flagged <= kept
            assert [event.seq for event in events] == list(range(len(kept)))
            assert {event.body["message_id"] for event in events} == kept
            outcomes = await opened.reader.media_outcomes()
            assert sum(outcomes.values()) == len(numbers)
            assert outcomes.get(MediaOutcome.MATCH, 0) == len(kept)
            flagged = kept
    assert len(flagged) > 0


async def test_ten_kills_lose_and_double_nothing(factory: Factory, tmp_path: Path) -> None:
    await kill_often(factory, tmp_path, 10)


@pytest.mark.prove
@pytest.mark.timeout(600)
async def test_two_hundred_kills_lose_and_double_nothing(factory: Factory, tmp_path: Path) -> None:
    await kill_often(factory, tmp_path, 200)
