"""A writer under strace: from its first call on, seeing only calls on the store's own files."""

import os
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.faults.store import writer

PATIENCE = 60.0
"""Seconds until a writer counts as hanging."""
FILES = ("", "-wal", "-shm", "-journal")


@dataclass(frozen=True)
class Ended:
    """How a writer ended: its exit status as `waitpid` gives it, and the lines it said."""

    status: int
    said: list[str]

    @property
    def acknowledged(self) -> int:
        """The last step that it called done."""
        return max((int(line) for line in self.said if line.isdigit()), default=0)

    @property
    def failure(self) -> str | None:
        """The name of the error that it ended with."""
        return next((line.removeprefix("failed ") for line in self.said if line.startswith("failed ")), None)


def run(path: Path, first: int, last: int, trace: Path, *options: str, pipe: bool = False) -> Ended:
    """Let a writer do the steps from `first` to `last` (left out) under strace with these options.

    With `pipe` its acknowledgements are in the trace, too. Each of its threads leaves a file, `trace` with the
    thread's number. Raises TimeoutError when it hangs.
    """
    gate, opening = os.pipe()
    child, reading = writer.fork(path, first, last, gate)
    os.close(gate)
    seen = [str(path.parent), *(f"{path}{name}" for name in FILES)]
    if pipe:
        seen.append(f"pipe:[{os.fstat(reading).st_ino}]")
    command = [
        "strace",
        "-f",
        "-ff",
        "-y",
        *(part for name in seen for part in ("-P", name)),
        "-o",
        str(trace),
        *options,
    ]
    with ExitStack() as stack:
        stack.callback(os.close, reading)
        strace = stack.enter_context(
            subprocess.Popen([*command, "-p", str(child)], stderr=subprocess.PIPE, text=True)
        )
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
