"""A hash list's file → its entries and its version; or one HashListError, and nothing half-loaded."""

import binascii
import csv
import hashlib
import io
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from monitor.errors import HashListError
from monitor.matching.thresholds import checked
from monitor.model import IDENTIFIER, Algorithm, Hash, HashEntry, ListAction, ListVersion, Terms

MAX_LINE = 4096
"""Bytes in a line; nothing that belongs into a hash list is longer."""
MAX_LABEL = 64
_SHOWN = 5
"""Bad lines named in the error."""


@dataclass(frozen=True, slots=True, eq=False)
class HashList:
    """A hash list as loaded, in columns of one length.

    `values` is uint8 (n, bytes), `names` are the entries' identifiers as bytes, `labels` positions in
    `label_names`, -1 for none. All are read-only. Iterating gives HashEntry.
    """

    version: ListVersion
    values: npt.NDArray[np.uint8]
    names: npt.NDArray[np.bytes_]
    labels: npt.NDArray[np.int32]
    label_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.values)

    def entry(self, position: int) -> str:
        """The identifier of the entry at this position."""
        return bytes(self.names[position]).decode("ascii")

    def __iter__(self) -> Iterator[HashEntry]:
        for position, value in enumerate(self.values):
            label = int(self.labels[position])
            yield HashEntry(
                self.entry(position),
                Hash(self.version.algorithm, value.tobytes()),
                None if label < 0 else self.label_names[label],
            )


def load_list(
    path: Path | str,
    *,
    name: str,
    format: str,
    algorithm: Algorithm,
    action: ListAction,
    terms: Terms,
    max_distance: int | None = None,
    min_quality: int | None = None,
) -> HashList:
    """Read a hash list.

    `format` is "text" (a hash a line, # comments) or "csv" (tabs instead of commas when the file is named
    .tsv). A CSV file may begin with a header: the hash stands in the column named like the algorithm, or
    "hash", or "value"; the entry's identifier in "entry" or "id", a label in "label". Without a header the
    first column is the hash and the second, if any, the identifier. An entry without identifier gets the
    first 16 hex digits of the SHA-256 of its value. Values are hex; 64 digits may be SHA-256 or PDQ, the
    declared algorithm decides. UTF-8, with or without byte order mark. An entry may have several hashes, a
    hash several entries; the same pair twice counts once.

    `max_distance` in bits, `min_quality` 0–100; None takes the algorithm's default.

    Raises HashListError, which names the file and the first bad lines by number, never what is in them.
    """
    if not IDENTIFIER.fullmatch(name):
        raise HashListError(f"{path}: a list's name is made of letters, digits and . _ : -, at most 64")
    if format not in ("csv", "text"):
        raise HashListError(f"{path}: the format of list {name} must be csv or text")
    try:
        distance, quality = checked(algorithm, max_distance, min_quality)
    except ValueError as e:
        raise HashListError(f"{path}: list {name}: {e}") from e
    rows = _Rows(path, algorithm)
    digest = hashlib.sha256()
    if format == "text":
        read: Callable[[int, str], None] = rows.text_line
    else:
        read = _Table(rows, "\t" if Path(path).suffix.lower() == ".tsv" else ",").line
    for number, line in _lines(path, digest.update):
        read(number, line)
    rows.refuse_bad()
    version = ListVersion(name, algorithm, action, len(rows.names), digest.digest(), terms, distance, quality)
    values = np.frombuffer(bytes(rows.values), np.uint8).reshape(-1, algorithm.size)
    names = np.array(rows.names, np.bytes_)
    labels = np.array(rows.labels, np.int32)
    names.flags.writeable = labels.flags.writeable = False
    return HashList(version, values, names, labels, tuple(rows.label_names))


class _BadLine(Exception):
    """What is wrong with a line, in words of ours."""


