"""An operator's folder against a data centre in a process of its own, worked through the command line alone."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from monitor.testdc.process import Served, served

PHONE, CODE = "+1 555 0001", "22222"
USER = {"phone": "15550001", "code": CODE}
AUTHORIZATION = {
    "reference": "TEST-1",
    "basis": "owner_consent",
    "granted_by": "the owner",
    "valid_from": "2020-01-01",
    "valid_until": "2099-12-31",
}


def channel(username: str, **more: Any) -> dict[str, Any]:
    """A declared channel with an authorization in force."""
    return {"username": username, "authorization": dict(AUTHORIZATION)} | more


@dataclass
class Site:
    """A folder with a configuration, and the commands run on it."""

    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def database(self) -> Path:
        return self.folder / "state" / "monitor.db"

    def write(self, **changes: Any) -> None:
        """Write the configuration with these top-level keys replaced."""
        self.settings |= changes
        for name, text in (("api_hash", "0" * 32), ("pseudonym.key", "0123456789abcdef" * 4)):
            if not (self.folder / name).exists():
                (self.folder / name).write_text(text)
                (self.folder / name).chmod(0o600)
        self.config.write_text(yaml.safe_dump(self.settings))

    def monitor(self, *arguments: str, answers: str | None = None) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "monitor", *arguments, "--config", str(self.config)],
            input=answers if answers is not None else "",
            capture_output=True,
            text=True,
            timeout=60,
            cwd=self.folder,
        )

    def login(self) -> None:
        done = self.monitor("login", answers=f"{PHONE}\n{CODE}\n")
        assert done.returncode == 0, done.stderr

    @contextlib.contextmanager
    def running(self) -> Iterator["subprocess.Popen[bytes]"]:
        """The daemon in a process of its own, killed at the end if it still lives."""
        with (
            open(self.folder / "run.log", "ab") as log,
            subprocess.Popen(
                [sys.executable, "-m", "monitor", "run", "--config", str(self.config)],
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            ) as process,
        ):
            try:
                yield process
            finally:
                if process.poll() is None:
                    kill(process)

    def log(self) -> str:
        return (self.folder / "run.log").read_text()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the store, read beside the daemon."""
        if not self.database.exists():
            return []
        with contextlib.closing(
            sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)
        ) as database:
            try:
                return database.execute(query).fetchall()
            except sqlite3.OperationalError:
                return []  # before the first migration has run

    def count(self) -> int:
        found = self.rows("SELECT count(*) FROM messages")
        return int(found[0][0]) if found else 0


def kill(process: "subprocess.Popen[bytes]") -> None:
    """End a daemon and all its processes at once, as a power cut would."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)


def stop(process: "subprocess.Popen[bytes]") -> int:
    """End a daemon as a service manager would; its exit code."""
    process.send_signal(signal.SIGTERM)
    return process.wait(30)


def eventually(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


@contextlib.contextmanager
def site(folder: Path, scenario: Mapping[str, Any], **settings: Any) -> Iterator[Site]:
    """A data centre that serves the scenario, and a configured folder beside it."""
    folder.mkdir(exist_ok=True)
    with served({"seed": 7, "users": [USER]} | dict(scenario), folder, max_seconds=300) as place:
        yield at(folder, place, **settings)


def at(folder: Path, place: Served, **settings: Any) -> Site:
    """A configured folder for a data centre that runs already."""
    found = Site(folder)
    found.write(
        accounts=[{"name": "main", "api_id": 1, "api_hash": {"file": "api_hash"}}],
        telegram={"server": place.settings},
        **settings,
    )
    return found


def lines(output: str) -> list[dict[str, Any]]:
    """The objects of a command's --json output."""
    return [json.loads(line) for line in output.splitlines()]
