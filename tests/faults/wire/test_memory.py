"""Memory over a month: what a daemon takes in, it lets go of."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

DAYS, WARM = 30, 4
GROWTH = 5 * 1024 * 1024
"""Bytes that may be added between the end of the warm-up and the month's."""


@pytest.mark.prove
@pytest.mark.timeout(1800)
def test_memory_stays_flat_over_a_month(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    command = [sys.executable, "-m", "tests.faults.wire.month", str(tmp_path), str(DAYS)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3])
    assert done.returncode == 0, done.stderr
    used = json.loads(done.stdout)
    growth = max(used[-3:]) - used[WARM - 1]
    record_property(
        "figures",
        f"{used[WARM - 1] / 2**20:.1f} MB after {WARM} days, {growth / 2**20:+.1f} MB after {len(used)}, "
        "with the test data centre in the same process",
    )
    assert growth < GROWTH, [round(day / 2**20, 1) for day in used]
