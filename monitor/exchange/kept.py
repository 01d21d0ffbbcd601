"""What was fetched from one exchange, read from its SQLite file; docs/exchanges.md describes the tables."""

import contextlib
import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from monitor.errors import HashListError

SCHEMA = 1
Row = tuple[str, str, bytes, str | None]
"""Entry, algorithm, value, label."""
BUSY = 60.0
"""Seconds to wait for another process's transaction."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How an exchange's list stands. Times are UTC; `fetched_at` is the last fetch that went through.

    `version` is made as of other lists, of count and digest; None before the first fetch. `added` and `withdrawn`
    count hashes since the first fetch, that one included. `unusable` counts hashes by kinds that cannot be computed
    here, and by "invalid" what is none; `unread` records that were not understood.
    """

    source: str
    checkpoint: str | None
    count: int
    sha256: bytes
    added: int
    withdrawn: int
    unread: int
    fetched_at: datetime | None
    failing_since: datetime | None
    trouble: str | None
    unusable: tuple[tuple[str, int], ...] = ()

    @property
    def version(self) -> str | None:
        """Such as "1200-9f86d081884c"."""
        return None if self.fetched_at is None else _version(self.count, self.sha256)


def standing(path: Path) -> Standing | None:
    """How the list in this file stands; None when nothing was ever kept. Raises HashListError when it is damaged."""
    if not path.exists():
        return None
    with _reading(path) as database:
        return stands(database)


def version(path: Path) -> str | None:
    """The version in this file, None when there is none; quick."""
    if not path.exists():
        return None
    with _reading(path) as database:
        if not _is_made(database):
            return None
        count, digest, fetched_at = database.execute("SELECT count, sha256, fetched_at FROM state").fetchone()
    return None if fetched_at is None else _version(count, digest)


def in_force(path: Path, take: Callable[[Row], object]) -> Standing | None:
    """Hand each hash in force to `take`, by entry, algorithm and value; returns how the list stood at that moment,
    None before the first fetch has gone through.

    Raises HashListError when the file is damaged, or holds other hashes than its version says; what was handed over
    by then must not be used.
    """
    if not path.exists():
        return None
    with _reading(path) as database:
        database.execute("BEGIN")
        found = stands(database)
        if found is None or found.fetched_at is None:
            return None
        if digest_of(_passed(usable(database), take)) != (found.count, found.sha256):
            raise HashListError(f"{path}: holds other hashes than its version says; remove it and fetch anew")
    return found


def _passed(rows: Iterator[Row], take: Callable[[Row], object]) -> Iterator[Row]:
    for row in rows:
        take(row)
        yield row


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    with sound(path):
        database = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=BUSY
        )
        try:
            yield database
        finally:
            database.close()


@contextlib.contextmanager
def sound(path: Path) -> Iterator[None]:
    """SQLite's errors as ours."""
    try:
        yield
    except sqlite3.Error as e:
        raise HashListError(f"{path}: cannot be used ({type(e).__name__}); remove it and fetch anew") from e


def stands(database: sqlite3.Connection) -> Standing | None:
    """How the list in this database stands; None when it is none yet."""
    if not _is_made(database):
        return None
    source, checkpoint, count, digest, added, withdrawn, unread, fetched_at, failing_since, trouble = (
        database.execute(
            "SELECT source, checkpoint, count, sha256, added, withdrawn, unread, fetched_at, failing_since, trouble"
            " FROM state"
        ).fetchone()
    )
    unusable = database.execute(
        "SELECT algorithm, count(*) FROM entries WHERE value = x'' GROUP BY 1 ORDER BY 1"
    ).fetchall()
    return Standing(
        source,
        checkpoint,
        count,
        digest or b"",
        added,
        withdrawn,
        unread,
        _time(fetched_at),
        _time(failing_since),
        trouble,
        tuple(unusable),
    )


def _is_made(database: sqlite3.Connection) -> bool:
    made: int = database.execute("PRAGMA user_version").fetchone()[0]
    if made > SCHEMA:
        raise HashListError("exchange: the file was made by a newer monitor")
    return made == SCHEMA


def _version(count: int, digest: bytes) -> str:
    return f"{count}-{digest.hex()[:12]}"


def _time(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def usable(database: sqlite3.Connection) -> Iterator[Row]:
    """The hashes that can be compared, by entry, algorithm and value."""
    return iter(
        database.execute(
            "SELECT entry, algorithm, value, label FROM entries WHERE value != x'' ORDER BY entry, algorithm, value"
        )
    )


def digest_of(rows: Iterable[Row]) -> tuple[int, bytes]:
    """How many, and SHA-256 over a line for each: entry, algorithm, hex digits, label, with commas between them."""
    digest, count = hashlib.sha256(), 0
    for entry, algorithm, value, label in rows:
        digest.update(f"{entry},{algorithm},{value.hex()},{label or ''}\n".encode())
        count += 1
    return count, digest.digest()
