"""An index in a file: the same answers when opened, and damage is an error, never a crash or a silent loss."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.matching import HashIndex, IndexFileError

SEED = 6


def made(path: Path) -> tuple[HashIndex, Any]:
    """An index with buckets, additions and removals, saved; and questions to it."""
    generator = np.random.default_rng(SEED)
    entries = generator.integers(0, 256, (9_000, 8), dtype=np.uint8)
    index = HashIndex.build(entries)
    index.add(generator.integers(0, 256, (50, 8), dtype=np.uint8))
    index.remove([3, 9_001])
    index.save(path)
    return index, np.concatenate([entries[:30], generator.integers(0, 256, (30, 8), dtype=np.uint8)])


def rewritten(path: Path, **changes: Any) -> None:
    """The header with changes, and a digest that fits it."""
    data = bytearray(path.read_bytes())
    header = json.loads(data[40:4096].rstrip(b"\0")) | changes
    data[40:4096] = json.dumps(header).encode().ljust(4056, b"\0")
    data[8:40] = hashlib.sha256(data[40:4096]).digest()
    path.write_bytes(data)


@pytest.mark.parametrize("verify", [False, True])
def test_an_opened_index_answers_as_the_saved_one(tmp_path: Path, verify: bool) -> None:
    index, queries = made(tmp_path / "index")
    opened = HashIndex.open(tmp_path / "index", verify=verify)
    assert (len(opened), opened.max_radius) == (len(index), 31) == (9_048, 31)
    for radius in (0, 8, 31):
        ours, theirs = index.search(queries, radius), opened.search(queries, radius)
        assert ours.query.tolist() == theirs.query.tolist()
        assert ours.entry.tolist() == theirs.entry.tolist()
        assert ours.distance.tolist() == theirs.distance.tolist()


def test_an_empty_index_can_be_saved(tmp_path: Path) -> None:
    HashIndex.build(np.zeros((0, 32), np.uint8)).save(tmp_path / "index")
    assert len(HashIndex.open(tmp_path / "index", verify=True)) == 0


def test_saving_again_replaces_the_file_and_leaves_open_ones_alone(tmp_path: Path) -> None:
    index, queries = made(tmp_path / "index")
    before = HashIndex.open(tmp_path / "index")
    index.remove(range(9_000))
    index.save(tmp_path / "index")
    assert len(before) == 9_048
    assert len(before.search(queries[:30], 0)) == 29
    assert len(HashIndex.open(tmp_path / "index")) == 49
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_a_file_that_cannot_be_written_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    index = HashIndex.build(np.zeros((1, 32), np.uint8))
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        index.save(tmp_path / "folder")
    with pytest.raises(FileNotFoundError):
        index.save(tmp_path / "nowhere" / "index")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    with pytest.raises(FileNotFoundError):
        HashIndex.open(tmp_path / "index")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"version": 0}, "version 0, not 1"),
        ({"version": 2}, "version 2, not 1"),
        ({"byte_order": "middle"}, "another byte order"),
        ({"max_radius": 65}, "do not fit together"),
        ({"max_radius": "all"}, "makes no sense"),
        ({"size": 1}, "cut short or has grown"),
        ({"arrays": {}}, "makes no sense"),
        ({"arrays": None}, "makes no sense"),
    ],
)
def test_an_older_file_and_an_odd_header_are_refused_with_what_to_do(
    tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    made(tmp_path / "index")
    rewritten(tmp_path / "index", **changes)
    with pytest.raises(IndexFileError, match=f"{why}.*; build the index again"):
        HashIndex.open(tmp_path / "index")


@pytest.mark.parametrize("array", ["words", "starts", "entries", "nexts", "tail", "removed"])
@pytest.mark.parametrize(
    "change",
    [
        {"at": 1 << 39},
        {"at": -4096},
        {"at": 4097},
        {"at": 4096.0},
        {"shape": [1 << 39, 1 << 39]},
        {"shape": [-1, 4]},
        {"shape": [1, 1, 1]},
        {"shape": [True, 1]},
        {"shape": 3},
    ],
)
def test_a_header_that_leads_out_of_the_file_is_refused(
    tmp_path: Path, array: str, change: dict[str, Any]
) -> None:
    made(tmp_path / "index")
    header = json.loads((tmp_path / "index").read_bytes()[40:4096].rstrip(b"\0"))
    header["arrays"][array] |= change
    rewritten(tmp_path / "index", **header)
    with pytest.raises(IndexFileError):
        HashIndex.open(tmp_path / "index")


@pytest.mark.parametrize("keep", [0, 7, 100, 4095, 4096, 50_000, -4096, -1])
def test_a_file_cut_short_or_grown_is_refused(tmp_path: Path, keep: int) -> None:
    made(tmp_path / "index")
    data = (tmp_path / "index").read_bytes()
    for other in (data[:keep], data + b"\0"):
        (tmp_path / "index").write_bytes(other)
        with pytest.raises(IndexFileError):
            HashIndex.open(tmp_path / "index")


DAMAGE = """
import json, sys
from pathlib import Path
import numpy as np
from monitor.matching import HashIndex, IndexFileError, warm_up_index
from monitor.matching.plain import Plain

path = Path(sys.argv[1])
generator = np.random.default_rng(int(sys.argv[2]))
queries = np.load(sys.argv[3])
sound = path.read_bytes()
header = json.loads(sound[40:4096].rstrip(b"\\0"))
regions = {"header": (0, 4096)} | {
    name: (entry["at"], entry["at"] + int(np.prod(entry["shape"])) * width)
    for (name, entry), width in zip(header["arrays"].items(), (8, 4, 4, 2, 8, 1), strict=True)
}
engines = [warm_up_index(), Plain()]
noticed = searched = 0
with path.open("r+b", buffering=0) as file:
    for name, (start, stop) in regions.items():
        for turn in range(12):
            # One bit, one byte of ones, and noise over a good part of the region.
            at = int(generator.integers(start, stop))
            size = 1 if turn < 8 else min(stop - at, 40_000)
            old = sound[at : at + size]
            new = bytes([old[0] ^ (1 << turn)]) if turn < 8 else generator.bytes(size)
            if turn == 11:
                at, size, old, new = start, stop - start, sound[start:stop], b"\\xff" * (stop - start)
            file.seek(at)
            file.write(new)
            try:
                HashIndex.open(path, verify=True)
            except IndexFileError:
                noticed += 1
            else:
                sys.exit(f"{name} {turn} at {at}: accepted")
            for engine in engines:
                try:
                    index = HashIndex.open(path, engine=engine)
                    for radius in (0, 8, 31):
                        index.search(queries, radius)
                        index.nearest(queries, radius, 3)
                    searched += 1
                except IndexFileError:
                    pass
            file.seek(at)
            file.write(old)
assert path.read_bytes() == sound
HashIndex.open(path, verify=True)
print(noticed, searched)
"""


def test_damage_anywhere_is_noticed_and_never_crashes_a_search(tmp_path: Path) -> None:
    _, queries = made(tmp_path / "index")
    np.save(tmp_path / "queries.npy", queries)
    done = subprocess.run(
        [sys.executable, "-c", DAMAGE, str(tmp_path / "index"), str(SEED), str(tmp_path / "queries.npy")],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONMALLOC": "debug"},
    )
    assert done.returncode == 0, done.stderr
    noticed, searched = map(int, done.stdout.split())
    assert noticed == 7 * 12
    assert searched > 12, "no damaged body was searched"
