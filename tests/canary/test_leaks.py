"""Leaks planted on purpose, each in another way, and each is caught; without one nothing is found."""

import sqlite3
import sys
from pathlib import Path

import pytest

from monitor.selftest import device, trace
from monitor.selftest.cells import cells
from monitor.selftest.markers import Markers
from monitor.selftest.search import Hit, Search
from monitor.selftest.watch import everything, raw_device, watching
from monitor.store import open_store
from monitor.testdc.canaries import marked_pictures
from tests.canary.leak import WAYS

LEAKS = [name for name in WAYS if name != "harmless"]
NEED_STRACE = {
    "name_of_a_file_renamed",
    "name_of_a_folder_removed",
    "temporary_file_deleted",
    "written_in_pieces",
    "mapped_file_deleted",
    "shared_memory_file",
    "memory_file",
    "argument_of_a_child",
    "environment_of_a_child",
    "text_through_a_pipe",
    "text_through_a_socket",
    "copied_unseen",
}
"""What leaves nothing behind in a file."""

CORES = Path("/proc/sys/kernel/core_pattern").read_text()

strace = pytest.mark.skipif(trace.available() is None, reason="no strace that may trace")


async def run(way: str, home: Path, *, under_strace: bool, on_device: bool = False) -> set[Hit]:
    """Let a program leak, and search what it left and did."""
    if way == "core_dump" and CORES[:1] in "|/":
        pytest.skip("this machine sends core dumps elsewhere")
    markers = Markers(11)
    text = f"{markers.words('text of a message')} {markers.phone('phone number')}"
    media = marked_pictures(lambda kind: markers.words(kind, media=True))["JPEG"]
    program = [sys.executable, str(Path(__file__).with_name("leak.py")), way]
    with watching(home, on_device=on_device, under_strace=under_strace) as watched:
        ended = await watched.run(program, stdin=text.encode() + b"\0" + media)
        assert ended == 0 or way in ("exception_that_nobody_caught", "deleted_row", "core_dump"), ended
        search = Search(markers, [media])
        searched = everything(watched, search)
    raw_device(watched, search, searched)
    assert searched.files > 0
    assert markers.word("text of a message")[:8] not in str(searched.hits)
    return searched.hits


@strace
@pytest.mark.parametrize("way", LEAKS)
async def test_a_leak_is_caught(way: str, tmp_path: Path) -> None:
    assert await run(way, tmp_path, under_strace=True)


@pytest.mark.parametrize("way", [name for name in LEAKS if name not in NEED_STRACE])
async def test_a_leak_into_a_file_is_caught_without_strace(way: str, tmp_path: Path) -> None:
    assert await run(way, tmp_path, under_strace=False)


@pytest.mark.parametrize("under_strace", [False, pytest.param(True, marks=strace)])
@pytest.mark.parametrize("way", ["thumbnail_in_a_column", "thumbnail_in_a_cache"])
async def test_a_thumbnail_without_a_byte_of_the_media_is_known_by_its_head_alone(
    way: str, under_strace: bool, tmp_path: Path
) -> None:
    """No other rule sees it, so that nothing would be found without this one."""
    hits = await run(way, tmp_path, under_strace=under_strace)
    assert {(hit.kind, hit.encoding) for hit in hits} == {("the beginning of a media file", "inside")}


@strace
async def test_without_a_leak_nothing_is_found(tmp_path: Path) -> None:
    assert await run("harmless", tmp_path, under_strace=True) == set()


@pytest.mark.skipif(not device.available(), reason="no right to make and mount a file system")
@pytest.mark.parametrize("way", ["plain_text_in_a_log", "slice_of_64_bytes", "deleted_row"])
async def test_a_leak_is_caught_on_the_raw_device(way: str, tmp_path: Path) -> None:
    hits = await run(way, tmp_path, under_strace=False, on_device=True)
    assert any(hit.where == "a block of the device" for hit in hits)


async def test_a_row_in_a_further_table_or_column_is_against_the_schema(tmp_path: Path) -> None:
    path = tmp_path / "monitor.db"
    async with open_store(path):
        pass
    assert await cells(path, tmp_path) == set()
    (tmp_path / "schema.db").unlink()
    with sqlite3.connect(path) as db:
        db.execute("ALTER TABLE messages ADD COLUMN note TEXT")
        db.execute("PRAGMA ignore_check_constraints = ON")
        db.execute(
            "INSERT INTO cases (hash_list, entry, opened_at, state) VALUES ('two words', 'e', 1, 'open')"
        )
    db.close()
    found = {hit.encoding for hit in await cells(path, tmp_path)}
    assert found == {"structure", "rule"}
