"""What a process may touch, enforced by the operating system.

Each process calls one function here, once, before it has a second thread: Landlock holds only for threads
started afterwards. What is in force is inherited by every child and cannot be taken back, so a process that
starts others must not give up what they need.
"""

import platform
from collections.abc import Sequence
from pathlib import Path

from monitor.confinement import filters, landlock, limits, seccomp
from monitor.confinement.kernel import linux, threads
from monitor.confinement.limits import die_with
from monitor.confinement.seccomp import Action, Rule
from monitor.confinement.words import Available, InForce, Measure
from monitor.errors import ConfigError

__all__ = [
    "DECODER_CPU_SECONDS",
    "DECODER_MEMORY",
    "Available",
    "InForce",
    "Measure",
    "available",
    "confine_collector",
    "confine_decoder",
    "confine_recorder",
    "die_with",
    "harden",
]

DECODER_MEMORY = 512 * 1024 * 1024
"""Bytes that a decoder may take beyond its interpreter and libraries: a picture of the largest size takes half of it,
so does a film of 3840 × 2160 whose decoder keeps sixteen frames.
"""
DECODER_CPU_SECONDS = 3600
"""Processor time of a decoder's whole life, after which the kernel ends it."""

_NEEDS_LANDLOCK = "needs Landlock (Linux 5.13 or newer, with lsm=…,landlock)"
_NEEDS_SECCOMP = "needs seccomp (Linux on x86_64 or aarch64)"
_NEEDS_LINUX = "needs Linux"


def available() -> Available:
    """What this machine offers; nothing is changed."""
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return Available(system, landlock.abi(), seccomp.supported())


def harden() -> InForce:
    """What every process does: no core dump, not dumpable, no new privileges, umask 077."""
    return InForce("process", _hardened())


def confine_collector(ports: Sequence[int] | None, *, required: bool) -> InForce:
    """For the process that sees content: it can write nowhere, and connect by TCP to `ports` alone
    (None: to any, for a test data centre whose ports are not known beforehand).

    Files can be read and programs started; /dev/null can be written. Standard error and output must be no
    regular files, and connections go to addresses, as names cannot be resolved. With `required` raises
    ConfigError where the kernel cannot keep it from writing; RuntimeError when other threads run already.
    """
    offer = _ready(required)
    done = _hardened()
    limits.no_file_growth()
    files = _landlock(offer, (), ports, read=True)
    _drop(0)
    filtered = _seccomp(offer, filters.collector())
    return InForce(
        "collector",
        (
            Measure(
                "no file written",
                files and filtered,
                f"Landlock ABI {offer.landlock}, seccomp" if files else _NEEDS_LANDLOCK,
            ),
            Measure("no file grows", True, "RLIMIT_FSIZE 0"),
            _attributes(filtered),
            _ports(offer, ports),
            _sockets(filtered, "TCP streams to addresses; no UDP, no raw or named local socket"),
            *_isolation(offer, filtered),
            *done,
        ),
    )


def confine_decoder(memory: int, cpu_seconds: int, *, required: bool) -> InForce:
    """For the worker that meets hostile bytes: no file, no network, no program, no process, no thread.

    What it has open stays usable by read and write, everything else answers EACCES; so all that it will ever
    import must be imported. `memory` in bytes beyond what it occupies now, `cpu_seconds` for its whole life.
    Raises as `confine_collector` does.
    """
    offer = _ready(required)
    done = _hardened()
    limits.no_file_growth()
    limits.cpu(cpu_seconds)
    if linux():
        limits.memory(memory)
    files = _landlock(offer, (), (), read=False)
    _drop(0)
    filtered = _seccomp(offer, filters.decoder())
    return InForce(
        "decoder",
        (
            Measure(
                "no file system",
                files and filtered,
                f"Landlock ABI {offer.landlock}, seccomp" if files else _NEEDS_LANDLOCK,
            ),
            Measure("no file grows", True, "RLIMIT_FSIZE 0"),
            Measure(
                "no network, program, process, thread",
                filtered,
                "seccomp, by list of what is allowed" if filtered else _NEEDS_SECCOMP,
            ),
            Measure(
                "memory",
                linux(),
                f"RLIMIT_AS, {memory >> 20} MiB beyond the interpreter" if linux() else _NEEDS_LINUX,
            ),
            Measure("processor time", True, f"RLIMIT_CPU, {cpu_seconds} s"),
            *done,
        ),
    )


