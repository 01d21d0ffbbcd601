"""`monitor --help` against importing what a run needs."""

import statistics
import subprocess
import sys
import time

from benchmarks.table import Row

ROUNDS = 9
TARGET = 0.4


def measure() -> Row:
    """Medians of alternating runs of both, each a fresh process."""
    help_text = [sys.executable, "-m", "monitor", "--help"]
    imports = [sys.executable, "-c", "import telethon, sqlalchemy, numpy"]
    ours, peers = [], []
    for _ in range(ROUNDS):
        ours.append(_seconds(help_text))
        peers.append(_seconds(imports))
    mine, theirs = statistics.median(ours), statistics.median(peers)
    return Row(
        "monitor --help against importing telethon + sqlalchemy + numpy",
        f"{mine * 1000:.0f} ms against {theirs * 1000:.0f} ms",
        mine / theirs,
        f"at most {TARGET} ×",
        mine / theirs <= TARGET,
    )


def _seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started
