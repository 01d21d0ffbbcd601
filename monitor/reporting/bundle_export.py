"""An export as a bundle: rows, what they mean, the events that they rest on, and the proof of all of it."""

import json
from dataclasses import dataclass
from datetime import datetime
from os import PathLike
from pathlib import Path

from monitor.errors import InputError
from monitor.reporting.bundle import Bundle, LogAccess, write_bundle
from monitor.reporting.custody import Handover
from monitor.reporting.encryption import recipient
from monitor.reporting.entries import EntryNames, HashValues
from monitor.reporting.exports import ALL, Order, Progress, write_all
from monitor.reporting.openings import Exported, openings
from monitor.reporting.scratch import scratch_beside
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
    encrypt_to: str | None = None,
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
    if encrypt_to is not None:
        recipient(encrypt_to)
    # Cases and reports have no column that leads to an item: their addresses are in the events alone.
    columns = with_addresses and bool(SHEETS[what].addresses)
    order = Order(what, KINDS[1], columns, with_hashes, handover.purpose, filters, names, values)
    marking = Order(what, KINDS[1], with_addresses, with_hashes, handover.purpose).marking
    exported = Exported(what, await store.reader.next_event())
    with scratch_beside(Path(path)) as scratch:
        files = {kind: scratch() for kind in KINDS}
        rows = await write_all(database, order, files, at, progress, exported.see)
        bundle = await write_bundle(
            *(store, log, Path(path)),
            {
                **{f"data/{what}.{kind}": file for kind, file in files.items()},
                f"schema/{what}.json": _schema(order, rows, marking),
            },
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
            encrypt_to=encrypt_to,
        )
    return BundledExport(rows, bundle)


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
