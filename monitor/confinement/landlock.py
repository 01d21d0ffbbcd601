"""Landlock: what a process may do below which paths and on which ports (docs.kernel.org/userspace-api/landlock).

A ruleset denies every kind of access it handles, but where a rule allows it. It holds for the calling
thread and what it starts from then on, and cannot be taken back.
"""

import ctypes
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from monitor.confinement.kernel import linux, syscall

_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446  # on every machine
_VERSION_FLAG = 1
_PATH_BENEATH, _NET_PORT = 1, 2

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_FIRST_FS = (1 << 13) - 1
_FS_SINCE: Mapping[int, int] = {1: _FIRST_FS, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
"""Rights by the ABI that brought them: all of the first, move between folders, truncate, device ioctl."""
_DEVICE_IOCTL = 1 << 15
_ON_A_FILE = _EXECUTE | _WRITE_FILE | _READ_FILE | 1 << 14 | _DEVICE_IOCTL
_BIND, _CONNECT = 1, 2
_SCOPES = 1 | 2
"""Abstract sockets and signals stay within the confined process and its children."""

PORTS_SINCE, SCOPES_SINCE, TRUNCATE_SINCE = 4, 6, 3
"""The ABIs that brought TCP ports, scopes and truncation."""
NULL_DEVICE = Path("/dev/null")


class _Ruleset(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


class _NetPort(ctypes.Structure):
    _fields_ = (("allowed", ctypes.c_uint64), ("port", ctypes.c_uint64))


def abi() -> int | None:
    """The version of Landlock this kernel offers (1 since Linux 5.13); None without it or where it is off."""
    if not linux():
        return None
    try:
        return syscall(_CREATE, None, 0, _VERSION_FLAG)
    except OSError:
        return None


def restrict(writable: Sequence[Path], ports: Sequence[int] | None, *, read: bool) -> None:
    """From now on: writes only below `writable`, TCP connections only to `ports`, as far as the ABI goes.
    None leaves ports as they are.

    With `read` files can be read and programs started everywhere, else nowhere. /dev/null can be written
    where files can be read. Raises OSError; ConfigError is the caller's to raise.
    """
    version = abi() or 0
    fs = sum(right for since, right in _FS_SINCE.items() if since <= version)
    if read:
        fs &= ~(_EXECUTE | _READ_FILE | _READ_DIR)
    net = _BIND | _CONNECT if version >= PORTS_SINCE and ports is not None else 0
    attributes = _Ruleset(fs, net, _SCOPES if version >= SCOPES_SINCE else 0)
    # An older kernel refuses a structure with fields that it does not know.
    size = 24 if version >= SCOPES_SINCE else 16 if version >= PORTS_SINCE else 8
    ruleset = syscall(_CREATE, ctypes.byref(attributes), size, 0)
    try:
        for path in [*writable, *([NULL_DEVICE] if read else [])]:
            _allow(ruleset, path, fs & ~_DEVICE_IOCTL)
        for port in ports or ():
            rule = _NetPort(_CONNECT, port)
            syscall(_ADD_RULE, ruleset, _NET_PORT, ctypes.byref(rule), 0)
        syscall(_RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = _PathBeneath(rights if path.is_dir() else rights & _ON_A_FILE, descriptor)
        syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(rule), 0)
    finally:
        os.close(descriptor)
