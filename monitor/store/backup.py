"""A store as one file, and back: whole or not at all, and never at the cost of what must be provable.

Events that came after a backup are carried over into what is restored from it, and those that were erased since are
erased there too: the report log holds their commitments, and goes on from where it is.
"""

import asyncio
import hashlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from monitor.errors import InputError, StoreCorrupt, StoreUnavailable
from monitor.model import EventType, Scalar
from monitor.store import engine, migrate
from monitor.store.opening import open_store
from monitor.store.store import SqlStore

_SIDES = ("-wal", "-shm")
"""What SQLite keeps beside a database."""


@dataclass(frozen=True, slots=True)
class BackedUp:
    """A backup: the SHA-256 of its file in hex, its size in bytes, and how many events it holds."""

    sha256: str
    size: int
    events: int


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored: `events` of the backup, and `carried` over from the store before, which lies at `aside`;
    of those `erasures` are runs of retention and erasures whose rows are back, and have to be repeated. `carried` is
    None when the store before could not be read, or has another history.
    """

    events: int
    carried: int | None
    erasures: int
    aside: Path | None


async def back_up(store: SqlStore, database: Path, path: Path, *, operator: str, at: datetime) -> BackedUp:
    """Copy the store to a new private file, verified, beside a daemon at work; the event is durable before the file
    appears. Raises InputError when there is something at `path`, or it cannot be written.
    """
    _free(path)
    with _in_place_of_nothing(path) as fresh:
        count = await asyncio.to_thread(_copy, database, fresh)
        made = BackedUp(await asyncio.to_thread(_sha256, fresh), os.stat(fresh).st_size, count)
        body: dict[str, Scalar] = {"operator": operator, "sha256": made.sha256, "events": made.events}
        await store.append(EventType.BACKUP_MADE, body, at)
        await asyncio.to_thread(_appear, fresh, path)
    return made


def check(path: Path) -> int:
    """How many events a backup holds. Raises InputError for what is damaged, or no store that this version knows."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a backup that monitor db backup made")
    try:
        with engine.mapped(path), closing(_reading(path)) as database:
            if database.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                raise InputError(f"{path}: is damaged; take another backup")
            row = database.execute("SELECT version_num FROM alembic_version").fetchone()
            if row is None or row[0] not in migrate.REVISIONS:
                raise InputError(f"{path}: was made by a newer version of this program; run that one")
            return int(database.execute("SELECT count(*) FROM events").fetchone()[0])
    except (StoreCorrupt, StoreUnavailable, sqlite3.OperationalError) as e:
        raise InputError(f"{path}: is damaged, or no backup of ours; take another") from e


async def restore(database: Path, path: Path, aside: Path, *, operator: str, at: datetime) -> Restored:
    """Put a backup in the place of the store, which is kept at `aside`. Nobody else may be at work on it.

    Until the last step, a rename, the store is as it was. Raises InputError as `check` does.
    """
    held = await asyncio.to_thread(check, path)
    with _in_place_of_nothing(database) as fresh:
        await asyncio.to_thread(_copy, path, fresh)
        digest = await asyncio.to_thread(_sha256, path)
        async with open_store(fresh):
            pass  # upgraded, where it is older
        carried, erasures = await asyncio.to_thread(_carried, fresh, database, held)
        async with open_store(fresh) as store:
            body: dict[str, Scalar] = {
                "operator": operator,
                "sha256": digest,
                "events": held,
                "carried": carried,
            }
            await store.append(EventType.STORE_RESTORED, body, at)
        kept = await asyncio.to_thread(_exchange, fresh, database, aside)
    return Restored(held, carried, erasures, aside if kept else None)


def _copy(source: Path, fresh: Path) -> int:
    """Copy a database in one go, as it is at one moment, while writers go on; how many events it holds."""
    with engine.mapped(source), closing(_reading(source)) as old, closing(sqlite3.connect(fresh)) as new:
        old.backup(new)
        # One file, which can be read where nothing can be written.
        new.execute("PRAGMA journal_mode = DELETE")
        for name, fine in (("integrity_check", [("ok",)]), ("foreign_key_check", [])):
            if new.execute(f"PRAGMA {name}").fetchall() != fine:
                raise StoreCorrupt(f"{source}: is damaged ({name}); check the disk, then restore a backup")
        (count,) = new.execute("SELECT count(*) FROM events").fetchone()
    return int(count)


