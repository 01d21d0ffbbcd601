"""What a running daemon lets other commands know, and how they have it take up a changed configuration.

The daemon keeps a notice in its state directory: its process id, and what came of the last reload. A command
sends it SIGHUP and reads the notice until the answer is there.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import msgspec

from monitor.config import Config, load
from monitor.errors import ConfigError, FatalError, InputError

PATIENCE = 600.0
"""Seconds to wait for a daemon's answer; long lists take long to read, and what is being written is awaited."""
INTERVAL = 0.1
"""Seconds between two looks at the notice."""
FILE = "daemon.json"

T = TypeVar("T")
Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Changes:
    """What differs between two configurations: names of channels and lists, and keys of all else."""

    channels_added: Names = ()
    channels_removed: Names = ()
    channels_changed: Names = ()
    lists_added: Names = ()
    lists_removed: Names = ()
    lists_changed: Names = ()
    settings: Names = ()


@dataclass(frozen=True, slots=True)
class Notice:
    """A daemon's notice. Reloads are counted: `begun` and `done` are equal when none is going on.

    `refused` says why the last one was refused; None when it was taken up, with these `changes`.
    """

    pid: int
    config: str
    begun: int = 0
    done: int = 0
    refused: str | None = None
    changes: Changes = Changes()


def changes(old: Config, new: Config) -> Changes:
    """What differs in the new configuration."""
    channels = _compared({c.username: c for c in old.channels}, {c.username: c for c in new.channels})
    lists = _compared({h.name: h for h in old.hash_lists}, {h.name: h for h in new.hash_lists})
    compared = {"path", "channels", "hash_lists"}
    others = tuple(
        key for key in Config.model_fields if key not in compared and getattr(old, key) != getattr(new, key)
    )
    return Changes(*channels, *lists, settings=others)


def _compared(old: dict[str, T], new: dict[str, T]) -> tuple[Names, Names, Names]:
    """Names that are new, that are gone, and that mean something else."""
    both = old.keys() & new.keys()
    return (
        tuple(sorted(new.keys() - old.keys())),
        tuple(sorted(old.keys() - new.keys())),
        tuple(sorted(name for name in both if old[name] != new[name])),
    )


def changed(config: Config) -> Config:
    """The configuration as its file has it now, for a daemon that runs on `config`. Raises ConfigError."""
    new = load(config.path)
    for key, before, after in (
        ("state_dir", config.state, new.state),
        ("store", config.store, new.store),
    ):
        if before != after:
            raise ConfigError(
                f"{new.path}: {key}: cannot change while the daemon runs; stop it, then start it again"
            )
    return new


def publish(state: Path, notice: Notice) -> None:
    """Replace the notice in a state directory."""
    path = state / FILE
    fresh = path.with_suffix(".new")
    with open(fresh, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(msgspec.json.encode(notice))
    os.replace(fresh, path)


def withdraw(state: Path) -> None:
    """Remove the notice: of a daemon that ends, or that was killed."""
    with contextlib.suppress(FileNotFoundError):
        (state / FILE).unlink()


def noticed(state: Path) -> Notice | None:
    """The notice in a state directory; None when there is none."""
    try:
        return msgspec.json.decode((state / FILE).read_bytes(), type=Notice)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def ask(config: Config, alive: Callable[[Path], bool]) -> Changes:
    """Have the daemon on this configuration's state directory take its file up; returns what has changed
    when that is in force.

    Raises InputError when there is no such daemon, ConfigError when it refuses, FatalError when it ends instead.
    """
    state = config.state
    before = noticed(state) if alive(state) else None
    if before is None:
        raise InputError(f"{state}: no daemon is at work here; monitor run starts one")
    if os.path.realpath(before.config) != os.path.realpath(config.path):
        raise InputError(f"{state}: the daemon at work here reads {before.config}; name that with --config")
    try:
        os.kill(before.pid, signal.SIGHUP)
    except OSError as e:
        raise InputError(f"{state}: the daemon at work here cannot be told ({e.strerror})") from e
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        notice = noticed(state)
        # One that began after the first look read the file after it, too.
        if notice is not None and notice.done > before.begun:
            if notice.refused is not None:
                raise ConfigError(notice.refused)
            return notice.changes
        if not alive(state):
            raise FatalError("the daemon has ended instead; its log says why")
        time.sleep(INTERVAL)
    raise FatalError(f"the daemon has given no answer for {PATIENCE:.0f} s; see its log and monitor status")


def began(notice: Notice) -> Notice:
    """The notice when a reload begins."""
    return replace(notice, begun=notice.begun + 1)


def refused(notice: Notice, error: Exception) -> Notice:
    """The notice when it was refused."""
    return replace(notice, done=notice.begun, refused=str(error), changes=Changes())


def in_force(notice: Notice, what: Changes) -> Notice:
    """The notice when it was taken up."""
    return replace(notice, done=notice.begun, refused=None, changes=what)
