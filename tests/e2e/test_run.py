"""The daemon against a data centre in another process, through the command line alone."""

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from monitor.testdc.process import served
from tests.e2e.site import CODE, PHONE, USER, Site, at, channel, eventually, kill, lines, site, stop


def test_login_run_and_status_against_a_separate_process(tmp_path: Path) -> None:
    scenario = {"channels": [{"username": "news_one", "posts": 250, "photos": 0.02, "live_per_second": 20}]}
    (tmp_path / "list.csv").write_text("sha256,entry\n" + "0" * 64 + ",e-1\n")
    (tmp_path / "list.csv").chmod(0o600)
    terms = {"licensor": "L", "reference": "R", "permitted_uses": ["detect"]}
    lists = [{"name": "one", "file": "list.csv", "algorithm": "sha256", "terms": terms}]
    with site(tmp_path, scenario, channels=[channel("news_one")], hash_lists=lists) as place:
        place.login()
        again = place.monitor("login")
        assert again.returncode == 0
        assert "already" in again.stdout
        with place.running() as daemon:
            eventually(lambda: place.count() > 300, "history and live posts recorded")
            refused = place.monitor("run")
            assert refused.returncode == 2
            assert "another monitor" in refused.stderr
            (status,) = lines(place.monitor("status", "--json").stdout)
            assert status["running"] is True
            assert stop(daemon) == 0
        done = lines(place.monitor("channels", "list", "--json").stdout)
        assert [c["state"] for c in done] == ["collecting"]
        sources = dict(place.rows("SELECT source, count(*) FROM messages GROUP BY source"))
        assert sources["backfill"] >= 250
        assert sources["live"] > 0
        ids = [i for (i,) in place.rows("SELECT message_id FROM messages ORDER BY message_id")]
        assert ids == list(range(1, len(ids) + 1))
        assert place.rows("SELECT count(*) FROM media WHERE outcome = 'pending'") == [(0,)]


def comparable(database: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row that does not speak of when or how it was seen."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        names = [r[1] for r in connection.execute("PRAGMA table_info(messages)")]
        kept = ", ".join(n for n in names if n not in ("first_seen_at", "source"))
        return {
            "messages": connection.execute(f"SELECT {kept} FROM messages ORDER BY 1, 2").fetchall(),  # noqa: S608
            "media": connection.execute("SELECT media_id, outcome FROM media ORDER BY 1").fetchall(),
            "flags": connection.execute(
                "SELECT channel_id, message_id, media_id FROM flags ORDER BY 1, 2"
            ).fetchall(),
        }


def test_killed_in_mid_history_and_started_again_gives_the_same_rows(tmp_path: Path) -> None:
    posts = 4000
    (tmp_path / "a").mkdir()
    scenario = {
        "users": [USER],
        "seed": 7,
        "channels": [{"username": "long_one", "posts": posts, "photos": 0.01}],
        # Slow enough that a kill finds the history half read.
        "faults": [{"request": "messages.getHistory", "delay": 0.05, "count": None}],
    }
    with served(scenario, tmp_path, max_seconds=300) as where:
        undisturbed = at(tmp_path / "a", where, channels=[channel("long_one")])
        undisturbed.login()
        shutil.copytree(tmp_path / "a", tmp_path / "b")
        with undisturbed.running() as daemon:
            eventually(lambda: undisturbed.count() == posts + 1, "the whole history")
            assert stop(daemon) == 0
        killed = Site(tmp_path / "b")
        for part in (0.1, 0.4, 0.7):
            with killed.running() as daemon:
                eventually(lambda p=part: killed.count() >= posts * p, f"{part:.0%} of the history")
                kill(daemon)
            assert killed.count() < posts, "the kill came too late to prove anything"
        with killed.running() as daemon:
            eventually(lambda: killed.count() == posts + 1, "the rest of the history")
            assert stop(daemon) == 0
        assert comparable(killed.database) == comparable(undisturbed.database)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (f"{PHONE}\n99999\n", "the code is wrong"),
        ("+1 999\n", "phone number"),
        (f"{PHONE}\n", "standard input ended"),
    ],
)
def test_a_wrong_answer_at_sign_in_is_one_clear_line(tmp_path: Path, answers: str, said: str) -> None:
    with site(tmp_path, {"channels": []}) as place:
        done = place.monitor("login", answers=answers)
        assert done.returncode == 2
        assert said in done.stderr
        assert "Traceback" not in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
        assert CODE not in done.stderr