def _sha256(path: Path) -> str:
    """Of a file that is durable by then."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()


def _carried(fresh: Path, database: Path, held: int) -> tuple[int | None, int]:
    """Take over what the store before says of events; how many came after the backup, and of these erasures.

    None when it cannot be read, or when it has another history: an event of the backup is another one there.
    """
    with closing(sqlite3.connect(fresh, uri=True, isolation_level=None)) as store:
        for pragma in engine.PRAGMAS:
            store.execute(pragma)
        try:
            store.execute("ATTACH ? AS before", (_uri(database),))
            other = store.execute(
                "SELECT 1 FROM main.events AS ours LEFT JOIN before.events AS theirs USING (seq)"
                " WHERE theirs.commitment IS NOT ours.commitment LIMIT 1"
            ).fetchone()
            if other is not None:
                return None, 0
            with _transaction(store):
                store.execute(
                    "UPDATE main.events SET salt = NULL, body = NULL WHERE body IS NOT NULL"
                    " AND seq IN (SELECT seq FROM before.events WHERE body IS NULL)"
                )
                names = "seq, at, type, commitment, salt, body"
                came = store.execute(
                    f"INSERT INTO main.events ({names}) SELECT {names} FROM before.events WHERE seq >= ?",  # noqa: S608 # ours
                    (held,),
                ).rowcount
            (erasures,) = store.execute(
                "SELECT count(*) FROM main.events WHERE seq >= ? AND type IN (?, ?)",
                (held, EventType.ERASED.value, EventType.RETENTION_RUN.value),
            ).fetchone()
        except sqlite3.Error:
            return None, 0  # it is damaged, or there is none: that is what a backup is for
    return came, erasures


@contextmanager
def _transaction(store: sqlite3.Connection) -> Iterator[None]:
    store.execute("BEGIN")
    try:
        yield
    except BaseException:
        store.execute("ROLLBACK")
        raise
    store.execute("COMMIT")


def _exchange(fresh: Path, database: Path, aside: Path) -> bool:
    """Put `fresh` in the place of the store, which keeps a second name if there was one; whether there was."""
    kept = database.exists()
    if kept:
        # Whole in its one file, should what follows be cut off in the middle.
        with suppress(sqlite3.Error):
            engine.empty_log(database)
        for side in _SIDES:
            # Of a damaged store they are still there, and would be taken for those of the one to come.
            with suppress(FileNotFoundError):
                os.rename(f"{database}{side}", f"{aside}{side}")
        os.link(database, aside)
    os.replace(fresh, database)
    _fsync(database.parent)
    return kept


def _appear(fresh: Path, path: Path) -> None:
    os.link(fresh, path)
    _fsync(path.absolute().parent)


def _free(path: Path) -> None:
    if path.exists():
        raise InputError(f"{path}: exists already, and is left as it is; name another")


def _reading(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(_uri(path), uri=True, timeout=10.0)


def _uri(path: Path) -> str:
    return f"file:{quote(str(path.absolute()))}?mode=ro"


@contextmanager
def _in_place_of_nothing(path: Path) -> Iterator[Path]:
    """A private file beside `path`, to be linked or renamed to it; removed at the end if it is still there."""
    try:
        descriptor, name = tempfile.mkstemp(
            prefix=f".{path.name}.", suffix=".part", dir=path.absolute().parent
        )
        os.close(descriptor)
    except OSError as e:
        raise InputError(f"{path}: cannot be written ({e.strerror}); name another place") from e
    try:
        yield Path(name)
    except FileExistsError as e:
        raise InputError(f"{path}: exists already, and is left as it is; name another") from e
    except OSError as e:
        raise InputError(f"{path}: cannot be written ({e.strerror})") from e
    finally:
        for rest in ("", *_SIDES):
            with suppress(FileNotFoundError):
                os.unlink(name + rest)


def _fsync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
