"""Every way out, tried from inside each confinement by a process of its own; and from none, as a control."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.confinement import available
from tests.unit.confinement.escapes import ATTEMPTS, UNSURE

pytestmark = pytest.mark.skipif(not available().enough, reason="no Landlock or seccomp on this machine")

DECODER_ALONE = {
    "read_a_file",
    "list_a_folder",
    "ask_whether_a_file_is_there",
    "start_a_program",
    "become_a_program",
    "fork",
    "thread",
    "code_made_in_memory",
    "signal_oneself",
    "socket_pair",
    "too_much_memory",
}
"""What Python needs outside the decoder."""
MAY = {
    "collector": DECODER_ALONE,
    "decoder": set[str](),
    # It is the one that writes: what it has open stays so, and files have no limit.
    "recorder": DECODER_ALONE
    | {"write_where_a_file_was_left_open", "map_a_file_left_open", "limits_up_again"},
}


@contextlib.contextmanager
def targets(tmp_path: Path) -> Iterator[tuple[dict[str, object], int]]:
    """Everything there is to attack, and the descriptor that the attacker inherits."""
    folder = tmp_path / "outside"
    for path in (folder, tmp_path / "writable", folder / "to-remove", folder / "mounted"):
        path.mkdir()
    for name in ("victim", "empty", "to-rename", "to-unlink"):
        (folder / name).write_text("as it was")
    abstract = f"channel-monitor-{os.getpid()}-{tmp_path.name}"
    with contextlib.ExitStack() as stack:
        allowed, other = (stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2))
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.bind(("127.0.0.1", 0))
        stream, named, datagram = (
            stack.enter_context(socket.socket(socket.AF_UNIX, kind))
            for kind in (socket.SOCK_STREAM, socket.SOCK_STREAM, socket.SOCK_DGRAM)
        )
        # A path of a socket has 108 bytes at most.
        stack.enter_context(contextlib.chdir(folder))
        for server, name in ((stream, "stream"), (named, "\0" + abstract), (datagram, "datagram")):
            server.bind(name)
        stream.listen()
        named.listen()
        gift, theirs = (stack.enter_context(s) for s in socket.socketpair())
        with open(folder / "gift", "w") as file:
            socket.send_fds(gift, [b"x"], [file.fileno()])
        sleeper = stack.enter_context(subprocess.Popen(["sleep", "600"]))
        stack.callback(sleeper.kill)
        yield (
            {
                "folder": str(folder),
                "writable": str(tmp_path / "writable"),
                "allowed_port": allowed.getsockname()[1],
                "other_port": other.getsockname()[1],
                "udp_port": udp.getsockname()[1],
                "stream": "stream",
                "datagram": "datagram",
                "abstract": abstract,
                "other": sleeper.pid,
                "gift": theirs.fileno(),
            },
            theirs.fileno(),
        )


def tried(process: str, tmp_path: Path) -> dict[str, str]:
    with targets(tmp_path) as (given, inherited):
        done = subprocess.run(
            [sys.executable, "-m", "tests.unit.confinement.escapes", process, json.dumps(given)],
            capture_output=True,
            pass_fds=[inherited],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
            timeout=100,
        )
        assert done.returncode == 0, done.stderr.decode()
        told: dict[str, str] = json.loads(done.stdout)
    assert set(told) == set(ATTEMPTS)
    return told


def state(folder: Path) -> list[tuple[str, int, float, int]]:
    """Names, modes, times and sizes of all that lies in a folder."""
    found = [(p, p.lstat()) for p in sorted(folder.rglob("*"))]
    return [(p.name, s.st_mode, s.st_mtime, s.st_size) for p, s in found]


@pytest.mark.parametrize("process", ["collector", "decoder", "recorder"])
def test_no_way_out_of_the(process: str, tmp_path: Path) -> None:
    told = tried(process, tmp_path)
    assert {name for name, outcome in told.items() if outcome == "escaped"} <= MAY[process]
    assert len(set(told) - MAY[process]) >= 20
    outside = tmp_path / "outside"
    left = {p.name for p in outside.iterdir()}
    assert left == {
        *("victim", "empty", "to-rename", "to-unlink", "to-remove", "mounted"),
        *("stream", "datagram", "gift", "left-open"),
    }
    for name in ("victim", "empty", "to-rename", "to-unlink"):
        assert (outside / name).read_text() == "as it was"
    assert (outside / "gift").read_text() == ""
    if process != "recorder":
        assert (outside / "left-open").read_text() == ""


def test_every_attempt_succeeds_without_confinement(tmp_path: Path) -> None:
    """Else it would show nothing that it fails inside."""
    told = tried("none", tmp_path)
    failed = {name: outcome for name, outcome in told.items() if outcome != "escaped"}
    assert set(failed) <= UNSURE, failed
