"""Logs and bundles to try things on; the same bytes on each run."""

import hashlib
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection

from monitor.model import EventType
from monitor.reporting.bundle import Bundle, LogAccess, write_bundle
from monitor.reporting.custody import Handover
from monitor.reportlog import Leaf, Signer, extend
from monitor.store import SqlStore, open_store
from monitor.store.events import Salt
from tests.contract.making import batch, declared, later, matched, message, picture, profile

SIGNER = Signer("example.org/monitor", bytes(range(32)))
OTHER_SIGNER = Signer("example.org/monitor", bytes(32))
START = datetime(2026, 11, 22, 8, tzinfo=UTC)
HANDOVER = Handover("analyst-1", "Police, cyber bureau", "request 2026-17")


def leaves(count: int, seed: int = 1) -> list[Leaf]:
    """So many leaves, always the same ones."""
    kinds = ("flag_raised", "export_made", "case_decided")
    return [
        Leaf(
            kinds[number % 3],
            START + timedelta(seconds=number, microseconds=number),
            hashlib.sha256(b"%d %d" % (seed, number)).digest(),
        )
        for number in range(count)
    ]


def made(folder: Path, *sizes: int) -> Path:
    """A log that has grown in steps to these sizes."""
    known, size = leaves(max(sizes)), 0
    for upto in sizes:
        extend(folder, SIGNER, size, known[size:upto])
        size = upto
    return folder


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def flipped(data: bytes, bit: int) -> bytes:
    """The bytes with one bit the other way round."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def bits(data: bytes, count: int, chance: random.Random) -> list[int]:
    """So many bits of the data, by chance."""
    return [chance.randrange(len(data) * 8) for _ in range(count)]


async def with_flags(store: SqlStore, items: int = 6) -> None:
    """Record an authorized channel with so many matched items: their events name channel and message."""
    await store.declare([declared()], later(0))
    await store.joined("example_one", profile(), "main", later(1))
    for number in range(1, items + 1):
        await store.record([batch(message(number, media=picture(900_000 + number)))])
        await store.examined(matched(900_000 + number, at=later(number)))


async def erase(store: SqlStore, seq: int) -> None:
    """Erase an event's body and salt, as retention does."""
    await execute(store, "UPDATE events SET body = NULL, salt = NULL WHERE seq = ?", seq)


async def execute(store: SqlStore, sql: str, *values: int) -> None:
    """Change the store behind its back."""

    def change(conn: Connection, salt: Salt) -> None:
        conn.exec_driver_sql(sql, values)

    await store.run(change)


async def bundled(folder: Path, name: str = "bundle.zip") -> Bundle:
    """A bundle of a small store, which opens its flags; log and store stay beside it."""
    async with open_store(folder / "state" / "monitor.db", salt=random.Random(7).randbytes) as store:
        if not await store.reader.next_event():
            await with_flags(store)
        flags = [event.seq async for event in store.reader.events() if event.type is EventType.FLAG_RAISED]
        access = LogAccess(folder / "state" / "log", SIGNER)
        data = {"data/flags.csv": b"flag_id,entry\n1,e1\n", "schema/flags.json": b'{"columns": []}\n'}
        return await write_bundle(
            store, access, folder / name, data, HANDOVER, opened=flags[:4], at=later(100), facts={"rows": 1}
        )
