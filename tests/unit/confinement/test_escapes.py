"""Every way out, tried from inside each confinement by a process of its own; and from none, as a control."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.confinement import available
from monitor.confinement.landlock import SCOPES_SINCE
from monitor.selftest.confinement import LEFT_OPEN, PROCESSES, UNCONFINED, tried
from monitor.selftest.escapes import ATTEMPTS, KINDS, MAY, UNSURE

pytestmark = pytest.mark.skipif(not available().enough, reason="no Landlock or seccomp on this machine")

PACKAGE = Path(__file__).parents[3]
SELFTEST = ["selftest", "confinement"]
BROKEN_KERNEL = """
import runpy, sys
from monitor.confinement import kernel, seccomp
from monitor.confinement.seccomp import Action, If, Rule
# Under these rules a kernel lacks what is named, or says that it did what it did not.
UNKNOWN, NOTHING_DONE = Action.UNKNOWN, 0x00050000
kernel.prctl(38, 1)
seccomp.install({rules}, Action.ALLOW)
sys.argv[1:] = {arguments}
runpy.run_module("monitor", run_name="__main__")
"""
NO_SECCOMP = 'Rule(UNKNOWN, ("prctl",), (If(0, 21),))'
NO_LANDLOCK = 'Rule(UNKNOWN, ("landlock_create_ruleset",))'
PRETENDED_LANDLOCK = 'Rule(NOTHING_DONE, ("landlock_restrict_self",))'
PRETENDED_SECCOMP = 'Rule(NOTHING_DONE, ("prctl",), (If(0, 22),))'
DEADLY_PIPES = 'Rule(Action.KILL, ("mknod", "mknodat"))'
PRETENDED_LIMITS = (
    'Rule(NOTHING_DONE, ("setrlimit",)), Rule(NOTHING_DONE, ("prlimit64",), (If(2, 0, unless=True),))'
)


def command(*arguments: str, rules: str | None = None) -> "subprocess.CompletedProcess[str]":
    """The command as a user runs it; with `rules` on a kernel that is not what it seems."""
    ours = [*SELFTEST, *arguments]
    whole = ["-m", "monitor", *ours]
    if rules:
        whole = ["-c", BROKEN_KERNEL.format(rules=f"[{rules}]", arguments=ours)]
    return subprocess.run(
        [sys.executable, *whole],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=PACKAGE,
    )


@pytest.mark.parametrize("process", PROCESSES)
def test_no_way_out_of_the(process: str, tmp_path: Path) -> None:
    told = tried(process, tmp_path)
    assert set(told.outcomes) == set(ATTEMPTS)
    assert told.escaped <= MAY[process]
    assert len((KINDS["files"] | KINDS["network"]) - MAY[process]) >= 20
    outside = tmp_path / "outside"
    assert {path.name for path in outside.iterdir()} == {
        *("victim", "to-rename", "to-unlink", "to-remove", "mounted"),
        *("stream", "datagram", "gift", "left-open"),
    }
    for name in ("victim", "to-rename", "to-unlink"):
        assert (outside / name).read_text() == "as it was"
    assert (outside / "gift").read_text() == ""
    assert told.changed == ({LEFT_OPEN} if process == "recorder" else set())


def test_every_attempt_succeeds_without_confinement_and_what_it_changes_is_seen(tmp_path: Path) -> None:
    """Else it would show nothing that it fails inside."""
    told = tried(UNCONFINED, tmp_path)
    assert set(told.outcomes) == set(ATTEMPTS)
    assert ATTEMPTS.keys() - told.escaped <= UNSURE, told.outcomes
    assert {"victim", "to-rename", "to-unlink", "to-remove", "gift", "left-open"} <= told.changed
    assert {"made-by-create", "made-by-thread", "made-by-shell", "made-by-python"} <= told.changed


def test_the_command_says_in_a_table_what_held_and_ends_with_a_summary() -> None:
    done = command()
    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows[0] == ["process", "tries", "held", "escaped", "not", "in", "force"]
    assert [row[0] for row in rows[1:4]] == list(PROCESSES)
    # Figures end where their headings end.
    ends = [[m.end() for m in re.finditer(r"\S+", line)][1:4] for line in done.stdout.splitlines()[:4]]
    assert ends[1:] == ends[:1] * 3
    for process, row in zip(PROCESSES, rows[1:4], strict=True):
        assert int(row[1]) == len(ATTEMPTS) - len(MAY[process]) == int(row[2]) + int(row[3])
    assert done.stdout.splitlines()[-1].startswith("confinement: ")
    if (available().landlock or 0) >= SCOPES_SINCE:
        assert done.returncode == 0, done.stdout + done.stderr
        assert [row[3:] for row in rows[1:4]] == [["0", "–"]] * 3
        assert done.stdout.splitlines()[-1].startswith("confinement: 0 escapes; ")
        assert done.stderr == ""  # nor a bar, as nobody looks


def test_the_command_gives_one_object_a_line_to_programs() -> None:
    done = command("--json")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["process"] for row in told] == list(PROCESSES)
    for row in told:
        assert row["tries"] == row["held"] + len(row["escaped"])
        assert row["unconfined"] >= 20
        assert row["changed"] == []
        assert all(set(measure) == {"measure", "how"} for measure in row["not_in_force"])


def test_a_bar_is_shown_on_a_terminal() -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        subprocess.run(
            [sys.executable, "-m", "monitor", *SELFTEST],
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            timeout=100,
            cwd=PACKAGE,
            check=False,
        )
        os.close(theirs)
        assert b"processes" in terminal.read(1 << 16)


def escapes(stdout: str, process: str) -> set[str]:
    """The ways out of one process that the command names."""
    start = f"escaped: {process}: "
    lines = stdout.splitlines()
    return {line.removeprefix(start).replace(" ", "_") for line in lines if line.startswith(start)}


def test_processes_that_nothing_confines_are_caught_though_all_seems_in_force() -> None:
    done = command(rules=f"{PRETENDED_LANDLOCK}, {PRETENDED_SECCOMP}, {PRETENDED_LIMITS}")
    assert done.returncode == 4, done.stdout + done.stderr
    for process in PROCESSES:
        must_fail = ATTEMPTS.keys() - MAY[process]
        # A process that is not dumpable has no memory file of its own, but under root.
        assert escapes(done.stdout, process) >= must_fail - UNSURE - {"memory_of_oneself"}
        assert f"changed outside: {process}: made-by-create" in done.stdout
    lines = done.stdout.splitlines()
    assert [line.split()[-1] for line in lines[1:4]] == ["–"] * 3
    assert not lines[-1].startswith("confinement: 0 escapes")
    assert "confinement does not hold" in done.stderr


@pytest.mark.parametrize(
    ("rules", "ways"),
    [
        (PRETENDED_LANDLOCK, {"collector": "connect_elsewhere", "recorder": "create"}),
        (PRETENDED_SECCOMP, {"collector": "datagram", "recorder": "change_times", "decoder": "fork"}),
    ],
    ids=["Landlock", "seccomp"],
)
def test_one_measure_that_is_only_pretended_is_caught(rules: str, ways: dict[str, str]) -> None:
    done = command(rules=rules)
    assert done.returncode == 4, done.stdout + done.stderr
    for process, way in ways.items():
        assert way in escapes(done.stdout, process)


def test_without_landlock_the_command_says_so_and_what_is_not_in_force() -> None:
    done = command(rules=NO_LANDLOCK)
    assert done.returncode == 4, done.stdout + done.stderr
    assert "Landlock is not available" in done.stderr
    assert "no file written (needs Landlock" in done.stdout
    assert "no Landlock, seccomp" in done.stdout.splitlines()[-1]
    assert "signal_another" in escapes(done.stdout, "collector")


def test_where_no_process_can_be_confined_at_all_nothing_is_tried() -> None:
    done = command(rules=NO_SECCOMP)
    assert done.returncode == 4, done.stdout + done.stderr
    assert done.stdout.startswith("confinement: nothing is in force that could be tried; Linux ")
    assert len(done.stdout.splitlines()) == 1
    assert "seccomp is not available" in done.stderr


def test_what_ends_the_attacker_is_no_proof() -> None:
    done = command(rules=DEADLY_PIPES)
    assert done.returncode == 4, done.stdout + done.stderr
    assert re.fullmatch(r"monitor: unconfined: ended after remove with code -\d+: .*\n", done.stderr)
    assert "tries held" not in done.stdout
