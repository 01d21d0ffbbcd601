"""Adding to a log: in any steps the same files; what a crash leaves is written over; nobody else's log is touched."""

import stat
import threading
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from monitor.errors import ConfigError, LogUnavailable, VerificationError
from monitor.model import EventType
from monitor.reportlog import Signer, extend, known_checkpoint, open_log, project, tidy
from monitor.reportlog.tiles import CHECKPOINT, KEYS, tile_name, tiles
from monitor.reportlog.verifying import verify_events, verify_log
from monitor.store import open_store
from tests.contract.making import CHANNEL, later
from tests.unit.reportlog.making import OTHER_SIGNER, SIGNER, erase, execute, files, leaves, made, with_flags

STEPS = [
    (1, 2, 3),
    (255, 256, 257),
    (256,),
    (1, 600),
    (100, 512, 513),
    (700, 700),
    (66_000,),
    (3, 65_536, 65_537),
]


@pytest.mark.parametrize("steps", STEPS, ids=str)
def test_a_log_has_the_same_files_however_it_has_grown(tmp_path: Path, steps: tuple[int, ...]) -> None:
    grown, at_once = made(tmp_path / "grown", *steps), made(tmp_path / "once", steps[-1])
    assert files(grown) == files(at_once)
    wanted = {CHECKPOINT, KEYS, *(tile_name(*tile) for tile in tiles(steps[-1]))}
    assert set(files(grown)) == wanted
    assert verify_log(grown).checkpoint.size == steps[-1]


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    for path in made(tmp_path / "log", 300).rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_what_lies_beyond_the_checkpoint_is_written_over(tmp_path: Path) -> None:
    log = made(tmp_path / "log", 200)
    for name in (tile_name(0, 0, 201), tile_name(0, 0), tile_name(-1, 0), tile_name(1, 0, 1)):
        (log / name).parent.mkdir(parents=True, exist_ok=True)
        (log / name).write_bytes(b"torn")
    (log / "checkpoint.new").write_bytes(b"torn")
    extend(log, SIGNER, 200, leaves(300)[200:])
    assert tidy(log) == 1  # the partial tile; the others have their right content by now
    assert files(log) == files(made(tmp_path / "again", 300))


def test_tidying_leaves_what_no_writer_of_ours_leaves(tmp_path: Path) -> None:
    log = made(tmp_path / "log", 5)
    (log / "notes.txt").write_text("not ours")
    assert tidy(log) == 0
    with pytest.raises(VerificationError, match=r"notes\.txt: is no part of a log"):
        verify_log(log)


def test_leaves_that_the_log_has_already_are_not_added_again(tmp_path: Path) -> None:
    log = made(tmp_path / "log", 10)
    extend(log, SIGNER, 4, leaves(12)[4:])
    assert files(log) == files(made(tmp_path / "again", 12))


def test_another_store_cannot_go_on_with_the_log(tmp_path: Path) -> None:
    log = made(tmp_path / "log", 10)
    with pytest.raises(VerificationError, match="leaf 9 is not the event of that number"):
        extend(log, SIGNER, 9, leaves(12, seed=2)[9:])
    with pytest.raises(VerificationError, match="older backup"):
        extend(log, SIGNER, 5, leaves(7)[5:])
    with pytest.raises(VerificationError, match="had 11 before"):
        extend(log, SIGNER, 11, leaves(12)[11:])


def test_another_key_or_name_cannot_go_on_with_the_log(tmp_path: Path) -> None:
    log = made(tmp_path / "log", 10)
    with pytest.raises(ConfigError, match="signed with another key"):
        extend(log, OTHER_SIGNER, 10, leaves(11)[10:])
    with pytest.raises(ConfigError, match="stays its name"):
        extend(log, Signer("example.org/other", SIGNER.seed), 10, leaves(11)[10:])


def test_a_damaged_end_is_not_gone_on_with(tmp_path: Path) -> None:
    log = made(tmp_path / "log", 10)
    (log / tile_name(0, 0, 10)).write_bytes(bytes(320))
    with pytest.raises(VerificationError, match="not those of the checkpoint"):
        extend(log, SIGNER, 10, leaves(11)[10:])
    (log / KEYS).unlink()
    with pytest.raises(VerificationError, match="keys: is missing"):
        extend(log, SIGNER, 10, leaves(11)[10:])


def test_a_folder_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a file")
    with pytest.raises(LogUnavailable, match="cannot be read or written"):
        extend(tmp_path / "log", SIGNER, 0, leaves(1))


