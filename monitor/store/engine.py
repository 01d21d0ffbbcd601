"""What is particular to SQLite: connections, pragmas, file modes, upserts, error codes."""

import errno
import os
import sqlite3
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache, lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Dialect,
    Engine,
    Integer,
    Select,
    Table,
    Text,
    bindparam,
    cast,
    column,
    create_engine,
    event,
    func,
    select,
    table,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.types import TypeEngine

from monitor.errors import StoreBusy, StoreCorrupt, StoreUnavailable

# FULL: an acknowledged row survives a power cut. Temporary tables would be files: in memory instead.
# What is deleted is overwritten. Foreign keys are off unless asked for.
PRAGMAS = (
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",
    "PRAGMA temp_store = MEMORY",
)
WRITER_PRAGMAS = ("PRAGMA cache_size = -32768",)  # 32 MiB of pages
READER_PRAGMAS = ("PRAGMA query_only = ON",)


Cell = int | str | bytes | None
IDS_AT_ONCE = 4096
"""Ids in one `lookup`; SQLite takes up to 32,766 parameters."""


def insert(table: Table) -> sqlite.Insert:
    """An INSERT of the dialect, with ON CONFLICT."""
    return sqlite.insert(table)


def executemany(conn: Connection, statement: sqlite.Insert, rows: Sequence[tuple[Cell, ...]]) -> None:
    """Insert rows of cells that are ready for the driver, one for each column in the table's order.

    Preparing forty values a row one by one, as SQLAlchemy does, takes as long as the insert itself. So does handing
    them over where most are None, for which the driver looks for an adapter each time: a column in which no row has a
    value is left out, and is NULL all the same.
    """
    if not rows:
        return
    names = tuple(
        name
        for name, cells in zip(statement.table.c.keys(), zip(*rows, strict=True), strict=True)
        if cells[0] is not None or cells.count(None) < len(cells)
    )
    wanted = itemgetter(*map(statement.table.c.keys().index, names))
    conn.exec_driver_sql(_insert_sql(statement, conn.dialect, names), list(map(wanted, rows)))


@lru_cache(maxsize=256)
def _insert_sql(statement: sqlite.Insert, dialect: Dialect, names: tuple[str, ...]) -> str:
    return str(statement.compile(dialect=dialect, column_keys=names))


def lookup(
    conn: Connection, statement: Select[Any], column: ColumnElement[int], ids: Iterable[int], *first: int
) -> Iterator[Sequence[Any]]:
    """The statement's rows for those ids, as the driver gives them (times are integers).

    `first` are the statement's own parameters.

    SQLAlchemy's own IN writes the statement anew for each call, which takes longer than the query:
    here there is one statement for each power of two, filled up with the last id.
    """
    remaining = sorted(ids)
    while remaining:
        some, remaining = remaining[:IDS_AT_ONCE], remaining[IDS_AT_ONCE:]
        size = 1 << (len(some) - 1).bit_length()
        sql = _lookup_sql(statement, column, conn.dialect, size)
        yield from conn.exec_driver_sql(sql, (*first, *some, *some[-1:] * (size - len(some))))


@cache
def _lookup_sql(statement: Select[Any], column: ColumnElement[int], dialect: Dialect, size: int) -> str:
    parameters = [bindparam(f"id_{n}", type_=column.type) for n in range(size)]
    return str(statement.where(column.in_(parameters)).compile(dialect=dialect))


def body_field(
    body: ColumnElement[Any], name: str, kind: TypeEngine[Any] | None = None
) -> ColumnElement[Any]:
    """A field of an event's body, as text unless said otherwise; absent when the body has been erased."""
    return func.json_extract(cast(body, Text), f"$.{name}", type_=kind or Text())


_GIVEN = table("sqlite_sequence", column("name", Text), column("seq", Integer))


def next_number(conn: Connection, numbered: Table) -> int:
    """The number of a table's next row, where each is given once: also when the last rows are gone
    (https://www.sqlite.org/autoinc.html)."""
    last = select(_GIVEN.c.seq).where(_GIVEN.c.name == numbered.name)
    return int(conn.execute(last).scalar() or 0) + 1


def writer(path: Path, busy_timeout: float) -> Engine:
    """An engine with one connection, for a thread. Its transactions take the write lock when they begin.

    A transaction that read first and then wanted to write would fail at once when another process wrote
    in between, however long it was ready to wait: hence BEGIN IMMEDIATE.
    """
    made = create_engine(_url("sqlite", path, "rwc"), **_options(1, busy_timeout))
    _configure(made, "BEGIN IMMEDIATE", PRAGMAS + WRITER_PRAGMAS)
    return made


