"""The platform's time: no stretch of it is taken for longer than it was, whatever our own clocks do."""

import itertools
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import Moment
from monitor.telegram.timeline import DOUBT, PROMPT, Timeline, boot, to_datetime, to_seconds

START = 1_800_000_000.0
GAPS = st.floats(0, 10**6)
LATENESS = st.floats(0, PROMPT)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("runs"), GAPS),
            st.tuples(st.just("sleeps"), GAPS),
            st.tuples(st.just("connects"), LATENESS),
            st.tuples(st.just("restarts"), GAPS),
            st.tuples(st.just("boots"), GAPS),
        ),
        max_size=30,
    ),
    LATENESS,
)
def test_no_stretch_of_time_is_taken_for_longer_than_it_was(
    steps: list[tuple[str, float]], late: float
) -> None:
    true, elapsed, number = START, 5_000.0, 0
    line = Timeline.after(None, elapsed, "boot-0")
    line.heard(int(true - late), elapsed)
    said, missed = [line.now(elapsed)], False
    stamps = [(true, said[0])]
    told = True  # nothing is put on record between a gap and the next answer
    for step, value in steps:
        match step:
            case "runs":
                true, elapsed = true + value, elapsed + value
            case "sleeps":
                true, told, missed = true + value, False, True
            case "connects":
                line.heard(int(true - value), elapsed)
                told = True
            case "restarts":
                last = line.moment(elapsed)
                true, elapsed = true + value, elapsed + value
                line = Timeline.after(last, elapsed, f"boot-{number}")
            case _:
                last, number = line.moment(elapsed), number + 1
                true, elapsed, told, missed = true + value, value / 2, False, True
                line = Timeline.after(last, elapsed, f"boot-{number}")
        said.append(line.now(elapsed))
        # Exact as long as the monotonic clock has missed nothing; else but for how late answers can be.
        doubt = PROMPT + 1 if missed else 0
        for before, said_before in stamps:
            assert said[-1] - said_before <= true - before + doubt + 0.001
        if told:
            stamps.append((true, said[-1]))
    assert all(later >= earlier - 0.001 for earlier, later in itertools.pairwise(said)), (
        "time never goes back"
    )


def test_time_begins_with_the_first_answer() -> None:
    line = Timeline.after(None, 7.0, "b")
    assert line.now(9.0) == 0
    line.heard(START, 10.0)
    assert line.now(12.5) == START + 2.5


def test_within_a_boot_a_restart_loses_nothing() -> None:
    line = Timeline.after(Moment(to_datetime(START), 1_000_000, "b"), 31.0, "b")
    assert line.now(31.0) == START + 30


@pytest.mark.parametrize("now", ["another boot", None])
def test_over_a_boot_time_stands_still_until_the_platform_speaks(now: str | None) -> None:
    line = Timeline.after(Moment(to_datetime(START), 1_000_000, "b"), 31.0, now)
    assert line.now(31.0) == START
    line.heard(START + 3600, 32.0)
    assert line.now(32.0) == START + 3600 - DOUBT


def test_a_platform_whose_clock_lags_changes_nothing() -> None:
    line = Timeline.after(None, 0.0, "b")
    line.heard(START, 0.0)
    line.heard(START - 10 * 365 * 86_400, 5.0)
    assert line.now(10.0) == START + 10


def test_a_monotonic_clock_that_went_back_is_another_boot() -> None:
    line = Timeline.after(Moment(to_datetime(START), 10**12, "b"), 3.0, "b")
    assert line.now(4.0) == START + 1


def test_moments_go_there_and_back() -> None:
    assert to_datetime(to_seconds(datetime(2026, 11, 1, tzinfo=UTC))) == datetime(2026, 11, 1, tzinfo=UTC)
    assert boot() == boot()
