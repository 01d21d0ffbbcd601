"""Every way out of confinement that we know, to be tried from inside by the tests and by operators.

An attempt that succeeds harms nothing: it changes files made for the purpose and speaks to sockets of our own.
"""

from collections.abc import Mapping
from types import ModuleType

from monitor.selftest.escapes import everyday, files, network, processes
from monitor.selftest.escapes.attempts import ATTEMPTS, UNSURE, Given, Targets

__all__ = ["ATTEMPTS", "KINDS", "MAY", "UNSURE", "Given", "Targets"]


def _of(module: ModuleType) -> frozenset[str]:
    return frozenset(name for name, way in ATTEMPTS.items() if way.__module__ == module.__name__)


KINDS: Mapping[str, frozenset[str]] = {
    "files": _of(files),
    "network": _of(network),
    "processes": _of(processes),
    "everyday": _of(everyday),
}
"""The names of all ways out: those that write, those that connect, those by others, and what Python needs."""
MAY: Mapping[str, frozenset[str]] = {
    "collector": KINDS["everyday"],
    "decoder": frozenset(),
    # It is the one that writes: what it has open stays so, and files have no limit.
    "recorder": KINDS["everyday"]
    | {"write_where_a_file_was_left_open", "lengthen_a_file_left_open", "limits_up_again"},
}
"""What each process can do and is meant to; everything else must fail."""
