"""CSV (RFC 4180) that no spreadsheet takes for formulas."""

import csv
import io
import re

from monitor.reporting.columns import Cells, Column, Value
from monitor.reporting.formats import Head, Out, Page
from monitor.reporting.spelling import spelled

# What makes a spreadsheet run a cell, also in full width and after blanks (OWASP, "CSV Injection").
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")


def csv_cell(value: Value) -> Value:
    """The value as a cell: absent is empty, true and false in small letters, a formula is quoted by '.

    Numbers are ours and stay numbers, negative ones too.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and _FORMULA.match(value):
        return "'" + value
    return value


class CsvWriter:
    """UTF-8 with a header, every cell quoted."""

    def __init__(self, out: Out, head: Head) -> None:
        self._out = out
        self._columns = head.columns
        self._text = io.StringIO()
        self._csv = csv.writer(self._text, quoting=csv.QUOTE_ALL)
        self._csv.writerow([column.name for column in head.columns])
        self._pass_on()

    def write(self, page: Page) -> None:
        """Take the next rows."""
        self._csv.writerows(zip(*map(self._cells, self._columns, spelled(self._columns, page)), strict=True))
        self._pass_on()

    def finish(self) -> None:
        """Nothing ends the file but its last row."""

    def _cells(self, column: Column, cells: Cells) -> Cells:
        if column.kind in ("integer", "time"):
            return cells
        # A column has few different texts, or is made by us: each is looked at once.
        changed = {value: cell for value in set(cells) if (cell := csv_cell(value)) != value}
        return [changed.get(value, value) for value in cells] if changed else cells

    def _pass_on(self) -> None:
        self._out.write(self._text.getvalue().encode())
        self._text.seek(0)
        self._text.truncate()
