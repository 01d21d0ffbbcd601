"""Windows: never more than the limit in any of them, whatever comes when, and no waiting for ever."""

import itertools
import math
import random

from hypothesis import given
from hypothesis import strategies as st

from monitor.telegram.windows import DAY, HOUR, LIFE, Block, Window

LIMITS = st.integers(1, 300)
SECONDS = st.sampled_from([HOUR, DAY])


def most_within(times: list[float], seconds: float) -> int:
    """The most that lie within any stretch of so many seconds."""
    most = first = 0
    for last, at in enumerate(times):
        while times[first] <= at - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def play(window: Window, moments: list[float], chance: random.Random) -> tuple[list[float], list[Block]]:
    """Ask for a request at each moment, and make it whenever there is no pause; a crash now and then."""
    blocks: list[Block] = []
    made = []
    for now in moments:
        if chance.random() < 0.02:
            for block in blocks:
                block.open = False  # a restart: what was reserved counts, and serves no more
        if not (blocks and blocks[-1].usable(now)):
            if window.pause(blocks, now, chance.random()) > 0:
                continue
            if blocks and blocks[-1].open:
                blocks[-1].close()
            room = window.room(blocks, now)
            assert room > 0
            blocks.append(Block(now, min(window.largest, room)))
        blocks[-1].left += 1
        made.append(now)
    return made, blocks


@given(LIMITS, SECONDS, st.integers(0, 2**32), st.floats(0.001, 20))
def test_never_more_than_the_limit_in_any_window(limit: int, seconds: float, seed: int, hurry: float) -> None:
    chance = random.Random(seed)
    moments, now = [], 0.0
    for _ in range(400):
        now += chance.expovariate(hurry * limit / seconds)
        moments.append(now)
    made, _ = play(Window(limit, seconds), moments, chance)
    assert most_within(made, seconds) <= limit


@given(LIMITS, SECONDS, st.lists(st.floats(0, 2 * DAY), max_size=50), st.floats(0, 1))
def test_a_pause_is_never_longer_than_its_window_and_enough(
    limit: int, seconds: float, times: list[float], jitter: float
) -> None:
    window = Window(limit, seconds)
    blocks = [Block(at, window.largest, window.largest, open=False) for at in sorted(times)]
    now = max(times, default=0.0)
    pause = window.pause(blocks, now, jitter)
    assert 0 <= pause <= seconds * 1.01 + LIFE
    if pause > 0:
        after = now + pause
        assert window.pause(blocks, after, jitter) < 1e-6
        assert window.room(blocks, after + 1e-6) > 0


@given(SECONDS, st.floats(0, 1))
def test_a_limit_of_nothing_never_opens(seconds: float, jitter: float) -> None:
    assert Window(0, seconds).pause([], 1000.0, jitter) == math.inf


@given(st.integers(0, 2**32))
def test_what_had_to_wait_for_a_day_does_not_leave_at_once(seed: int) -> None:
    chance, window = random.Random(seed), Window(10, DAY)
    blocks: list[Block] = []
    made: list[float] = []
    now = 0.0
    while len(made) < 40:
        pause = window.pause(blocks, now, chance.random())
        if pause > 0:
            now += pause
            continue
        blocks.append(Block(now, 1, 1))
        made.append(now)
    gaps = [later - earlier for earlier, later in itertools.pairwise(made)]
    assert made[9] == 0, "a budget that was not touched for days may be used at once"
    assert gaps[9] >= DAY
    assert min(gaps[10:]) >= DAY / 10 / 2
    assert len({round(gap) for gap in gaps[10:]}) > 5, "distances differ"
    assert made[-1] <= 5 * DAY, "the budget is used, and not only a part of it"


def test_a_block_serves_for_a_minute_and_no_more_than_it_holds() -> None:
    block = Block(100.0, 2)
    assert block.usable(100.0)
    assert block.usable(100.0 + LIFE)
    assert not block.usable(100.1 + LIFE)
    block.left = 2
    assert not block.usable(100.0)


def test_what_a_block_did_not_need_is_given_back() -> None:
    window, block = Window(100, HOUR), Block(0.0, 10, 3)
    assert window.room([block], 1.0) == 90
    block.close()
    assert window.room([block], 1.0) == 97
