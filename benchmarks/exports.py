"""Exports of a million messages against bare loops over the same rows and columns that write the same contents.

Each side runs in a fresh process, in turns. A bare loop is sqlite3 and csv, or sqlite3 and pyarrow, with one query, no
event and no digest. What they write must be equal: CSV byte by byte, Parquet cell by cell.
"""

import asyncio
import filecmp
import json
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

from benchmarks.table import Row
from monitor.store import open_store

MESSAGES = 1_000_000
ROUNDS = 3
TARGETS = {"csv": 4.0, "parquet": 2.0}
MEMORY = 300
"""Megabytes at the peak."""


def measure(messages: int = MESSAGES, rounds: int = ROUNDS) -> list[Row]:
    """Medians of alternating runs, and the largest memory of ours."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database = folder / "state" / "store.db"
        asyncio.run(_make(database, messages))
        for kind, target in TARGETS.items():
            seconds: dict[str, list[float]] = {"bare": [], "ours": []}
            peak = 0.0
            for _ in range(rounds):
                for which, found in seconds.items():
                    result = _run(which, kind, database, folder / f"{which}.{kind}")
                    found.append(result["seconds"])
                    peak = max(peak, result["megabytes"]) if which == "ours" else peak
            _compare(kind, folder)
            bare, ours = (statistics.median(found) for found in seconds.values())
            rows.append(
                Row(
                    f"{messages:,} messages to {kind}, against a bare loop",
                    f"{ours:.1f} s against {bare:.1f} s",
                    ours / bare,
                    f"at most {target:.0f} ×",
                    ours / bare <= target,
                )
            )
            rows.append(
                Row(
                    f"{messages:,} messages to {kind}, memory at the peak",
                    f"{peak:.0f} MB",
                    peak,
                    f"under {MEMORY} MB",
                    peak < MEMORY,
                )
            )
    return rows


def _run(which: str, kind: str, database: Path, out: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.exports_worker", which, kind, str(database), str(out)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def _compare(kind: str, folder: Path) -> None:
    bare, ours = folder / f"bare.{kind}", folder / f"ours.{kind}"
    if kind == "csv":
        same = filecmp.cmp(bare, ours, shallow=False)
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        left, right = pq.ParquetFile(bare), pq.ParquetFile(ours)
        same = left.metadata.num_rows == right.metadata.num_rows
        for one, other in zip(left.iter_batches(65_536), right.iter_batches(65_536), strict=True):
            plain = [
                column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
                for column in other.columns
            ]
            same = same and one.schema.names == other.schema.names and one.columns == plain
    if not same:
        raise RuntimeError(f"{kind}: the bare loop wrote something else")


async def _make(database: Path, messages: int) -> None:
    """A store with so many messages in twenty channels; three of five carry media."""
    async with open_store(database):
        pass
    with closing(sqlite3.connect(database)) as conn, conn:
        made = _messages(messages)
        first = next(made)
        names, places = ", ".join(first), ", ".join("?" * len(first))
        insert = f"INSERT INTO messages ({names}) VALUES ({places})"  # noqa: S608  # names of our own
        conn.execute("PRAGMA foreign_keys = OFF")
        conn.execute(insert, tuple(first.values()))
        while some := list(islice(made, 10_000)):
            conn.executemany(insert, [tuple(row.values()) for row in some])
        conn.execute(
            "INSERT INTO media (media_id, outcome, first_seen_at, fetched) SELECT media_id, CASE media_id % 50"
            " WHEN 0 THEN 'match' WHEN 1 THEN 'low_quality' ELSE 'no_match' END, min(first_seen_at), 9000"
            " FROM messages WHERE media_id IS NOT NULL GROUP BY media_id"
        )
        conn.execute(
            "INSERT INTO message_restrictions SELECT channel_id, message_id, 'ios', 'terms' FROM messages"
            " WHERE message_id % 100 = 0"
        )


def _messages(count: int) -> Iterator[dict[str, object]]:
    chance = random.Random(7)
    for number in range(count):
        posted = 1_790_000_000 + number * 7
        media = chance.getrandbits(62) if number % 5 < 3 else None
        edited = number % 20 == 0
        forward = number % 6 == 0
        yield {
            "channel_id": 1_500_000_000 + number // (count // 20 + 1),
            "message_id": number + 1,
            "kind": "message",
            "posted_at": posted * 1_000_000,
            "edited_at": (posted + 60) * 1_000_000 if edited else None,
            "first_seen_at": posted * 1_000_000 + chance.randrange(10**9),
            "source": "backfill",
            "account": "main",
            "tool_version": "0.1.0",
            "sender": f"{number % 997:08x}-{number % 9973:032x}" if number % 3 == 0 else None,
            "post": 1,
            "silent": 0,
            "pinned": 0,
            "noforwards": 0,
            "reply_to_id": number if number % 4 == 0 else None,
            "forward_date": (posted - 9_000) * 1_000_000 if forward else None,
            "forward_channel_id": chance.randrange(10**9, 2 * 10**9) if forward else None,
            "forward_message_id": chance.randrange(10**5) if forward else None,
            "views": chance.randrange(10**5),
            "forwards": chance.randrange(100),
            "replies": chance.randrange(50),
            "reactions": chance.randrange(500),
            "media_kind": "photo" if media else None,
            "media_id": media,
            "mime": "image/jpeg" if media else None,
            "size": chance.randrange(10**6) if media else None,
            "width": 1280 if media else None,
            "height": 960 if media else None,
            "spoiler": 0,
            "as_of": 0,
        }
