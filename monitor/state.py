"""The state directory: ours alone, and one process at work on it at a time."""

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from monitor import reloading
from monitor.config import Config
from monitor.errors import ConfigError, InputError

LOCK_PATIENCE = 5.0
"""Seconds to wait for another process that may be about to end."""


def private_state(config: Config) -> None:
    """See that the state directory is ours alone, where it exists. Raises ConfigError with the remedy."""
    state = config.state
    if state.exists() and not state.is_dir():
        raise ConfigError(f"{config.path}: state_dir: {state} is not a folder; name another")
    if state.exists() and stat.S_IMODE(state.stat().st_mode) & 0o077:
        raise ConfigError(f"{config.path}: state_dir: {state} is open to others; run: chmod 700 {state}")


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
        # Left by a daemon that was killed: its process id may be anybody's by now.
        reloading.withdraw(state)
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
