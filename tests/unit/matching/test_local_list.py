"""A list that is kept here: changed whole or not at all, by one at a time; what is over is left out."""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.errors import HashListError
from monitor.matching import HashList, ListMatcher, encrypt_list, load_lists
from monitor.matching.local_list import HEADER, LocalRow, changing, new_entry, read_local
from monitor.model import Algorithm, Hash, ListAction, MediaHashes, Terms

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TERMS = Terms("kept here", "consent", frozenset({"detect"}))
KEY = bytes(range(32))


def row(number: int, expires: datetime | None = None, entry: str | None = None) -> LocalRow:
    value = random.Random(number).randbytes(32).hex()
    return LocalRow(
        entry or f"local-{number}", "adult_filmed", expires, "C-1", "K-1", Algorithm.SHA256, value
    )


def add(path: Path, *new: LocalRow, key: bytes | None = None, at: datetime = NOW) -> None:
    with changing(path, key, at) as rows:
        rows += new


def loaded(path: Path, at: datetime = NOW, key: bytes | None = None) -> tuple[HashList, ...]:
    return load_lists(
        path, name="desk", format="local", action=ListAction.REVIEW, terms=TERMS, key=key, at=at
    )


def entries(path: Path, at: datetime = NOW) -> list[str]:
    return [entry.entry for found in loaded(path, at) for entry in found]


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    return tmp_path / "lists" / "desk.csv"


