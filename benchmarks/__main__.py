"""Run every benchmark, print the table, exit 1 when a target is missed."""

import sys

from benchmarks import confinement, downloads, startup, throughput
from benchmarks.table import show

if __name__ == "__main__":
    sys.exit(
        0
        if show([startup.measure(), *throughput.measure(), downloads.measure(), confinement.measure()])
        else 1
    )
