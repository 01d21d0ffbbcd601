"""Formats of hash lists: a module each, found by its name.

A module of this package is a format. It has `FORMAT`, and reads a file into entries: what is wrong with a
record it notes with its place (`entries.bad`), what is wrong with the file as a whole it raises
(`file.refused`). A new format is one file here and one fixture in tests/fixtures/lists.
"""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

from monitor.errors import HashListError
from monitor.matching.entries import Entries
from monitor.matching.list_file import ListFile


@dataclass(frozen=True, slots=True)
class Format:
    """How a format is read, and what is true of every list in it.

    `stale_after`: days after which such a list is too old to be relied on. `known_good`: it holds files that
    are no abuse. `unit` is what a place in it counts. With `streamed` it is read through `ListFile.read`, so
    that it may be encrypted.
    """

    read: Callable[[ListFile, Entries], None]
    stale_after: int | None = None
    known_good: bool = False
    unit: str = "line"
    streamed: bool = True


def format_names() -> tuple[str, ...]:
    """The formats that there are."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def find_format(name: str) -> Format:
    """The format of that name. Raises HashListError that names those there are."""
    if name not in format_names():
        raise HashListError(f"the format must be one of {', '.join(format_names())}")
    found = importlib.import_module(f"{__name__}.{name}").FORMAT
    assert isinstance(found, Format)  # noqa: S101 - our own module
    return found
