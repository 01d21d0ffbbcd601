"""What confined processes can still do, what they are told, and when confinement refuses to begin."""

import json
import os
import platform
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from monitor.confinement import Available, InForce, Measure, available, confine_collector
from monitor.confinement.landlock import PORTS_SINCE

confinable = pytest.mark.skipif(not available().enough, reason="no Landlock or seccomp on this machine")


def inside(code: str, *arguments: object) -> str:
    """Run Python code in a process of its own; what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@confinable
def test_a_collector_can_read_connect_to_its_port_and_start_the_interpreter(tmp_path: Path) -> None:
    (tmp_path / "readable").write_text("text")
    with socket.create_server(("127.0.0.1", 0)) as server:
        told = inside(
            """
import socket, subprocess, sys, threading
from monitor.confinement import confine_collector
port = int(sys.argv[1])
told = confine_collector([port], required=True)
assert open(sys.argv[2]).read() == "text"
socket.create_connection(("127.0.0.1", port)).close()
done = subprocess.run([sys.executable, "-c", "print(6 * 7)"], stdin=subprocess.DEVNULL, capture_output=True)
assert done.stdout == b"42\\n", done
assert "CapPrm:\\t0000000000000000" in open("/proc/self/status").read()
a, b = socket.socketpair()
a.send(b"x"); a.sendmsg([b"y"]); assert b.recv(2) == b"xy"
thread = threading.Thread(target=print, args=("thread",))
thread.start(); thread.join()
print(told)
""",
            server.getsockname()[1],
            tmp_path / "readable",
        )
    assert told == "thread\ncollector: confined\n"


@confinable
def test_a_collector_runs_asyncio_with_threads_and_children(tmp_path: Path) -> None:
    told = inside(
        """
import asyncio, sys
from monitor.confinement import confine_collector
confine_collector([], required=True)
async def main():
    await asyncio.to_thread(sum, range(9))
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "print(1)", stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    print(out.decode().strip(), await process.wait())
asyncio.run(main())
"""
    )
    assert told == "1 0\n"


@confinable
def test_a_recorder_keeps_a_database_below_its_folder(tmp_path: Path) -> None:
    told = inside(
        """
import sqlite3, sys, threading
from pathlib import Path
from monitor.confinement import confine_recorder
folder = Path(sys.argv[1])
confine_recorder([folder], required=True)
def work():
    base = sqlite3.connect(folder / "base")
    base.executescript("pragma journal_mode=wal; pragma temp_store=memory; create table t (n);")
    with base:
        base.executemany("insert into t values (?)", [(n,) for n in range(20_000)])
    print(base.execute("select count(*) from (select distinct n from t order by -n)").fetchone()[0])
    base.execute("vacuum"); base.close()
thread = threading.Thread(target=work)
thread.start(); thread.join()
(folder / "a").write_text("x"); (folder / "a").rename(folder / "b"); (folder / "b").unlink()
""",
        tmp_path,
    )
    assert told == "20000\n"


@confinable
def test_a_recorder_reaches_its_database_server_and_no_other(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_server(("127.0.0.1", 0)) as other:
        told = inside(
            """
import socket, sys
from monitor.confinement import confine_recorder
port, other = map(int, sys.argv[1:])
confine_recorder([], [port], required=True)
socket.create_connection(("127.0.0.1", port)).close()
try:
    socket.create_connection(("127.0.0.1", other))
except PermissionError:
    print("refused")
""",
            server.getsockname()[1],
            other.getsockname()[1],
        )
    assert told == ("refused\n" if (available().landlock or 0) >= PORTS_SINCE else "")


@confinable
@pytest.mark.parametrize(
    ("call", "process"),
    [
        ("confine_collector([443], required=True)", "collector"),
        ("confine_decoder(1 << 28, 60, required=True)", "decoder"),
        ("confine_recorder([Path(sys.argv[1])], required=True)", "recorder"),
        ("harden()", "process"),
    ],
)
def test_each_process_is_told_what_is_in_force(call: str, process: str, tmp_path: Path) -> None:
    told = json.loads(
        inside(
            f"""
import dataclasses, json, os, sys
from pathlib import Path
from monitor.confinement import *
told = {call}
os.write(1, json.dumps(dataclasses.asdict(told)).encode())
""",
            tmp_path,
        )
    )
    assert told["process"] == process
    assert len(told["measures"]) >= 4
    if (available().landlock or 0) >= 6:
        assert all(measure["in_force"] for measure in told["measures"])


@confinable
def test_confinement_refuses_to_come_after_a_thread() -> None:
    release = threading.Event()
    thread = threading.Thread(target=release.wait)
    thread.start()
    try:
        with pytest.raises(RuntimeError, match="must come first"):
            confine_collector([], required=True)
    finally:
        release.set()
        thread.join()


@confinable
def test_a_recorder_needs_its_folders_to_be_there(tmp_path: Path) -> None:
    told = inside(
        """
import sys
from pathlib import Path
from monitor.confinement import confine_recorder
from monitor.errors import ConfigError
try:
    confine_recorder([Path(sys.argv[1])], required=True)
except ConfigError as e:
    print(e)
""",
        tmp_path / "absent",
    )
    assert "absent does not exist" in told


WITHOUT_LANDLOCK = """
import errno, sys
from monitor.confinement import *
from monitor.confinement import kernel, seccomp
from monitor.confinement.seccomp import Action, Rule
from monitor.errors import ConfigError
# A kernel without Landlock, as far as this process can see.
kernel.prctl(38, 1)
unknown = Rule(Action.UNKNOWN, ("landlock_create_ruleset",))
seccomp.install([unknown], Action.ALLOW)
assert available().landlock is None and not available().enough
try:
    confine_collector([443], required=True)
except ConfigError as e:
    print(e)
told = confine_collector([443], required=False)
print(told)
try:
    open(sys.argv[1], "w")
except OSError as e:
    print(e.strerror)
"""


@confinable
def test_without_landlock_a_required_confinement_refuses_and_best_effort_says_what_is_missing(
    tmp_path: Path,
) -> None:
    refusal, told, failed = inside(WITHOUT_LANDLOCK, tmp_path / "file").splitlines()
    assert "has no Landlock" in refusal
    assert "confinement: best-effort" in refusal
    assert told.startswith("collector: NOT in force: no file written (needs Landlock")
    assert "TCP to listed ports alone" in told
    assert failed == os.strerror(13)  # seccomp still holds
    assert not (tmp_path / "file").exists()


def test_what_is_available_names_the_system() -> None:
    offer = available()
    assert offer.system.startswith(platform.system())
    assert not Available("Darwin 24 arm64", None, False).enough
    assert Available("Linux", 1, True).enough


def test_in_force_says_in_one_line_what_is_missing() -> None:
    held, lacking = Measure("files", True, "Landlock"), Measure("memory", False, "needs Linux")
    assert str(InForce("decoder", (held,))) == "decoder: confined"
    assert str(InForce("decoder", (held, lacking))) == "decoder: NOT in force: memory (needs Linux)"
    assert InForce("decoder", (held, lacking)).missing == (lacking,)


def test_importing_confinement_loads_no_library() -> None:
    told = inside("import monitor.confinement, sys; print({'numpy', 'asyncio', 'PIL'} & set(sys.modules))")
    assert told == "set()\n"
