"""Processes of a running daemon that die, and what they are able to open while they live."""

import os
import random
import re
import signal
import subprocess
import sys
from pathlib import Path

from tests.e2e.site import Site, channel, eventually, lines, site, stop

POSTS = 3000


def processes(daemon: "subprocess.Popen[bytes]") -> dict[str, int]:
    """Process ids below a daemon, by module."""
    found = {}
    parents = {daemon.pid}
    for entry in sorted(Path("/proc").glob("[0-9]*"), key=lambda p: int(p.name)):
        try:
            command = (entry / "cmdline").read_bytes().decode().split("\0")
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, ProcessLookupError):
            continue
        if parent in parents and "-m" in command:
            parents.add(int(entry.name))
            found[command[command.index("-m") + 1]] = int(entry.name)
    return found


def listed(folder: Path) -> list[dict[str, object]]:
    """A hash list that nothing is on, so that media is fetched and decoded; long enough for a compiled index."""
    chance = random.Random(1)
    rows = (f"{chance.randbytes(32).hex()},e-{number}\n" for number in range(5000))
    (folder / "list.csv").write_text("pdq,entry\n" + "".join(rows))
    (folder / "list.csv").chmod(0o600)
    terms = {"licensor": "L", "reference": "R", "permitted_uses": ["detect"]}
    return [{"name": "one", "file": "list.csv", "algorithm": "pdq", "terms": terms}]


def test_a_collector_that_dies_is_started_again_and_nothing_is_missed(tmp_path: Path) -> None:
    # Slow enough that the kill finds the history half read.
    slow = {"request": "messages.getHistory", "delay": 0.05, "count": None}
    scenario = {"channels": [{"username": "news_one", "posts": POSTS}], "faults": [slow]}
    with site(tmp_path, scenario, channels=[channel("news_one")]) as place:
        place.login()
        with place.running() as daemon:
            eventually(lambda: place.count() > 100, "some history")
            os.kill(processes(daemon)["monitor.collector_process"], signal.SIGKILL)
            assert place.count() < POSTS, "the kill came too late to prove anything"
            eventually(lambda: "started again" in place.log(), "the restart")
            eventually(lambda: place.count() == POSTS + 1, "the whole history")
            assert stop(daemon) == 0


def test_a_recorder_that_dies_stops_everything(tmp_path: Path) -> None:
    scenario = {"channels": [{"username": "news_one", "posts": 50}]}
    with site(tmp_path, scenario, channels=[channel("news_one")]) as place:
        place.login()
        with place.running() as daemon:
            eventually(lambda: place.count() == 51, "the history")
            below = processes(daemon)
            os.kill(below["monitor.recorder_process"], signal.SIGKILL)
            assert daemon.wait(90) == 3
            assert not any(Path(f"/proc/{pid}").exists() for pid in below.values())
        assert "the recorder died" in place.log()
        assert "Traceback" not in place.log()
        with place.running() as daemon:
            eventually(lambda: "monitor.collector_process" in processes(daemon), "the next run")
            assert stop(daemon) == 0


def test_a_decoder_that_dies_costs_nothing(tmp_path: Path) -> None:
    scenario = {"channels": [{"username": "news_one", "posts": 200, "photos": 0.5}]}
    with site(tmp_path, scenario, channels=[channel("news_one")], hash_lists=listed(tmp_path)) as place:
        place.login()
        with place.running() as daemon:
            eventually(lambda: "monitor.decoder" in processes(daemon), "a decoder")
            eventually(lambda: place.count() > 0, "the history")
            os.kill(processes(daemon)["monitor.decoder"], signal.SIGKILL)
            pending = "SELECT count(*) FROM media WHERE outcome = 'pending'"
            eventually(lambda: place.count() == 201 and place.rows(pending) == [(0,)], "every outcome", 60)
            assert stop(daemon) == 0
        assert place.rows("SELECT DISTINCT outcome FROM media") == [("no_match",)]


def test_check_says_what_is_in_force(tmp_path: Path) -> None:
    place = Site(tmp_path)
    nowhere = {"proxy": "socks5://127.0.0.1:9"}
    place.write(accounts=[{"name": "main", "api_id": 1, "api_hash": {"file": "api_hash"}}], telegram=nowhere)
    done = place.monitor("check", "--json")
    levels = {finding["what"]: finding["level"] for finding in lines(done.stdout)}
    assert levels["collector: no file written"] == "ok", done.stderr
    assert levels["decoder: no file system"] == "ok"
    assert levels["recorder: files written only below"] == "ok"


OPENED = re.compile(r'^(\d+) .*\bopen(?:at)?\((?:AT_FDCWD, )?"([^"]*)", ([A-Z_|0-9]+).*\) = \d+$')
WRITES = {"O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND"}


def test_collector_and_decoder_open_no_regular_file_for_writing(tmp_path: Path) -> None:
    """Seen by strace over a whole run, from the first instruction of each process."""
    scenario = {"channels": [{"username": "news_one", "posts": 100, "photos": 0.3, "documents": 0.2}]}
    with site(tmp_path, scenario, channels=[channel("news_one")], hash_lists=listed(tmp_path)) as place:
        place.login()
        trace = tmp_path / "trace.txt"
        command = [
            "strace",
            "-f",
            "-qq",
            "-o",
            str(trace),
            "-e",
            "trace=open,openat,creat,execve,clone,clone3,fork,vfork",
        ]
        with subprocess.Popen(
            [*command, sys.executable, "-m", "monitor", "run", "--config", str(place.config)]
        ) as run:
            try:
                pending = "SELECT count(*) FROM media WHERE outcome = 'pending'"
                eventually(lambda: place.count() == 101 and place.rows(pending) == [(0,)], "everything", 100)
                os.kill(
                    int(Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()[0]),
                    signal.SIGTERM,
                )
                assert run.wait(60) == 0
            finally:
                run.kill()
        traced = trace.read_text(errors="replace").splitlines()
        watched = {
            line.split()[0]
            for line in traced
            if "execve(" in line and ("monitor.collector_process" in line or "monitor.decoder" in line)
        }
        assert len(watched) >= 2, "neither collector nor decoder was seen"
        opened = [OPENED.match(line) for line in traced]
        seen = [(m[1], m[2], set(m[3].split("|"))) for m in opened if m is not None]
        assert any(pid in watched for pid, _, _ in seen), "the trace holds nothing of them"
        assert any("monitor.db" in path and flags & WRITES for _, path, flags in seen), (
            "the recorder was not seen"
        )
        written = {path for pid, path, flags in seen if pid in watched and flags & WRITES}
        assert written <= {"/dev/null"}, written
