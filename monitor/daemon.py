"""`monitor run`: one command that starts two processes, watches them, and ends them in order.

    monitor run ── recorder (monitor.recorder_process): the store, the only one that writes
                ├─ collector (monitor.collector_process): accounts, media in memory, no writable path
                │  └─ decoders (monitor.decoder): bytes in, hashes out, nothing else
                └─ now and then (monitor.exchange_process): one fetch of a list from an exchange

When the collector dies, both are started again, with a pause that grows; when the recorder dies, everything
stops. On SIGHUP a second pair opens the changed configuration as a start would, while the first goes on; when
everything is in order it takes the first one's place, and else it never was. So a list that an exchange has
changed is taken up too, under the configuration in force.
"""

import asyncio
import contextlib
import logging
import os
import random
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

from monitor import reloading
from monitor.config import Config
from monitor.errors import ConfigError, MonitorError
from monitor.exchange_schedule import Schedule
from monitor.pair import Pair, ProcessFailed, any_of
from monitor.reloading import Notice
from monitor.state import private_state, sole

__all__ = ["ProcessFailed", "run", "stop_on_signals"]

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds before what died is started again: doubled each time, up to the longest."""
STEADY = 300.0
"""Seconds after which a collector counts as healthy, and the pause begins anew."""
READY_TIMEOUT = 300.0
"""Seconds within which a changed configuration must have been opened."""


async def run(
    config: Config, stop: asyncio.Event, *, working: asyncio.Event | None = None, bars: bool = True
) -> None:
    """Collect until `stop` is set, then end in order: intake, what is being written, the store.

    On SIGHUP the configuration's file is taken up, or refused. `working` is set when the records are in line with
    the configuration; `bars` shows histories being read, on a terminal. Raises ConfigError and InputError
    before anything is started, ProcessFailed for an error that a process named, FatalError when the recorder died.
    """
    private_state(config)
    with sole(config.state) as lock:
        daemon = _Daemon(config, lock, stop, working or asyncio.Event(), bars)
        with _hangups(stop, daemon.hangup):
            try:
                await daemon.run()
            finally:
                reloading.withdraw(config.state)


@dataclass(slots=True)
class _Daemon:
    """What goes on for as long as the lock is held. `config` is the configuration in force."""

    config: Config
    lock: int
    stop: asyncio.Event
    working: asyncio.Event
    bars: bool
    hangup: asyncio.Event = field(default_factory=asyncio.Event)
    lists: asyncio.Event = field(default_factory=asyncio.Event)
    """A list that is in force has been changed by its exchange."""
    _before: Config | None = None
    """The configuration to go back to, until the one in force has come to work."""
    _next: Pair | None = None
    """A pair that is ready to take the place of the one at work."""
    _notice: Notice = field(init=False)
    _exchanges: Schedule = field(init=False)

    def __post_init__(self) -> None:
        self._exchanges = Schedule(self.lists, random.Random())  # noqa: S311 — spreads requests, no secret
        self._notice = Notice(os.getpid(), str(self.config.path))

    async def run(self) -> None:
        """Work until told to stop."""
        self._tell(self._notice)
        pause = FIRST_PAUSE
        try:
            while not self.stop.is_set():
                pair, self._next = self._next or await self._start(self.config), None
                started = asyncio.get_running_loop().time()
                if await self._life(pair):
                    continue
                if asyncio.get_running_loop().time() - started > STEADY:
                    pause = FIRST_PAUSE
                log.error("the collector died; it is started again", extra={"seconds": int(pause)})
                await any_of(self.stop, self.hangup, seconds=pause)
                if self.hangup.is_set():
                    await self._reload()
                pause = min(pause * 2, LONGEST_PAUSE)
        finally:
            await self._exchanges.end()
            if self._next is not None:
                await self._next.end()

    async def _life(self, pair: Pair) -> bool:
        """One life of the two processes. Whether what comes next follows at once: an end, or another
        configuration; when the collector died, it does not."""
        try:
            await self._work(pair)
            if self.stop.is_set():
                log.info("stopping")
        finally:
            await pair.end()
        failure = pair.failure(stopped=self.stop.is_set())
        if self._before is not None and not self.stop.is_set() and not pair.working.is_set():
            self._refuse(pair.refusal())
            self.config, self._before = self._before, None
            return True
        if failure is not None:
            raise failure
        return self.stop.is_set() or self._next is not None

    async def _work(self, pair: Pair) -> None:
        """Let a pair work until it has ended, or is to be ended."""
        await any_of(pair.ready, pair.ended, self.stop)
        if self.stop.is_set() or not pair.ready.is_set():
            return
        pair.go()
        await any_of(pair.working, pair.ended, self.stop)
        if pair.working.is_set():
            self._in_force()
            await self._exchanges.follow(self.config)
        while not (pair.ended.is_set() or self.stop.is_set()):
            if self.hangup.is_set():
                await self._reload()
            elif self.lists.is_set():
                await self._renew()
            if self._next is not None:
                return
            await any_of(pair.ended, self.stop, self.hangup, self.lists)

    # -- taking up a changed configuration

    async def _reload(self) -> None:
        """Have a second pair open the changed configuration; it becomes `_next` when everything is in order."""
        self.hangup.clear()
        self._tell(reloading.began(self._notice))
        log.info("taking up the configuration")
        try:
            config = reloading.changed(self.config)
            self._next = await self._opened(config)
            self._before, self.config = self.config, config
        except MonitorError as e:
            self._refuse(e)

    async def _renew(self) -> None:
        """Have a second pair open the lists anew; of the configuration nothing changes."""
        self.lists.clear()
        log.info("taking up the changed lists")
        try:
            self._next = await self._opened(self.config)
        except MonitorError as e:
            log.error("the changed lists are not taken up, and those before stay in force: %s", e)

    async def _opened(self, config: Config) -> Pair:
        """A pair that has found everything in order. Raises what is not."""
        pair = await self._start(config)
        try:
            await any_of(pair.ready, pair.ended, self.stop, seconds=READY_TIMEOUT)
        finally:
            ready, ended = pair.ready.is_set(), pair.ended.is_set()
            if not ready:
                await pair.end()
        if ready:
            return pair
        raise pair.refusal() if ended else ConfigError(f"{config.path}: could not be opened in time")

    async def _start(self, config: Config) -> Pair:
        self._exchanges.opening(config)
        return await Pair.start(config, self.lock, bars=self.bars)

    def _in_force(self) -> None:
        self.working.set()
        if self._before is not None:
            log.info("the changed configuration is in force")
            self._tell(reloading.in_force(self._notice, reloading.changes(self._before, self.config)))
            self._before = None

    def _refuse(self, error: MonitorError) -> None:
        log.error("the changed configuration is refused, and the one before stays in force: %s", error)
        self._tell(reloading.refused(self._notice, error))

    def _tell(self, notice: Notice) -> None:
        self._notice = notice
        reloading.publish(self.config.state, notice)


@contextlib.contextmanager
def _hangups(stop: asyncio.Event, hangup: asyncio.Event) -> Iterator[None]:
    """Let SIGHUP set `hangup`; but when a terminal was closed that this process was on, `stop`."""
    loop = asyncio.get_running_loop()
    on_terminal = _terminal()

    def hang_up() -> None:
        (stop if on_terminal and not _terminal() else hangup).set()

    loop.add_signal_handler(signal.SIGHUP, hang_up)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


def _terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def stop_on_signals(stop: asyncio.Event) -> None:
    """Let SIGTERM and SIGINT set `stop`."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
