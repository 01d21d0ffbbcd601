"""JSON Lines: one object a line, with every column in order."""

import json

from monitor.reporting.formats import Head, Out, Page
from monitor.reporting.spelling import rows, spelled


class JsonlWriter:
    """UTF-8 without escapes; nothing is lost."""

    def __init__(self, out: Out, head: Head) -> None:
        self._out = out
        self._columns = head.columns
        self._names = [column.name for column in head.columns]
        self._encode = json.JSONEncoder(ensure_ascii=False).encode

    def write(self, page: Page) -> None:
        """Take the next rows."""
        encode = self._encode
        lines = [encode(row) + "\n" for row in rows(self._names, spelled(self._columns, page))]
        self._out.write("".join(lines).encode())

    def finish(self) -> None:
        """Nothing ends the file but its last row."""
