"""The clock of the fault suite: it jumps over waiting, and over nothing else."""

import asyncio
import time
from pathlib import Path

import pytest

from monitor.model import EventType
from monitor.store import open_store
from tests.faults.wire import virtual
from tests.faults.wire.virtual import START, Clock, Stuck


def test_a_month_passes_at_once() -> None:
    async def main(clock: Clock) -> float:
        began = asyncio.get_running_loop().time()
        await asyncio.sleep(30 * 86_400)
        return asyncio.get_running_loop().time() - began

    real = time.perf_counter()
    assert virtual.run(main) == pytest.approx(30 * 86_400)
    assert time.perf_counter() - real < 5


def test_timers_fire_in_order_and_on_time() -> None:
    async def main(clock: Clock) -> list[float]:
        fired = []

        async def after(seconds: float) -> None:
            await asyncio.sleep(seconds)
            fired.append(round(asyncio.get_running_loop().time(), 6))

        await asyncio.gather(*(after(seconds) for seconds in (3600, 0.25, 60, 7200, 60)))
        return fired

    assert virtual.run(main) == [0.25, 60, 60, 3600, 7200]


def test_bytes_on_loopback_take_no_time() -> None:
    async def main(clock: Clock) -> float:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            writer.close()

        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
        timer = asyncio.create_task(asyncio.sleep(3600))
        for size in (1, 1000, 1_000_000):
            writer.write(b"x" * size)
            async with asyncio.timeout(10):
                assert await reader.readexactly(size) == b"x" * size
        timer.cancel()
        took = asyncio.get_running_loop().time()
        writer.close()
        server.close()
        await asyncio.sleep(1)
        return took

    assert virtual.run(main) == 0


def test_time_stands_still_while_a_transaction_runs(tmp_path: Path) -> None:
    async def main(clock: Clock) -> float:
        timer = asyncio.create_task(asyncio.sleep(3600))
        async with open_store(tmp_path / "monitor.db") as store:
            for _ in range(20):
                await store.append(EventType.EXPORT_MADE, {}, clock.utc())
            assert (await store.totals()).events == 20
        timer.cancel()
        return asyncio.get_running_loop().time()

    assert virtual.run(main) == 0


def test_time_stands_still_while_something_is_computed() -> None:
    async def main(clock: Clock) -> float:
        timer = asyncio.create_task(asyncio.sleep(3600))
        await asyncio.to_thread(time.sleep, 0.05)
        timer.cancel()
        return asyncio.get_running_loop().time()

    assert virtual.run(main) == 0


def test_the_wall_clock_is_stepped_and_durations_are_not() -> None:
    async def main(clock: Clock) -> None:
        assert time.time() == clock() == START
        began = time.monotonic()
        clock.step = -3600
        await asyncio.sleep(10)
        assert time.time() == clock() == START - 3590
        assert clock.utc().timestamp() == clock()
        assert time.monotonic() - began == 10

    virtual.run(main)
    assert time.time() < START or time.time() > START + 3600


def test_waiting_for_nothing_is_an_error() -> None:
    async def main(clock: Clock) -> None:
        await asyncio.Event().wait()

    with pytest.raises(Stuck):
        virtual.run(main)
