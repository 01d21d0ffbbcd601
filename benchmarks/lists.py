"""Loading large hash lists: seconds, and by how much the process grows at its peak.

The files are generated (seed 4), each list is loaded in processes of its own. A CSV file has identifiers and
labels; a VICS file has an MD5 and a SHA-1 for each of its entries, and both become lists.
"""

import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.table import Row
from monitor.matching import load_lists
from monitor.model import ListAction, Terms

CSV_LINES = 1_000_000
CSV_SECONDS = 3
CSV_MB = 200
VICS_ENTRIES = 5_000_000
VICS_MB = 300
ROUNDS = 3
_AT_ONCE = 50_000


def measure() -> list[Row]:
    """Medians of processes that load nothing else."""
    with tempfile.TemporaryDirectory() as name:
        table, media = Path(name) / "list.csv", Path(name) / "media.json"
        _write(table, _csv())
        seconds, grown = _median("csv", table, ROUNDS)
        table.unlink()
        _write(media, _vics())
        vics_seconds, vics_grown = _median("vics", media, 1)
    return [
        Row(
            f"a CSV list of {CSV_LINES:,} lines loaded, with identifiers and labels",
            f"{seconds:.2f} s",
            seconds,
            f"at most {CSV_SECONDS} s",
            seconds <= CSV_SECONDS,
        ),
        Row(
            "memory for it, at its peak",
            f"{grown:.0f} MB",
            grown,
            f"at most {CSV_MB} MB",
            grown <= CSV_MB,
        ),
        Row(
            f"memory for a VICS file of {VICS_ENTRIES:,} entries, two hashes each",
            f"{vics_grown:.0f} MB, in {vics_seconds:.0f} s",
            vics_grown,
            f"at most {VICS_MB} MB",
            vics_grown <= VICS_MB,
        ),
    ]


def _median(format: str, path: Path, rounds: int) -> tuple[float, float]:
    command = [sys.executable, "-m", "benchmarks.lists", format, str(path)]
    found = []
    for _ in range(rounds):
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found.append(json.loads(done.stdout))
    return statistics.median(f["seconds"] for f in found), statistics.median(f["grown"] for f in found)


def _write(path: Path, parts: Iterator[str]) -> None:
    path.touch(0o600)
    with open(path, "w", encoding="ascii") as file:
        file.writelines(parts)


def _csv() -> Iterator[str]:
    seeded = random.Random(4)
    yield "pdq,entry,label\n"
    for start in range(0, CSV_LINES, _AT_ONCE):
        digits = seeded.randbytes(32 * _AT_ONCE).hex()
        yield "".join(f"{digits[64 * n : 64 * n + 64]},entry-{start + n},A{n % 4}\n" for n in range(_AT_ONCE))


def _vics() -> Iterator[str]:
    seeded = random.Random(4)
    yield '{"@odata.context": "DataModels/2.0.xml/Default/$metadata#Media", "value": [\n'
    for start in range(0, VICS_ENTRIES, _AT_ONCE):
        digits = seeded.randbytes(36 * _AT_ONCE).hex()
        yield ("" if start == 0 else ",\n") + ",\n".join(
            f'{{"MediaID": {start + n}, "Category": {n % 4}, "MD5": "{digits[72 * n : 72 * n + 32]}", '
            f'"SHA1": "{digits[72 * n + 32 : 72 * n + 72]}", "MediaSize": 2835}}'
            for n in range(_AT_ONCE)
        )
    yield "]}\n"


def _load(format: str, path: Path) -> dict[str, float]:
    before = _peak()
    begun = time.perf_counter()
    lists = load_lists(
        path,
        name="bench",
        format=format,
        algorithm=None,
        action=ListAction.FLAG,
        terms=Terms("nobody", "BENCH", frozenset({"detect"})),
    )
    seconds = time.perf_counter() - begun
    if lists[0].version.count < CSV_LINES:
        raise RuntimeError("not every entry was loaded")
    return {"seconds": seconds, "grown": (_peak() - before) / 1e6}


def _peak() -> int:
    """The most memory that this process ever had, in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    print(json.dumps(_load(sys.argv[1], Path(sys.argv[2]))))
