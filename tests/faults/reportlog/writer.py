"""The processes that are to fail while they add to a log: with its store, or to the log alone.

What they say is an acknowledgement, as in `tests.faults.store.writer`: so many steps are done and durable.
"""

import random
from pathlib import Path

from monitor.reportlog import extend, project
from tests.faults.store.script import opened, perform
from tests.faults.store.writer import say
from tests.unit.reportlog.making import SIGNER, leaves

SIZES = (1, 1, 2, 3, 5)
LARGE = (1, 40, 255, 256, 257, 300)


def sizes(steps: int, *, large: bool) -> list[int]:
    """How many leaves the log has after each step; the same on each run. Small ones fill no tile."""
    chance, found = random.Random(11), [0]
    for _ in range(steps):
        found.append(found[-1] + chance.choice(LARGE if large else SIZES))
    return found


def log_of(store: Path) -> Path:
    """The log beside a store."""
    return store.with_name("log")


async def with_store(path: Path, first: int, last: int, pipe: int) -> None:
    """The steps of the store's script; each is acknowledged when its events are in the log, too."""
    async with opened(path) as store:
        await project(store.reader.leaves, log_of(path), SIGNER)
        for step in range(first, last):
            await perform(store, step)
            await project(store.reader.leaves, log_of(path), SIGNER)
            say(pipe, str(step + 1))


async def alone(path: Path, first: int, last: int, pipe: int) -> None:
    """Steps of the log alone, with few leaves."""
    _extend(path, sizes(last, large=False), first, last, pipe)


async def alone_large(path: Path, first: int, last: int, pipe: int) -> None:
    """Steps of the log alone, which fill tiles."""
    _extend(path, sizes(last, large=True), first, last, pipe)


def _extend(path: Path, grown: list[int], first: int, last: int, pipe: int) -> None:
    known = leaves(grown[last])
    for step in range(first, last):
        start = max(0, grown[step] - 1)
        extend(path, SIGNER, start, known[start : grown[step + 1]])
        say(pipe, str(step + 1))
