"""An export as a bundle: rows, what they mean, the events that they rest on, and the proof of all of it."""

import json
import tempfile
from dataclasses import dataclass
from datetime import datetime
from os import PathLike
from pathlib import Path

from monitor.errors import InputError
from monitor.reporting.bundle import Bundle, Content, Handover, LogAccess, folder_of, write_bundle
from monitor.reporting.entries import EntryNames, HashValues
from monitor.reporting.exports import ALL, Order, Progress, write_all
from monitor.reporting.openings import Exported, openings
from monitor.reporting.sheets import SHEETS
from monitor.store import Filters, SqlStore

BUNDLED = ("flags", "cases", "reports", "log")
"""What can be handed over as a bundle."""
KINDS = ("csv", "jsonl")
"""The formats in it: one that everybody can open, and one in which each character counts."""


@dataclass(frozen=True, slots=True)
class BundledExport:
    """A bundle that was written, and how many rows it has in each of its formats."""

    rows: int
    bundle: Bundle


async def export_bundle(
    store: SqlStore,
    database: str | PathLike[str],
    log: LogAccess,
    what: str,
    path: str | PathLike[str],
    handover: Handover,
    *,
    at: datetime,
    with_addresses: bool = False,
    with_hashes: bool = False,
    filters: Filters = ALL,
    names: EntryNames | None = None,
    values: HashValues | None = None,
    progress: Progress | None = None,
) -> BundledExport:
    """Write rows of `database` (flags, cases, reports, log) and the events of the cases concerned as a bundle.

    It holds data/WHAT.csv, data/WHAT.jsonl and schema/WHAT.json. Without `with_addresses` no event is opened whose body
    may say where an item is (`monitor.reporting.openings`). The rest is as `monitor.reporting.exports.export` and
    `monitor.reporting.bundle.write_bundle` have it, and so is what is raised.
    """
    if what not in BUNDLED:
        raise InputError(
            f"format bundle: holds {', '.join(BUNDLED)}; take csv, jsonl, parquet or xlsx for {what}"
        )
    handover.check()
    # Cases and reports have no column that leads to an item: their addresses are in the events alone.
    columns = with_addresses and bool(SHEETS[what].addresses)
    order = Order(what, KINDS[1], columns, with_hashes, handover.purpose, filters, names, values)
    marking = Order(what, KINDS[1], with_addresses, with_hashes, handover.purpose).marking
    exported = Exported(what, await store.reader.next_event())
    with tempfile.TemporaryDirectory(dir=folder_of(Path(path)), prefix=f".{Path(path).name}.") as parts:
        rows, files = await _data(database, order, Path(parts), at, exported, progress)
        bundle = await write_bundle(
            *(store, log, Path(path)),
            {**files, f"schema/{what}.json": _schema(order, rows, marking)},
            handover,
            opened=await openings(store.reader, exported, addresses=with_addresses),
            at=at,
            facts={
                "what": what,
                "format": "bundle",
                "filters": str(filters) or None,
                "rows": rows,
                "addresses": with_addresses,
                "hashes": with_hashes,
            },
            marking=marking,
        )
    return BundledExport(rows, bundle)


async def _data(
    database: str | PathLike[str],
    order: Order,
    folder: Path,
    at: datetime,
    exported: Exported,
    progress: Progress | None,
) -> tuple[int, dict[str, Content]]:
    """The rows in each format, of one state of the store: how many, and the files by their names in the bundle."""
    files = {kind: folder / kind for kind in KINDS}
    with files["csv"].open("wb") as table, files["jsonl"].open("wb") as lines:
        outs = {"csv": table, "jsonl": lines}
        rows = await write_all(database, order, outs, at, progress, exported.see)
    return rows, {f"data/{order.what}.{kind}": path for kind, path in files.items()}


def _schema(order: Order, rows: int, marking: str | None) -> bytes:
    """What the columns mean, and which rows there are."""
    _, columns = order.checked()
    told = {
        "what": order.what,
        "columns": [{"name": c.name, "type": c.kind, "meaning": c.meaning} for c in columns],
        "rows": rows,
        "filters": str(order.filters) or None,
        "marking": marking,
    }
    return json.dumps(told, indent=1, ensure_ascii=False).encode() + b"\n"
