"""The report log through the command line: kept up by each command that writes, verified, proved, given a new key."""

import json
import shutil
import stat
from pathlib import Path

import pytest

from monitor.reportlog import standalone
from tests.e2e.site import Site, channel, eventually, lines, site, stop

ORIGIN = "example.org/test"


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state that a daemon left."""
    folder = tmp_path_factory.mktemp("log")
    (folder / "log.key").write_text("ab" * 32)
    (folder / "log.key").chmod(0o600)
    posting = [{"username": "some_channel", "posts": 5}]
    settings = {"report_log": {"origin": ORIGIN, "key": {"file": "log.key"}}}
    with site(folder, {"channels": posting}, channels=[channel("some_channel")], **settings) as place:
        place.login()
        assert state(place)["leaves"] == 1, "a sign-in is an event"
        with place.running() as daemon:
            eventually(lambda: place.count() >= 5, "posts", 60)
            # It is the daemon that does it, while it runs.
            eventually(lambda: state(place)["leaves"] >= 3 and not state(place)["behind"], "the log", 60)
            assert stop(daemon) == 0
        place.write(accounts=[])
    return folder


@pytest.fixture
def place(collected: Path, tmp_path: Path) -> Site:
    shutil.copytree(collected, tmp_path / "site")
    return Site(tmp_path / "site")


def state(place: Site) -> dict[str, object]:
    [shown] = lines(place.monitor("status", "--json").stdout)
    return dict(shown["report_log"])


def test_the_log_of_a_run_verifies_and_goes_on_with_each_command(place: Site) -> None:
    before = place.monitor("log", "checkpoint").stdout
    (place.folder / "kept").write_text(before)
    assert place.monitor("export", "messages", "--out", "m.csv").returncode == 0
    done = place.monitor("log", "verify", "--since", "kept", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    [facts] = lines(done.stdout)
    assert (
        facts["verified"] and facts["origin"] == ORIGIN and facts["size"] == int(before.splitlines()[1]) + 1
    )
    assert (facts["waiting"], facts["erased"], facts["pinned"]) == (0, 0, False)
    shown = place.monitor("log", "verify", "--key", facts["keys"][0])
    assert (
        shown.returncode == 0
        and facts["fingerprints"][0] in shown.stdout
        and "not pinned" not in shown.stdout
    )
    assert standalone.check(str(place.folder / "state" / "log"))["size"] == facts["size"]
    assert state(place) == {"origin": ORIGIN, "leaves": facts["size"], "behind": 0, "wrong": None}


def test_a_proof_is_checked_without_any_configuration(place: Site) -> None:
    assert place.monitor("log", "proof", "1", "--out", "1.tlog-proof").returncode == 0
    moved = place.folder.parent / "1.tlog-proof"
    shutil.move(place.folder / "1.tlog-proof", moved)
    for name in ("config.yaml", "state", "log.key"):
        shutil.move(place.folder / name, place.folder.parent / name)
    done = place.monitor("log", "verify", str(moved), "--json")
    [facts] = lines(done.stdout)
    assert done.returncode == 0 and facts["what"] == "proof" and facts["type"] == "authorization_declared"
    moved.write_bytes(moved.read_bytes().replace(b"index 1", b"index 0"))
    done = place.monitor("log", "verify", str(moved), "--json")
    assert done.returncode == 4 and "the path does not lead" in done.stderr
    assert json.loads(done.stdout)["verified"] is False
    assert place.monitor("log", "verify", "nowhere").returncode == 2
    (place.folder / "noise").write_bytes(b"\0" * 100)
    assert place.monitor("log", "verify", "noise").returncode == 4


def test_what_was_tampered_with_is_named(place: Site) -> None:
    [tile] = (place.folder / "state" / "log" / "tile" / "entries").rglob("000.p/*")
    tile.write_bytes(tile.read_bytes().replace(b'"at":"2', b'"at":"1', 1))
    done = place.monitor("log", "verify")
    assert done.returncode == 4 and "monitor: tile/0/000.p/" in done.stderr
    # What is done is done, and it is said that the log could not follow.
    tile.write_bytes(b"")
    done = place.monitor("export", "messages", "--out", "m.csv")
    assert done.returncode == 4 and (place.folder / "m.csv").exists()
    assert "done and recorded, but the report log could not be brought up to it" in done.stderr


def test_what_an_interrupted_writer_left_is_removed_and_said(place: Site) -> None:
    (place.folder / "state" / "log" / "tile" / "0" / "001").write_bytes(b"torn")
    done = place.monitor("log", "verify", "--json")
    assert done.returncode == 0 and lines(done.stdout)[0]["removed"] == 1


@pytest.mark.prove
def test_another_key_takes_over_and_both_say_so(place: Site) -> None:
    (place.folder / "kept").write_text(place.monitor("log", "checkpoint").stdout)
    [facts] = lines(place.monitor("log", "verify", "--json").stdout)
    done = place.monitor("log", "rotate-key", "--keep", "old.key")
    assert done.returncode == 0, done.stderr
    assert (place.folder / "old.key").read_text() == "ab" * 32
    assert stat.S_IMODE((place.folder / "log.key").stat().st_mode) == 0o600
    [both] = lines(
        place.monitor("log", "verify", "--since", "kept", "--key", facts["keys"][0], "--json").stdout
    )
    assert len(both["keys"]) == 2 and both["size"] == facts["size"] + 1
    assert place.monitor("export", "messages", "--out", "m.csv").returncode == 0
    [after] = lines(place.monitor("log", "verify", "--since", "kept", "--json").stdout)
    assert after["keys"] == both["keys"][:1]
    assert place.monitor("log", "verify", "--key", facts["keys"][0]).returncode == 4
    shutil.copy(place.folder / "old.key", place.folder / "log.key")
    done = place.monitor("export", "messages", "--out", "m.csv")
    assert done.returncode == 2 and "signed with another key" in done.stderr


def test_without_a_key_there_is_no_log_and_it_is_said(place: Site) -> None:
    place.settings = {"channels": [channel("some_channel")]}
    shutil.rmtree(place.folder / "state" / "log")
    place.write()
    assert place.monitor("export", "messages", "--out", "m.csv").returncode == 0
    assert not (place.folder / "state" / "log").exists()
    assert "there is no report log" in place.monitor("status").stdout
    assert "cannot be proved to others" in place.monitor("check").stdout
    assert place.monitor("log", "verify").returncode == 2
    # Configured later, it holds all that was recorded before.
    place.write(report_log={"origin": ORIGIN, "key": {"file": "log.key"}})
    assert place.monitor("export", "messages", "--out", "m.csv").returncode == 0
    [facts] = lines(place.monitor("log", "verify", "--json").stdout)
    assert facts["size"] == place.rows("SELECT count(*) FROM events")[0][0]


def test_a_key_in_the_state_folder_is_refused(place: Site) -> None:
    shutil.copy(place.folder / "log.key", place.folder / "state" / "log.key")
    place.settings = {"report_log": {"origin": ORIGIN, "key": {"file": "state/log.key"}}}
    place.write()
    done = place.monitor("check", "--json")
    assert done.returncode == 2 and "lies in the state directory" in done.stdout


def test_time_stamps_need_an_authority(place: Site) -> None:
    done = place.monitor("log", "timestamp")
    assert done.returncode == 2 and "names no authority" in done.stderr


def test_a_new_configuration_has_a_key_of_its_own(tmp_path: Path) -> None:
    place = Site(tmp_path)
    assert place.monitor("init").returncode == 0
    assert stat.S_IMODE((tmp_path / "log.key").stat().st_mode) == 0o600
    assert "origin: channel-monitor/" in (tmp_path / "config.yaml").read_text()
