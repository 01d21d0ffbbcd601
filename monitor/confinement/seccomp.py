"""A list of rules about system calls → a filter in the kernel (seccomp(2), classic BPF).

Written out here, some eighty lines, as the bindings to libseccomp are neither pure Python nor everywhere.
"""

import ctypes
import enum
import errno
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.confinement.kernel import machine, prctl
from monitor.confinement.syscalls import NEWEST, NUMBERS

_PR_GET_SECCOMP, _PR_SET_SECCOMP, _FILTER = 21, 22, 2
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_LOAD, _JUMP_EQUAL, _JUMP_GREATER, _AND, _RETURN = 0x20, 0x15, 0x25, 0x54, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_WORD = 0xFFFFFFFF


class Action(enum.IntEnum):
    """What becomes of a call. DENY answers EACCES, UNKNOWN ENOSYS, as a kernel without that call would."""

    ALLOW = 0x7FFF0000
    DENY = 0x00050000 | errno.EACCES
    UNKNOWN = 0x00050000 | errno.ENOSYS
    KILL = 0x80000000


@dataclass(frozen=True, slots=True)
class If:
    """A test on one 32-bit half of an argument: the bits in `mask` are `value`, or with `unless` are not."""

    argument: int
    value: int
    mask: int = _WORD
    unless: bool = False
    high: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """For these calls, when all tests hold, the action; the first rule that fits decides."""

    action: Action
    calls: tuple[str, ...]
    tests: tuple[If, ...] = ()


def supported() -> bool:
    """Whether this kernel and machine take such filters."""
    if machine() is None:
        return False
    try:
        prctl(_PR_GET_SECCOMP)
    except OSError:
        return False
    return True


def program(rules: Sequence[Rule], otherwise: Action, on: str) -> bytes:
    """The filter for the machine `on` ("x86_64" or "aarch64"), eight bytes an instruction.

    Calls of another architecture end the process: their numbers mean something else. Calls newer than the
    tables, and x86_64's x32 forms, are UNKNOWN.
    """
    numbers = NUMBERS[on]
    code = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, _ARCHITECTURES[on]),
        (_RETURN, 0, 0, Action.KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_JUMP_GREATER, 0, 1, NEWEST),
        (_RETURN, 0, 0, Action.UNKNOWN),
    ]
    for rule in rules:
        for name in rule.calls:
            if name in numbers:
                code += _fits(numbers[name], rule)
    code.append((_RETURN, 0, 0, otherwise))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def _fits(number: int, rule: Rule) -> list[tuple[int, int, int, int]]:
    body: list[tuple[int, int, int, int]] = [(_RETURN, 0, 0, rule.action)]
    if rule.tests:
        body.append((_LOAD, 0, 0, _NUMBER))  # for the rules that follow, when a test fails
    for test in reversed(rule.tests):
        beyond = len(body) - 1  # over the rest and the return, to the reload
        body.insert(0, (_JUMP_EQUAL, *((beyond, 0) if test.unless else (0, beyond)), test.value))
        if test.mask != _WORD:
            body.insert(0, (_AND, 0, 0, test.mask))
        body.insert(0, (_LOAD, 0, 0, _ARGUMENTS + 8 * test.argument + 4 * test.high))
    return [(_JUMP_EQUAL, 0, len(body), number), *body]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))


def install(rules: Sequence[Rule], otherwise: Action) -> None:
    """Put the filter over this thread and all that it starts, for good. Needs no_new_privs. Raises OSError."""
    on = machine()
    if on is None:
        raise OSError(errno.ENOSYS, "no filter for this machine")
    code = program(rules, otherwise, on)
    loaded = _Program(len(code) // 8, code)
    prctl(_PR_SET_SECCOMP, _FILTER, ctypes.byref(loaded))
