"""kill -9 at random moments: `python -m tests.faults.store.kills KILLS SEED`.

A process of its own, with nothing running in it when it forks. Prints its figures as one line of JSON.
"""

import asyncio
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.store import writer
from tests.faults.store.script import reference, survey

STEPS = (9, 30, 200)
"""As many steps a database has, by chance; then a new one is made. The longest reach a checkpoint or two."""


def heard(pipe: int, lines: int) -> list[str]:
    """So many lines of what the writer says, or fewer when it is gone."""
    said = b""
    while said.count(b"\n") < lines and (byte := os.read(pipe, 1)):
        said += byte
    return said.decode().splitlines()


@dataclass(frozen=True)
class Moments:
    """When a writer is killed: after one of these numbers of steps and so many seconds by chance, or at its start and
    after more of them."""

    steps: Sequence[int]
    after: float
    at_start: float


# Half of them during opening and recovery, half after some steps: on a slow machine too.
MOMENTS = Moments((0, 0, 0, 1, 2, 4, 8, 16), 0.006, 0.05)


def kill_once(
    path: Path,
    first: int,
    last: int,
    chance: random.Random,
    moments: Moments = MOMENTS,
    work: writer.Work = writer.write,
) -> int:
    """Let a writer go on from step `first`, and kill it; returns how many steps it had acknowledged."""
    child, pipe = writer.fork(path, first, last, work=work)
    wanted = chance.choice(moments.steps)
    said = heard(pipe, wanted)
    time.sleep(chance.uniform(0, moments.after if wanted else moments.at_start))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    said += os.read(pipe, 1 << 16).decode().splitlines()
    os.close(pipe)
    assert all(line.isdigit() for line in said), said
    return int(said[-1]) if said else first


def copy(path: Path) -> Path:
    """The store as the kill left it, elsewhere: looking at it would mend it, and the next writer is to do that."""
    there = path.parent.with_name("copy")
    shutil.rmtree(there, ignore_errors=True)
    if path.parent.exists():
        shutil.copytree(path.parent, there)
    return there / path.name


def main(kills: int, seed: int) -> dict[str, int]:
    """Kill so often. Raises AssertionError at the first row lost or doubled."""
    known = asyncio.run(reference(max(STEPS)))
    chance, figures = random.Random(seed), Counter[str]()
    with tempfile.TemporaryDirectory() as base:
        stands = last = 0
        for number in range(kills):
            if stands == last:
                figures["databases"] += 1
                path, stands, last = Path(base) / str(number) / "store.sqlite3", 0, chance.choice(STEPS)
            said = kill_once(path, stands, last, chance)
            before, stands = stands, asyncio.run(survey(copy(path), known))
            assert said <= stands <= said + 1, f"kill {number}: {said} acknowledged, {stands} found"
            figures["acknowledged"] += said - before
            figures["unacknowledged but whole"] += stands - said
    return {"kills": kills, "lost": 0, "doubled": 0, **figures}


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]))))
