"""Whether confinement holds on this machine: every way out that we know, tried from inside each process."""

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import monitor
from monitor.collector_process import PLATFORM_PORTS
from monitor.confinement import DECODER_CPU_SECONDS, DECODER_MEMORY, Available, InForce, Measure, available
from monitor.errors import VerificationError
from monitor.selftest.escapes import ATTEMPTS, MAY, Given
from monitor.selftest.escapes.attempts import LIBC

UNCONFINED = "unconfined"
"""The control run, without which a failure would show nothing."""
PROCESSES = ("collector", "recorder", "decoder")
LEAST = 20
"""Ways that must succeed without confinement, or a machine on which they fail shows nothing."""
LIMIT = 60.0
"""Seconds that one process may take over all of its tries."""
ESCAPED = "escaped"
LEFT_OPEN = "left-open"
"""A file that each process has open for writing when it is confined."""
Report = Callable[[int, int], object]
"""Told how many of how many processes have had their tries."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a process said: what is in force, and of each way out "escaped" or the name of an error.

    `changed` is what nobody said: files outside that are not as they were.
    """

    in_force: InForce
    outcomes: Mapping[str, str]
    changed: frozenset[str]

    @property
    def escaped(self) -> frozenset[str]:
        """The ways that succeeded."""
        return frozenset(name for name, outcome in self.outcomes.items() if outcome == ESCAPED)


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one confined process. `unconfined` of its tries succeed where nothing confines them; `changed`
    are files outside that are not as they were, whatever the process said."""

    process: str
    tries: int
    unconfined: int
    escaped: tuple[str, ...]
    changed: tuple[str, ...]
    missing: tuple[Measure, ...]

    @property
    def held(self) -> int:
        """How many tries failed, as they must."""
        return self.tries - len(self.escaped)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of all of them; no trial where no process can be confined at all."""

    offer: Available
    trials: tuple[Trial, ...]
    seconds: float

    @property
    def faults(self) -> list[str]:
        """What is wrong, in words; empty when all holds."""
        escapes = sum(len(trial.escaped) for trial in self.trials)
        found = [f"{escapes} escapes"] if escapes else []
        found += [f"files changed outside the {t.process}" for t in self.trials if t.changed]
        found += [
            f"only {t.unconfined} of the {t.process}'s tries succeed here without confinement: too few to show much"
            for t in self.trials
            if t.unconfined < LEAST
        ]
        if self.offer.landlock is None:
            found.append("Landlock is not available (Linux 5.13 or newer, with lsm=…,landlock)")
        if not self.offer.seccomp:
            found.append("seccomp is not available (Linux on x86_64 or aarch64)")
        return found

    @property
    def line(self) -> str:
        """How many tries there were, how many held, and where."""
        tries, held = sum(t.tries for t in self.trials), sum(t.held for t in self.trials)
        if not self.trials:
            return f"confinement: nothing is in force that could be tried; {self.offer.system}"
        landlock = "no Landlock" if self.offer.landlock is None else f"Landlock ABI {self.offer.landlock}"
        seccomp = "seccomp" if self.offer.seccomp else "no seccomp"
        without = sum(t.unconfined for t in self.trials)
        return (
            f"confinement: {tries - held} escapes; {held} of {tries} tries held in {len(self.trials)} processes"
            f" ({without} of them succeed here without confinement); {self.offer.system}, {landlock}, {seccomp};"
            f" {self.seconds:.1f} s"
        )


def confinement(report: Report) -> Verdict:
    """Try every way out of each process, and out of none for comparison; takes some seconds.

    Raises VerificationError when a process cannot be tried to the end.
    """
    began = time.monotonic()
    offer = available()
    if not offer.seccomp:  # nor are the numbers of the system calls known that are tried
        return Verdict(offer, (), time.monotonic() - began)
    steps = len(PROCESSES) + 1
    report(0, steps)
    with _home() as home:
        control = tried(UNCONFINED, home).escaped
    report(1, steps)
    trials = []
    for number, process in enumerate(PROCESSES, 2):
        with _home() as home:
            trials.append(_trial(process, home, control))
        report(number, steps)
    return Verdict(offer, tuple(trials), time.monotonic() - began)


@contextlib.contextmanager
def _home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="monitor-selftest-") as home:
        yield Path(home)


