"""The process that is to fail: it works through the script and says on a pipe what is done.

A line with a number is an acknowledgement: so many steps are done and durable. "failed" and the name of one of
our errors is an honest end; anything else that ends the process early is not.
"""

import asyncio
import ctypes
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path

from monitor.errors import MonitorError
from tests.contract.making import CHANNEL, cursor
from tests.faults.store.script import opened, perform

Work = Callable[[Path, int, int, int], Coroutine[None, None, None]]
HONEST_END = 3
DEFECT = 1


async def write(path: Path, first: int, last: int, pipe: int) -> None:
    """Do the steps from `first` on, up to `last` (left out)."""
    async with opened(path) as store:
        await cursor(store, CHANNEL)  # so that a connection that reads is open, too
        for step in range(first, last):
            await perform(store, step)
            say(pipe, str(step + 1))


def say(pipe: int, word: str) -> None:
    """One line in one system call: whole, or not at all."""
    os.write(pipe, f"{word}\n".encode())


def main(path: Path, first: int, last: int, pipe: int, work: Work = write) -> int:
    """Write; returns the exit code: 0 done, HONEST_END after an error of ours."""
    try:
        asyncio.run(work(path, first, last, pipe))
    except MonitorError as e:
        say(pipe, f"failed {type(e).__name__}")
        return HONEST_END
    return 0


def _let_trace() -> None:
    """Some systems (Yama) let only a parent trace, unless one says otherwise. Elsewhere this does nothing."""
    ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(-1), 0, 0, 0)  # PR_SET_PTRACER, PR_SET_PTRACER_ANY


def fork(path: Path, first: int, last: int, gate: int | None = None, work: Work = write) -> tuple[int, int]:
    """Start a writer that shares this process's imports; returns its id and where to read what it says.

    It waits until `gate` can be read. A Python start of its own for every fault would take a second each.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    code = DEFECT
    try:
        os.close(reading)
        if gate is not None:
            _let_trace()
            os.read(gate, 1)
        code = main(path, first, last, writing, work)
    except BaseException as e:
        print(f"not an error of ours: {type(e).__name__}: {e}", file=sys.stderr, flush=True)
    finally:
        os._exit(code)
