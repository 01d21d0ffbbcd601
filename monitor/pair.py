"""A recorder and a collector at work together: started, made ready, set to work, ended in order.

Both are processes with a socket between them that the daemon does not keep. A pair that is ready and was not
set to work has written nothing and asked the platform nothing, so it can be made ready beside one at work.
"""

import asyncio
import contextlib
import logging
import os
import socket
import sys

from monitor import cord
from monitor.config import Config
from monitor.errors import ConfigError, FatalError, MonitorError

STOP_TIMEOUT = 60.0
"""Seconds that the processes get to end in order before they are killed."""
LONGEST_LINE = 1000
"""Characters of a collector's log line that are passed on."""
# Importing numpy starts threads of its own otherwise, and confinement holds only for threads started later.
ONE_THREAD = {name: "1" for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")}

Process = asyncio.subprocess.Process


class ProcessFailed(MonitorError):
    """A process ended with an error of ours; `exit_code` is that error's."""

    def __init__(self, exit_code: int, said: str) -> None:
        super().__init__(said)
        self.exit_code = exit_code  # type: ignore[misc]  # the class's constant, known only now


async def any_of(*events: asyncio.Event, seconds: float | None = None) -> None:
    """Wait until one of the events is set, at most so many seconds."""
    waiting = [asyncio.create_task(event.wait(), name="wait") for event in events]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


class Pair:
    """Two processes that serve one configuration. Made by `start`; `end` must be called."""

    def __init__(self, recorder: Process, collector: Process) -> None:
        self._recorder = recorder
        self._collector = collector
        self._said: list[str] = []
        self._at_work = False
        self.ready = asyncio.Event()
        """Everything that the configuration names was found in order."""
        self.working = asyncio.Event()
        """The records are in line with the configuration, and collection goes on."""
        self.ended = asyncio.Event()
        """The recorder has ended, because it was told to, for an error, or because the collector died."""
        self._listening = asyncio.create_task(self._listen(), name="recorder:words")
        self._relaying = asyncio.create_task(_relay(collector), name="collector:log")

    @classmethod
    async def start(cls, config: Config, lock: int, *, bars: bool = True) -> "Pair":
        """Start both. The recorder inherits the descriptor `lock`; `bars` lets it show progress on a terminal."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            recorder = await _start(
                ["monitor.recorder_process", *_arguments(ours, config), "bars" if bars else "quiet"],
                (ours.fileno(), lock),
                stdout=asyncio.subprocess.PIPE,
            )
            collector = await _start(
                ["monitor.collector_process", *_arguments(theirs, config)],
                (theirs.fileno(),),
                stderr=asyncio.subprocess.PIPE,
            )
        for process in (recorder, collector):
            if process.stdin is not None:
                process.stdin.write(cord.packed(config))
        if collector.stdin is not None:
            collector.stdin.close()
        return cls(recorder, collector)

    def go(self) -> None:
        """Set a pair that is ready to work."""
        self._at_work = True
        if self._recorder.stdin is not None:
            self._recorder.stdin.write(cord.GO)

    async def end(self) -> None:
        """End intake, what is being written, the store: in that order, and by force when it takes too long.

        A pair that was not set to work has nothing to end.
        """
        if self._recorder.stdin is not None:
            self._recorder.stdin.close()
        if self._at_work:
            await any_of(self.ended, seconds=STOP_TIMEOUT)
        for process in (self._recorder, self._collector):
            patient = self._at_work and process is self._collector
            if process.returncode is None and not (patient and await _ends(process)):
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
        await asyncio.wait({self._listening, self._relaying, asyncio.ensure_future(self._collector.wait())})

    def failure(self, *, stopped: bool) -> MonitorError | None:
        """Why the pair has ended; None when it was told to, or when the collector alone died.

        `stopped`: an end was asked for, so that a process that a signal ended is no failure.
        """
        code = self._recorder.returncode or 0
        if code < 0 and not stopped:
            return FatalError(f"the recorder died (signal {-code}); what it had acknowledged is in the store")
        if code > 0:
            return ProcessFailed(code, "\n".join(self._said))
        return None

    def refusal(self) -> MonitorError:
        """Why the pair, which has ended, did not come to work."""
        return self.failure(stopped=False) or ConfigError("its processes died before they were at work")

    async def _listen(self) -> None:
        """Take the recorder's words until it has ended."""
        words = self._recorder.stdout
        while words is not None and (line := await words.readline()):
            said = line.decode("utf-8", "replace").rstrip("\n")
            if said == cord.READY:
                self.ready.set()
            elif said == cord.WORKING:
                self.working.set()
            else:
                self._said.append(said.removeprefix(cord.WRONG))
        await self._recorder.wait()
        self.ended.set()


def _arguments(channel: socket.socket, config: Config) -> list[str]:
    return [str(channel.fileno()), str(config.path), str(logging.getLogger("monitor").level)]


async def _start(
    module: list[str], inherited: tuple[int, ...], *, stdout: int | None = None, stderr: int | None = None
) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *module,
        pass_fds=inherited,
        stdin=asyncio.subprocess.PIPE,
        stdout=stdout,
        stderr=stderr,
        env=os.environ | ONE_THREAD,
    )


async def _ends(process: Process) -> bool:
    """Whether a process whose socket has ended goes by itself."""
    try:
        await asyncio.wait_for(process.wait(), STOP_TIMEOUT)
    except TimeoutError:
        return False
    return True


async def _relay(collector: Process) -> None:
    """Pass the collector's log on: it can write to no file, not even to a standard error that is one."""
    if collector.stderr is None:
        return
    while True:
        try:
            line = await collector.stderr.readline()
        except ValueError:
            continue  # longer than the reader takes: no line of ours is
        if not line:
            return
        text = line.decode("ascii", "replace").rstrip()[:LONGEST_LINE]
        with contextlib.suppress(OSError):  # the terminal was closed
            print("".join(c if c.isprintable() else "?" for c in text), file=sys.stderr, flush=True)
