"""What was fetched from one exchange, written to its SQLite file; docs/exchanges.md describes the tables.

Pages are staged as they come, each in a transaction of its own. When the last one is there, one transaction makes
the new version of them, with its checkpoint: a reader sees the version before or the one after, never half of one.
A withdrawn value is deleted and overwritten; that there was such an entry stays on record.
"""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from monitor.errors import HashListError, InputError
from monitor.exchange.kept import BUSY, Standing, digest_of, sound, stands, usable
from monitor.exchange.records import Page

_TABLES = """
BEGIN IMMEDIATE;
CREATE TABLE entries (
    entry TEXT NOT NULL, algorithm TEXT NOT NULL, value BLOB NOT NULL, label TEXT,
    PRIMARY KEY (entry, algorithm, value)
) STRICT, WITHOUT ROWID;
CREATE TABLE withdrawn (
    entry TEXT NOT NULL, algorithm TEXT NOT NULL, label TEXT, withdrawn_at INTEGER NOT NULL
) STRICT;
CREATE TABLE staged_records (entry TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE staged (
    entry TEXT NOT NULL, algorithm TEXT NOT NULL, value BLOB NOT NULL, label TEXT,
    PRIMARY KEY (entry, algorithm, value)
) STRICT, WITHOUT ROWID;
CREATE TABLE state (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    source TEXT NOT NULL, checkpoint TEXT,
    count INTEGER NOT NULL DEFAULT 0, sha256 BLOB,
    added INTEGER NOT NULL DEFAULT 0, withdrawn INTEGER NOT NULL DEFAULT 0, unread INTEGER NOT NULL DEFAULT 0,
    fetched_at INTEGER,
    position TEXT, position_at INTEGER, staged_whole INTEGER NOT NULL DEFAULT 0,
    staged_unread INTEGER NOT NULL DEFAULT 0,
    failing_since INTEGER, trouble TEXT
) STRICT;
INSERT INTO state (one, source) VALUES (1, '');
PRAGMA user_version = 1;
COMMIT;
"""
_GONE = """
CREATE TEMPORARY TABLE gone AS SELECT entry, algorithm, value, label FROM entries
WHERE (:whole OR entry IN (SELECT entry FROM staged_records)) AND NOT EXISTS (
    SELECT 1 FROM staged s
    WHERE s.entry = entries.entry AND s.algorithm = entries.algorithm AND s.value = entries.value
)"""


