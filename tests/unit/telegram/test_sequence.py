"""The gap arithmetic of a channel's sequence of changes."""

from hypothesis import given
from hypothesis import strategies as st

from monitor.telegram.sequence import MOST_HELD, Sequence


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Changes as the platform made them, and the same as they arrived: reordered, doubled, some lost."""
    made, pts = [], 1
    for count in draw(st.lists(st.integers(1, 3), max_size=12)):
        pts += count
        made.append((pts, count))
    arrived = draw(st.lists(st.sampled_from(made), max_size=30)) if made else []
    return made, arrived


@given(stream=streams())
def test_changes_are_handed_on_in_order_once_and_never_beyond_a_gap(
    stream: tuple[list[tuple[int, int]], list[tuple[int, int]]],
) -> None:
    made, arrived = stream
    sequence: Sequence[int] = Sequence(1)
    handed = [taken for pts, count in arrived for taken in sequence.take(pts, count, pts)]
    assert [pts for pts, _ in handed] == [pts for pts, _ in made][: len(handed)]
    assert all(pts == change for pts, change in handed)
    unbroken = 0
    while unbroken < len(made) and made[unbroken] in arrived:
        unbroken += 1
    assert len(handed) == unbroken
    assert sequence.position == (made[unbroken - 1][0] if unbroken else 1)
    assert sequence.gap is bool(set(arrived) - set(made[:unbroken]))


@given(stream=streams(), reached=st.integers(1, 40))
def test_reaching_a_position_releases_what_waited_just_beyond_it(
    stream: tuple[list[tuple[int, int]], list[tuple[int, int]]], reached: int
) -> None:
    _, arrived = stream
    sequence: Sequence[int] = Sequence(1)
    before = [taken for pts, count in arrived for taken in sequence.take(pts, count, pts)]
    after = sequence.reach(reached)
    assert all(pts > max(reached, *(p for p, _ in before), 1) for pts, _ in after)
    assert sequence.position >= reached
    assert not any(pts - count <= sequence.position < pts for pts, count in arrived)


def test_nothing_is_handed_on_before_the_position_is_known() -> None:
    sequence: Sequence[str] = Sequence()
    assert sequence.take(5, 1, "five") == sequence.take(7, 1, "seven") == []
    assert sequence.reach(4) == [(5, "five")]
    assert (sequence.position, sequence.gap) == (5, True)
    assert sequence.take(6, 1, "six") == [(6, "six"), (7, "seven")]
    assert not sequence.gap


def test_what_is_held_back_has_a_bound() -> None:
    sequence: Sequence[int] = Sequence(1)
    for pts in range(3, MOST_HELD + 100):
        sequence.take(pts, 1, pts)
    assert len(sequence.reach(2)) == MOST_HELD
