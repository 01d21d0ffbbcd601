"""NSRL RDSv3: the SQLite database of NIST's reference set, of files that are known and no abuse.

A full set keeps its files in METADATA, a minimal one in FILE; no view is asked, so that nothing of what the
file defines is run.
"""

import os
import sqlite3
import urllib.parse

from monitor.matching.entries import Entries, Place
from monitor.matching.formats import Format
from monitor.matching.list_file import ListFile
from monitor.model import Algorithm

_COLUMNS = {"md5": Algorithm.MD5, "sha1": Algorithm.SHA1, "sha256": Algorithm.SHA256}
_AT_ONCE = 4096


def _read(file: ListFile, entries: Entries) -> None:
    uri = f"file:{urllib.parse.quote(str(file.path))}?mode=ro&immutable=1"
    try:
        database = sqlite3.connect(uri, uri=True)
        try:
            _read_rows(file, entries, database)
        finally:
            database.close()
    # UnicodeDecodeError too: a database may hold what it likes.
    except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError):
        raise file.refused("is not a database of SQLite, or is damaged") from None


def _read_rows(file: ListFile, entries: Entries, database: sqlite3.Connection) -> None:
    database.execute("PRAGMA trusted_schema = OFF")
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1 << 20)
    tables = {
        name.upper(): name
        for (name,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE TABLE%'"
        )
    }
    table = tables.get("METADATA") or tables.get("FILE")
    if table is None:
        raise file.refused("has neither a table METADATA nor FILE; is it an RDSv3 set?")
    there = {column[1].lower() for column in database.execute(f'PRAGMA table_info("{table}")')}
    columns = [name for name, a in _COLUMNS.items() if name in there and entries.wanted in (None, a)]
    if not columns:
        raise file.refused(
            f"its table {table} has none of the columns that are wanted: {', '.join(_COLUMNS)}"
        )
    # Names of ours, and of a table that is there.
    rows = database.execute(f'SELECT {", ".join(columns)} FROM "{table}"')  # noqa: S608
    most = os.stat(file.path).st_size
    number = 0
    while batch := rows.fetchmany(_AT_ONCE):
        for row in batch:
            number += 1
            place = Place(number)
            for name, value in zip(columns, row, strict=True):
                if value:
                    entries.add(place, _COLUMNS[name], value)
        # A row takes more than a byte: a page that is its own child would give rows without end.
        if number > most:
            raise file.refused("is a damaged database")


FORMAT = Format(_read, known_good=True, unit="row", streamed=False)