class Kept:
    """The file while it is written. Made by `open_kept`."""

    def __init__(self, database: sqlite3.Connection, path: Path) -> None:
        self._database = database
        self._path = path

    def standing(self) -> Standing:
        """How the list stands."""
        found = stands(self._database)
        if found is None:
            raise HashListError(f"{self._path}: is damaged; remove it and fetch anew")
        return found

    def resume(self, whole: bool, since: datetime) -> str | None:
        """Where a fetch of this kind was when it was interrupted, unless that was before `since`; else what was
        staged is dropped."""
        with self._transaction():
            position, at, was_whole = self._database.execute(
                "SELECT position, position_at, staged_whole FROM state"
            ).fetchone()
            if position is not None and at >= since.timestamp() and bool(was_whole) == whole:
                return str(position)
            self._unstage(whole)
        return None

    def restart(self, whole: bool) -> None:
        """Drop what was staged."""
        with self._transaction():
            self._unstage(whole)

    def stage(self, page: Page, now: datetime) -> None:
        """Keep a page beside the list, on which it has no effect yet."""
        with self._transaction():
            for record in page.records:
                self._database.execute("INSERT OR IGNORE INTO staged_records VALUES (?)", (record.entry,))
                self._database.execute("DELETE FROM staged WHERE entry = ?", (record.entry,))
                self._database.executemany(
                    "INSERT INTO staged VALUES (?, ?, ?, ?)",
                    [(record.entry, kind, value, record.label) for kind, value in record.hashes],
                )
            self._database.execute(
                "UPDATE state SET position = ?, position_at = ?, staged_unread = staged_unread + ?",
                (page.position, int(now.timestamp()), page.unread),
            )

    def apply(self, whole: bool, checkpoint: str, now: datetime) -> None:
        """Make the new version of what was staged. `whole`: what was not staged is withdrawn.

        Raises HashListError when all would be withdrawn by an answer that held nothing.
        """
        execute = self._database.execute
        at = int(now.timestamp())
        with self._transaction():
            staged = execute("SELECT EXISTS (SELECT 1 FROM staged_records)").fetchone()[0]
            if whole and not staged and execute("SELECT EXISTS (SELECT 1 FROM entries)").fetchone()[0]:
                raise HashListError("the exchange gives an empty list; the one before stays in force")
            execute(_GONE, {"whole": whole})
            gone = execute(
                "INSERT INTO withdrawn SELECT entry, algorithm, label, ? FROM gone WHERE value != x''", (at,)
            ).rowcount
            execute(
                "DELETE FROM entries WHERE (entry, algorithm, value) IN (SELECT entry, algorithm, value FROM gone)"
            )
            execute("DROP TABLE gone")
            before = execute("SELECT count(*) FROM entries WHERE value != x''").fetchone()[0]
            relabelled = execute(
                "INSERT INTO entries SELECT * FROM staged WHERE true ON CONFLICT DO UPDATE SET label = excluded.label"
                " WHERE label IS NOT excluded.label"
            ).rowcount
            count = execute("SELECT count(*) FROM entries WHERE value != x''").fetchone()[0]
            if gone or relabelled or not self.standing().sha256:
                execute("UPDATE state SET count = ?, sha256 = ?", digest_of(usable(self._database)))
            execute(
                "UPDATE state SET checkpoint = ?, fetched_at = ?, added = added + ?, withdrawn = withdrawn + ?,"
                " unread = staged_unread + CASE WHEN ? THEN 0 ELSE unread END, failing_since = NULL, trouble = NULL",
                (checkpoint, at, count - before, gone, whole),
            )
            self._unstage(whole=False)
        execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def failed(self, trouble: str, now: datetime) -> None:
        """Note that a fetch did not go through."""
        self._database.execute(
            "UPDATE state SET trouble = ?, failing_since = coalesce(failing_since, ?)",
            (trouble, int(now.timestamp())),
        )

    def _unstage(self, whole: bool) -> None:
        self._database.execute("DELETE FROM staged_records")
        self._database.execute("DELETE FROM staged")
        self._database.execute(
            "UPDATE state SET position = NULL, position_at = NULL, staged_unread = 0, staged_whole = ?",
            (whole,),
        )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")


@contextlib.contextmanager
def open_kept(path: Path, source: str) -> Iterator[Kept]:
    """The file of one exchange, to write, alone. What came from another `source` is withdrawn by the next fetch,
    which is a whole one.

    Raises InputError when another process writes it, HashListError when it is damaged.
    """
    path.parent.mkdir(mode=0o700, exist_ok=True)
    # Beside the file: SQLite's own locks end when any descriptor of it is closed.
    with open(path.with_suffix(".lock"), "w", opener=_private) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            raise InputError(f"{path}: is being fetched by another process; try again later") from e
        os.close(_private(str(path), os.O_RDWR | os.O_CREAT))
        database = sqlite3.connect(path, isolation_level=None, timeout=BUSY)
        try:
            with sound(path):
                _prepare(database, source)
                yield Kept(database, path)
        finally:
            database.close()


def _prepare(database: sqlite3.Connection, source: str) -> None:
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON", "temp_store = MEMORY"):
        database.execute(f"PRAGMA {pragma}")
    if database.execute("PRAGMA user_version").fetchone()[0] == 0:
        database.executescript(_TABLES)
    database.execute(
        "UPDATE state SET source = :source, checkpoint = NULL, position = NULL WHERE source != :source",
        {"source": source},
    )


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
