"""The system calls that Python does not offer, by way of the C library."""

import ctypes
import os
import platform
import struct
from collections.abc import Sequence
from typing import Any

_libc = ctypes.CDLL(None, use_errno=True)


def linux() -> bool:
    """Whether this is Linux, where alone confinement is known."""
    return platform.system() == "Linux"


def machine() -> str | None:
    """ "x86_64" or "aarch64" when this process runs as one on Linux; None for what the filters do not know."""
    name = platform.machine()
    known = linux() and name in ("x86_64", "aarch64") and struct.calcsize("P") == 8
    return name if known else None


def syscall(number: int, *arguments: Any) -> int:
    """A system call by its number; integers or what ctypes.byref gives. Raises OSError."""
    return _checked(_libc.syscall(ctypes.c_long(number), *_long(arguments)))


def prctl(option: int, *arguments: Any) -> int:
    """prctl(2), unused arguments 0. Raises OSError."""
    return _checked(_libc.prctl(option, *_long([*arguments, 0, 0, 0, 0][:4])))


def keep_capabilities(kept: int) -> None:
    """Give up all capabilities (capabilities(7)) but those in the bit mask `kept`. Raises OSError."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this thread
    held = (ctypes.c_uint32 * 6)()
    _checked(_libc.capget(header, held))
    # Two words of each: effective, permitted, inheritable.
    left = [kept >> shift & 0xFFFFFFFF & held[at + 1] for at, shift in ((0, 0), (3, 32))]
    _checked(_libc.capset(header, (ctypes.c_uint32 * 6)(left[0], left[0], 0, left[1], left[1], 0)))


def threads() -> int:
    """How many threads this process has."""
    return len(os.listdir("/proc/self/task"))


def _long(arguments: Sequence[Any]) -> list[Any]:
    # As plain Python integers they would travel as 32 bits.
    return [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
