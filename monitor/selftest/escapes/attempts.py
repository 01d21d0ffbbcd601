"""What there is to attack, and the list in which each way out stands by its name."""

import ctypes
import os
import platform
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor.confinement.syscalls import NUMBERS

MB = 1 << 20
LIBC = ctypes.CDLL(None, use_errno=True)
Way = Callable[["Targets"], None]
ATTEMPTS: dict[str, Way] = {}
"""Every way out by its name: returns where it succeeds, raises OSError or RuntimeError where it is held."""
UNSURE: set[str] = set()
"""Ways that a machine may refuse by itself: not root, no such file system, switched off."""


@dataclass(frozen=True, slots=True)
class Given:
    """What the attacker is told, as JSON. All paths lie where no process may write, but for `writable`.

    `ports` are those that a collector may connect to; all others are for attacks. `gift` is a descriptor over
    which an open file was sent, `other` the id of a process. `memory` in bytes, `cpu_seconds` for a whole life.
    """

    folder: str
    writable: str
    ports: tuple[int, ...]
    other_port: int
    udp_port: int
    stream: str
    datagram: str
    abstract: str
    other: int
    gift: int
    memory: int
    cpu_seconds: int


class Targets:
    """What is given, opened as a process may have it open when it is confined."""

    def __init__(self, given: Given) -> None:
        self.folder = Path(given.folder)
        self.victim = self.folder / "victim"
        self.other_port = given.other_port
        self.udp_port = given.udp_port
        self.stream = given.stream
        self.datagram = given.datagram
        self.abstract = given.abstract
        self.other = given.other
        self.memory = given.memory
        self.gift = socket.socket(fileno=given.gift)
        self.reading = os.open(self.victim, os.O_RDONLY)
        self.writing = os.open(self.folder / "left-open", os.O_WRONLY)
        self.terminal = os.openpty()[1]

    def file(self, name: str) -> Path:
        """Where an attempt would make something new."""
        return self.folder / f"made-by-{name}"


def attempt(function: Way) -> Way:
    """Put a way out on the list."""
    ATTEMPTS[function.__name__] = function
    return function


def unsure(function: Way) -> Way:
    """Put a way out on the list, and note that it need not succeed without confinement either."""
    UNSURE.add(function.__name__)
    return attempt(function)


def call(name: str, *arguments: Any) -> int:
    """A system call by name, all arguments as longs or pointers. Raises OSError."""
    converted = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    number = NUMBERS[platform.machine()][name]
    return checked(LIBC.syscall(ctypes.c_long(number), *converted))


def checked(result: int) -> int:
    """What a function of the C library gave. Raises OSError where that is a failure."""
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
