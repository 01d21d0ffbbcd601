"""Exports: rows of the store as a file, and an event that says who took what, and why."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from os import PathLike
from pathlib import Path

from monitor.errors import InputError
from monitor.model import EventType
from monitor.reporting.columns import (
    CHANNELS,
    FLAGS,
    FLAGS_WITH_ADDRESSES,
    MESSAGES,
    MESSAGES_WITH_ADDRESSES,
    Column,
)
from monitor.reporting.files import writing
from monitor.reporting.formats import FORMATS
from monitor.store import Reader, Row, SqlStore, open_reader

_ROWS: Mapping[str, Callable[[Reader], AsyncGenerator[Row, None]]] = {
    "flags": Reader.flag_rows,
    "messages": Reader.message_rows,
    "channels": Reader.channel_rows,
}
COLUMNS: Mapping[str, tuple[Column, ...]] = {"flags": FLAGS, "messages": MESSAGES, "channels": CHANNELS}
"""What each export holds."""
WITH_ADDRESSES: Mapping[str, tuple[Column, ...]] = {
    "flags": FLAGS_WITH_ADDRESSES,
    "messages": MESSAGES_WITH_ADDRESSES,
}
"""What those hold that say which messages are flagged."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: its rows, and the SHA-256 of the file in hex."""

    rows: int
    sha256: str


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
    purpose: str | None = None,
) -> Exported:
    """Write flags, messages or channels from `database` to `path`, as csv or jsonl; `store` gets the event.

    The file (0600) appears whole, after its event is durable, or not at all; one that is there is replaced.
    `with_addresses` adds what leads to flagged messages, and needs a purpose. Raises InputError.
    """
    path = Path(path)
    columns = _columns(what, with_addresses, purpose)
    if kind not in FORMATS:
        raise InputError(f"format {kind}: not known; choose one of {', '.join(FORMATS)}")
    head, spell = FORMATS[kind]([column.name for column in columns])
    rows = 0
    with writing(path) as file:
        file.write(head)
        async with open_reader(database) as reader, aclosing(_ROWS[what](reader)) as stream:
            async for row in stream:
                file.write(spell([column.value(row) for column in columns]))
                rows += 1
        digest = file.close()
        await store.append(
            EventType.EXPORT_MADE,
            {
                "what": what,
                "format": kind,
                "rows": rows,
                "sha256": digest,
                "addresses": with_addresses,
                "operator": operator,
                "purpose": purpose,
            },
            at,
        )
        file.keep()
    return Exported(rows, digest)


def _columns(what: str, with_addresses: bool, purpose: str | None) -> tuple[Column, ...]:
    if what not in COLUMNS:
        raise InputError(f"export {what}: not known; choose one of {', '.join(COLUMNS)}")
    if not with_addresses:
        return COLUMNS[what]
    if what not in WITH_ADDRESSES:
        raise InputError(f"export {what}: has no addresses of flagged messages; leave --with-addresses out")
    if not purpose or not purpose.strip():
        raise InputError("--with-addresses: needs a purpose; say with --purpose what the addresses are for")
    return WITH_ADDRESSES[what]
