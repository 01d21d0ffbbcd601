"""A backup is the store at one moment, whole or not at all; a restore loses nothing that must be provable."""

import asyncio
import hashlib
import os
import re
import shutil
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from monitor.errors import InputError
from monitor.model import EventType
from monitor.store import SqlStore, open_store, upgraded
from monitor.store.backup import Restored, back_up, check, restore
from monitor.store.erasure import erase_events
from tests.contract.making import START, batch, later, message
from tests.unit.store.test_sqlite import sql

WHO: dict[str, Any] = {"operator": "root", "at": later(1)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "monitor.db"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "copy.db"


@pytest.fixture
def aside(path: Path) -> Path:
    return path.with_name("monitor.db.before")


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqlStore]:
    async with open_store(path) as store:
        await store.record([batch(*(message(n) for n in range(1, 101)))])
        await store.append(EventType.SIGNED_IN, {"account": "main"}, START)
        yield store


async def messages(path: Path) -> int:
    async with open_store(path) as store:
        return (await store.totals()).messages


def names(folder: Path) -> list[str]:
    """The files in a folder, sorted."""
    return sorted(file.name for file in folder.iterdir() if file.is_file())


def private(path: Path) -> bool:
    return stat.S_IMODE(path.stat().st_mode) == 0o600


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def harmed(copy: Path, harm: str) -> None:
    """Do something to a backup that should not be done."""
    data = bytearray(copy.read_bytes())
    copy.unlink()
    match harm:
        case "cut":
            copy.write_bytes(data[: len(data) // 2])
        case "overwritten":
            data[4096 * 5 : 4096 * 5 + 200] = b"\xff" * 200
            copy.write_bytes(data)
        case "text":
            copy.write_text("not a database")
        case "another program's":
            sql(copy, "CREATE TABLE notes (words TEXT)")
        case "newer":
            copy.write_bytes(data)
            sql(copy, "UPDATE alembic_version SET version_num = '9999'")


def ruin(path: Path) -> None:
    """What a failing disk may leave."""
    path.write_bytes(b"what was here? " * 1000)
    path.with_name("monitor.db-wal").write_bytes(b"left behind by a crash")


async def test_a_backup_is_one_private_file_with_all_there_is(
    store: SqlStore, path: Path, copy: Path
) -> None:
    made = await back_up(store, path, copy, **WHO)
    assert names(copy.parent) == ["copy.db"]
    assert private(copy)
    assert (made.sha256, made.events, check(copy)) == (sha256(copy), 1, 1)
    event = [e async for e in store.reader.events()][-1]
    assert (event.type, event.body) == (
        EventType.BACKUP_MADE,
        {"operator": "root", "sha256": made.sha256, "events": 1},
    )
    for table in ("messages", "absences", "coverage"):
        assert sql(copy, f"SELECT * FROM {table}") == sql(path, f"SELECT * FROM {table}")  # noqa: S608 # ours


async def test_a_backup_beside_a_writer_is_of_one_moment(store: SqlStore, path: Path, tmp_path: Path) -> None:
    stop = asyncio.Event()

    async def write() -> None:
        number = 100
        while not stop.is_set():
            number += 2
            await store.record([batch(message(number - 1), message(number))])

    writing = asyncio.create_task(write())
    copies = [tmp_path / f"copy-{number}.db" for number in range(5)]
    try:
        for copy in copies:
            await back_up(store, path, copy, **WHO)
    finally:
        stop.set()
        await writing
    counts = [sql(copy, "SELECT count(*), max(message_id) FROM messages")[0] for copy in copies]
    assert all(count == top for count, top in counts)
    assert all(int(str(count)) % 2 == 0 for count, _ in counts), "half a transaction"
    assert counts[0] != counts[-1], "or nothing was written meanwhile"


async def test_nothing_is_replaced_and_nothing_is_left_behind(
    store: SqlStore, path: Path, copy: Path
) -> None:
    sql(copy, "CREATE TABLE precious (words TEXT)")
    before = sha256(copy)
    with pytest.raises(InputError, match="exists already"):
        await back_up(store, path, copy, **WHO)
    with pytest.raises(InputError, match="cannot be written"):
        await back_up(store, path, copy.parent / "no-such-folder" / "copy.db", **WHO)
    assert (sha256(copy), names(copy.parent)) == (before, ["copy.db"])
    assert await store.reader.next_event() == 1


@pytest.mark.parametrize("harm", ["cut", "overwritten", "text", "another program's", "newer", "taken away"])
async def test_what_is_no_backup_of_ours_is_refused_and_the_store_stays(
    path: Path, copy: Path, aside: Path, harm: str
) -> None:
    async with open_store(path) as store:
        await store.record([batch(*(message(n) for n in range(1, 101)))])
        await back_up(store, path, copy, **WHO)
    harmed(copy, harm)
    before = sha256(path)
    with pytest.raises(InputError, match=re.escape(str(copy))):
        await restore(path, copy, aside, **WHO)
    assert (sha256(path), names(path.parent)) == (before, ["monitor.db"])


async def test_a_restore_brings_the_rows_back_and_keeps_the_store_aside(
    path: Path, copy: Path, aside: Path
) -> None:
    async with open_store(path) as store:
        await store.record([batch(message(1), message(2))])
        made = await back_up(store, path, copy, **WHO)
        await store.record([batch(message(3))])
    assert await restore(path, copy, aside, operator="root", at=later(5)) == Restored(0, 1, 0, aside)
    assert (await messages(path), await messages(aside)) == (2, 3)
    assert private(path)
    assert names(path.parent) == ["monitor.db", "monitor.db.before"]
    async with open_store(path) as store:
        events = [e async for e in store.reader.events()]
    assert [e.type for e in events] == [EventType.BACKUP_MADE, EventType.STORE_RESTORED]
    assert events[-1].body == {"operator": "root", "sha256": made.sha256, "events": 0, "carried": 1}


async def test_events_after_the_backup_are_carried_over_and_erased_ones_stay_erased(
    path: Path, copy: Path, aside: Path
) -> None:
    async with open_store(path) as store:
        for number in range(5):
            await store.append(EventType.EXPORT_MADE, {"purpose": f"number {number}"}, START)
        await back_up(store, path, copy, **WHO)
        await store.append(EventType.EXPORT_MADE, {"purpose": "after"}, START)
        await erase_events(store, [1, 6], explanation="asked", operator="root", at=START)
    before = sql(path, "SELECT * FROM events ORDER BY seq")
    done = await restore(path, copy, aside, operator="root", at=later(5))
    assert done == Restored(events=5, carried=3, erasures=1, aside=aside)
    rows = sql(path, "SELECT * FROM events ORDER BY seq")
    assert rows[:-1] == before, "the report log would not verify"
    assert rows[1][-1] is rows[6][-1] is None


async def test_a_damaged_store_is_replaced_whatever_lies_beside_it(
    path: Path, copy: Path, aside: Path
) -> None:
    async with open_store(path) as store:
        await store.record([batch(message(1))])
        await back_up(store, path, copy, **WHO)
    ruin(path)
    ruined = sha256(path)
    assert await restore(path, copy, aside, operator="root", at=later(5)) == Restored(0, None, 0, aside)
    assert await messages(path) == 1
    assert sha256(aside) == ruined
    assert "monitor.db-wal" not in names(path.parent)


async def test_what_a_killed_daemon_left_in_the_log_goes_with_the_store_before(
    path: Path, copy: Path, tmp_path: Path
) -> None:
    killed = tmp_path / "killed" / "monitor.db"
    async with open_store(path) as store:
        await back_up(store, path, copy, **WHO)
        await store.record([batch(*(message(n) for n in range(1, 101)))])
        shutil.copytree(path.parent, killed.parent)
    assert "monitor.db-wal" in names(killed.parent)
    aside = killed.with_name("before.db")
    assert await restore(killed, copy, aside, operator="root", at=later(5)) == Restored(0, 1, 0, aside)
    assert (await messages(killed), await messages(aside)) == (0, 100)


async def test_a_restore_where_there_was_no_store_makes_one(path: Path, copy: Path, aside: Path) -> None:
    async with open_store(path) as store:
        await store.record([batch(message(1))])
        await back_up(store, path, copy, **WHO)
    os.unlink(path)
    assert await restore(path, copy, aside, operator="root", at=later(5)) == Restored(0, None, 0, None)
    assert await messages(path) == 1


async def test_the_backup_of_another_store_takes_nothing_over(path: Path, copy: Path, aside: Path) -> None:
    theirs = copy.with_name("other.db")
    async with open_store(theirs) as other:
        await other.append(EventType.SIGNED_IN, {"account": "theirs"}, START)
        await back_up(other, theirs, copy, **WHO)
    async with open_store(path) as store:
        for _ in range(3):
            await store.append(EventType.SIGNED_IN, {"account": "main"}, START)
    done = await restore(path, copy, aside, operator="root", at=later(5))
    assert done == Restored(events=1, carried=None, erasures=0, aside=aside)
    assert sql(path, "SELECT count(*) FROM events") == [(2,)]


async def test_an_upgrade_says_from_where_to_where(path: Path, store: SqlStore) -> None:
    assert await upgraded(path) == ("0001", "0001")
    assert (await store.totals()).messages == 100