def confine_recorder(writable: Sequence[Path], ports: Sequence[int] = (), *, required: bool) -> InForce:
    """For the process that writes: below `writable` alone, and no network but TCP to `ports` (a database).

    Files can be read and programs started, and these inherit what is in force here: a collector cannot be a
    child of a recorder without its ports. SQLite needs `temp_store=MEMORY`. Every path must exist. Raises
    as `confine_collector` does, and ConfigError for a path that is not there.
    """
    offer = _ready(required)
    missing = [path for path in writable if not path.exists()]
    if missing:
        raise ConfigError(f"{missing[0]} does not exist; it must, to be the only place that can be written")
    done = _hardened()
    files = _landlock(offer, writable, ports, read=True)
    _drop(limits.CAP_DAC_OVERRIDE)
    filtered = _seccomp(offer, filters.recorder(network=bool(ports)))
    where = ", ".join(map(str, writable)) or "nowhere"
    network = _ports(offer, ports) if ports else _sockets(filtered, "none")
    return InForce(
        "recorder",
        (
            Measure(
                "files written only below",
                files,
                f"{where} (Landlock ABI {offer.landlock})" if files else _NEEDS_LANDLOCK,
            ),
            Measure(
                "no file cut short elsewhere",
                files and (offer.landlock or 0) >= landlock.TRUNCATE_SINCE,
                f"Landlock, of ABI {landlock.TRUNCATE_SINCE} (Linux 6.2)",
            ),
            _attributes(filtered),
            network,
            *_isolation(offer, filtered),
            *done,
        ),
    )


def _ready(required: bool) -> Available:
    """What is available, after making sure that what follows can hold."""
    offer = available()
    if required and not offer.enough:
        lacking = "Landlock" if offer.landlock is None else "seccomp for this machine"
        raise ConfigError(
            f"confinement: {offer.system} has no {lacking}, so nothing can keep the process that sees content"
            " from writing; use Linux 5.13 or newer with Landlock (x86_64, aarch64), or set"
            " `confinement: best-effort` to run without"
        )
    if linux() and (running := threads()) != 1:
        raise RuntimeError(
            f"confinement must come first: {running} threads run already and would stay free"
            " (importing numpy starts some, unless OPENBLAS_NUM_THREADS=1)"
        )
    return offer


def _hardened() -> tuple[Measure, ...]:
    limits.no_dumps()
    if linux():
        limits.no_new_privileges()
    return (
        Measure("no core dump", True, "RLIMIT_CORE 0"),
        Measure("not dumpable", linux(), "PR_SET_DUMPABLE 0" if linux() else _NEEDS_LINUX),
        Measure("no new privileges", linux(), "PR_SET_NO_NEW_PRIVS" if linux() else _NEEDS_LINUX),
        Measure("files for their owner", True, "umask 077"),
    )


def _landlock(offer: Available, writable: Sequence[Path], ports: Sequence[int] | None, *, read: bool) -> bool:
    if offer.landlock is None:
        return False
    landlock.restrict(writable, ports, read=read)
    return True


def _drop(kept: int) -> None:
    if linux():
        limits.capabilities(kept)


def _seccomp(offer: Available, rules: tuple[Sequence[Rule], Action]) -> bool:
    if not offer.seccomp:
        return False
    seccomp.install(*rules)
    return True


def _attributes(filtered: bool) -> Measure:
    return Measure("no mode, owner, attribute, time set", filtered, "seccomp" if filtered else _NEEDS_SECCOMP)


def _sockets(filtered: bool, what: str) -> Measure:
    return Measure("sockets", filtered, f"{what} (seccomp)" if filtered else _NEEDS_SECCOMP)


def _ports(offer: Available, ports: Sequence[int] | None) -> Measure:
    if ports is None:
        return Measure("TCP to listed ports alone", False, "no ports are known beforehand")
    held = (offer.landlock or 0) >= landlock.PORTS_SINCE
    allowed = ", ".join(map(str, sorted(set(ports)))) or "none"
    how = f"{allowed} (Landlock)" if held else f"needs Landlock ABI {landlock.PORTS_SINCE} (Linux 6.7)"
    return Measure("TCP to listed ports alone", held, how)


def _isolation(offer: Available, filtered: bool) -> tuple[Measure, ...]:
    scoped = (offer.landlock or 0) >= landlock.SCOPES_SINCE
    return (
        Measure(
            "no other process read, no kernel change",
            filtered,
            "seccomp, no capabilities" if filtered else _NEEDS_SECCOMP,
        ),
        Measure(
            "signals to own children alone",
            scoped,
            "Landlock" if scoped else f"needs Landlock ABI {landlock.SCOPES_SINCE} (Linux 6.12)",
        ),
    )
