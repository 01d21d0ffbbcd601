"""A running daemon takes up a changed configuration, or refuses it: processes of their own, posts all the while."""

import asyncio
import os
import pty
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from monitor.config import load
from monitor.model import SessionState
from monitor.pair import Pair, any_of
from monitor.state import sole
from monitor.store import open_store
from tests.e2e.site import Site, channel, eventually, lines, site, stop
from tests.faults.test_processes import processes

TERMS = {"licensor": "L", "reference": "R", "permitted_uses": ["detect"]}
PATIENCE = 90.0
"""Seconds: other tests share the machine."""


def posting(*names: str, posts: int = 30) -> dict[str, Any]:
    """A scenario in which posts are made all the while."""
    return {"channels": [{"username": name, "posts": posts, "live_per_second": 10} for name in names]}


def listed(folder: Path, name: str) -> dict[str, Any]:
    (folder / f"{name}.csv").write_text("sha256,entry\n" + "0" * 64 + ",e-1\n")
    (folder / f"{name}.csv").chmod(0o600)
    return {"name": name, "file": f"{name}.csv", "algorithm": "sha256", "terms": TERMS}


def ids(place: Site, username: str) -> list[int]:
    found = place.rows(
        "SELECT username, message_id FROM messages JOIN channels USING (channel_id) ORDER BY 2"
    )
    return [message_id for name, message_id in found if name == username]


def states(place: Site) -> dict[str, tuple[str, str | None]]:
    return {
        name: (state, reason)
        for name, state, reason in place.rows("SELECT username, state, reason FROM channels")
    }


def grows(place: Site, username: str) -> None:
    """Wait until further posts of a channel are on record."""
    before = len(ids(place, username))
    eventually(lambda: len(ids(place, username)) > before + 5, f"more of {username}", PATIENCE)


def reload(place: Site) -> "subprocess.CompletedProcess[str]":
    return place.monitor("reload", "--json")


def test_channels_authorizations_and_lists_change_and_no_message_is_lost_or_doubled(tmp_path: Path) -> None:
    ended = {"authorization": {**channel("x")["authorization"], "valid_until": "2020-02-01"}}
    with site(
        tmp_path,
        posting("stays_here", "goes_away", "comes_later", "runs_out"),
        channels=[channel("stays_here"), channel("goes_away"), channel("runs_out")],
        hash_lists=[listed(tmp_path, "first")],
    ) as place:
        place.login()
        with place.running() as daemon:
            for name in ("stays_here", "goes_away", "runs_out"):
                grows(place, name)
            place.write(
                channels=[channel("stays_here"), channel("comes_later"), channel("runs_out") | ended],
                hash_lists=[listed(tmp_path, "first"), listed(tmp_path, "second")],
                media={"max_bytes": "1MB"},
            )
            done = reload(place)
            assert done.returncode == 0, done.stderr
            (said,) = lines(done.stdout)
            assert said["in_force"] is True
            assert said["channels_added"] == ["comes_later"]
            assert said["channels_removed"] == ["goes_away"]
            assert said["channels_changed"] == ["runs_out"]
            assert said["lists_added"] == ["second"]
            assert said["settings"] == ["media"]
            assert list(said["lists_loaded"]) == ["second"]
            # In force when the command ends: what is not authorized any more has been stopped by then.
            assert states(place)["goes_away"] == ("stopped", "no_authorization")
            eventually(
                lambda: states(place)["runs_out"][1] == "authorization_expired", "the refusal", PATIENCE
            )
            gone = {name: ids(place, name) for name in ("goes_away", "runs_out")}
            for name in ("stays_here", "comes_later"):
                grows(place, name)
            again = place.monitor("reload")
            assert (again.returncode, again.stdout) == (0, "in force: nothing has changed\n")
            grows(place, "stays_here")
            assert {name: ids(place, name) for name in gone} == gone
            assert stop(daemon) == 0
        for name in states(place):
            found = ids(place, name)
            assert found == list(range(1, len(found) + 1)), name
        assert "Traceback" not in place.log()
        assert "died" not in place.log()


@pytest.mark.prove
def test_what_cannot_be_used_is_refused_and_the_configuration_before_goes_on(tmp_path: Path) -> None:
    """Also after a crash: what was accepted counts, not what lies on the disk."""
    with site(tmp_path, posting("stays_here"), channels=[channel("stays_here")]) as place:
        place.login()
        with place.running() as daemon:
            grows(place, "stays_here")
            accepted = dict(place.settings)
            wrong: list[tuple[dict[str, Any], str]] = [
                (
                    {
                        "hash_lists": [
                            {"name": "no_such", "file": "no.csv", "algorithm": "md5", "terms": TERMS}
                        ]
                    },
                    "no.csv",
                ),
                ({"pseudonym_key": {"file": "no.key"}}, "no.key"),
                (
                    {"accounts": [*accepted["accounts"], accepted["accounts"][0] | {"name": "second"}]},
                    "monitor login",
                ),
            ]
            for number, (change, said) in enumerate(wrong, 1):
                place.write(**change, channels=[channel("stays_here"), channel("not_taken")])
                done = reload(place)
                assert done.returncode == 2
                assert said in done.stderr
                assert done.stdout == ""
                assert place.log().count("is refused") == number
                place.settings = dict(accepted)
                grows(place, "stays_here")
            place.config.write_text("channels: [[[")
            done = reload(place)
            assert done.returncode == 2
            assert "line 1" in done.stderr
            daemon.send_signal(signal.SIGHUP)
            eventually(lambda: "line 1: not valid YAML" in place.log(), "the refusal in the log", PATIENCE)
            place.settings = dict(accepted)
            place.write(state_dir="./elsewhere")
            daemon.send_signal(signal.SIGHUP)
            eventually(lambda: "state_dir: cannot change" in place.log(), "the other refusal", PATIENCE)
            assert "no daemon is at work" in reload(place).stderr
            os.kill(processes(daemon)["monitor.collector_process"], signal.SIGKILL)
            eventually(lambda: "started again" in place.log(), "the restart", PATIENCE)
            grows(place, "stays_here")
            assert list(states(place)) == ["stays_here"]
            assert not (tmp_path / "elsewhere").exists()
            assert stop(daemon) == 0
        found = ids(place, "stays_here")
        assert found == list(range(1, len(found) + 1))


