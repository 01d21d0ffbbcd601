"""An event loop whose clock stands still while there is work, and jumps to the next timer when there is none.

Hours of waiting take as long as what happens in them. Sockets and SQLite are real; what would be done by
threads is done by the loop's own, so that one seed is one course of events, on every machine.
"""

import asyncio
import contextlib
import selectors
import time
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime
from queue import SimpleQueue
from typing import Any, TypeVar

import aiosqlite.core

T = TypeVar("T")

START = 1_800_000_000.0
"""Unix seconds at which virtual time begins: January 2027."""
ON_THEIR_WAY = 0.0001
"""Real seconds in which bytes that were written arrive at the other end of a loopback socket."""


class Stuck(RuntimeError):
    """Nothing will ever happen again: no timer is set, and no byte is on its way."""


class _Selector(selectors.DefaultSelector):
    """Tells `jump` by how many seconds the clock may go forward, instead of waiting that long."""

    jump: Callable[[float], None]

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        # Waiting in the system's own call takes a whole millisecond, ten thousand times a day.
        time.sleep(ON_THEIR_WAY)
        if ready := super().select(0):
            return ready
        if timeout is None:
            raise Stuck("no timer is set, and nobody will wake the loop")
        self.jump(timeout)
        return []


class Loop(asyncio.SelectorEventLoop):
    """`time` is virtual and begins at 0."""

    def __init__(self) -> None:
        self._now = 0.0
        selector = _Selector()
        selector.jump = self._jump
        super().__init__(selector)
        # What is due in a microsecond is due: sums of floats miss each other by less.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self._now

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        return self.done(lambda: func(*args), self.create_future())

    def done(self, work: Callable[[], T], future: "asyncio.Future[T]") -> "asyncio.Future[T]":
        """Do what a thread was meant to do. The result comes in the loop's next round, so that other things can
        happen in between."""
        try:
            result = work()
        except Exception as e:
            self.call_soon(_unless_done, future, future.set_exception, e)
        else:
            self.call_soon(_unless_done, future, future.set_result, result)
        return future

    def _jump(self, seconds: float) -> None:
        self._now += seconds


def _unless_done(future: "asyncio.Future[T]", settle: Callable[[Any], None], outcome: object) -> None:
    if not future.done():
        settle(outcome)


class _Jobs(SimpleQueue):  # type: ignore[type-arg]  # generic in the stubs alone
    """What an aiosqlite connection hands to its thread. The loop does it; the thread waits for the last job."""

    def put_nowait(self, item: Any) -> None:
        future, work = item
        if future is None:  # nobody is there any more to wait for it
            super().put_nowait(item)
            return
        outcome: list[Any] = []
        future.get_loop().done(lambda: outcome.append(work()) or outcome[0], future)
        if outcome == [aiosqlite.core._STOP_RUNNING_SENTINEL]:
            super().put_nowait((None, lambda: outcome[0]))


class Clock:
    """The clock on the wall of one machine: the loop's time from `START` on, moved by `step`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.step = 0.0
        """Seconds by which it is wrong."""

    def __call__(self) -> float:
        """Unix seconds."""
        return self.true() + self.step

    def true(self) -> float:
        """Unix seconds, as a server shows them whose clock is right."""
        return START + self._loop.time()

    def passed(self) -> float:
        """Seconds since the beginning."""
        return self._loop.time()

    def utc(self) -> datetime:
        """What the machine shows, as an aware datetime."""
        return datetime.fromtimestamp(self(), UTC)


def run(main: Callable[[Clock], Coroutine[Any, Any, T]]) -> T:
    """What `main` returns, in virtual time. It gets this machine's wall clock, which `time.time` shows too:
    Telethon makes message ids of it."""
    with asyncio.Runner(loop_factory=Loop) as runner:
        loop = runner.get_loop()
        with _shown(clock := Clock(loop), loop.time):
            return runner.run(main(clock))


@contextlib.contextmanager
def _shown(wall: Callable[[], float], monotonic: Callable[[], float]) -> Iterator[None]:
    """The machine's clocks, and the queue through which SQLite gets its work, are the loop's for a while."""
    before = time.time, time.monotonic, aiosqlite.core.SimpleQueue
    time.time, time.monotonic = wall, monotonic
    aiosqlite.core.SimpleQueue = _Jobs  # type: ignore[misc]
    try:
        yield
    finally:
        time.time, time.monotonic, aiosqlite.core.SimpleQueue = before
