"""A session of the store, step by step and always the same: what stands after each step is known beforehand.

Every step is one call, and so one transaction. Together they write to every table: authorizations, channels,
messages with media, restrictions and counters, flags, lists, sessions, cursors and the events of all these.
"""

import hashlib
import tempfile
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Connection

from monitor.model import Batch, Counters, EventType, MessageRecord, Refusal, Restriction, SessionState
from monitor.store import SqlStore, open_store
from tests.contract.making import (
    AUTHORIZATION,
    CHANNEL,
    batch,
    declared,
    gone,
    hash_list,
    later,
    matched,
    message,
    picture,
    profile,
    span,
)

NAME = "example_one"
SIZE = 40
"""Messages in one step."""
STEPS_A_TURN = 9


def opened(path: Path) -> AbstractAsyncContextManager[SqlStore]:
    """The store at `path`, with zeros for the random bytes of events: equal steps leave equal rows."""
    return open_store(path, salt=bytes)


async def perform(store: SqlStore, step: int) -> None:
    """Do the step of that number, from 0."""
    turn, kind = divmod(step, STEPS_A_TURN)
    first = 2 * SIZE * turn
    match kind:
        case 0:
            renewed = replace(AUTHORIZATION, reference=f"IRB-{turn}")
            await store.declare([declared(NAME, authorization=renewed)], later(turn))
        case 1:
            await store.joined(NAME, profile(participants=turn), "main", later(turn))
        case 2:
            await store.record([_covering(first, turn)])
        case 3:
            await store.examined(matched(_media(first + 1), at=later(turn)))
        case 4:
            forgotten = gone(first + 2, at=later(turn))
            await store.record([_covering(first + SIZE, turn), forgotten])
        case 5:
            await store.list_loaded(hash_list(count=turn + 1), later(turn))
        case 6:
            key = bytes([turn % 256]) * 256
            await store.save_session(
                SessionState("main", 2, "127.0.0.1", 443, key, user_id=7, peers={CHANNEL: turn})
            )
        case 7:
            await store.append(EventType.EXPORT_MADE, {"rows": turn}, later(turn))
        case 8:
            await store.refused(NAME, Refusal.EXPIRED, later(turn))
        case _:
            raise AssertionError(kind)


def _covering(after: int, turn: int) -> Batch:
    return batch(
        *(_post(number, turn) for number in range(after + 1, after + SIZE + 1)),
        span=span(after, after + SIZE),
    )


def _media(number: int) -> int:
    """Ids all over the range, as the platform's are: many pages change, and the log is soon due for a checkpoint."""
    return number * 2_654_435_761 % 2**40


def _post(number: int, turn: int) -> MessageRecord:
    return message(
        number,
        media=picture(_media(number)),
        counters=Counters(views=number),
        restrictions=(Restriction("all", f"terms-{turn}"),),
    )


def digest(conn: Connection) -> str:
    """One value for all rows of all tables. Raises AssertionError when SQLite finds the file damaged."""
    assert conn.exec_driver_sql("PRAGMA integrity_check").scalars().all() == ["ok"]
    assert conn.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    tables = conn.exec_driver_sql("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    total = hashlib.sha256()
    for table in tables.scalars().all():
        total.update(table.encode())
        for row in conn.exec_driver_sql(f'SELECT * FROM "{table}"'):  # noqa: S608  # a name of our schema
            total.update(repr(tuple(row)).encode())
    return total.hexdigest()


async def reference(steps: int) -> Mapping[str, int]:
    """How many steps a store has behind it, by its digest: from 0 to `steps`, done without any fault."""
    with tempfile.TemporaryDirectory() as folder:
        async with opened(Path(folder) / "store.sqlite3") as store:
            known = {await store.reader.run(digest): 0}
            for step in range(steps):
                await perform(store, step)
                known[await store.reader.run(digest)] = step + 1
    assert len(known) == steps + 1, "a step that changes nothing proves nothing"
    return known


async def survey(path: Path, known: Mapping[str, int]) -> int:
    """Open the store as a start would; returns how many steps it has behind it, exactly and wholly.

    Raises AssertionError when it is damaged, or holds anything else than what so many steps leave.
    """
    async with opened(path) as store:
        found = known.get(await store.reader.run(digest))
    assert found is not None, "something is lost, doubled or half done"
    return found
