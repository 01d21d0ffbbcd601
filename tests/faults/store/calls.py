"""Every system call on the store's files failing in turn: `python -m tests.faults.store.calls EVERY FIRST`.

Of all cases every EVERYth is run, from number FIRST on. A case is one call (the nth of its name, in each of
the writer's threads) that answers EIO or ENOSPC, or at which the writer is killed. A process of its own, with
nothing running in it when it forks. Prints its figures as one line of JSON.
"""

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.faults.store import traced, writer
from tests.faults.store.script import STEPS_A_TURN, reference, survey

CHANGING = {"openat", "pwrite64", "write", "ftruncate", "fallocate", "fsync", "fdatasync", "unlink", "rename"}
OURS = {"StoreUnavailable", "StoreBusy", "StoreCorrupt"}


class Scene(NamedTuple):
    """What the writer finds, and the steps that it is to do."""

    before: Path | None
    first: int
    last: int


class Case(NamedTuple):
    """One fault in one scene, in strace's words."""

    scene: Scene
    call: str
    fault: str
    nth: int


def scenes(base: Path) -> list[Scene]:
    """A store that is made, and one that a killed writer left with its log unfinished, going on."""
    path = base / "before" / "store.sqlite3"
    child, pipe = writer.fork(path, 0, STEPS_A_TURN + 1)
    with os.fdopen(pipe) as said:
        for line in said:
            if int(line) == STEPS_A_TURN:
                os.kill(child, signal.SIGKILL)
                break
    os.waitpid(child, 0)
    done = asyncio.run(survey(copied(path.parent, base / "seen"), asyncio.run(reference(STEPS_A_TURN + 1))))
    return [Scene(None, 0, 1), Scene(path.parent, done, done + STEPS_A_TURN)]


def copied(folder: Path | None, to: Path) -> Path:
    """The store of that folder (or none) in another folder, made anew."""
    shutil.rmtree(to, ignore_errors=True)
    if folder is None:
        to.mkdir()
    else:
        shutil.copytree(folder, to)
    return to / "store.sqlite3"


def cases(scene: Scene, base: Path) -> Iterator[Case]:
    """Every call that the scene makes on the store's files, with every fault."""
    trace = base / "trace"
    ended = traced.run(copied(scene.before, base / "now"), scene.first, scene.last, trace)
    assert ended.acknowledged == scene.last, ended
    most: Counter[str] = Counter()
    for thread in base.glob("trace.*"):
        most |= traced.counted(thread)
        thread.unlink()
    yield from (Case(scene, *fault) for fault in traced.faults(most, CHANGING))


def judge(case: Case, ended: traced.Ended, found: int) -> str:
    """How the case came out, in a word. Raises AssertionError when a row is lost or the end is not honest."""
    done = max(ended.acknowledged, case.scene.first)
    assert done <= found <= done + 1, f"{case}: {done} acknowledged, {found} found"
    if end := traced.honest(ended, case.fault, OURS):
        return end
    assert done == case.scene.last == found, f"{case}: silent"
    return "did not matter"


def main(every: int, first: int) -> dict[str, int]:
    """Run these cases. Raises AssertionError at the first that loses a row or ends in another way than ours."""
    figures: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        known = asyncio.run(reference(2 * STEPS_A_TURN + 2))
        for case in [case for scene in scenes(base) for case in cases(scene, base)][first::every]:
            path = copied(case.scene.before, base / "now")
            fault = ("-e", f"inject={case.call}:{case.fault}:when={case.nth}")
            ended = traced.run(path, case.scene.first, case.scene.last, base / "trace", *fault)
            for thread in base.glob("trace.*"):
                thread.unlink()
            figures[judge(case, ended, asyncio.run(survey(path, known)))] += 1
    return {"calls": figures.total(), "lost": 0, "corrupt": 0, **figures}


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]))))