def _trial(process: str, home: Path, control: frozenset[str]) -> Trial:
    told, may = tried(process, home), MAY[process]
    must_fail = told.outcomes.keys() - may
    changed = told.changed - ({LEFT_OPEN} if "write_where_a_file_was_left_open" in may else set())
    return Trial(
        process,
        len(must_fail),
        len(must_fail & control),
        tuple(sorted(told.escaped & must_fail)),
        tuple(sorted(changed)),
        told.in_force.missing,
    )


def tried(process: str, home: Path) -> Told:
    """What a process confined as `process` (or `UNCONFINED`) says of its tries, on targets made in `home`, an empty
    folder. Raises VerificationError when it does not come to an end.
    """
    outside = home / "outside"
    with _targets(home) as given:
        before = _state(outside)
        try:
            done = subprocess.run(  # noqa: S603 — our own module, in our own interpreter
                [sys.executable, "-m", "monitor.selftest.escapes", process, json.dumps(asdict(given))],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                pass_fds=[given.gift],
                cwd=outside,
                # This very package, also where another one is installed.
                env={**os.environ, "PYTHONPATH": os.pathsep.join(_path())},
                timeout=LIMIT,
                check=False,
            )
        except subprocess.TimeoutExpired as e:
            raise VerificationError(f"{process}: its tries take longer than {LIMIT:.0f} s") from e
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode != 0 or len(lines) != 1 + len(ATTEMPTS):
        # Nothing of a channel is near: what the process says can be shown.
        said = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        last = f"after {lines[-1][0]}" if len(lines) > 1 else "at the beginning"
        raise VerificationError(f"{process}: ended {last} with code {done.returncode}: {said}")
    measures = tuple(Measure(**measure) for measure in lines[0]["measures"])
    after = _state(outside)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    return Told(InForce(lines[0]["process"], measures), dict(lines[1:]), frozenset(changed))


def _path() -> list[str]:
    return [str(Path(monitor.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]


@contextlib.contextmanager
def _targets(home: Path) -> Iterator[Given]:
    """Everything there is to attack: files, servers, a process, a descriptor that comes as a message."""
    folder, writable = home / "outside", home / "writable"
    for path in (folder, writable, folder / "to-remove", folder / "mounted"):
        path.mkdir(mode=0o700)
    for name in ("victim", "to-rename", "to-unlink", "gift", LEFT_OPEN):
        (folder / name).write_text("" if name in ("gift", LEFT_OPEN) else "as it was")
    abstract = f"channel-monitor-{secrets.token_hex(8)}"
    with contextlib.ExitStack() as stack:
        stack.callback(_forget, abstract)
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.bind(("127.0.0.1", 0))
        stream, named, datagram = (
            stack.enter_context(socket.socket(socket.AF_UNIX, kind))
            for kind in (socket.SOCK_STREAM, socket.SOCK_STREAM, socket.SOCK_DGRAM)
        )
        # A path of a socket has 108 bytes at most.
        with contextlib.chdir(folder):
            for server, name in ((stream, "stream"), (named, "\0" + abstract), (datagram, "datagram")):
                server.bind(name)
        stream.listen()
        named.listen()
        gift, theirs = (stack.enter_context(end) for end in socket.socketpair())
        with (folder / "gift").open("w") as file:
            socket.send_fds(gift, [b"x"], [file.fileno()])
        # It ends with its standard input, so also when this process is killed.
        waiting = [sys.executable, "-c", "import sys; sys.stdin.read()"]
        other = stack.enter_context(subprocess.Popen(waiting, stdin=subprocess.PIPE))  # noqa: S603
        stack.callback(other.kill)
        yield Given(
            folder=str(folder),
            writable=str(writable),
            ports=PLATFORM_PORTS,
            other_port=tcp.getsockname()[1],
            udp_port=udp.getsockname()[1],
            stream="stream",
            datagram="datagram",
            abstract=abstract,
            other=other.pid,
            gift=theirs.fileno(),
            memory=DECODER_MEMORY,
            cpu_seconds=DECODER_CPU_SECONDS,
        )


def _forget(name: str) -> None:
    """Remove what an attempt may have left beyond its folder."""
    for remove in (LIBC.shm_unlink, LIBC.mq_unlink):
        remove(f"/{name}".encode())  # fails where there is none


def _state(folder: Path) -> dict[str, tuple[int, ...]]:
    """All that lies in a folder, with what changes whenever a file does."""
    found = {path: path.lstat() for path in [folder, *folder.rglob("*")]}
    return {
        str(path.relative_to(folder)): (s.st_mode, s.st_nlink, s.st_size, s.st_mtime_ns, s.st_ctime_ns)
        for path, s in found.items()
    }
