"""One run of one side of the export benchmark, in a process of its own; prints seconds and megabytes at the peak."""

import asyncio
import csv
import json
import sqlite3
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

NAMES = """channel_id message_id grouped_id posted_at edited_at first_seen_at deleted_seen_at kind sender forward_date
    forward_channel_id forward_message_id reply_to_id topic_id via_bot_id views forwards replies reactions media_id
    media_kind mime size width height duration media_outcome restriction source account""".split()
QUERY = """
    SELECT m.channel_id, m.message_id, grouped_id, posted_at, edited_at, m.first_seen_at, deleted_seen_at, kind, sender,
        forward_date, forward_channel_id, forward_message_id, reply_to_id, topic_id, via_bot_id, views, forwards,
        replies, reactions, m.media_id, media_kind, mime, size, width, height, duration,
        CASE WHEN media_kind IS NOT NULL AND m.media_id IS NULL THEN 'no_file'
            WHEN outcome IN ('match', 'no_match') THEN 'examined' ELSE outcome END,
        (SELECT group_concat(platform || ':' || reason, ' ') FROM message_restrictions r
            WHERE r.channel_id = m.channel_id AND r.message_id = m.message_id),
        source, account
    FROM messages m LEFT JOIN media ON media.media_id = m.media_id ORDER BY m.channel_id, m.message_id"""
TIMES = [number for number, name in enumerate(NAMES) if name.endswith("_at") or name == "forward_date"]
TEXTS = "kind sender media_kind mime media_outcome restriction source account".split()
EPOCH = datetime(1970, 1, 1)


def bare_csv(database: Path, out: Path) -> None:
    """A row at a time."""
    with closing(sqlite3.connect(database)) as conn, out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(NAMES)
        for found in conn.execute(QUERY):
            row = list(found)
            for number in TIMES:
                if row[number] is not None:
                    row[number] = (EPOCH + timedelta(microseconds=row[number])).isoformat() + "Z"
            writer.writerow(row)


def bare_parquet(database: Path, out: Path) -> None:
    """A row group at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = [
        pa.timestamp("us", tz="UTC") if number in TIMES else pa.string() if name in TEXTS else pa.int64()
        for number, name in enumerate(NAMES)
    ]
    schema = pa.schema(list(zip(NAMES, kinds, strict=True)))
    with closing(sqlite3.connect(database)) as conn, pq.ParquetWriter(out, schema) as writer:
        cursor = conn.execute(QUERY)
        while rows := cursor.fetchmany(65_536):
            columns = zip(*rows, strict=True)
            arrays = [pa.array(column, kind) for column, kind in zip(columns, kinds, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


async def ours(kind: str, database: Path, out: Path) -> None:
    """What `monitor export messages` does once it has read its configuration."""
    from monitor.reporting.exports import export
    from monitor.store import open_store

    async with open_store(database) as store:
        await export(store, database, "messages", kind, out, operator="bench", at=datetime.now(UTC))


def peak() -> float:
    """Megabytes of memory that this process held at most (Linux: proc(5))."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1000
    raise RuntimeError("no VmHWM in /proc/self/status")


if __name__ == "__main__":
    which, kind, database, out = sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4])
    began = time.perf_counter()
    if which == "ours":
        asyncio.run(ours(kind, database, out))
    else:
        {"csv": bare_csv, "parquet": bare_parquet}[kind](database, out)
    print(json.dumps({"seconds": time.perf_counter() - began, "megabytes": peak()}))
