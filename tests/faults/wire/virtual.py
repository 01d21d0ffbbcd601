"""An event loop whose clock stands still while there is work and jumps to the next timer when there is none.

Sockets and SQLite are real: before each jump the loop looks once more whether bytes are on their way through
loopback, and it never jumps while a thread of the executor works for it. Hours of waiting take as long as what
happens in them.
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
ON_ITS_WAY = 0.001
"""Real seconds in which bytes that were written arrive at the other end of a loopback socket."""
STUCK = 60.0
"""Real seconds after which a thread that works for the loop is given up."""


class Stuck(RuntimeError):
    """Nothing will ever happen again: no timer is set, no thread works and no byte is on its way."""


class _Selector(selectors.DefaultSelector):
    """Tells `jump` by how many seconds the clock may go forward, instead of waiting that long."""

    busy: Callable[[], bool]
    jump: Callable[[float], None]

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if not self.busy() and not (ready := super().select(ON_ITS_WAY)) and not self.busy():
            if timeout is None:
                raise Stuck("no timer is set, and nobody will wake the loop")
            self.jump(timeout)
            return []
        if not ready and not (ready := super().select(STUCK)):
            raise Stuck(f"a thread has worked for more than {STUCK:.0f} s")
        return ready


class Loop(asyncio.SelectorEventLoop):
    """`time` is virtual and begins at 0."""

    def __init__(self) -> None:
        self._now = 0.0
        self._working = 0
        self.jumps = 0
        selector = _Selector()
        selector.busy, selector.jump = self._busy, self._jump
        super().__init__(selector)
        # What is due in a microsecond is due: sums of floats miss each other by less.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self._now

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        future = super().run_in_executor(executor, func, *args)
        self._working += 1
        future.add_done_callback(self._worked)
        return future

    async def shutdown_default_executor(self, *timeout: Any) -> None:
        self._working += 1
        try:
            await super().shutdown_default_executor(*timeout)
        finally:
            self._working -= 1

    def _worked(self, _: object) -> None:
        self._working -= 1

    def _busy(self) -> bool:
        return self._working > 0

    def _jump(self, seconds: float) -> None:
        self._now += seconds
        self.jumps += 1


class _Jobs(SimpleQueue):  # type: ignore[type-arg]  # generic in the stubs alone
    """What an aiosqlite connection hands to its thread, done at once by the loop's own thread instead: the same
    calls to the same SQLite, in an order that does not depend on the machine, and a third of the time. The
    result comes in the loop's next round, so that whatever else happens can come between two calls."""

    def put_nowait(self, item: Any) -> None:
        future, work = item
        result, error = None, None
        try:
            result = work()
        except BaseException as e:
            error = e
        if future is not None:
            future.get_loop().call_soon(_settle, future, result, error)
        if result is aiosqlite.core._STOP_RUNNING_SENTINEL:
            super().put_nowait((None, lambda: result))


def _settle(future: "asyncio.Future[Any]", result: object, error: BaseException | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)


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
        """The same as an aware datetime."""
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
