"""Short ways to take an export and to look at it."""

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

from monitor.model import Event, EventType
from monitor.reporting.entries import EntryNames
from monitor.reporting.exports import export
from monitor.store import SqlStore
from tests.contract.making import later

KEY = b"k" * 32
PURPOSE = {"with_addresses": True, "purpose": "a report"}


async def take(store: SqlStore, database: Path, what: str, kind: str, path: Path, **more: Any) -> int:
    """Export as analyst-1; the digest told must be the file's. How many rows."""
    usual = {"operator": "analyst-1", "at": later(100), "names": EntryNames(KEY)}
    exported = await export(store, database, what, kind, path, **usual | more)
    assert exported.sha256 == _sha256(path)
    return exported.rows


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read(path: Path) -> str:
    return path.read_bytes().decode("utf-8")


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def objects(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in read(path).splitlines()]


async def exports(store: SqlStore) -> list[Event]:
    return [event async for event in store.reader.events() if event.type is EventType.EXPORT_MADE]


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())
