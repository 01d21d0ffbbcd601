"""A writer of a log under strace, from its first call on."""

import os
from pathlib import Path

from tests.faults.store import writer
from tests.faults.store.traced import Ended, followed


def run(work: writer.Work, path: Path, first: int, last: int, trace: Path, *options: str) -> Ended:
    """Let a writer do the steps from `first` to `last` (left out) under strace with these options; its one thread
    leaves the file `trace`. Raises TimeoutError when it hangs."""
    gate, opening = os.pipe()
    child, reading = writer.fork(path, first, last, gate, work)
    os.close(gate)
    return followed(child, reading, opening, "-y", "-o", str(trace), *options)