def test_what_is_added_is_read_again_and_is_ours_alone(desk: Path) -> None:
    rows = [row(1), row(2, NOW + timedelta(days=1))]
    add(desk, *rows)
    assert read_local(desk) == rows
    assert (desk.stat().st_mode & 0o777, desk.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert entries(desk) == ["local-1", "local-2"]
    assert [path.name for path in desk.parent.iterdir()] == ["desk.csv"]


def test_an_entry_that_is_over_matches_nothing_and_leaves_with_the_next_change(desk: Path) -> None:
    end = NOW + timedelta(days=1)
    add(desk, row(1, end), row(2))
    assert entries(desk, end) == ["local-1", "local-2"]
    over = end + timedelta(seconds=1)
    assert entries(desk, over) == ["local-2"]
    assert len(read_local(desk)) == 2
    add(desk, row(3), at=over)
    assert [each.entry for each in read_local(desk)] == ["local-2", "local-3"]


def test_a_list_of_which_nothing_is_left_is_an_empty_one(desk: Path) -> None:
    add(desk, row(1))
    with changing(desk, None, NOW) as rows:
        rows.clear()
    (empty,) = loaded(desk)
    assert (len(empty), empty.version.algorithm) == (0, Algorithm.SHA256)
    was = MediaHashes((Hash(Algorithm.SHA256, bytes.fromhex(row(1).value)),))
    assert ListMatcher([empty]).match(was) == ()


def test_a_change_that_fails_leaves_the_list_as_it_was(desk: Path) -> None:
    add(desk, row(1))
    before = desk.read_bytes()
    with pytest.raises(RuntimeError), changing(desk, None, NOW) as rows:
        rows.clear()
        raise RuntimeError
    assert desk.read_bytes() == before


def test_what_a_killed_writer_left_half_written_is_no_part_of_the_list(desk: Path) -> None:
    add(desk, row(1))
    half = desk.with_name(".desk.csv.new")
    half.write_text(f"{HEADER}\nlocal-2,adult")
    assert entries(desk) == ["local-1"]
    add(desk, row(3))
    assert entries(desk) == ["local-1", "local-3"]
    assert not half.exists()


WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from monitor.matching.local_list import LocalRow, changing
from monitor.model import Algorithm

number = int(sys.argv[2])
print("begun", flush=True)
while True:
    number += 1
    with changing(Path(sys.argv[1]), None, datetime.now(UTC)) as rows:
        both = [LocalRow(f"local-{number}", "", None, "C-1", "K-1", a, f"{number:0{a.size * 2}x}")
                for a in (Algorithm.SHA256, Algorithm.PDQ)]
        rows[:] = [*rows[-40:], *both]
    print(number, flush=True)
"""


def test_a_killed_writer_leaves_the_old_list_or_the_new_one(desk: Path) -> None:
    chance, done = random.Random(7), 0
    for _ in range(12):
        command = [sys.executable, "-c", WRITER, str(desk), str(done)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "begun\n"
            time.sleep(chance.uniform(0.01, 0.06))
            writer.send_signal(signal.SIGKILL)
            said = [int(line) for line in writer.stdout if line.endswith("\n")]
        done = max([done, *said])
        rows = read_local(desk)
        numbers = [int(each.entry.removeprefix("local-")) for each in rows]
        # All that was acknowledged is there, each entry whole, in an unbroken run.
        if done:
            assert numbers[-1] in (done, done + 1)
            assert numbers == [n for n in range(numbers[0], numbers[-1] + 1) for _ in range(2)]
            done = numbers[-1]
    assert done > 12


def _add_ten(path: str, first: int, together: Barrier) -> None:
    together.wait(60)
    for number in range(first, first + 10):
        add(Path(path), row(number))


def test_two_desks_at_once_lose_nothing(desk: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    together = spawn.Barrier(3)
    writers = [spawn.Process(target=_add_ten, args=(str(desk), first, together)) for first in (100, 200, 300)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    assert len(set(entries(desk))) == 30


def test_what_was_removed_is_overwritten_and_what_is_read_meanwhile_is_no_list(desk: Path) -> None:
    add(desk, row(1), row(2))
    with open(desk, "rb") as old:
        with changing(desk, None, NOW) as rows:
            del rows[0]
        assert not any(old.read())
        # Whoever has the old file open sees no shorter list in it, but none.
        gone = desk.with_name("gone.csv")
        gone.touch(0o600)
        gone.write_bytes(bytes(os.fstat(old.fileno()).st_size))
    with pytest.raises(HashListError, match="zero byte"):
        loaded(gone)


def test_an_encrypted_list_stays_one(desk: Path) -> None:
    add(desk, row(1))
    sealed = desk.with_suffix(".csv.sealed")
    encrypt_list(desk, sealed, KEY)
    add(sealed, row(2), key=KEY)
    assert [each.entry for each in read_local(sealed, KEY)] == ["local-1", "local-2"]
    (found,) = loaded(sealed, key=KEY)
    assert len(found) == 2
    assert b"local-" not in sealed.read_bytes()
    with pytest.raises(HashListError, match="is encrypted"):
        add(sealed, row(3))


def test_a_list_that_is_open_to_others_is_not_added_to(desk: Path) -> None:
    add(desk, row(1))
    desk.chmod(0o644)
    with pytest.raises(HashListError, match="chmod 600"):
        add(desk, row(2))


BAD = {
    "local-1,,,C-1,K-1,sha256": "6 columns",
    "local-1,,,C-1,K-1,md4,00": "not an algorithm",
    ",,,C-1,K-1,sha256," + "0" * 64: "no entry",
    "local-1,,,,K-1,sha256," + "0" * 64: "a reference",
    "local-1,,,Jane Doe,K-1,sha256," + "0" * 64: "a reference",
    "local-1,,tomorrow,C-1,K-1,sha256," + "0" * 64: "not a time",
    "local-1,,,C-1,K-1,sha256," + "0" * 63: "not the 64 hex digits",
    "local-1,,,C-1,K-1,sha256," + "z" * 64: "not the 64 hex digits",
}


@pytest.mark.parametrize("line", BAD)
def test_a_bad_line_stops_reading_and_writing_and_is_named_by_number_alone(desk: Path, line: str) -> None:
    add(desk, row(1))
    with open(desk, "a") as file:
        file.write(f"{line}\n")
    before = desk.read_bytes()
    for use in (loaded, add):
        with pytest.raises(HashListError) as caught:
            use(desk)
        assert "line 3" in str(caught.value)
        assert BAD[line] in str(caught.value)
        assert "Jane" not in str(caught.value)
    assert desk.read_bytes() == before


def test_a_file_that_is_no_local_list_is_refused(desk: Path) -> None:
    desk.parent.mkdir()
    desk.touch(0o600)
    for text in ("", "\n", "sha256,entry\n"):
        desk.write_text(text)
        with pytest.raises(HashListError, match="line 1: a local list begins with entry,"):
            loaded(desk)


@settings(derandomize=True, deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(cut=st.integers(1, 400))
def test_a_list_cut_anywhere_but_between_lines_is_refused(desk: Path, cut: int) -> None:
    desk.unlink(missing_ok=True)
    add(desk, row(1), row(2), row(3))
    data = desk.read_bytes()
    at = cut % len(data)
    with open(desk, "wb") as file:
        file.write(data[:at])
    whole = data[:at].endswith(b"\n") or data[at : at + 1] == b"\n"
    if whole and at >= len(HEADER):
        loaded(desk)
    else:
        with pytest.raises(HashListError):
            loaded(desk)


def test_an_entry_says_nothing_about_its_file() -> None:
    made = {new_entry() for _ in range(100)}
    assert len(made) == 100
