"""When each exchange is asked; and that a list that changed is noticed, whoever fetched it, and one that expired."""

import asyncio
import contextlib
import json
import logging
import os
import random
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from monitor import cord
from monitor.config import Config, ExchangeEntry
from monitor.errors import HashListError, MonitorError
from monitor.exchange_lists import standing, versions
from monitor.pair import ProcessFailed

log = logging.getLogger(__name__)

FIRST_PAUSE = timedelta(minutes=1)
"""Until an exchange that failed is asked again: doubled each time, up to its `every`."""
JITTER = 0.1
"""By what share a pause is longer or shorter, so that not all who use an exchange ask it at once."""
LOOK = 2.0
"""Seconds between two looks at the versions of the lists that are used."""


@dataclass(frozen=True, slots=True)
class Update:
    """What one fetch has changed: hashes that are new and gone, and those in force; `unusable` by kind."""

    added: int
    withdrawn: int
    changed: bool
    in_force: int
    version: str
    unusable: dict[str, int]
    unread: int


async def update(config: Config, name: str) -> Update:
    """Ask an exchange now, in a process of its own, which is ended when this is cancelled.

    Raises ProcessFailed with the exit code and the words of what went wrong.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "monitor.exchange_process",
        str(config.path),
        str(logging.getLogger("monitor").level),
        name,
        str(os.getpid()),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"TZ": "UTC"},
    )
    try:
        said, _ = await process.communicate(cord.packed(config))
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    lines = said.decode("utf-8", "replace").splitlines()
    if process.returncode != 0 or not lines:
        wrong = "\n".join(line.removeprefix(cord.WRONG) for line in lines)
        raise ProcessFailed(
            max(process.returncode or 3, 2), f"exchange {name}: {wrong or 'its process died'}"
        )
    return Update(**json.loads(lines[-1]))


class Schedule:
    """Keeps the lists of a configuration's exchanges current. `end` must be called.

    `changed` is set when a list that is used has another version than when `opening` was told, or has expired since.
    """

    def __init__(self, changed: asyncio.Event, chance: random.Random) -> None:
        self._changed = changed
        self._chance = chance
        self._config: Config | None = None
        self._seen: dict[str, str | None] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def opening(self, config: Config) -> None:
        """The lists of this configuration are about to be read."""
        self._changed.clear()
        self._seen = _seen_of(config)

    async def follow(self, config: Config) -> None:
        """From now on ask the exchanges of this configuration; a fetch under another one is broken off."""
        if self._config is not None and self._config.text == config.text:
            return
        await self.end()
        self._config = config
        self._tasks = [
            asyncio.create_task(self._keep_current(config, entry), name=f"exchange:{entry.name}")
            for entry in config.exchanges
        ]
        if _seen_of(config):
            self._tasks.append(asyncio.create_task(self._watch(config), name="exchanges:watch"))

    async def end(self) -> None:
        """Ask no exchange any more."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._tasks, self._config = [], None

    async def _keep_current(self, config: Config, entry: ExchangeEntry) -> None:
        failures = 0
        while True:
            await asyncio.sleep(self._pause(config, entry, failures))
            try:
                done = await update(config, entry.name)
            except (MonitorError, OSError) as e:
                failures += 1
                log.warning("an exchange could not be asked: %s", e, extra={"hash_list": entry.name})
                continue
            failures = 0
            if done.changed:
                log.info(
                    "an exchange's list has changed",
                    extra={"hash_list": entry.name, "version": done.version, "count": done.in_force},
                )

    def _pause(self, config: Config, entry: ExchangeEntry, failures: int) -> float:
        """Seconds until an exchange is asked."""
        if failures:
            pause = min(entry.every, FIRST_PAUSE * (1 << min(failures - 1, 16)))
        else:
            last = _fetched_at(config, entry)
            if last is None:
                return 0
            # No longer than `every`, whatever the clock has been set to.
            pause = min(entry.every, last + entry.every - datetime.now(UTC))
        return max(0.0, pause.total_seconds()) * self._chance.uniform(1 - JITTER, 1 + JITTER)

    async def _watch(self, config: Config) -> None:
        while True:
            await asyncio.sleep(LOOK)
            found = _seen_of(config)
            if found != self._seen:
                self._seen = found
                self._changed.set()


def _seen_of(config: Config) -> dict[str, str | None]:
    """What tells that the lists must be read again."""
    now = datetime.now(UTC)
    expired: dict[str, str | None] = {
        f"{entry.name} expired": str(entry.expired(now))
        for entry in config.hash_lists
        if entry.expires is not None
    }
    try:
        return versions(config) | expired
    except HashListError as e:
        log.warning("an exchange's list cannot be looked at: %s", e)
        return expired


def _fetched_at(config: Config, entry: ExchangeEntry) -> datetime | None:
    try:
        found = standing(config, entry)
    except HashListError:
        return None  # the fetch itself will say so
    return None if found is None else found.fetched_at
