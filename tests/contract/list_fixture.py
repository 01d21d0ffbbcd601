"""What a fixture of a list format says; one module of tests/fixtures/lists for each format."""

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from monitor.model import Algorithm, ListAction

Row = tuple[str, bytes, str | None]
"""Entry, value, label."""


def made(seed: int, algorithm: Algorithm) -> bytes:
    """A value of that algorithm, of nothing."""
    return random.Random(seed).randbytes(algorithm.size)


MD5, OTHER_MD5 = made(1, Algorithm.MD5), made(2, Algorithm.MD5)
SHA1, OTHER_SHA1 = made(3, Algorithm.SHA1), made(4, Algorithm.SHA1)
SHA256, OTHER_SHA256 = made(5, Algorithm.SHA256), made(6, Algorithm.SHA256)
PDQ, OTHER_PDQ = made(7, Algorithm.PDQ), made(8, Algorithm.PDQ)


def derived(value: bytes) -> str:
    """The identifier of an entry without one."""
    return hashlib.sha256(value).hexdigest()[:16]


@dataclass(frozen=True)
class Item:
    """An entry to write, with a value for each of its algorithms."""

    entry: str
    values: dict[Algorithm, bytes]
    label: str | None


@dataclass(frozen=True)
class Fixture:
    """A small file of a format and what is in it, and a malformed twin with the place that is to be named.

    `write` writes entries with these `algorithms` in the format, for the round trip; `names` and `labels` tell whether
    it has room for them. `algorithm` is what is declared.
    """

    good: bytes
    holds: dict[Algorithm, list[Row]]
    broken: bytes
    where: str
    write: Callable[[Sequence[Item]], bytes]
    algorithms: tuple[Algorithm, ...]
    names: bool = True
    labels: bool = True
    algorithm: Algorithm | None = None
    action: ListAction = ListAction.FLAG
    withdrawn: int = 0
    unusable: dict[str, int] = field(default_factory=dict)
