"""Limits and switches of a process that need no filter: dumps, privileges, file size, memory, time."""

import os
import resource
import signal
from pathlib import Path

from monitor.confinement.kernel import keep_capabilities, linux, prctl

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
CAP_DAC_OVERRIDE = 1 << 1
"""The one capability the recorder keeps, for a state directory of another user's under root."""


def no_dumps() -> None:
    """No core dump; on Linux nobody but root attaches either. New files are for their owner alone."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)
    if linux():
        prctl(_PR_SET_DUMPABLE, 0)


def no_new_privileges() -> None:
    """No program started from here gains rights (set-user-ID and the like). Linux only."""
    prctl(_PR_SET_NO_NEW_PRIVS, 1)


def no_file_growth() -> None:
    """No regular file can be written, threads that run already included; pipes and sockets can."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def capabilities(kept: int = 0) -> None:
    """Under root: give up what root may do beyond others, so that no limit can be raised again. Linux only."""
    keep_capabilities(kept)


def memory(more: int) -> None:
    """At most `more` bytes of address space beyond what is taken now. Linux only."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    size = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (size, size))


def cpu(seconds: int) -> None:
    """The process is ended after so many seconds of processor time in its life."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))


def die_with(parent: int) -> None:
    """Have the kernel end this process when the thread that started it ends; at once when `parent`, its
    process id, is gone already. Linux only.
    """
    if linux():
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit(0)