class _Rows:
    """The entries so far, and what was wrong."""

    def __init__(self, path: Path | str, algorithm: Algorithm) -> None:
        self._path = path
        self._algorithm = algorithm
        self._digits = algorithm.size * 2
        self._seen: set[bytes] = set()
        self._bad: list[tuple[int, str]] = []
        self._bad_count = 0
        self.values = bytearray()
        self.names: list[bytes] = []
        self.labels: list[int] = []
        self.label_names: dict[str, int] = {}

    @property
    def algorithm(self) -> Algorithm:
        return self._algorithm

    def text_line(self, number: int, line: str) -> None:
        """A hash, a comment or nothing."""
        line = line.strip()
        if line and not line.startswith("#"):
            self.add(number, line)

    def add(self, number: int, value: str, entry: str = "", label: str = "") -> None:
        """Take one entry, or note what is wrong with it. Absent columns are empty."""
        try:
            self._add(value.strip(), entry.strip(), label.strip())
        except _BadLine as e:
            self.bad(number, str(e))

    def bad(self, number: int, reason: str) -> None:
        """Note a bad line."""
        self._bad_count += 1
        if len(self._bad) < _SHOWN:
            self._bad.append((number, reason))

    def refuse_bad(self) -> None:
        """Raise HashListError if a line was bad, or none held an entry."""
        if self._bad:
            lines = "; ".join(f"line {number}: {reason}" for number, reason in self._bad)
            more = (
                f"; and {self._bad_count - len(self._bad)} more" if self._bad_count > len(self._bad) else ""
            )
            count = f"{self._bad_count} bad line{'s' if self._bad_count > 1 else ''}"
            raise HashListError(f"{self._path}: {count}, nothing was loaded: {lines}{more}")
        if not self.names:
            raise HashListError(f"{self._path}: the list holds no entry")

    def _add(self, value: str, entry: str, label: str) -> None:
        if len(value) != self._digits:
            raise _BadLine(f"not the {self._digits} hex digits of {self._algorithm}")
        try:
            raw = binascii.unhexlify(value)
        except ValueError:
            raise _BadLine(f"not the {self._digits} hex digits of {self._algorithm}") from None
        if not entry:
            entry = hashlib.sha256(raw).hexdigest()[:16]
        elif not IDENTIFIER.fullmatch(entry):
            raise _BadLine("the entry is not made of letters, digits and . _ : -, at most 64")
        if len(label) > MAX_LABEL or not label.isprintable():
            raise _BadLine(f"the label is longer than {MAX_LABEL} characters or not printable")
        name = entry.encode("ascii")
        # Digests all have one length: value and name cannot be cut in two ways.
        pair = raw + name
        if pair in self._seen:
            return
        self._seen.add(pair)
        self.values += raw
        self.names.append(name)
        self.labels.append(self.label_names.setdefault(label, len(self.label_names)) if label else -1)


class _Table:
    """Lines with columns; the first may name them."""

    def __init__(self, rows: _Rows, delimiter: str) -> None:
        self._rows = rows
        self._delimiter = delimiter
        self._columns: tuple[int, int | None, int | None] | None = None

    def line(self, number: int, line: str) -> None:
        """A header, an entry or nothing.

        A record is one line: a stray quote must not hide what follows.
        """
        if not line.strip():
            return
        try:
            cells = self._cells(line)
        except csv.Error:
            self._rows.bad(number, "quotes that do not match")
            return
        if self._columns is None:
            named = _header(cells, self._rows.algorithm)
            self._columns = named or (0, 1, None)
            if named:
                return
        value, entry, label = (_cell(cells, column) for column in self._columns)
        self._rows.add(number, value, entry, label)

    def _cells(self, line: str) -> list[str]:
        if '"' not in line:
            return line.split(self._delimiter)
        return next(csv.reader(io.StringIO(line), delimiter=self._delimiter, strict=True))


def _cell(cells: list[str], column: int | None) -> str:
    return cells[column] if column is not None and column < len(cells) else ""


def _header(cells: list[str], algorithm: Algorithm) -> tuple[int, int | None, int | None] | None:
    """Columns of hash, entry and label when the line names the first of these, else None."""
    names = [cell.strip().lower() for cell in cells]

    def column(*wanted: str) -> int | None:
        return next((names.index(name) for name in wanted if name in names), None)

    value = column(algorithm.value, "hash", "value")
    return None if value is None else (value, column("entry", "id"), column("label"))


def _lines(path: Path | str, seen: Callable[[bytes], None]) -> Iterator[tuple[int, str]]:
    """Number and text of each line, without its end; every byte is shown to `seen` too."""
    try:
        # Looked at first: opening a named pipe would wait for a writer.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise HashListError(f"{path}: the list is not a file")
        with open(path, "rb") as file:
            number = 0
            while line := file.readline(MAX_LINE + 1):
                number += 1
                seen(line)
                yield number, _text(path, number, line)
    except OSError as e:
        raise HashListError(
            f"{path}: {os.strerror(e.errno or 0)}; name a readable file under hash_lists"
        ) from e
    except ValueError as e:
        raise HashListError(f"{path!r}: not a path") from e


def _text(path: Path | str, number: int, line: bytes) -> str:
    if len(line) > MAX_LINE:
        raise HashListError(f"{path}: line {number} is longer than {MAX_LINE} bytes")
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError:
        raise HashListError(f"{path}: line {number} is not UTF-8") from None
    if "\0" in text:
        raise HashListError(f"{path}: line {number} holds a zero byte; a list is text")
    return text.rstrip("\r\n")