@pytest.mark.prove
def test_a_collector_that_dies_after_a_reload_comes_up_with_what_was_accepted(tmp_path: Path) -> None:
    with site(tmp_path, posting("stays_here", "comes_later"), channels=[channel("stays_here")]) as place:
        place.login()
        with place.running() as daemon:
            grows(place, "stays_here")
            place.write(channels=[channel("stays_here"), channel("comes_later")])
            assert reload(place).returncode == 0
            place.config.write_text("colour: red")
            os.kill(processes(daemon)["monitor.collector_process"], signal.SIGKILL)
            eventually(lambda: "started again" in place.log(), "the restart", PATIENCE)
            grows(place, "comes_later")
            assert stop(daemon) == 0


async def test_a_pair_that_is_ready_has_written_nothing_and_asked_nothing(tmp_path: Path) -> None:
    """Until it is its turn, or for good: then nothing is left of it."""
    with socket.create_server(("127.0.0.1", 0)) as platform:
        place = Site(tmp_path)
        place.write(
            accounts=[{"name": "main", "api_id": 1, "api_hash": {"file": "api_hash"}}],
            telegram={"proxy": f"socks5://127.0.0.1:{platform.getsockname()[1]}"},
            channels=[channel("stays_here")],
        )
        (tmp_path / "state").mkdir(mode=0o700)
        async with open_store(place.database) as store:
            key = bytes(256)
            await store.save_session(SessionState("main", 1, "127.0.0.1", 443, key, user_id=1))
        with sole(tmp_path / "state") as lock:
            for turn in (False, True):
                pair = await Pair.start(load(place.config), lock)
                try:
                    await any_of(pair.ready, pair.ended, seconds=PATIENCE)
                    assert pair.ready.is_set()
                    await asyncio.sleep(1)
                    assert not pair.working.is_set()
                    assert states(place) == {}
                    platform.settimeout(0)
                    with pytest.raises(BlockingIOError):
                        platform.accept()
                    if turn:
                        pair.go()
                        await any_of(pair.working, pair.ended, seconds=PATIENCE)
                        assert pair.working.is_set()
                        assert list(states(place)) == ["stays_here"]
                        platform.settimeout(PATIENCE)
                        (await asyncio.to_thread(platform.accept))[0].close()
                finally:
                    await pair.end()
                assert pair.failure(stopped=True) is None


def test_without_a_daemon_a_reload_says_so(tmp_path: Path) -> None:
    place = Site(tmp_path)
    place.write(accounts=[{"name": "main", "api_id": 1, "api_hash": {"file": "api_hash"}}])
    done = reload(place)
    assert done.returncode == 2
    assert done.stderr.endswith("no daemon is at work here; monitor run starts one\n")
    (tmp_path / "state").mkdir(mode=0o700)
    # Of a daemon that was killed; the process that has its id now is left alone.
    (tmp_path / "state" / "daemon.json").write_text(f'{{"pid": {os.getpid()}, "config": "{place.config}"}}')
    assert "no daemon is at work" in reload(place).stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_during_a_reload_ends_everything(tmp_path: Path, number: signal.Signals) -> None:
    with site(tmp_path, posting("stays_here"), channels=[channel("stays_here")]) as place:
        place.login()
        with place.running() as daemon:
            grows(place, "stays_here")
            daemon.send_signal(signal.SIGHUP)
            eventually(lambda: "taking up" in place.log(), "the reload", PATIENCE)
            below = processes(daemon)
            daemon.send_signal(number)
            assert daemon.wait(PATIENCE) == 0
            assert not any(Path(f"/proc/{pid}").exists() for pid in below.values())
        assert not (tmp_path / "state" / "daemon.json").exists()


def test_a_terminal_that_is_closed_ends_the_run_in_order(tmp_path: Path) -> None:
    with site(tmp_path, posting("stays_here"), channels=[channel("stays_here")]) as place:
        place.login()
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "monitor", "run", "--config", str(place.config)]
        with subprocess.Popen(command, preexec_fn=lambda: os.login_tty(theirs)) as daemon:
            os.close(theirs)
            try:
                grows(place, "stays_here")
                os.close(ours)
                assert daemon.wait(PATIENCE) == 0
            finally:
                daemon.kill()
        found = ids(place, "stays_here")
        assert found == list(range(1, len(found) + 1))
