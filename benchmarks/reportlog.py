"""The report log: adding a million leaves, verifying them all, one proof.

Verification is compared with the bare hashing of the same leaves and nodes in one loop each, in turns, medians.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from benchmarks.table import Row
from monitor.reportlog import Leaf, Published, Signer, open_log, parse_proof, standalone
from monitor.reportlog.verifying import verify_log

LEAVES = 1_000_000
BATCH = 65_536
TURNS = 3
PROOFS = 200
SIGNER = Signer("example.org/benchmark", bytes(32))
START = datetime(2026, 11, 22, tzinfo=UTC)


def measure(count: int = LEAVES) -> list[Row]:
    """Rows for so many leaves."""
    with tempfile.TemporaryDirectory() as folder:
        return _rows(Path(folder) / "log", count)


def _rows(log: Path, count: int) -> list[Row]:
    leaves = [
        Leaf("flag_raised", START + timedelta(milliseconds=n), sha256(b"%d" % n).digest())
        for n in range(count)
    ]
    adding = committing = 0.0
    for first in range(0, count, BATCH):
        with open_log(log, SIGNER) as opened:
            began = time.perf_counter()
            opened.add(leaf.encode() for leaf in leaves[first : first + BATCH])
            added = time.perf_counter()
            opened.commit()
        adding += added - began
        committing += time.perf_counter() - added
    encoded = [leaf.encode() for leaf in leaves]
    del leaves
    runs: dict[str, list[float]] = {"bare": [], "ours": [], "alone": []}
    for _ in range(TURNS):
        runs["bare"].append(_time(lambda: _bare(encoded)))
        runs["ours"].append(_time(lambda: verify_log(log)))
    runs["alone"].append(_time(lambda: standalone.check(str(log))))
    bare, ours, alone = (statistics.median(runs[name]) for name in ("bare", "ours", "alone"))
    published = Published(log)
    proofs = [published.proof(n * count // PROOFS).encode() for n in range(PROOFS)]
    checking = statistics.median(_time(lambda proof=proof: parse_proof(proof).check()) for proof in proofs)
    size = max(map(len, proofs))
    return [
        Row(
            f"report log, {count:,} leaves: added a second, before fsync",
            f"{adding:.1f} s in batches of {BATCH:,}; fsync and checkpoints {committing:.1f} s more",
            count / adding,
            "at least 100,000",
            count >= 100_000 * adding,
        ),
        Row(
            f"report log, {count:,} leaves: full verification against bare hashing",
            f"{ours:.1f} s against {bare:.1f} s",
            ours / bare,
            "at most 3 ×",
            ours <= 3 * bare,
        ),
        Row(
            f"report log, {count:,} leaves: the stand-alone verifier against bare hashing",
            f"{alone:.1f} s against {bare:.1f} s",
            alone / bare,
            "at most 10 ×",
            alone <= 10 * bare,
        ),
        Row(
            f"one proof among {count:,}: bytes",
            "leaf, key, path and checkpoint, as a file",
            size,
            "at most 2,048",
            size <= 2048,
        ),
        Row(
            f"one proof among {count:,}: parsed and checked, ms",
            "signature included",
            checking * 1e3,
            "at most 1",
            checking <= 1e-3,
        ),
    ]


def _bare(encoded: list[bytes]) -> bytes:
    """The same hashes and no more: every leaf, then every node."""
    level = [sha256(b"\x00" + leaf).digest() for leaf in encoded]
    while len(level) > 1:
        above = [sha256(b"\x01" + level[n] + level[n + 1]).digest() for n in range(0, len(level) - 1, 2)]
        level = above + level[len(level) & -2 :]
    return level[0]


def _time(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    from benchmarks.table import show

    sys.exit(0 if show(measure(int(sys.argv[1]) if len(sys.argv) > 1 else LEAVES)) else 1)
