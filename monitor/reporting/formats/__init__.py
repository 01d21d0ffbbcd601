"""Formats: one module each. All take pages of columns and write bytes; none holds more than a page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from monitor.errors import InputError
from monitor.reporting.columns import Cells, Column
from monitor.reporting.entries import EntryNames

Page = Sequence[Cells]
"""So many rows: the cells of each column, in the columns' order."""


class Out(Protocol):
    """Where the bytes go."""

    def write(self, data: bytes, /) -> int: ...
    def flush(self) -> None: ...


class Writer(Protocol):
    """A file being written; nothing is complete before `finish`."""

    def write(self, page: Page) -> None:
        """Take the next rows."""

    def finish(self) -> None:
        """Write what ends the file. The `Out` stays open."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a format is told before the first row. `marking` is None where nothing needs one."""

    what: str
    columns: tuple[Column, ...]
    at: datetime
    marking: str | None = None
    names: EntryNames | None = None


@dataclass(frozen=True, slots=True)
class Format:
    """`open` begins a file; `rows` is how many it takes at once; `only` what it can hold, all where empty; `beside`
    are columns that it needs and that are none of the export's own."""

    open: Callable[[Out, Head], Writer]
    rows: int = 2_000
    only: tuple[str, ...] = ()
    beside: tuple[Column, ...] = ()


def _csv(out: Out, head: Head) -> Writer:
    from monitor.reporting.formats.csv import CsvWriter

    return CsvWriter(out, head)


def _jsonl(out: Out, head: Head) -> Writer:
    from monitor.reporting.formats.jsonl import JsonlWriter

    return JsonlWriter(out, head)


def _parquet(out: Out, head: Head) -> Writer:
    try:
        from monitor.reporting.formats.parquet import ParquetWriter
    except ModuleNotFoundError as e:
        raise InputError("format parquet: needs pyarrow; pip install 'channel-monitor[export]'") from e
    return ParquetWriter(out, head)


def _xlsx(out: Out, head: Head) -> Writer:
    from monitor.reporting.formats.xlsx import XlsxWriter

    return XlsxWriter(out, head)


def _stix(out: Out, head: Head) -> Writer:
    from monitor.reporting.formats.stix import StixWriter

    return StixWriter(out, head)


def _misp(out: Out, head: Head) -> Writer:
    from monitor.reporting.formats.misp import MispWriter

    return MispWriter(out, head)


_OPENED = (Column("opened_at", "time", "when the entry's first match was found"),)
FORMATS: Mapping[str, Format] = {
    "csv": Format(_csv),
    "jsonl": Format(_jsonl),
    # Large enough that the calls into Arrow weigh little, small enough for the caches.
    "parquet": Format(_parquet, rows=8_192),
    "xlsx": Format(_xlsx),
    "stix": Format(_stix, only=("flags",), beside=_OPENED),
    "misp": Format(_misp, only=("flags",)),
}
"""By the name that the command line knows."""
