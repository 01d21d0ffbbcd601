"""`monitor hash` and `monitor lists match`, as scripts call them."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import imagehash
import pytest
from PIL import Image

from monitor.matching import film_of
from monitor.testdc.films import film
from monitor.testdc.pictures import picture
from tests.e2e.site import lines


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "monitor", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    made = {
        "picture.png": picture(3, 300, 200, kind="PNG"),
        "broken.jpg": picture(3)[:400],
        "words.txt": b"no picture",
        "empty.bin": b"",
    }
    for name, data in made.items():
        (tmp_path / name).write_bytes(data)
    Image.new("RGB", (200, 200)).save(tmp_path / "flat.png")
    return {path.name: path for path in tmp_path.iterdir()}


def test_of_a_film_the_frames_are_printed(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(film(1, 3, 160, 120))
    done = run("hash", "--json", str(path))
    [row] = lines(done.stdout)
    assert (row["outcome"], row["pdq"], row["width"], row["height"]) == ("hashed", None, 160, 120)
    assert row["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert row["vpdq"] == [
        {"second": frame.second, "pdq": frame.pdq.hex(), "quality": frame.quality}
        for frame in film_of(path.read_bytes()).frames
    ]
    assert "3 frames" in run("hash", str(path)).stdout


def test_each_file_has_its_digests_and_pictures_their_hashes(files: dict[str, Path]) -> None:
    done = run("hash", "--json", *map(str, files.values()))
    assert done.returncode == 0, done.stderr
    rows = {Path(row["file"]).name: row for row in lines(done.stdout)}
    for name, path in files.items():
        data = path.read_bytes()
        row = rows[name]
        assert list(row) == [
            *("file", "bytes", "md5", "sha1", "sha256", "pdq", "pdq_quality", "phash", "dhash"),
            *("width", "height", "outcome"),
        ]
        assert row["bytes"] == len(data)
        if data:
            assert row["sha256"] == hashlib.sha256(data).hexdigest()
            assert row["md5"] == hashlib.md5(data, usedforsecurity=False).hexdigest()
    assert {name: row["outcome"] for name, row in rows.items()} == {
        "picture.png": "hashed",
        "broken.jpg": "undecodable",
        "words.txt": "no_picture",
        "empty.bin": "empty",
        "flat.png": "low_quality",
    }
    found = rows["picture.png"]
    assert (found["width"], found["height"], len(found["pdq"])) == (300, 200, 64)
    with Image.open(files["picture.png"]) as image:
        assert found["phash"] == str(imagehash.phash(image))
        assert found["dhash"] == str(imagehash.dhash(image))
    assert rows["words.txt"]["pdq"] is None


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_hashed(files: dict[str, Path]) -> None:
    missing = files["picture.png"].with_name("missing.jpg")
    done = run("hash", "--json", str(missing), str(files["picture.png"]), str(missing.parent))
    assert done.returncode == 2
    assert [Path(row["file"]).name for row in lines(done.stdout)] == ["picture.png"]
    assert str(missing) in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_nothing_is_written_beside_the_files(files: dict[str, Path], tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert run("hash", *map(str, files.values())).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


@pytest.fixture
def config(tmp_path: Path) -> str:
    """Two lists to flag, and one of known-good files."""
    (tmp_path / "pdq.csv").write_text(f"{'0f' * 32},e-1\n{'0e' * 32},e-2\n{'ff' * 32},e-3\n")
    (tmp_path / "sha.csv").write_text(f"{'0f' * 32},s-1\n")
    (tmp_path / "good.txt").write_text(f"{'0f' * 32}\n")
    for path in tmp_path.iterdir():
        path.chmod(0o600)
    terms = {"licensor": "Partner", "reference": "DSA-1", "permitted_uses": ["detect"]}
    lists = [
        {"name": "pictures", "file": "pdq.csv", "algorithm": "pdq", "terms": terms},
        {"name": "files", "file": "sha.csv", "algorithm": "sha256", "terms": terms},
        {"name": "good", "file": "good.txt", "format": "text", "algorithm": "sha256", "terms": terms}
        | {"action": "ignore"},
    ]
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps({"state_dir": "state", "hash_lists": lists}))
    return str(path)


def test_a_hash_is_looked_up_in_every_list_it_may_belong_to(config: str) -> None:
    done = run("lists", "match", "--json", "0f" * 32, "--config", config)
    assert done.returncode == 0, done.stderr
    found = [
        (r["hash_list"], r["action"], r["entry"], r["algorithm"], r["distance"]) for r in lines(done.stdout)
    ]
    assert sorted(found[:3]) == [
        ("files", "flag", "s-1", "sha256", 0),
        ("good", "ignore", hashlib.sha256(b"\x0f" * 32).hexdigest()[:16], "sha256", 0),
        ("pictures", "flag", "e-1", "pdq", 0),
    ]
    # 32 bits off: beyond the threshold.
    assert len(found) == 3


def test_a_prefix_says_which_algorithm_is_meant(config: str) -> None:
    done = run("lists", "match", "--json", "pdq:" + "0e" * 31 + "0f", "--config", config)
    assert [(row["entry"], row["distance"], row["threshold"]) for row in lines(done.stdout)] == [
        ("e-2", 1, 31),
        ("e-1", 31, 31),
    ]


def test_no_match_is_an_answer(config: str) -> None:
    done = run("lists", "match", "ab" * 16, "--config", config)
    assert (done.returncode, "no match in 3 lists" in done.stdout) == (0, True)


@pytest.mark.parametrize("bad", ["xyz", "0f0", "0f0f", "md4:" + "0f" * 16, "md5:" + "0f" * 20])
def test_what_is_no_hash_is_refused(config: str, bad: str) -> None:
    done = run("lists", "match", bad, "--config", config)
    assert (done.returncode, done.stdout) == (2, "")
    assert bad in done.stderr