def test_two_that_add_at_the_same_time_take_turns(tmp_path: Path) -> None:
    log, known = tmp_path / "log", leaves(600)
    failed: list[BaseException] = []

    def add(step: int) -> None:
        try:
            for end in range(step, 600, step):
                size = getattr(known_checkpoint(log), "size", 0)
                extend(log, SIGNER, 0, known[: max(size, end)])
        except BaseException as e:
            failed.append(e)

    threads = [threading.Thread(target=add, args=(step,)) for step in (37, 50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # One may be behind the other, which it is told; none writes a log that is not one.
    assert all(isinstance(e, VerificationError) and "older backup" in str(e) for e in failed)
    extend(log, SIGNER, 0, known)
    assert files(log) == files(made(tmp_path / "again", 600))


def test_what_is_added_counts_when_it_is_committed(tmp_path: Path) -> None:
    with open_log(tmp_path / "log", SIGNER) as log:
        log.add(leaf.encode() for leaf in leaves(300))
        assert known_checkpoint(tmp_path / "log") is None
        log.commit()
    assert verify_log(tmp_path / "log").checkpoint.size == 300


# -- the projection of a store -------------------------------------------------------------------------------


async def test_each_event_is_the_leaf_of_its_number(tmp_path: Path) -> None:
    log = tmp_path / "log"
    async with open_store(tmp_path / "store.db") as store:
        assert await project(store.reader.leaves, log, SIGNER) is None and not log.exists()
        await with_flags(store)
        checkpoint = await project(store.reader.leaves, log, SIGNER)
        assert checkpoint is not None and checkpoint.size == await store.reader.next_event()
        assert await project(store.reader.leaves, log, SIGNER) == checkpoint
        async with aclosing(store.reader.leaves()) as rows:
            assert await verify_events(rows, log, checkpoint.size) == (0, 0)
        await store.append(EventType.EXPORT_MADE, {"rows": 1}, later(9))
        async with aclosing(store.reader.leaves()) as rows:
            assert await verify_events(rows, log, checkpoint.size) == (0, 1)


async def test_no_file_of_a_log_tells_where_anything_was_or_who_did_it(tmp_path: Path) -> None:
    log = tmp_path / "log"
    async with open_store(tmp_path / "store.db") as store:
        await with_flags(store)
        words = {"operator": "analyst-kim", "purpose": "handing over to the bureau"}
        await store.append(EventType.EXPORT_MADE, words, later(9))
        await project(store.reader.leaves, log, SIGNER)
        secret = {b"analyst-kim", b"bureau", b"example_one", b"Ethics", b"partner-a", str(CHANNEL).encode()}
        secret |= {CHANNEL.to_bytes(size, order) for size in (4, 8) for order in ("big", "little")}
        secret |= {str(900_000 + number).encode() for number in range(1, 7)}
        async with aclosing(store.reader.leaves()) as rows:
            bodies = [row["body"] async for row in rows]
    # The search finds them where they are: in the store.
    assert any(str(CHANNEL).encode() in body for body in bodies)
    assert any(b"analyst-kim" in body for body in bodies)
    for name, content in files(log).items():
        assert not [word for word in secret if word in content], name


@pytest.mark.parametrize("logged", [True, False], ids=["after it was logged", "before it was logged"])
async def test_the_log_verifies_when_a_body_is_erased(tmp_path: Path, logged: bool) -> None:
    log = tmp_path / "log"
    async with open_store(tmp_path / "store.db") as store:
        await with_flags(store)
        if logged:
            await project(store.reader.leaves, log, SIGNER)
        await erase(store, 3)
        checkpoint = await project(store.reader.leaves, log, SIGNER)
        assert checkpoint is not None and verify_log(log).checkpoint == checkpoint
        async with aclosing(store.reader.leaves()) as rows:
            assert await verify_events(rows, log, checkpoint.size) == (1, 0)


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ("UPDATE events SET body = CAST('{}' AS BLOB) WHERE seq = 3", "event 3: its body in the store"),
        ("UPDATE events SET salt = NULL WHERE seq = 3", "event 3: of body and salt"),
        ("UPDATE events SET at = at + 1 WHERE seq = 3", "event 3: the store has it otherwise"),
        ("UPDATE events SET type = 'signed_in' WHERE seq = 3", "event 3: the store has it otherwise"),
        ("DELETE FROM events WHERE seq = 3", "event 3: is missing"),
        ("DELETE FROM events WHERE seq > 3", "event 4: is missing in the store, while the log has it"),
    ],
)
async def test_events_that_were_changed_are_found(tmp_path: Path, change: str, wrong: str) -> None:
    log = tmp_path / "log"
    async with open_store(tmp_path / "store.db") as store:
        await with_flags(store)
        checkpoint = await project(store.reader.leaves, log, SIGNER)
        assert checkpoint is not None
        await execute(store, "DELETE FROM case_events")
        await execute(store, change)
        async with aclosing(store.reader.leaves()) as rows:
            with pytest.raises(VerificationError, match=wrong):
                await verify_events(rows, log, checkpoint.size)


async def test_a_store_without_one_of_its_events_is_not_logged(tmp_path: Path) -> None:
    async def rows(first: int) -> AsyncGenerator[dict[str, Any], None]:
        for seq in (0, 2):
            yield {"seq": seq, "type": "flag_raised", "at": later(seq), "commitment": bytes(32)}

    with pytest.raises(VerificationError, match="event 1 is missing"):
        await project(rows, tmp_path / "log", SIGNER)
