"""The store under kill -9, failing system calls and power loss: what was acknowledged is there, once, whole.

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
    command = [sys.executable, "-m", f"tests.faults.store.{what}", *map(str, arguments)]
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


def test_a_few_kills_lose_and_double_nothing(prove: Prove) -> None:
    assert prove("kills", 20, 1)["acknowledged"] > 0


@pytest.mark.prove
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(2))
def test_five_hundred_kills_lose_and_double_nothing(prove: Prove, seed: int) -> None:
    assert prove("kills", 250, seed)["kills"] == 250


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(20))
def test_ten_thousand_kills_lose_and_double_nothing(prove: Prove, seed: int) -> None:
    assert prove("kills", 500, 100 + seed)["kills"] == 500


@needs_strace
def test_a_sample_of_failing_calls_loses_nothing(prove: Prove) -> None:
    assert prove("calls", 61, 7)["calls"] > 10


@needs_strace
@pytest.mark.prove
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("quarter", range(4))
def test_no_failing_call_loses_a_row_or_passes_in_silence(prove: Prove, quarter: int) -> None:
    figures = prove("calls", 4, quarter)
    assert figures["StoreUnavailable"] > 0 and figures["killed"] > 0


@needs_strace
def test_a_few_power_cuts_lose_nothing(prove: Prove) -> None:
    assert prove("power", 60, 1)["acknowledged steps before the cuts"] > 0


@needs_strace
@pytest.mark.prove
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(4))
def test_two_thousand_power_cuts_lose_nothing(prove: Prove, seed: int) -> None:
    assert prove("power", 500, seed)["states"] == 500


@needs_strace
@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(10))
def test_ten_thousand_power_cuts_lose_nothing(prove: Prove, seed: int) -> None:
    assert prove("power", 1000, 100 + seed)["states"] == 1000


@needs_strace
def test_a_disk_that_ignores_syncs_is_found_out() -> None:
    ended = run("power", 60, 1, "--without-syncs")
    found = "AssertionError" in ended.stderr or "StoreCorrupt" in ended.stderr
    assert ended.returncode == 1 and found, ended.stderr
