"""`monitor run`: one command that starts two processes, watches them, and ends them in order.

    monitor run ── recorder (monitor.recorder_process): the store, the only one that writes
                └─ collector (monitor.collector_process): accounts, media in memory, no writable path
                   └─ decoders (monitor.decoder): bytes in, hashes out, nothing else

Recorder and collector share a socket that this process does not keep. When the collector dies, both are
started again, with a pause that grows; when the recorder dies, everything stops.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from monitor.config import Config
from monitor.errors import FatalError, InputError, MonitorError
from monitor.prepare import private_state

log = logging.getLogger(__name__)

STOP_TIMEOUT = 60.0
"""Seconds that the processes get to end in order before they are killed."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds before what died is started again: doubled each time, up to the longest."""
STEADY = 300.0
"""Seconds after which a collector counts as healthy, and the pause begins anew."""
LOCK_PATIENCE = 5.0
"""Seconds to wait for another process that may be about to end."""
LONGEST_LINE = 1000
"""Characters of a collector's log line that are passed on."""
# Importing numpy starts threads of its own otherwise, and confinement holds only for threads started later.
ONE_THREAD = {name: "1" for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")}


class ProcessFailed(MonitorError):
    """A process ended with an error that it has said itself; `exit_code` is its own."""

    def __init__(self, exit_code: int) -> None:
        super().__init__("")
        self.exit_code = exit_code  # type: ignore[misc]  # the class's constant, known only now


@contextlib.contextmanager
def sole(state: Path) -> Iterator[int]:
    """Be the only one at work on this state directory; yields the lock's descriptor.

    The lock lasts until the last process that inherited the descriptor has ended. One that is about to end
    (a daemon that was killed and whose recorder still writes) is waited for. Raises InputError.
    """
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(state / "daemon.lock", "w", opener=_private) as file:
        deadline = time.monotonic() + LOCK_PATIENCE
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as e:
                if time.monotonic() > deadline:
                    raise InputError(f"{state}: another monitor is at work here; stop it first") from e
                time.sleep(0.1)
        yield file.fileno()


def running(state: Path) -> bool:
    """Whether a process is at work on this state directory."""
    try:
        with open(state / "daemon.lock") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


async def run(config: Config, stop: asyncio.Event) -> None:
    """Collect until `stop` is set, then end in order: intake, what is being written, the store.

    Raises ConfigError and InputError before anything is started, ProcessFailed for an error that a process
    has said itself, FatalError when the recorder died.
    """
    private_state(config)
    with sole(config.state) as lock:
        pause = FIRST_PAUSE
        while not stop.is_set():
            started = asyncio.get_running_loop().time()
            await _once(config, lock, stop)
            if stop.is_set():
                return
            if asyncio.get_running_loop().time() - started > STEADY:
                pause = FIRST_PAUSE
            log.error("the collector died; it is started again", extra={"seconds": int(pause)})
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)
            pause = min(pause * 2, LONGEST_PAUSE)


async def _once(config: Config, lock: int, stop: asyncio.Event) -> None:
    """One life of the two processes. Returns when they were stopped, or when the collector alone died."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        # Standard input is the recorder's cord: it ends when this process closes it, or is no more.
        recorder = await _start(
            "monitor.recorder_process", ours, config, (lock,), stdin=asyncio.subprocess.PIPE
        )
        collector = await _start("monitor.collector_process", theirs, config, stderr=asyncio.subprocess.PIPE)
    ending = asyncio.create_task(recorder.wait(), name="recorder:wait")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    relaying = asyncio.create_task(_relay(collector), name="collector:log")
    try:
        # The recorder outlives the collector: it ends when the socket does.
        await asyncio.wait({ending, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not ending.done():
            log.info("stopping")
            if recorder.stdin is not None:
                recorder.stdin.close()
            await asyncio.wait({ending}, timeout=STOP_TIMEOUT)
    finally:
        stopping.cancel()
        for process in (recorder, collector):
            if process.returncode is None and (process is recorder or not await _ends(process)):
                process.kill()
        await asyncio.wait({ending, relaying, asyncio.ensure_future(collector.wait())})
    code = await ending
    if code < 0 and stop.is_set():
        return  # a service manager ends every process at once: this one had not begun, or was made to
    if code < 0:
        raise FatalError(f"the recorder died (signal {-code}); what it had acknowledged is in the store")
    if code != 0:
        raise ProcessFailed(code)


async def _start(
    module: str,
    channel: socket.socket,
    config: Config,
    inherited: tuple[int, ...] = (),
    *,
    stdin: int = asyncio.subprocess.DEVNULL,
    stderr: int | None = None,
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        str(channel.fileno()),
        str(config.path),
        str(logging.getLogger("monitor").level),
        pass_fds=(channel.fileno(), *inherited),
        stdin=stdin,
        stderr=stderr,
        env=os.environ | ONE_THREAD,
    )


async def _ends(process: asyncio.subprocess.Process) -> bool:
    """Whether a process whose socket has ended goes by itself."""
    try:
        await asyncio.wait_for(process.wait(), STOP_TIMEOUT)
    except TimeoutError:
        return False
    return True


async def _relay(collector: asyncio.subprocess.Process) -> None:
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
        print("".join(c if c.isprintable() else "?" for c in text), file=sys.stderr, flush=True)


def stop_on_signals(stop: asyncio.Event) -> None:
    """Let SIGTERM and SIGINT set `stop`."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