def reader(path: Path, busy_timeout: float) -> AsyncEngine:
    """An engine whose connections cannot write. Each transaction sees one state of the database."""
    made = create_async_engine(_url("sqlite+aiosqlite", path, "ro"), **_options(4, busy_timeout))
    _configure(made.sync_engine, "BEGIN", PRAGMAS + READER_PRAGMAS)
    return made


def _url(driver: str, path: Path, mode: str) -> URL:
    return URL.create(
        driver, database=f"file:{quote(str(path.absolute()))}", query={"mode": mode, "uri": "true"}
    )


def _options(connections: int, busy_timeout: float) -> dict[str, Any]:
    return {
        # None: the driver begins no transaction of its own, ours begin as said below.
        "connect_args": {"timeout": busy_timeout, "isolation_level": None},
        "pool_size": connections,
        "max_overflow": 0,
        "hide_parameters": True,
    }


def _configure(engine: Engine, begin: str, pragmas: tuple[str, ...]) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        try:
            for pragma in pragmas:
                cursor.execute(pragma)
        except BaseException:
            connection.close()  # the pool never gets it, and its thread would outlive the event loop
            raise
        cursor.close()

    @event.listens_for(engine, "begin")
    def start(connection: Any) -> None:
        connection.exec_driver_sql(begin)


def check_file(path: Path, rights: int = os.R_OK) -> None:
    """Raises StoreUnavailable when there is no file at `path`, or no right to it.

    Asked before connecting: a connection that fails to open leaves a thread behind that speaks to an event
    loop which may be closed by then. And not by opening it: closing the file would drop SQLite's locks.
    """
    with mapped(path):
        if not stat.S_ISREG(path.stat().st_mode):
            raise OSError(errno.EINVAL, "not a file")
        if not os.access(path, rights):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))


def create_private(path: Path, busy_timeout: float) -> None:
    """Make sure the database exists with mode 0600, whatever the umask, and is in WAL mode; new folders get 0700.

    SQLite gives its -wal and -shm files the mode of the database.
    """
    with mapped(path):
        missing = [folder for folder in path.absolute().parents if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(mode=0o700, exist_ok=True)
            _private(folder, 0o700)
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            # Not opened: closing a second descriptor would drop the locks that this process holds on it.
            check_file(path, os.R_OK | os.W_OK)
        _private(path, 0o600)
        with closing(sqlite3.connect(path, timeout=busy_timeout, isolation_level=None)) as database:
            _to_wal(database, time.monotonic() + busy_timeout)


def _private(path: Path, mode: int) -> None:
    # Only where it is needed: a confined recorder may change no mode, and has no need to.
    if stat.S_IMODE(path.stat().st_mode) != mode:
        path.chmod(mode)


def _to_wal(database: sqlite3.Connection, deadline: float) -> None:
    """The mode is a property of the file. Of several who set it at once, all but one are told "busy" without
    the wait that every other statement gets: hence this loop."""
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as e:
            if e.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def empty_log(path: Path, busy_timeout: float = 5.0) -> bool:
    """Write what is in the write-ahead log into the database and make the log an empty file; whether that came about
    within so many seconds, which readers and writers can prevent."""
    with closing(sqlite3.connect(path, timeout=busy_timeout, isolation_level=None)) as database:
        # https://www.sqlite.org/pragma.html#pragma_wal_checkpoint: busy, pages in the log, pages moved
        busy, *_ = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


@contextmanager
def mapped(path: Path) -> Iterator[None]:
    """Turn errors of the database at `path` into ours, once. What is not mapped is a mistake of ours."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as e:
        origin = e.orig if isinstance(e, DBAPIError) else e
        # The low byte is the primary result code, https://www.sqlite.org/rescode.html
        match getattr(origin, "sqlite_errorcode", 0) & 0xFF:
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED | sqlite3.SQLITE_PROTOCOL:
                raise StoreBusy(f"{path}: another process holds the store; try again") from e
            case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
                raise StoreCorrupt(
                    f"{path}: damaged, unreadable or no store of ours; check the disk, then restore a backup"
                ) from e
            case sqlite3.SQLITE_FULL:
                raise StoreUnavailable(f"{path}: the disk is full; make room and start again") from e
            case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
                raise StoreUnavailable(
                    f"{path}: cannot be opened or written; check that it exists and belongs to this user"
                ) from e
            case sqlite3.SQLITE_IOERR:
                raise StoreUnavailable(f"{path}: the disk reports an error; check it and start again") from e
        raise
    except OSError as e:
        raise StoreUnavailable(f"{path}: cannot be opened: {e.strerror}") from e
