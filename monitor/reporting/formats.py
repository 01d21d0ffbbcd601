"""How rows are spelled in a file: CSV that no spreadsheet takes for formulas, and JSON Lines without loss."""

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence

from monitor.reporting.columns import Value

Row = Sequence[Value]
Format = Callable[[Sequence[str]], tuple[str, Callable[[Row], str]]]
"""Given the columns' names: what the file begins with, and how each row is spelled."""

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


def csv_format(names: Sequence[str]) -> tuple[str, Callable[[Row], str]]:
    """RFC 4180 with a header, every cell quoted."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL)

    def spell(row: Row) -> str:
        buffer.seek(0)
        buffer.truncate()
        writer.writerow([csv_cell(value) for value in row])
        return buffer.getvalue()

    return spell(names), spell


def jsonl_format(names: Sequence[str]) -> tuple[str, Callable[[Row], str]]:
    """One JSON object a line, with every column in order."""

    def spell(row: Row) -> str:
        return json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) + "\n"

    return "", spell


FORMATS: Mapping[str, Format] = {"csv": csv_format, "jsonl": jsonl_format}
