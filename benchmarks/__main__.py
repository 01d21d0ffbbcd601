"""Run every benchmark, print the table, exit 1 when a target is missed. `--full`: lists of ten million too."""

import sys

from benchmarks import confinement, downloads, hashing, photos, searching, startup, steady, throughput
from benchmarks.table import show

if __name__ == "__main__":
    rows = [
        startup.measure(),
        *throughput.measure(),
        *hashing.measure(),
        *searching.measure(full="--full" in sys.argv[1:]),
        downloads.measure(),
        *photos.measure(),
        confinement.measure(),
        *steady.measure(),
    ]
    sys.exit(0 if show(rows) else 1)
