"""Exports: rows of the store as a file, and an event that says who took what, and why."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any

from monitor.errors import InputError
from monitor.model import EventType
from monitor.reporting.columns import Column, Known
from monitor.reporting.encryption import Plain, encrypting, fingerprint, recipient
from monitor.reporting.entries import EntryNames, HashValues
from monitor.reporting.files import writing
from monitor.reporting.formats import FORMATS, Format, Head, Out
from monitor.reporting.sheets import SHEETS
from monitor.store import Filters, SqlStore, open_reader
from monitor.store.events import LONGEST_DECLARED

ALL = Filters()
"""No filter."""
Progress = Callable[[int, int], None]
"""Told how many rows are written, of how many."""
Seen = Callable[[Mapping[str, Sequence[Any]]], None]
"""Told of some rows at a time: columns of the store by name."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: its rows, and the SHA-256 of the file in hex. `plain_sha256` is that of what was encrypted,
    None where nothing was."""

    rows: int
    sha256: str
    plain_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted: flags, cases, reports, messages, channels, log or observations, in one of the formats.

    Addresses and hashes need a purpose. `values` are those of the hash lists, for `hashes`; `names` names entries.
    """

    what: str
    kind: str
    addresses: bool = False
    hashes: bool = False
    purpose: str | None = None
    filters: Filters = ALL
    names: EntryNames | None = None
    values: HashValues | None = None

    @property
    def marking(self) -> str | None:
        """What the file says of itself; None when it holds neither addresses nor hashes."""
        held = [
            text
            for text, there in (
                ("addresses of flagged items", self.addresses),
                ("hashes of a list", self.hashes),
            )
            if there
        ]
        if not held:
            return None
        return f"contains {' and '.join(held)}; only for: {' '.join((self.purpose or '').split())}"

    def checked(self) -> tuple[Format, tuple[Column, ...]]:
        """How the rows are written, and the columns. Raises InputError for what cannot be."""
        if self.what not in SHEETS:
            raise InputError(f"export {self.what}: not known; choose one of {', '.join(SHEETS)}")
        if self.kind not in FORMATS:
            raise InputError(f"format {self.kind}: not known; choose one of {', '.join(FORMATS)}, bundle")
        form = FORMATS[self.kind]
        if form.only and self.what not in form.only:
            raise InputError(
                f"format {self.kind}: holds {', '.join(form.only)} alone;"
                f" take csv, jsonl, parquet or xlsx for {self.what}"
            )
        columns = SHEETS[self.what].chosen(self.what, self.addresses, self.hashes)
        for option, given, name in (
            ("--with-addresses", self.addresses, "addresses"),
            ("--with-hashes", self.hashes, "hashes"),
        ):
            if given and not (self.purpose or "").strip():
                raise InputError(f"{option}: needs a purpose; say with --purpose what the {name} are for")
        if len(self.purpose or "") > LONGEST_DECLARED:
            raise InputError(f"--purpose: takes {LONGEST_DECLARED:,} characters")
        if len(str(self.filters)) > LONGEST_DECLARED:
            raise InputError("--channel, --case: too many for the record of one export; make several")
        return form, columns


async def export(
    store: SqlStore,
    database: str | PathLike[str],
    what: str,
    kind: str,
    path: str | PathLike[str],
    *,
    operator: str,
    at: datetime,
    with_addresses: bool = False,
    with_hashes: bool = False,
    purpose: str | None = None,
    filters: Filters = ALL,
    names: EntryNames | None = None,
    values: HashValues | None = None,
    encrypt_to: str | None = None,
    progress: Progress | None = None,
) -> Exported:
    """Write rows of `database` to `path`; `store` gets the event. `what` and `kind` as `Order` has them.

    The file (0600) appears whole, after its event is durable, or not at all; one that is there is replaced.
    `with_addresses` adds what leads to flagged messages, `with_hashes` the `values` of lists; both need a purpose.
    Without `names` entries have no keyed name. With `encrypt_to`, a public key of age, what is written is encrypted
    and the plain text never lies on the disk. Raises InputError.
    """
    order = Order(what, kind, with_addresses, with_hashes, purpose, filters, names, values)
    order.checked()
    if encrypt_to is not None:
        recipient(encrypt_to)
    plain: Plain | None = None
    path = Path(path)
    with writing(path) as file:
        if encrypt_to is None:
            rows = await write(database, order, file, at, progress)
        else:
            with encrypting(file, encrypt_to) as plain:
                rows = await write(database, order, plain, at, progress)
        digest = file.close()
        done = Exported(rows, digest, plain.hexdigest() if plain else None)
        await store.append(
            EventType.EXPORT_MADE,
            {
                "what": what,
                "format": kind,
                "filters": str(filters) or None,
                "rows": rows,
                "sha256": digest,
                "plain_sha256": done.plain_sha256,
                "addresses": with_addresses,
                "hashes": with_hashes,
                "operator": operator,
                "purpose": purpose,
                "recipient": fingerprint(encrypt_to) if encrypt_to else None,
            },
            at,
        )
        file.keep()
    return done


async def write(
    database: str | PathLike[str], order: Order, out: Out, at: datetime, progress: Progress | None = None
) -> int:
    """Write the rows of an order to `out`, without an event; returns how many they are.

    Raises InputError.
    """
    return await write_all(database, order, {order.kind: out}, at, progress)


async def write_all(
    database: str | PathLike[str],
    order: Order,
    outs: Mapping[str, Out],
    at: datetime,
    progress: Progress | None = None,
    seen: Seen | None = None,
) -> int:
    """Write the same rows in several formats, each to its own; without an event. `seen` is told of all that is written.

    For what puts several exports into one file and one event. Raises InputError.
    """
    forms = {kind: replace(order, kind=kind).checked()[0] for kind in outs}
    _, columns = order.checked()
    for form in forms.values():
        columns += tuple(column for column in form.beside if column not in columns)
    known = Known(order.names, order.values, order.marking)
    names = tuple(dict.fromkeys(name for column in columns for name in column.sources))
    head = Head(order.what, columns, at, order.marking, order.names)
    writers = [forms[kind].open(out, head) for kind, out in outs.items()]
    size = min(form.rows for form in forms.values())
    rows = 0
    async with open_reader(database) as reader:
        total = 0 if progress is None else await reader.count(order.what, order.filters)
        async with aclosing(reader.pages(order.what, names, order.filters, size)) as pages:
            async for page in pages:
                stored = dict(zip(names, zip(*page, strict=True), strict=True))
                cells = [column.cells(stored, known, len(page)) for column in columns]
                for writer in writers:
                    writer.write(cells)
                if seen is not None:
                    seen(stored)
                rows += len(page)
                if progress is not None:
                    progress(rows, total)
    for writer in writers:
        writer.finish()
    return rows
