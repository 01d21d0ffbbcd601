"""Each cell of the store against the rules of its column, and no table or column that the schema does not have."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from monitor.selftest.search import Hit
from monitor.store import open_store
from monitor.store.schema import metadata


async def cells(database: Path, scratch: Path) -> set[Hit]:
    """What in the store at `database` is not as the schema has it; `scratch` is a folder to make a fresh one in.

    Types are checked by SQLite itself, whose tables are STRICT; lengths, alphabets and enumerations with the
    conditions of the schema, whatever the tables in the file say.
    """
    fresh = scratch / "schema.db"
    async with open_store(fresh):
        pass
    with opened(fresh) as db:
        ours = set(_shapes(db))
    hits = set()
    with opened(database) as db:
        hits = {
            Hit(f"table {name}", "not as the schema has it", "structure")
            for name, sql in _shapes(db)
            if (name, sql) not in ours
        }
        if any(fault != "ok" for (fault,) in db.execute("PRAGMA integrity_check")):
            hits.add(Hit("the store", "a cell against the rules of its column", "integrity"))
        for table in metadata.sorted_tables:
            for constraint in table.constraints:
                if (condition := getattr(constraint, "sqltext", None)) is not None:
                    # Our own names and conditions, no value from outside.
                    query = f"SELECT count(*) FROM {table.name} WHERE NOT ({condition})"  # noqa: S608
                    if db.execute(query).fetchone()[0]:
                        hits.add(Hit(f"table {table.name}", f"a cell against {constraint.name}", "rule"))
    return hits


@contextlib.contextmanager
def opened(database: Path) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write, closed at the end of the block."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)) as db:
        yield db


def _shapes(db: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    yield from db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
