"""The ways to a store: made or upgraded to write to, or as it is to read from."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from monitor.store import engine, migrate
from monitor.store.events import Salt
from monitor.store.reader import Reader, reading
from monitor.store.store import SqlStore
from monitor.store.writing import Writer

BUSY_TIMEOUT = 10.0
"""Seconds to wait for another process that writes."""
FLOOD_GUARD = 100
"""Media items that one entry may match within an hour."""


@asynccontextmanager
async def open_store(
    path: str | os.PathLike[str],
    *,
    busy_timeout: float = BUSY_TIMEOUT,
    salt: Salt = os.urandom,
    flood_guard: int = FLOOD_GUARD,
) -> AsyncIterator[SqlStore]:
    """The store in the SQLite database at `path`, created (0600, its folders 0700) or upgraded if needed.

    `busy_timeout` in seconds; `salt` gives the random bytes of events; `flood_guard` is the number of media items
    that one entry may match within an hour before its flags are held back. Raises StoreBusy, StoreCorrupt (also
    for a database of a newer version), StoreUnavailable.
    """
    path = Path(path)
    engine.create_private(path, busy_timeout)
    with Writer(path, busy_timeout) as writer:
        await writer.run(migrate.upgrade, path)
        async with reading(path, busy_timeout) as reader:
            store = SqlStore(path, writer, reader, salt, flood_guard)
            try:
                yield store
            finally:
                await store.finish()


async def upgraded(
    path: str | os.PathLike[str], *, busy_timeout: float = BUSY_TIMEOUT
) -> tuple[str | None, str]:
    """Bring the store at `path` to the newest schema: its revision before (None of an empty one) and after.

    Raises as `open_store` does, and StoreUnavailable when there is none.
    """
    path = Path(path)
    engine.check_file(path)
    async with reading(path, busy_timeout) as reader:
        before = await reader.run(migrate.check, path)
    async with open_store(path, busy_timeout=busy_timeout):
        return before, migrate.REVISIONS[-1]


@asynccontextmanager
async def open_reader(
    path: str | os.PathLike[str], *, busy_timeout: float = BUSY_TIMEOUT
) -> AsyncIterator[Reader]:
    """What is in the store at `path`, for status and exports; also while a daemon writes to it.

    Raises StoreUnavailable when there is none, StoreCorrupt when its schema is not this version's.
    """
    path = Path(path)
    engine.check_file(path)
    async with reading(path, busy_timeout) as reader:
        await reader.check()
        yield reader
