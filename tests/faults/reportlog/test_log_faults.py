"""The log, with its store, under kill -9, failing system calls and power loss: no acknowledged event is lost, no log
is torn, and after a start the log is exactly the events.

The three run as processes of their own, with nothing else running in them when they fork.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
Prove = Callable[..., dict[str, int]]

needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None, reason="needs strace: apt-get install strace"
)


def run(what: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"tests.faults.reportlog.{what}", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture
def prove(record_property: Callable[[str, object], None]) -> Prove:
    """Run one of the three to its end; its figures are printed after the tests."""

    def proved(what: str, *arguments: object) -> dict[str, int]:
        ended = run(what, *arguments)
        assert ended.returncode == 0, ended.stderr
        figures = json.loads(ended.stdout)
        record_property("figures", " · ".join(f"{name} {number}" for name, number in figures.items()))
        return figures

    return proved


def test_a_few_kills_lose_no_event_and_tear_no_log(prove: Prove) -> None:
    assert prove("kills", 12, 1)["acknowledged"] > 0


@pytest.mark.prove
@pytest.mark.timeout(600)
def test_more_kills_lose_no_event_and_tear_no_log(prove: Prove) -> None:
    assert prove("kills", 60, 2)["kills"] == 60


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(2))
def test_five_hundred_kills_lose_no_event_and_tear_no_log(prove: Prove, seed: int) -> None:
    assert prove("kills", 250, seed)["kills"] == 250


@needs_strace
def test_a_sample_of_failing_calls_loses_nothing(prove: Prove) -> None:
    assert prove("calls", 61, 7)["calls"] > 5


@needs_strace
@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("half", range(2))
def test_no_failing_call_loses_a_leaf_or_passes_in_silence(prove: Prove, half: int) -> None:
    figures = prove("calls", 2, half)
    assert figures["LogUnavailable"] > 0 and figures["killed"] > 0


@needs_strace
def test_a_few_power_cuts_lose_nothing(prove: Prove) -> None:
    assert prove("power", 40, 1)["acknowledged steps before the cuts"] > 0


@needs_strace
@pytest.mark.prove
@pytest.mark.timeout(600)
def test_two_hundred_power_cuts_lose_nothing(prove: Prove) -> None:
    assert prove("power", 200, 2)["states"] == 200


@needs_strace
@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(2))
def test_a_thousand_power_cuts_lose_nothing(prove: Prove, seed: int) -> None:
    assert prove("power", 500, seed)["states"] == 500


@needs_strace
def test_a_disk_that_ignores_syncs_is_found_out() -> None:
    ended = run("power", 60, 1, "--without-syncs")
    assert ended.returncode == 1 and "Error" in ended.stderr, ended.stderr
