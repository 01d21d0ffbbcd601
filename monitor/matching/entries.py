"""The entries of a list while it is read: checked, in columns that stay small, and what was wrong with others."""

import binascii
import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from monitor.errors import HashListError
from monitor.matching.columns import Columns
from monitor.model import IDENTIFIER, Algorithm

MAX_LABEL = 64
_SHOWN = 5
"""Bad lines named in the error."""
_KINDS = 40
"""Kinds of hash that are counted one by one; a file may name what it likes."""
_BATCH = 4096

_NAMES = re.compile(rf"(?:(?:{IDENTIFIER.pattern})?\n)*")


class Place(NamedTuple):
    """Where something stands in a file: its line, and the how-manieth record it is; 0 where a line is a record."""

    line: int
    record: int = 0


class _BadLine(Exception):
    """What is wrong with a line, in words of ours."""


class Entries:
    """The entries so far.

    With `wanted` those of other algorithms are passed over. `mapped` are the labels that the configuration
    knows: of an entry with several labels, one of them is kept. `unit` is what a place counts. `at` is the time for
    which the file is read, as its entries may end; None for now.
    """

    def __init__(
        self,
        path: Path,
        wanted: Algorithm | None,
        mapped: Collection[str] = (),
        unit: str = "line",
        at: datetime | None = None,
    ) -> None:
        self.wanted = wanted
        self.at = at or datetime.now(UTC)
        self.withdrawn = 0
        self.label_names: dict[str, int] = {}
        self._path = path
        self._mapped = frozenset(mapped)
        self._unit = unit
        self._columns: dict[Algorithm, Columns] = {}
        self._pending: dict[Algorithm, list[tuple[Place, str, str, str]]] = {}
        self._bad: list[tuple[Place, str]] = []
        self._bad_count = 0
        self._unusable: dict[str, int] = {}
        self._withdrawn: dict[bytes, Mapping[Algorithm, int]] = {}
        self._empty: Algorithm | None = None

    # -- what a format calls

    def add(
        self, place: Place, algorithm: Algorithm, value: object, entry: str = "", label: str = ""
    ) -> None:
        """Take one entry, or note what is wrong with it. `value` is hex digits; absent columns are empty."""
        if self.wanted in (None, algorithm):
            pending = self._pending.setdefault(algorithm, [])
            pending.append((place, value if isinstance(value, str) else "", entry, label))
            if len(pending) >= _BATCH:
                self._flush(algorithm)

    def add_all(
        self, algorithm: Algorithm, values: Sequence[str], entries: Sequence[str], labels: Sequence[str]
    ) -> bool:
        """Take many entries at once when nothing about any of them is unusual; else take none and give False.

        Columns are of one length; empty ones are absent.
        """
        try:
            if set(map(len, values)) != {algorithm.size * 2}:
                return False
            raw = binascii.unhexlify("".join(values))
        except ValueError:
            return False
        joined = "\n".join(entries) + "\n" if entries else ""
        # The count: no name may hold the separator.
        if joined.count("\n") != len(entries) or not _NAMES.fullmatch(joined):
            return False
        if not all(label == "" or label in self.label_names or _is_label(label) for label in set(labels)):
            return False
        names = np.array(entries, np.bytes_) if entries else np.zeros(len(values), "S1")
        codes = [self._code(label) for label in labels] if labels else np.full(len(values), -1)
        self._of(algorithm).extend(raw, names, np.array(codes))
        return True

    def add_each(self, algorithm: Algorithm, rows: Iterable[tuple[Place, str, str, str]]) -> None:
        """Take entries one by one (place, value, entry, label), and note what is wrong with others."""
        taken = []
        for place, value, entry, label in rows:
            try:
                taken.append(self._checked(algorithm, value.strip(), entry.strip(), label.strip()))
            except _BadLine as e:
                self.bad(place, str(e))
        if taken:
            raw, names, codes = zip(*taken, strict=True)
            self._of(algorithm).extend(b"".join(raw), np.array(names, np.bytes_), np.array(codes))

    def bad(self, place: Place, reason: str) -> None:
        """Note what is wrong at a place, in words of ours, which never quote the file."""
        self._bad_count += 1
        self._bad.append((place, reason))
        if len(self._bad) > 1000:
            self._bad = sorted(self._bad)[:_SHOWN]

    def unusable(self, kind: str, count: int = 1) -> None:
        """Count hashes of a kind that cannot be computed here."""
        known = IDENTIFIER.fullmatch(kind) and (kind in self._unusable or len(self._unusable) < _KINDS)
        kind = kind if known else "other"
        self._unusable[kind] = self._unusable.get(kind, 0) + count

    def withdraw(self, entry: str) -> None:
        """Leave out what came of this entry so far, and count it; what comes later counts again. Of none with ""."""
        self.withdrawn += 1
        if not entry:
            return
        self._withdrawn[entry.encode("ascii")] = {
            algorithm: len(self._columns.get(algorithm, ())) + len(self._pending.get(algorithm, ()))
            for algorithm in self._columns.keys() | self._pending.keys()
        }

    def may_be_empty(self, algorithm: Algorithm) -> None:
        """Let a file in which nothing is left be an empty list, of the algorithm that is asked for, or of this one."""
        self._empty = self.wanted or algorithm
        self._of(self._empty)

    def label(self, labels: Iterable[object]) -> str:
        """The one of several labels that is kept: one that the configuration maps, else the first; "" for none."""
        first = ""
        for label in labels:
            if isinstance(label, str) and label and (label in self.label_names or _is_label(label)):
                if label in self._mapped:
                    return label
                first = first or label
        return first

    # -- what the loader calls

    @property
    def kept_aside(self) -> dict[str, int]:
        """Kinds of hash that cannot be computed here, and how many there were of each."""
        return dict(sorted(self._unusable.items()))

    def finish(self) -> dict[Algorithm, Columns]:
        """The columns of each algorithm; the same pair of value and entry once, what was withdrawn not.

        Raises HashListError if a line was bad, or none held an entry and none was withdrawn, unless it `may_be_empty`.
        """
        for algorithm in self._pending:
            self._flush(algorithm)
        self._refuse_bad()
        if self.wanted and self.withdrawn:
            self._of(self.wanted)  # nothing may be left of it: that is a list, too
        first, *others = self._columns.values() or (Columns(1),)
        for columns in others:
            columns.share(first)
        for algorithm, columns in self._columns.items():
            columns.finish({e: upto[algorithm] for e, upto in self._withdrawn.items() if algorithm in upto})
        found = {a: c for a, c in sorted(self._columns.items()) if len(c)}
        if not found and self.withdrawn and self.wanted:
            return self._columns
        if not found and self._empty is not None:
            return {self._empty: self._columns[self._empty]}
        if not found and not self.withdrawn:
            aside = ", ".join(f"{count} {kind}" for kind, count in self.kept_aside.items())
            raise HashListError(
                f"{self._path}: the list holds no entry"
                + (f" of {self.wanted}" if aside and self.wanted else "")
                + (f" that can be compared here; kept aside: {aside}" if aside else "")
            )
        return found

    # -- inside

    def _of(self, algorithm: Algorithm) -> Columns:
        return self._columns.setdefault(algorithm, Columns(algorithm.size))

    def _flush(self, algorithm: Algorithm) -> None:
        pending, self._pending[algorithm] = self._pending[algorithm], []
        if not pending:
            return
        _, values, entries, labels = zip(*pending, strict=True)
        if not self.add_all(algorithm, values, entries, labels):
            self.add_each(algorithm, pending)

    def _checked(self, algorithm: Algorithm, value: str, entry: str, label: str) -> tuple[bytes, str, int]:
        digits = algorithm.size * 2
        if len(value) != digits:
            raise _BadLine(f"not the {digits} hex digits of {algorithm}")
        try:
            raw = binascii.unhexlify(value)
        except ValueError:
            raise _BadLine(f"not the {digits} hex digits of {algorithm}") from None
        if entry and not IDENTIFIER.fullmatch(entry):
            raise _BadLine("the entry is not made of letters, digits and . _ : -, at most 64")
        if label and not _is_label(label):
            raise _BadLine(f"the label is longer than {MAX_LABEL} characters or not printable")
        return raw, entry, self._code(label)

    def _code(self, label: str) -> int:
        return self.label_names.setdefault(label, len(self.label_names)) if label else -1

    def _refuse_bad(self) -> None:
        if not self._bad:
            return
        shown = sorted(self._bad)[:_SHOWN]
        lines = "; ".join(f"{self._where(place)}: {reason}" for place, reason in shown)
        more = f"; and {self._bad_count - len(shown)} more" if self._bad_count > len(shown) else ""
        count = f"{self._bad_count} bad {self._unit}{'s' if self._bad_count > 1 else ''}"
        raise HashListError(f"{self._path}: {count}, nothing was loaded: {lines}{more}")

    def _where(self, place: Place) -> str:
        return f"{self._unit} {place.line}" + (f", record {place.record}" if place.record else "")


def identifier(text: object) -> str:
    """An entry's identifier from a source's own: itself where it can be one, else made from its SHA-256."""
    word = str(text) if isinstance(text, str | int) and not isinstance(text, bool) else ""
    if not word or IDENTIFIER.fullmatch(word):
        return word
    return "id-" + hashlib.sha256(word.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _is_label(label: str) -> bool:
    return len(label) <= MAX_LABEL and label.isprintable() and label == label.strip()
