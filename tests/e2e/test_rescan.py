"""`monitor rescan`: what was examined before a list came is fetched again, once, whoever is interrupted."""

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from monitor.testdc import scenario
from tests.e2e.site import Site, channel, eventually, lines, site, stop

TERMS = {"licensor": "L", "reference": "R", "permitted_uses": ["detect"]}
WORLD: dict[str, Any] = {
    "seed": 7,
    "channels": [
        {"username": "news_one", "posts": 60, "documents": 0.5},
        {"username": "news_two", "posts": 20, "documents": 0.5},
    ],
}
SLOW = {"faults": [{"request": "upload.getFile", "delay": 0.4, "count": None}]}
PATIENCE = 90.0
"""Seconds: other tests share the machine."""
LISTED = 3


def digests() -> list[str]:
    """Of every file that the scenario's channels carry, in the order in which they were posted."""
    world = scenario.build(WORLD).world
    return [hashlib.sha256(file.data).hexdigest() for file in world.files.values()]


def listed(folder: Path, name: str, values: list[str]) -> dict[str, Any]:
    rows = "".join(f"{value},e-{number}\n" for number, value in enumerate(values))
    (folder / f"{name}.csv").write_text("sha256,entry\n" + rows)
    (folder / f"{name}.csv").chmod(0o600)
    return {"name": name, "file": f"{name}.csv", "algorithm": "sha256", "terms": TERMS}


def waiting(place: Site) -> int | None:
    """Items that wait; None before there is a store."""
    found = place.rows("SELECT count(*) FROM media WHERE outcome = 'pending'")
    return found[0][0] if found else None


def examined(place: Site) -> bool:
    """Whether all that there is has been recorded and examined."""
    return place.count() == 82 and waiting(place) == 0


def rescan(place: Site, *options: str) -> dict[str, Any]:
    done = place.monitor("rescan", "--since", "2000-01-01", "--json", *options)
    assert done.returncode == 0, done.stderr
    (said,) = lines(done.stdout)
    return said


@pytest.mark.prove
def test_a_list_that_comes_later_flags_what_was_examined_before(tmp_path: Path) -> None:
    first = listed(tmp_path, "first", ["0" * 64])
    both = [channel("news_one"), channel("news_two")]
    with site(tmp_path, WORLD, channels=both, hash_lists=[first], operator="analyst-7") as place:
        place.login()
        with place.running() as daemon:
            eventually(lambda: examined(place), "everything", PATIENCE)
            items = place.rows("SELECT count(*) FROM media")[0][0]
            assert items == len(digests())
            unknown = place.monitor("rescan", "--since", "2000-01-01", "--list", "second")
            assert unknown.returncode == 2
            assert "no such list" in unknown.stderr
            place.write(hash_lists=[first, listed(tmp_path, "second", digests()[:LISTED])])
            assert place.monitor("reload").returncode == 0
            done = rescan(place, "--list", "second", "--as", "analyst-7")
            assert (done["items"], done["examined"], done["left"], done["stuck"]) == (items, items, 0, 0)
            assert done["flags"] == LISTED
            assert done["outcomes"] == {"match": LISTED, "no_match": items - LISTED}
            # What was compared with this version is not fetched again, nor what has matched.
            assert rescan(place, "--list", "second")["items"] == 0
            assert rescan(place)["items"] == items - LISTED
            some = rescan(place, "--channel", "@news_two")
            assert 0 < some["items"] < items - LISTED
            assert rescan(place, "--until", "2000-01-02")["items"] == 0
            nobody = place.monitor("rescan", "--since", "2000-01-01", "--channel", "nobody_one")
            assert nobody.returncode == 2
            shown = place.monitor("rescan", "--since", "2000-01-01", "--channel", "news_two").stdout
            assert "new flags" in shown
            assert stop(daemon) == 0
        assert place.rows("SELECT count(*) FROM flags") == [(LISTED,)]
        (body,) = place.rows("SELECT body FROM events WHERE type = 'rescan_requested' ORDER BY seq LIMIT 1")[
            0
        ]
        assert b'"operator":"analyst-7"' in body
        assert b'"hash_list":"second"' in body


@pytest.mark.prove
def test_killed_in_the_middle_it_is_resumed(tmp_path: Path) -> None:
    """Without a daemon, so that the command does the work itself."""
    first = listed(tmp_path, "first", ["0" * 64])
    with site(
        tmp_path, WORLD | SLOW, channels=[channel("news_one"), channel("news_two")], hash_lists=[first]
    ) as place:
        place.login()
        with place.running() as daemon:
            eventually(lambda: examined(place), "everything", PATIENCE)
            assert stop(daemon) == 0
        items = len(digests())
        place.write(hash_lists=[first, listed(tmp_path, "second", digests()[-LISTED:])])
        command = [sys.executable, "-m", "monitor", "rescan", "--since", "2000-01-01", "--list", "second"]
        again = "SELECT count(*) FROM media WHERE rescan IS NOT NULL AND outcome <> 'pending'"
        with subprocess.Popen([*command, "--config", str(place.config)], start_new_session=True) as killed:
            eventually(lambda: place.rows(again)[0][0] >= 5, "some fetched again", PATIENCE)
            os.killpg(killed.pid, signal.SIGKILL)
        left = waiting(place)
        assert left is not None
        assert 0 < left < items, "the kill came too late, or too early, to prove anything"
        done = rescan(place, "--list", "second")
        assert (done["items"], done["left"], done["flags"]) == (left, 0, LISTED)
        assert place.rows("SELECT count(*) FROM flags") == [(LISTED,)]
        assert waiting(place) == 0


@pytest.mark.prove
def test_ctrl_c_ends_the_waiting_and_the_daemon_goes_on(tmp_path: Path) -> None:
    first = listed(tmp_path, "first", digests()[:LISTED])
    with site(
        tmp_path, WORLD | SLOW, channels=[channel("news_one"), channel("news_two")], hash_lists=[first]
    ) as place:
        place.login()
        with place.running() as daemon:
            eventually(lambda: examined(place), "everything", PATIENCE)
            command = [sys.executable, "-m", "monitor", "rescan", "--since", "2000-01-01"]
            with subprocess.Popen(
                [*command, "--config", str(place.config)], stdout=subprocess.PIPE, text=True
            ) as asking:
                eventually(lambda: waiting(place), "the request", PATIENCE)
                asking.send_signal(signal.SIGINT)
                said, _ = asking.communicate(timeout=PATIENCE)
                assert asking.returncode == 0
                assert "goes on with them" in said
            assert waiting(place), "it had ended before: nothing is proved"
            eventually(lambda: waiting(place) == 0, "the rest", PATIENCE)
            assert stop(daemon) == 0


def test_without_lists_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    place = Site(tmp_path)
    place.write(accounts=[{"name": "main", "api_id": 1, "api_hash": {"file": "api_hash"}}])
    for options, said in (
        (["--since", "yesterday"], "no media is fetched"),
        (["--since", "2026-01-01"], "no media is fetched"),
    ):
        done = place.monitor("rescan", *options)
        assert done.returncode == 2
        assert said in done.stderr
