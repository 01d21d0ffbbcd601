"""Faults on the wire, at the server and on the machine, drawn from seeds: in the end the rows are the server's.

To play one seed again: SEED=17 python -m pytest tests/faults/wire/test_wire_faults.py
(and SCALE=test, prove or soak for the length of its script, as the failure says).
"""

import os
from collections.abc import Callable

import pytest

from tests.faults.wire.play import play
from tests.faults.wire.script import Script, script

Figures = Callable[[str, object], None]

SCALES: dict[str, Callable[[int], Script]] = {
    "test": lambda seed: script(seed, hours=0.7, busy=50, faults=3),
    "prove": lambda seed: script(seed, hours=3, busy=150, faults=8),
    "soak": lambda seed: script(seed, hours=6, busy=250, faults=15),
}
"""How much happens in one run."""
SEED, SCALE = os.environ.get("SEED"), os.environ.get("SCALE", "test")


def check(scale: str, seeds: range, figures: Figures) -> None:
    """Play these seeds; all that is wrong, with what had happened."""
    outcomes = [play(SCALES[scale](seed)) for seed in seeds]
    posts, requests = sum(o.posts for o in outcomes), sum(o.requests for o in outcomes)
    calm = max(o.calm_after for o in outcomes)
    figures(
        "figures",
        f"seeds {seeds[0]} to {seeds[-1]}: {posts:,} changes, {requests:,} requests, "
        f"the rows are the server's after {calm / 60:.0f} min at most",
    )
    failed = [outcome for outcome in outcomes if outcome.wrong]
    assert not failed, f"SCALE={scale}\n" + "\n\n".join(map(str, failed))


if SEED is not None:

    def test_one_seed(record_property: Figures) -> None:
        check(SCALE, range(int(SEED or 0), int(SEED or 0) + 1), record_property)

else:

    @pytest.mark.parametrize("first", range(0, 50, 5))
    @pytest.mark.timeout(600)
    def test_the_final_rows_are_the_servers(first: int, record_property: Figures) -> None:
        check("test", range(first, first + 5), record_property)

    @pytest.mark.prove
    @pytest.mark.parametrize("first", range(1000, 1200, 10))
    @pytest.mark.timeout(1800)
    def test_the_final_rows_are_the_servers_after_hours(first: int, record_property: Figures) -> None:
        check("prove", range(first, first + 10), record_property)

    @pytest.mark.soak
    @pytest.mark.parametrize("first", range(2000, 3000, 20))
    @pytest.mark.timeout(7200)
    def test_the_final_rows_are_the_servers_after_a_long_day(first: int, record_property: Figures) -> None:
        check("soak", range(first, first + 20), record_property)
