"""Lines with columns, of which the first may be a header."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.matching.entries import Entries, Place
from monitor.matching.lines import batches
from monitor.matching.list_file import ListFile
from monitor.model import Algorithm

Row = list[str]


def read_table(file: ListFile, entries: Entries, delimiter: str) -> None:
    """Read a table into entries. Raises HashListError when nothing says of what algorithm its hashes are.

    A header names the columns: the hash stands in the one named like the algorithm, or "hash", or "value";
    the entry's identifier in "entry" or "id", a label in "label". Without an algorithm declared every column
    that is named like one is read; where there are several, a cell may be empty. Without a header the first
    column is the hash and the second, if any, the identifier.
    """
    table = _Table(file, entries, delimiter)
    for first, lines in batches(file):
        table.batch(first, lines)


@dataclass(frozen=True, slots=True)
class _Header:
    """Where what stands. `optional`: the table has several columns of hashes, and a cell may be empty."""

    values: tuple[tuple[Algorithm, int], ...]
    entry: int | None = None
    label: int | None = None
    optional: bool = False


class _Table:
    def __init__(self, file: ListFile, entries: Entries, delimiter: str) -> None:
        self._file = file
        self._entries = entries
        self._delimiter = delimiter
        self._header: _Header | None = None

    def batch(self, first: int, lines: Sequence[str]) -> None:
        """Thousands of lines: all at once where nothing about them is unusual."""
        if self._header is None:
            first, lines = self._begin(first, lines)
        header = self._header
        if header is None or not lines:
            return
        if len(header.values) > 1 or not self._at_once(header, lines):
            self._one_by_one(header, first, lines)

    def _begin(self, first: int, lines: Sequence[str]) -> tuple[int, Sequence[str]]:
        """Take the first line that is not blank; gives those that are still to be read."""
        for index, line in enumerate(lines):
            if not line.strip():
                continue
            try:
                cells = self._cells(line)
            except csv.Error:
                cells = []
            self._header = _header(cells, self._entries.wanted)
            skipped = index + 1
            if self._header is None:
                self._header = _Header(((self._declared(), 0),), entry=1)
                skipped = index
            return first + skipped, lines[skipped:]
        return first, ()

    def _declared(self) -> Algorithm:
        if self._entries.wanted is None:
            raise self._file.refused(
                "nothing says what its hashes are; declare its algorithm, or name a column like one"
            )
        return self._entries.wanted

    def _at_once(self, header: _Header, lines: Sequence[str]) -> bool:
        if "" in lines:
            lines = [line for line in lines if line]
            if not lines:
                return True
        rows = self._rows(lines)
        if rows is None:
            return False
        algorithm, value = header.values[0]
        wide = min(map(len, rows))
        columns = [_column(rows, at, wide) for at in (value, header.entry, header.label)]
        return self._entries.add_all(algorithm, *columns)

    def _rows(self, lines: Sequence[str]) -> list[Row] | None:
        if not any('"' in line for line in lines):
            return [line.split(self._delimiter) for line in lines]
        try:
            rows = list(csv.reader(lines, delimiter=self._delimiter, strict=True))
        except csv.Error:
            return None
        # Otherwise a quote reached beyond its line.
        return rows if len(rows) == len(lines) else None

    def _one_by_one(self, header: _Header, first: int, lines: Sequence[str]) -> None:
        found: dict[Algorithm, list[tuple[Place, str, str, str]]] = {}
        for number, line in enumerate(lines, first):
            if not line.strip():
                continue
            try:
                cells = self._cells(line)
            except csv.Error:
                self._entries.bad(Place(number), "quotes that do not match")
                continue
            entry, label = _cell(cells, header.entry), _cell(cells, header.label)
            for algorithm, column in header.values:
                value = _cell(cells, column)
                if value.strip() or not header.optional:
                    found.setdefault(algorithm, []).append((Place(number), value, entry, label))
        for algorithm, rows in found.items():
            self._entries.add_each(algorithm, rows)

    def _cells(self, line: str) -> Row:
        """A record is one line: a stray quote must not hide what follows."""
        if '"' not in line:
            return line.split(self._delimiter)
        return next(csv.reader(io.StringIO(line), delimiter=self._delimiter, strict=True))


def _cell(cells: Row, column: int | None) -> str:
    return cells[column] if column is not None and column < len(cells) else ""


def _column(rows: list[Row], column: int | None, wide: int) -> list[str]:
    if column is None:
        return []
    if column < wide:
        return [row[column] for row in rows]
    return [row[column] if column < len(row) else "" for row in rows]


def _header(cells: Row, wanted: Algorithm | None) -> _Header | None:
    """The columns when the line names one of hashes, else None."""
    names = [cell.strip().lower() for cell in cells]

    def column(*wanted: str) -> int | None:
        return next((names.index(name) for name in wanted if name in names), None)

    named = tuple((algorithm, names.index(algorithm)) for algorithm in Algorithm if algorithm in names)
    if wanted is None:
        values = named
    else:
        value = column(wanted.value, "hash", "value")
        values = () if value is None else ((wanted, value),)
    if not values:
        return None
    return _Header(values, column("entry", "id"), column("label"), optional=len(named) > 1)
