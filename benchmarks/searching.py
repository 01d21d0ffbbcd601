"""Searching: exact, side by side with what the field uses; each size in a process of its own.

Peers and ours answer the same queries in turns, one thread each. Half of the queries are random, half have
planted entries at 0–31 bits. The list is random: `--full` does ten million hashes and takes a quarter of an hour
and 12 GB.
"""

import json
import os
import subprocess
import sys
from typing import Any

from benchmarks.table import Row


def measure(full: bool = False) -> list[Row]:
    """Rows for a million hashes; with `full` for ten million too."""
    rows = _rows(1_000_000, {"pdqindex": 12, "flat": 18, "imagehash": 10_000})
    return rows + (_rows(10_000_000, {"pdqindex": 25, "flat": 150}) if full else [])


def _rows(count: int, targets: dict[str, int]) -> list[Row]:
    found = _measured(count)
    large = count >= 10_000_000
    size = f"{count // 1_000_000}M"
    names = {"pdqindex": "threatexchange PDQIndex", "flat": "faiss flat", "imagehash": "the imagehash loop"}
    query = found["query"]
    rows = [
        Row(
            f"one query among {size}, radius 31, against {names[peer]}",
            f"{_time(query['ours'])} against {_time(query[peer])}"
            + (" (a slice of 2,000, scaled)" if peer == "imagehash" else ""),
            query[peer] / query["ours"],
            f"at least {target:,} ×",
            query[peer] >= target * query["ours"],
        )
        for peer, target in targets.items()
    ]
    rows.append(
        Row(
            f"recall among {size}: 0–31 bits planted, however spread over the chunks",
            f"{found['recall']['found']:,} of {found['recall']['planted']:,}, seed {found['seed']}",
            100 * found["recall"]["found"] / found["recall"]["planted"],
            "100 %",
            found["recall"]["found"] == found["recall"]["planted"],
        )
    )
    worst = found["worst"]
    rows.append(
        Row(
            f"worst query among {size}: 2 % of the list identical to it, and smaller clusters",
            f"{_time(worst['ours'])} against {_time(worst['scan'])}, at {worst['share']:.2%}",
            worst["ours"] / worst["scan"],
            "at most 1.5 × a scan",
            worst["ours"] <= 1.5 * worst["scan"],
        )
    )
    addition = max(found["addition"]["median"], found["addition"]["sorting"])
    rows += [
        Row(
            f"{size}: opening a file, ms",
            "memory-mapped",
            found["open"] * 1e3,
            "at most 10",
            found["open"] <= 0.01,
        ),
        Row(
            f"{size}: one addition, ms",
            f"median {_time(found['addition']['median'])};"
            f" the one that has them sorted in {_time(found['addition']['sorting'])}",
            addition * 1e3,
            "at most 1",
            addition <= 1e-3,
        ),
    ]
    batch = found["batch"]
    against = batch["rate"] * query["flat"]
    narrow = found["narrow"]
    rows += [
        Row(
            f"{size}: a batch in two threads, queries a second",
            f"{against:,.0f} × faiss flat; {batch['rate'] / batch['single']:.2f} × one thread",
            batch["rate"],
            "at least 10,000, or 100 × faiss flat" if large else "none at this size",
            not large or batch["rate"] >= 10_000 or against >= 100,
        ),
        Row(
            f"64-bit hashes among {size}, radius 8, against faiss flat",
            f"{_time(narrow['ours'])} against {_time(narrow['flat'])}",
            narrow["flat"] / narrow["ours"],
            "none set",
            True,
        ),
        Row(
            f"{size}: building, against threatexchange PDQIndex",
            f"{_time(found['build']['ours'])} against {_time(found['build']['pdqindex'])}",
            found["build"]["ours"] / found["build"]["pdqindex"],
            "at most 1/15" if large else "none at this size",
            not large or found["build"]["ours"] * 15 <= found["build"]["pdqindex"],
        ),
        Row(
            f"{size}: bytes of memory a hash, index included",
            f"arrays {found['bytes']['arrays']:.1f}, growth of the process {found['bytes']['resident']:.1f}",
            max(found["bytes"].values()),
            "at most 130" if large else "none at this size",
            not large or max(found["bytes"].values()) <= 130,
        ),
    ]
    return rows


def _measured(count: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.searching_worker", str(count)]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=one_thread)
    return dict(json.loads(done.stdout))


def _time(seconds: float) -> str:
    unit, size = next((one for one in (("s", 1.0), ("ms", 1e-3)) if seconds >= one[1]), ("µs", 1e-6))
    return f"{seconds / size:,.1f} {unit}"


if __name__ == "__main__":
    from benchmarks.table import show

    sys.exit(0 if show(measure("--full" in sys.argv)) else 1)
