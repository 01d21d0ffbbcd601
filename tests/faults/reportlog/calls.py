"""Every system call on a log's files failing in turn: `python -m tests.faults.reportlog.calls EVERY FIRST`.

Of all cases every EVERYth is run, from number FIRST on, as in `tests.faults.store.calls`. Prints its figures as JSON.
"""

import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from monitor.reportlog import extend, known_checkpoint, tidy
from monitor.reportlog.tiles import CHECKPOINT, KEYS, tile_name, tiles
from monitor.reportlog.verifying import verify_log
from tests.faults.reportlog import traced
from tests.faults.reportlog.writer import alone, sizes
from tests.faults.store.traced import Ended, counted, faults, honest
from tests.unit.reportlog.making import SIGNER, files, leaves, made

STEPS = 7
HALF = 4
OURS = {"LogUnavailable", "VerificationError"}
CHANGING = {"openat", "write", "fsync", "unlink", "rename", "mkdir"}


class Case(NamedTuple):
    """One fault: while a log is made, or while one goes on from step `first`."""

    first: int
    call: str
    fault: str
    nth: int


def paths(log: Path) -> list[str]:
    """Options that let strace see calls on files and folders of the log alone."""
    names = {CHECKPOINT, f"{CHECKPOINT}.new", KEYS, f"{KEYS}.new", "../log.lock"}
    for size in range(1, sizes(STEPS, large=False)[-1] + 1):
        names |= {tile_name(*tile) for tile in tiles(size)}
    found = {log, *(log / name for name in names)}
    found |= {place for path in found for place in path.parents if place.is_relative_to(log)}
    return [part for path in sorted(found) for part in ("-P", os.path.normpath(path))]


def scene(base: Path, first: int) -> Path:
    """The folder that a writer finds at that step, made anew."""
    shutil.rmtree(base / "now", ignore_errors=True)
    (base / "now").mkdir()
    log = base / "now" / "log"
    if first:
        made(log, *sizes(first, large=False)[1:])
    return log


def cases(base: Path, first: int) -> Iterator[Case]:
    """Every call on the log's files from that step on, with every fault."""
    log, trace = scene(base, first), base / "trace"
    ended = traced.run(alone, log, first, STEPS, trace, *paths(log))
    assert ended.acknowledged == STEPS, ended
    yield from (Case(first, *fault) for fault in faults(counted(trace), CHANGING))


def judge(case: Case, ended: Ended, log: Path) -> str:
    """How the case came out, in a word. Raises AssertionError when a leaf is lost or the end is not honest."""
    grown = sizes(STEPS, large=False)
    done = max(ended.acknowledged, case.first)
    found = 0
    if known_checkpoint(log) is not None:
        tidy(log)
        found = verify_log(log).checkpoint.size
    assert found in grown[done : done + 2], f"{case}: {grown[done]} acknowledged, {found} found"
    # The next one goes on, and the log is as if nothing had been.
    extend(log, SIGNER, 0, leaves(grown[-1]))
    tidy(log)
    again = made(log.with_name("again"), grown[-1])
    assert files(log) == files(again), case
    shutil.rmtree(again)
    if end := honest(ended, case.fault, OURS):
        return end
    assert done == STEPS and found == grown[-1], f"{case}: silent"
    return "did not matter"


def main(every: int, first: int) -> dict[str, int]:
    """Run these cases. Raises AssertionError at the first that loses a leaf or ends in another way than ours."""
    figures: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        for case in [case for start in (0, HALF) for case in cases(base, start)][first::every]:
            log = scene(base, case.first)
            fault = ("-e", f"inject={case.call}:{case.fault}:when={case.nth}")
            ended = traced.run(alone, log, case.first, STEPS, base / "trace", *paths(log), *fault)
            figures[judge(case, ended, log)] += 1
    return {"calls": figures.total(), "lost": 0, "torn": 0, **figures}


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]))))
