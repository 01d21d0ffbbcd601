"""What holds of the SQLite store beyond the contract: files, locks, damage, versions, readers."""

import asyncio
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from monitor.errors import MonitorError, StoreBusy, StoreCorrupt, StoreUnavailable
from monitor.model import Counters, EventType
from monitor.store import open_reader, open_store
from monitor.store.events import Salt
from tests.contract.making import (
    CHANNEL,
    START,
    batch,
    cursor,
    declared,
    later,
    message,
    picture,
    profile,
    span,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "store.sqlite3"


@pytest.fixture(params=[0o000, 0o022, 0o777], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def sql(path: Path, *statements: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as db:
        rows: list[tuple[object, ...]] = []
        for statement in statements:
            rows = db.execute(statement).fetchall()
        db.commit()
        return rows


@pytest.mark.usefixtures("umask")
async def test_files_are_private_whatever_the_umask(path: Path) -> None:
    async with open_store(path) as store:
        await store.record([batch(message(1))])
        files = sorted(path.parent.iterdir())
        assert [file.suffix for file in files] == [".sqlite3", ".sqlite3-shm", ".sqlite3-wal"]
        assert [mode(file) for file in files] == [0o600] * 3
        assert mode(path.parent) == 0o700


async def test_a_file_that_others_could_read_is_closed_to_them(path: Path) -> None:
    async with open_store(path):
        pass
    os.chmod(path, 0o644)
    os.chmod(path.parent, 0o740)
    async with open_store(path):
        assert mode(path) == 0o600
        assert mode(path.parent) == 0o740, "a folder that was there is its owner's business"


async def test_each_connection_is_set_up_for_durability_and_silence(path: Path) -> None:
    def read(conn: Connection, *_: Salt) -> dict[str, object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "secure_delete", "temp_store", "query_only")
        return {name: conn.execute(text(f"PRAGMA {name}")).scalar() for name in names}

    async with open_store(path) as store:
        kept = {
            "journal_mode": "wal",
            "synchronous": 2,
            "foreign_keys": 1,
            "secure_delete": 1,
            "temp_store": 2,
        }
        assert await store.run(read) == kept | {"query_only": 0}
        assert await store.reader.run(read) == kept | {"query_only": 1}


async def test_closing_leaves_one_file(path: Path) -> None:
    async with open_store(path) as store:
        await store.record([batch(message(1))])
    assert [file.name for file in path.parent.iterdir()] == ["store.sqlite3"]


async def test_counts_are_kept_over_time(path: Path) -> None:
    seen = [(1, 5), (2, 5), (3, 9), (4, None), (5, 9)]
    async with open_store(path) as store:
        for at, views in seen:
            counters = Counters(views=views, reactions=0)
            await store.record([batch(message(1, counters=counters, first_seen_at=later(at)))])
        await store.record([batch(message(2))])
    rows = sql(path, "SELECT message_id, views, reactions FROM counters ORDER BY message_id, at")
    assert rows == [(1, 5, 0), (1, 9, 0), (1, None, 0), (1, 9, 0)]


async def test_events_are_canonical_json_with_a_salt_of_their_own(path: Path) -> None:
    salts = iter([b"a" * 32, b"b" * 32])
    async with open_store(path, salt=lambda size: next(salts)) as store:
        for _ in range(2):
            await store.append(EventType.EXPORT_MADE, {"terms": "é", "b": 1, "c": None, "d": True}, START)
    rows = sql(path, "SELECT salt, body FROM events ORDER BY seq")
    body = '{"b":1,"c":null,"d":true,"terms":"é"}'.encode()
    assert rows == [(b"a" * 32, body), (b"b" * 32, body)]


# -- locks


async def test_a_store_that_another_process_holds_is_busy(path: Path) -> None:
    async with open_store(path, busy_timeout=0.1) as store:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreBusy, match="another process"):
                await store.record([batch(message(1))])
            assert await cursor(store, CHANNEL) == 0
            other.execute("ROLLBACK")
        assert (await store.record([batch(message(1))])).new == 1


async def test_a_writer_waits_for_another_that_is_short(path: Path) -> None:
    async with open_store(path, busy_timeout=10) as store:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            recording = asyncio.create_task(store.record([batch(message(1))]))
            await asyncio.sleep(0.1)
            assert not recording.done()
            other.execute("ROLLBACK")
            assert (await recording).new == 1


async def test_two_stores_on_one_file_take_turns(path: Path) -> None:
    async with open_store(path) as one, open_store(path) as two:
        calls = [store.append(EventType.SIGNED_IN, {}, START) for store in (one, two) for _ in range(20)]
        assert sorted(await asyncio.gather(*calls)) == list(range(40))


async def test_many_can_open_a_new_store_at_once(path: Path) -> None:
    async def use(number: int) -> None:
        async with open_store(path) as store:
            await store.record([batch(message(number))])

    await asyncio.gather(*(use(number) for number in range(1, 5)))
    async with open_reader(path) as reader:
        assert (await reader.totals()).messages == 4


async def test_a_caller_that_leaves_does_not_take_its_transaction_with_it(path: Path) -> None:
    async with open_store(path) as store:
        recording = asyncio.create_task(store.record([batch(message(1))]))
        await asyncio.sleep(0)
        recording.cancel()
        with pytest.raises(asyncio.CancelledError):
            await recording
    async with open_reader(path) as reader:
        assert (await reader.totals()).messages == 1


# -- readers


async def test_a_reader_sees_one_state_while_a_daemon_writes(path: Path) -> None:
    async with open_store(path) as store, open_reader(path) as reader:
        await store.record([batch(*(message(n) for n in range(1, 2_001)))])
        rows = reader.message_rows()
        assert (await anext(rows))["message_id"] == 1
        await store.record([batch(*(message(n) for n in range(2_001, 4_001)))])
        assert len([row async for row in rows]) == 1_999
        assert (await reader.totals()).messages == 4_000


async def test_a_reader_works_without_a_daemon_and_cannot_write(path: Path) -> None:
    async with open_store(path) as store:
        await store.record([batch(message(1))])

    def write(conn: Connection) -> None:
        conn.execute(text("DELETE FROM messages"))

    async with open_reader(path) as reader:
        assert (await reader.totals()).messages == 1
        with pytest.raises(StoreUnavailable):
            await reader.run(write)
        assert (await reader.totals()).messages == 1


async def test_status_of_each_channel(path: Path) -> None:
    async with open_store(path) as store:
        await store.declare([declared("b_two"), declared("a_one")], START)
        await store.joined("b_two", profile(), "main", START)
        await store.record([batch(message(1, media=picture(1)), message(7), span=span(0, 3))])
        one, two = await store.reader.channel_status()
        assert (one.username, one.channel_id, one.messages, one.cursor, one.top) == ("a_one", None, 0, 0, 0)
        assert (two.username, two.channel_id, two.messages, two.cursor, two.top) == (
            "b_two",
            CHANNEL,
            2,
            3,
            7,
        )
        assert (one.last_posted_at, two.last_posted_at) == (None, later(7))


# -- what cannot be used: one clear line that names the file


@pytest.fixture
async def closed(path: Path) -> Path:
    async with open_store(path) as store:
        await store.record([batch(*(message(n) for n in range(1, 500)))])
    return path


async def refusal(path: Path, opening: object) -> MonitorError:
    with pytest.raises(MonitorError) as refused:
        async with opening(path) as opened:  # type: ignore[operator] # one of two functions
            await opened.channels()
            _ = [row async for row in getattr(opened, "reader", opened).message_rows()]
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)
    return refused.value


BOTH = pytest.mark.parametrize("opening", [open_store, open_reader])


@BOTH
async def test_a_store_of_a_newer_version_is_refused(closed: Path, opening: object) -> None:
    sql(closed, "UPDATE alembic_version SET version_num = '9999'")
    error = await refusal(closed, opening)
    assert isinstance(error, StoreCorrupt)
    assert "newer version" in str(error) and "9999" in str(error)
    assert sql(closed, "SELECT count(*) FROM messages") == [(499,)]


@BOTH
async def test_a_database_of_another_program_is_refused(tmp_path: Path, opening: object) -> None:
    path = tmp_path / "other.sqlite3"
    sql(path, "CREATE TABLE theirs (id INTEGER)")
    assert isinstance(await refusal(path, opening), StoreCorrupt)
    assert sql(path, "SELECT name FROM sqlite_master") == [("theirs",)]


@BOTH
async def test_a_file_that_is_no_database_is_refused(tmp_path: Path, opening: object) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to be looked at " * 100, encoding="utf-8")
    assert isinstance(await refusal(path, opening), StoreCorrupt)


def damage(path: Path) -> None:
    pages = bytearray(path.read_bytes())
    for page in range(4096, len(pages), 4096):
        pages[page : page + 2000] = bytes(range(250)) * 8
    path.write_bytes(pages)


@BOTH
async def test_a_damaged_store_is_refused(closed: Path, opening: object) -> None:
    damage(closed)
    assert isinstance(await refusal(closed, opening), StoreCorrupt)


async def test_a_store_that_is_not_there_cannot_be_read(path: Path) -> None:
    assert isinstance(await refusal(path, open_reader), StoreUnavailable)
    with pytest.raises(FileNotFoundError):
        mode(path)


async def test_an_empty_file_holds_no_store_yet(tmp_path: Path) -> None:
    path = tmp_path / "empty.sqlite3"
    path.touch()
    error = await refusal(path, open_reader)
    assert isinstance(error, StoreUnavailable)
    assert "no store yet" in str(error)


@BOTH
async def test_a_folder_is_not_a_store(tmp_path: Path, opening: object) -> None:
    assert isinstance(await refusal(tmp_path, opening), StoreUnavailable)


async def test_a_path_below_a_file_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert isinstance(await refusal(tmp_path / "file" / "store.sqlite3", open_store), StoreUnavailable)


async def test_a_full_disk_is_named(path: Path) -> None:
    async with open_store(path) as store:
        await store.record([batch(message(1))])

        def limit(conn: Connection, salt: Salt) -> None:
            pages = conn.execute(text("PRAGMA page_count")).scalar_one()
            conn.execute(text(f"PRAGMA max_page_count = {pages}"))

        await store.run(limit)
        with pytest.raises(StoreUnavailable, match="disk is full"):
            await store.record([batch(*(message(n) for n in range(2, 5_000)))])
        assert len([row async for row in store.reader.message_rows()]) == 1


@pytest.mark.parametrize("milliseconds", range(6))
def test_a_question_that_nobody_waits_for_any_more_is_answered_before_the_store_closes(
    tmp_path: Path, milliseconds: int
) -> None:
    # A thread that answers later finds no event loop, and a task that waits for it never ends.
    async def ask_and_leave() -> None:
        async with open_store(tmp_path / "monitor.db") as store:
            asking = asyncio.create_task(store.reader.totals())
            await asyncio.sleep(milliseconds / 1000)
            asking.cancel()

    for _ in range(5):
        asyncio.run(ask_and_leave())
