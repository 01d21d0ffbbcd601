"""Messages per second from the wire to durable rows, against a bare Telethon loop that keeps nothing.

The data centre runs in a process of its own. Both read the same history, in turns, each in a fresh process
with a fresh store; only reading is timed, from the first request to the last row (or message).
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.collecting import configure
from benchmarks.table import Row
from monitor.testdc.process import served

MESSAGES = 20_000
ROUNDS = 5
TARGET = 0.5
SPLIT = 0.85
CHANNEL = "bench_history"


def measure() -> list[Row]:
    """Medians of alternating runs."""
    scenario = {
        "seed": 7,
        "users": [{"phone": "15550001", "code": "22222"}],
        "channels": [{"username": CHANNEL, "posts": MESSAGES}],
    }
    rates: dict[str, list[float]] = {"bare": [], "ours": [], "direct": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with served(scenario, folder) as place:
            configure(folder, place, CHANNEL)
            for number in range(ROUNDS):
                for which, found in rates.items():
                    found.append(_rate(which, folder, number))
    bare, ours, direct = (statistics.median(found) for found in rates.values())
    return [
        Row(
            f"{MESSAGES:,} messages from the wire to durable rows, against a bare Telethon loop",
            f"{ours:,.0f}/s against {bare:,.0f}/s",
            ours / bare,
            f"at least {TARGET} ×",
            ours / bare >= TARGET,
        ),
        Row(
            "the same in two processes, against one",
            f"{ours:,.0f}/s against {direct:,.0f}/s",
            ours / direct,
            f"at least {SPLIT} ×",
            ours / direct >= SPLIT,
        ),
    ]


def _rate(which: str, folder: Path, number: int) -> float:
    command = [sys.executable, "-m", "benchmarks.throughput_worker", which, str(folder), str(number)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result = json.loads(done.stdout)
    if result["messages"] < MESSAGES:
        raise RuntimeError(f"{which}: {result['messages']} of {MESSAGES} messages")
    return float(result["messages"] / result["seconds"])
