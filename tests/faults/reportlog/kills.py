"""kill -9 at random moments, store and log together: `python -m tests.faults.reportlog.kills KILLS SEED`.

A process of its own, with nothing running in it when it forks. Prints its figures as one line of JSON.
"""

import asyncio
import json
import random
import sys
import tempfile
from collections import Counter
from contextlib import aclosing
from pathlib import Path

from monitor.reportlog import known_checkpoint, project, tidy
from monitor.reportlog.verifying import verify_events, verify_log
from tests.faults.reportlog.writer import log_of, with_store
from tests.faults.store.kills import Moments, copy, kill_once
from tests.faults.store.script import opened, perform, reference, survey
from tests.unit.reportlog.making import SIGNER

STEPS = (9, 30, 60)
"""As many steps a store has, by chance; then a new one is made."""
MOMENTS = Moments((0, 0, 1, 2, 4, 8), 0.03, 0.08)


async def events(steps: int) -> list[int]:
    """How many events there are after each step."""
    with tempfile.TemporaryDirectory() as folder:
        async with opened(Path(folder) / "store.sqlite3") as store:
            found = [0]
            for step in range(steps):
                await perform(store, step)
                found.append(await store.reader.next_event())
    return found


def look(log: Path) -> int:
    """How many leaves the log has, all of them verified, as the kill left it."""
    if known_checkpoint(log) is None:
        return 0
    tidy(log)
    return verify_log(log).checkpoint.size


async def recovered(path: Path) -> int:
    """How many events there are, when a start has brought the log up to them: exactly these, all verified."""
    log = log_of(path)
    async with opened(path) as store:
        checkpoint = await project(store.reader.leaves, log, SIGNER)
        count = await store.reader.next_event()
        if checkpoint is None:
            assert count == 0
            return 0
        tidy(log)
        assert verify_log(log).checkpoint.size == count
        async with aclosing(store.reader.leaves()) as rows:
            assert await verify_events(rows, log, count) == (0, 0)
    return count


def main(kills: int, seed: int) -> dict[str, int]:
    """Kill so often. Raises AssertionError at the first event lost, and VerificationError at a torn log."""
    known, counts = asyncio.run(reference(max(STEPS))), asyncio.run(events(max(STEPS)))
    chance, figures = random.Random(seed), Counter[str]()
    with tempfile.TemporaryDirectory() as base:
        stands = last = 0
        for number in range(kills):
            if stands == last:
                figures["logs"] += 1
                path, stands, last = Path(base) / str(number) / "store.sqlite3", 0, chance.choice(STEPS)
                path.parent.mkdir()
            said = kill_once(path, stands, last, chance, MOMENTS, with_store)
            before, there = stands, copy(path)
            stands = asyncio.run(survey(there, known))
            assert said <= stands <= said + 1, f"kill {number}: {said} acknowledged, {stands} found"
            logged = look(log_of(there))
            # What was acknowledged at all; of a start that only brought the log up, nothing was.
            sure = counts[said] if said > before else 0
            assert sure <= logged <= counts[stands], f"kill {number}: {logged} leaves, {sure} acknowledged"
            assert asyncio.run(recovered(there)) == counts[stands]
            figures["acknowledged"] += said - before
            figures["leaves brought up after"] += counts[stands] - logged
    return {"kills": kills, "lost": 0, "torn": 0, **figures}


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]))))
