"""Fewer requests at a time when the platform asks for it, and slowly more again."""

import asyncio

from monitor.telegram.pace import RECOVERY, Pace


async def test_no_more_than_the_limit_have_a_turn_and_all_get_one() -> None:
    pace, having, most, done = Pace(3), 0, 0, 0

    async def work() -> None:
        nonlocal having, most, done
        async with pace.turn():
            having += 1
            most = max(most, having)
            await asyncio.sleep(0)
            having -= 1
            done += 1

    await asyncio.gather(*(work() for _ in range(20)))
    assert (most, done) == (3, 20)


async def test_a_turn_is_given_back_by_those_who_are_cancelled() -> None:
    pace = Pace(1)

    async def hold() -> None:
        async with pace.turn():
            await asyncio.sleep(60)

    holder, waiter = asyncio.create_task(hold()), asyncio.create_task(hold())
    await asyncio.sleep(0)
    for task in (waiter, holder):
        task.cancel()
    await asyncio.wait({holder, waiter})
    async with asyncio.timeout(1), pace.turn():
        pass


async def test_requests_that_left_together_halve_it_once() -> None:
    pace = Pace(8)
    async with pace.turn() as one, pace.turn() as other:
        assert [pace.slow(one), pace.slow(other)] == [True, False]
    assert (pace.limit, pace.slowed) == (4, 1)


def test_it_never_stops_altogether_and_recovers_one_by_one() -> None:
    pace = Pace(8)
    for _ in range(10):
        pace.slow(pace.slowed)
    assert pace.limit == 1
    for expected in (2, 3, 4, 5, 6, 7, 8, 8):
        for _ in range(RECOVERY):
            pace.arrived()
        assert pace.limit == expected


async def test_what_was_slowed_lets_only_the_fewer_through() -> None:
    pace = Pace(4)
    turns = [pace.turn() for _ in range(5)]
    since = [await turn.__aenter__() for turn in turns[:4]]
    pace.slow(since[0])
    fifth = asyncio.create_task(turns[4].__aenter__())
    for turn in turns[:2]:
        await turn.__aexit__(None, None, None)
    await asyncio.sleep(0.01)
    assert not fifth.done()  # two have a turn still, and two is the limit now
    await turns[2].__aexit__(None, None, None)
    await asyncio.wait_for(fifth, 1)