def test_two_step_password(tmp_path: Path) -> None:
    secured = USER | {"password": "correct horse"}
    with site(tmp_path, {"users": [secured], "channels": []}) as place:
        wrong = place.monitor("login", answers=f"{PHONE}\n{CODE}\nbattery\n")
        assert wrong.returncode == 2
        assert "password is wrong" in wrong.stderr
        right = place.monitor("login", answers=f"{PHONE}\n{CODE}\ncorrect horse\n")
        assert right.returncode == 0, right.stderr


def test_without_a_network_a_sign_in_ends_with_3(tmp_path: Path) -> None:
    with site(tmp_path, {"channels": []}) as place:
        pass
    done = place.monitor("login", answers=f"{PHONE}\n{CODE}\n")
    assert done.returncode == 3
    assert "cannot be reached" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_without_a_sign_in_a_run_ends_with_3(tmp_path: Path) -> None:
    with site(tmp_path, {"channels": []}, channels=[channel("news_one")]) as place:
        done = place.monitor("run")
        assert done.returncode == 3
        assert "monitor login main" in done.stderr


def test_without_a_legal_statement_only_metadata_is_recorded(tmp_path: Path) -> None:
    """Against the platform itself; said before anything else, so that no connection is needed to see it."""
    place = Site(tmp_path)
    place.write(
        accounts=[{"name": "main", "api_id": 1, "api_hash": {"file": "api_hash"}}],
        telegram={"proxy": "socks5://127.0.0.1:9"},
    )
    with place.running() as daemon:
        eventually(lambda: "metadata only" in place.log(), "the warning")
        # The account was never signed in, and that is found without a connection, too.
        assert daemon.wait(60) == 3
    assert "not signed in" in place.log()


def test_what_is_refused_is_refused_for_its_own_reason(tmp_path: Path) -> None:
    scenario = {
        "channels": [
            {"username": "open_one", "posts": 3},
            {"username": "by_request", "access": "request", "kind": "group"},
            {"username": "a_group", "kind": "group"},
            {"username": "included", "kind": "group"},
            {"username": "too_late", "posts": 3},
            {"username": "too_early", "posts": 3},
            {"username": "moved_one", "posts": 3},
        ]
    }
    both = ["broadcast", "group"]
    ended = {"authorization": {**channel("x")["authorization"], "valid_until": "2020-02-01"}}
    begins = {"authorization": {**channel("x")["authorization"], "valid_from": "2099-01-01"}}
    declared = [
        channel("open_one"),
        channel("by_request", includes=both),
        channel("a_group"),
        channel("included", includes=both),
        channel("too_late") | ended,
        channel("too_early") | begins,
        channel("moved_one", id=42),
        {"username": "unauthorized"},
        channel("no_such_name"),
    ]
    with site(tmp_path, scenario, channels=declared) as place:
        place.login()
        with place.running() as daemon:
            decided = "SELECT count(*) FROM channels WHERE state != 'declared'"
            eventually(lambda: place.rows(decided) == [(len(declared),)], "all joined or refused")
            assert stop(daemon) == 0
        found = {
            c["username"]: c["reason"] for c in lines(place.monitor("channels", "list", "--json").stdout)
        }
        assert found == {
            "open_one": None,
            "included": None,
            "by_request": "join_request_needed",
            "a_group": "kind_not_included",
            "too_late": "authorization_expired",
            "too_early": "authorization_not_yet_valid",
            "moved_one": "name_moved",
            "unauthorized": "no_authorization",
            "no_such_name": "not_found",
        }
        for name, reason in found.items():
            if reason is not None:
                assert f"channel={name} reason={reason}" in place.log()


def test_a_data_centre_known_by_name_is_found_by_a_confined_collector(tmp_path: Path) -> None:
    with site(
        tmp_path, {"channels": [{"username": "news_one", "posts": 20}]}, channels=[channel("news_one")]
    ) as place:
        server = place.settings["telegram"]["server"] | {"host": "localhost"}
        place.write(telegram={"server": server})
        place.login()
        with place.running() as daemon:
            eventually(lambda: place.count() == 21, "the history")
            assert stop(daemon) == 0
