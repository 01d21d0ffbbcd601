"""The demo as a newcomer runs it: everything planted is found, nothing of what was said is on the disk."""

import base64
import json
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import pytest

from monitor.testdc.showcase import MARKER
from tests.e2e.site import lines


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "monitor", *arguments],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def config(shown: Path) -> tuple[str, str]:
    return ("--config", str(shown / "config.yaml"))


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demo") / "out"
    done = run("demo", "--out", str(out))
    assert done.returncode == 0, done.stderr
    return out


def test_everything_planted_is_found_and_nothing_else(shown: Path) -> None:
    summary = json.loads((shown / "summary.json").read_text())
    assert summary["found"] == summary["planted"] >= 15
    assert summary["false_flags"] == 0
    assert summary["flags"] == summary["planted"]
    assert summary["messages_recorded"] == summary["messages_posted"] > 3000
    assert len(summary["channels_joined"]) >= 6
    assert len(summary["channels_refused"]) == len(set(summary["channels_refused"].values())) == 3
    assert summary["media_fetched"] > 200
    # Of photos that resemble nothing a small size is all that is fetched.
    assert summary["bytes_in_full"] >= 5 * summary["bytes_fetched"]
    assert all(Path(path).is_file() for path in summary["exports"])


def test_a_match_is_accepted_reported_and_handed_over_with_its_proof(shown: Path, tmp_path: Path) -> None:
    summary = json.loads((shown / "summary.json").read_text())
    (case,) = [
        c for c in lines(run("cases", "list", "--json", *config(shown)).stdout) if c["state"] == "accepted"
    ]
    assert case["case_id"] == summary["case"]
    assert summary["reported_in_app"] == case["sightings"]  # as the test data centre has it
    reports = lines(run("report", "list", "--json", *config(shown)).stdout)
    assert {(r["route"], r["state"]) for r in reports} == {
        ("telegram", "sent"),
        ("kr_review_body", "approved"),
    }
    notice = Path(summary["notice"]).read_text()
    assert "No person here has viewed" in notice and notice.count("https://t.me/") >= case["sightings"]
    bundle = Path(summary["bundle"])
    fine = run("log", "verify", str(bundle), "--since", summary["checkpoint"], "--key", summary["key"])
    assert (fine.returncode, fine.stderr) == (0, "")
    (tmp_path / "verify.py").write_bytes(zipfile.ZipFile(bundle).read("verify.py"))
    tampered = tmp_path / "tampered.zip"
    data = bytearray(bundle.read_bytes())
    data[len(data) // 3] ^= 1
    tampered.write_bytes(data)
    alone = [sys.executable, "-I", str(tmp_path / "verify.py")]
    assert subprocess.run([*alone, str(bundle)], capture_output=True, timeout=60).returncode == 0
    assert subprocess.run([*alone, str(tampered)], capture_output=True, timeout=60).returncode == 4
    assert run("log", "verify", str(tampered)).returncode == 4
    assert run("log", "verify", *config(shown)).returncode == 0


def test_no_marker_word_is_on_the_disk(shown: Path) -> None:
    word = MARKER.encode()
    forms = {
        "utf-8": word,
        "utf-16": MARKER.encode("utf-16-le"),
        "hex": word.hex().encode(),
        "upper": MARKER.upper().encode(),
        **{f"base64 at {n}": base64.b64encode(b" " * n + word)[(n * 4 + 2) // 3 : -4] for n in range(3)},
    }
    searched = 0
    for path in shown.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            searched += len(data)
            for name, form in forms.items():
                assert len(form) < 3 or form not in data, f"{name} in {path.name}"
    assert searched > 1_000_000


def test_the_search_finds_what_is_there(shown: Path, tmp_path: Path) -> None:
    """Were a word written, the search above would see it: the same world does carry them."""
    from monitor.testdc import World
    from monitor.testdc.showcase import showcase

    world = showcase(World(seed=1), 1)
    said = "".join(post.text for post in world.channels["daily_archive"].posts)
    assert said.count(MARKER) > 3000
    assert MARKER.encode() not in zlib.compress(said.encode())  # compressed it would hide; the store does not


def test_every_other_command_can_be_tried_on_it(shown: Path, tmp_path: Path) -> None:
    (status,) = lines(run("status", "--json", *config(shown)).stdout)
    assert status["flags"] == 20
    assert status["media_pending"] == 0
    assert not status["running"]
    channels = lines(run("channels", "list", "--json", *config(shown)).stdout)
    assert {c["state"] for c in channels} == {"collecting", "refused"}
    out = tmp_path / "flags.jsonl"
    done = run("export", "flags", "--format", "jsonl", "--out", str(out), *config(shown))
    assert done.returncode == 0, done.stderr
    rows = lines(out.read_text())
    assert len(rows) == 20
    assert not {"channel_id", "username", "message_id", "media_id", "link"} & set(rows[0])
    refused = run("export", "flags", "--out", str(out), "--with-addresses", *config(shown))
    assert refused.returncode == 2
    assert "--purpose" in refused.stderr
    checked = run("check", "--json", *config(shown))
    assert checked.returncode == 3  # the demo's data centre is gone; all else is in order
    assert [f["what"] for f in lines(checked.stdout) if f["level"] == "error"] == ["connection main"]


def test_it_replaces_its_own_folder_and_no_other(shown: Path, tmp_path: Path) -> None:
    mine = tmp_path / "precious"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    done = run("demo", "--out", str(mine))
    assert done.returncode == 2
    assert "no demo made it" in done.stderr
    assert (mine / "thesis.txt").read_text() == "years of work"
