"""A cancellation that reaches us while Telethon is closing something is heard."""

import asyncio

import pytest

from monitor.telegram.answers import apart


async def closing(done: list[str]) -> None:
    """As Telethon closes: it waits for a task that it has cancelled, and passes over every cancellation."""
    loop = asyncio.create_task(ends_slowly())
    await asyncio.sleep(0)
    loop.cancel()
    try:
        await loop
    except asyncio.CancelledError:
        pass
    done.append("closed")


async def ends_slowly() -> None:
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0.05)


async def test_a_cancellation_is_not_lost_and_what_was_begun_is_done() -> None:
    done: list[str] = []

    async def work() -> None:
        await apart(closing(done))
        done.append("went on")

    task = asyncio.create_task(work())
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["closed"]


async def test_in_the_callers_own_task_it_would_be_lost() -> None:
    done: list[str] = []

    async def work() -> None:
        await closing(done)
        done.append("went on")

    task = asyncio.create_task(work())
    await asyncio.sleep(0.02)
    task.cancel()
    await task
    assert done == ["closed", "went on"]


async def test_whatever_comes_of_closing_is_passed_over() -> None:
    async def fails() -> None:
        raise OSError("broken pipe")

    await apart(fails())
