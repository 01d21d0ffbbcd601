"""Run every benchmark, print the table, exit 1 when a target is missed."""

import sys

from benchmarks import confinement, downloads, hashing, startup, steady, throughput, video
from benchmarks.table import show

if __name__ == "__main__":
    rows = [
        startup.measure(),
        *throughput.measure(),
        *hashing.measure(),
        *video.measure(),
        downloads.measure(),
        confinement.measure(),
        *steady.measure(),
    ]
    sys.exit(0 if show(rows) else 1)
