"""A writer under strace: from its first call on, seeing only calls on the store's own files."""

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
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
    shown = [part for name in seen for part in ("-P", name)]
    return followed(child, reading, opening, "-f", "-ff", "-y", *shown, "-o", str(trace), *options)


def followed(child: int, reading: int, opening: int, *options: str) -> Ended:
    """Let a writer that waits at its gate (`opening`) go on under strace with these options, until it ends.

    Raises TimeoutError when it hangs.
    """
    with ExitStack() as stack:
        stack.callback(os.close, reading)
        strace = stack.enter_context(
            subprocess.Popen(["strace", *options, "-p", str(child)], stderr=subprocess.PIPE, text=True)
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


def counted(trace: Path) -> Counter[str]:
    """How often each call is in a trace."""
    lines = trace.read_text(errors="replace").splitlines()
    return Counter(line.split("(")[0] for line in lines if "(" in line.split(" ")[0])


def faults(calls: Mapping[str, int], changing: Collection[str]) -> Iterator[tuple[str, str, int]]:
    """Each call with each fault in strace's words, once for each time that it is made.

    `changing` are calls that can run out of space, and around which the disk differs: the writer is killed at these.
    """
    for call, times in sorted(calls.items()):
        kinds = ("error=EIO", "error=ENOSPC", "signal=KILL") if call in changing else ("error=EIO",)
        yield from ((call, kind, nth) for kind in kinds for nth in range(1, times + 1))


def honest(ended: Ended, fault: str, ours: Collection[str]) -> str | None:
    """How a writer came to its end under that fault, in a word; None where it did all that it was to do.

    Raises AssertionError when it ended with an error that is none of `ours`.
    """
    if os.WIFSIGNALED(ended.status):
        assert fault == "signal=KILL" and os.WTERMSIG(ended.status) == signal.SIGKILL, (fault, ended)
        return "killed"
    if os.WEXITSTATUS(ended.status) == writer.HONEST_END:
        assert ended.failure in ours, (fault, ended)
        return ended.failure
    assert os.WEXITSTATUS(ended.status) == 0, f"{fault}: not an error of ours"
    return None
