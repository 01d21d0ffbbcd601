"""A writer of a log under strace, from its first call on."""

import os
import subprocess
from contextlib import ExitStack
from pathlib import Path

from tests.faults.store import writer
from tests.faults.store.traced import PATIENCE, Ended


def run(work: writer.Work, path: Path, first: int, last: int, trace: Path, *options: str) -> Ended:
    """Let a writer do the steps from `first` to `last` (left out) under strace with these options; its one thread
    leaves the file `trace`. Raises TimeoutError when it hangs."""
    gate, opening = os.pipe()
    child, reading = writer.fork(path, first, last, gate, work)
    os.close(gate)
    with ExitStack() as stack:
        stack.callback(os.close, reading)
        command = ["strace", "-y", "-o", str(trace), *options, "-p", str(child)]
        strace = stack.enter_context(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
        assert strace.stderr is not None
        said = strace.stderr.readline()
        os.write(opening, b"!")
        os.close(opening)
        assert "attached" in said, f"strace cannot attach here: {said}"
        try:
            strace.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired as e:
            os.kill(child, 9)
            raise TimeoutError("the writer hangs") from e
        _, status = os.waitpid(child, 0)
        return Ended(status, os.read(reading, 1 << 16).decode().splitlines())
