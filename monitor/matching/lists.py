"""A hash list's file → its entries and its version; or one HashListError, and nothing half-loaded."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from monitor.errors import HashListError
from monitor.matching.columns import Columns, derived_name
from monitor.matching.entries import Entries
from monitor.matching.formats import Format, find_format
from monitor.matching.list_file import check_manifest, open_list
from monitor.matching.thresholds import checked
from monitor.model import (
    IDENTIFIER,
    Algorithm,
    Category,
    Hash,
    HashEntry,
    ListAction,
    ListVersion,
    Provenance,
    Terms,
)


@dataclass(frozen=True, slots=True, eq=False)
class HashList:
    """The entries of one algorithm of a list as loaded, in columns of one length.

    `values` is uint8 (n, bytes), `names` the entries' identifiers as bytes, empty where one is derived from
    the value; `labels` positions in `label_names`, -1 for none. All are read-only. Iterating gives HashEntry.

    `categories` is what the labels mean. `unusable` counts the hashes of the file that cannot be computed
    here, by kind, and `withdrawn` its records that were withdrawn or deleted; both are of the whole file.
    `modified` is the file's time, `stale_at` when it is too old to be relied on (None: never).
    """

    version: ListVersion
    values: npt.NDArray[np.uint8]
    names: npt.NDArray[np.bytes_]
    labels: npt.NDArray[np.signedinteger[Any]]
    label_names: tuple[str, ...]
    modified: datetime
    stale_at: datetime | None = None
    categories: Mapping[str, Category] = field(default_factory=dict)
    unusable: Mapping[str, int] = field(default_factory=dict)
    withdrawn: int = 0

    def __len__(self) -> int:
        return len(self.values)

    def entry(self, position: int) -> str:
        """The identifier of the entry at this position."""
        name = bytes(self.names[position]) or derived_name(self.values[position].tobytes())
        return name.decode("ascii")

    def label(self, position: int) -> str | None:
        """The label of the entry at this position; None for none."""
        code = int(self.labels[position])
        return None if code < 0 else self.label_names[code]

    def category(self, position: int) -> Category | None:
        """What the label of this entry means; None without a label, and for one that is not mapped."""
        label = self.label(position)
        return None if label is None else self.categories.get(label)

    def find(self, entries: Collection[str]) -> dict[str, Category | None]:
        """Those of these identifiers that are entries of the list, and what the label of each means."""
        wanted = {entry.encode("ascii") for entry in entries}
        found = np.flatnonzero(np.isin(self.names, np.array(sorted(wanted), np.bytes_))).tolist()
        if wanted.difference(self.names[found].tolist()):
            unnamed = np.flatnonzero(self.names == b"").tolist()
            found += [p for p in unnamed if derived_name(self.values[p].tobytes()) in wanted]
        return {self.entry(position): self.category(position) for position in found}

    def __iter__(self) -> Iterator[HashEntry]:
        for position, value in enumerate(self.values):
            found = Hash(self.version.algorithm, value.tobytes())
            yield HashEntry(self.entry(position), found, self.label(position))


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
    """The entries of one algorithm of a list; see `load_lists`. Empty when all of them are withdrawn.

    `max_distance` in bits, `min_quality` 0–100; None takes the algorithm's default.
    """
    (found,) = load_lists(
        path,
        name=name,
        format=format,
        algorithm=algorithm,
        action=action,
        terms=terms,
        limits={algorithm: (max_distance, min_quality)},
    )
    return found


def load_lists(
    path: Path | str,
    *,
    name: str,
    format: str,
    action: ListAction,
    terms: Terms,
    algorithm: Algorithm | None = None,
    limits: Mapping[Algorithm, tuple[int | None, int | None]] | None = None,
    categories: Mapping[str, Category] | None = None,
    provenance: Provenance = Provenance.UNKNOWN,
    expires: datetime | None = None,
    stale_after: int | None = None,
    manifest: Path | None = None,
    key: bytes | None = None,
    at: datetime | None = None,
) -> tuple[HashList, ...]:
    """Read a list's file: a HashList for each algorithm in it, or for the one that is asked for, by name.

    `format` is one of `formats.format_names()`; each format's module says what it takes. Values are hex; 64
    digits may be SHA-256 or PDQ, and where a format does not say which, `algorithm` must. An entry without an
    identifier gets the first 16 hex digits of the SHA-256 of its value. An entry may have several hashes, a
    hash several entries; the same pair twice counts once. What the file itself marks as withdrawn or deleted
    is left out; a file in which nothing else is left gives an empty list of `algorithm`, and none without it.

    `limits` are max_distance in bits and min_quality 0–100 by algorithm; None takes the default. `categories`
    says what a label means. `stale_after` is in days after the file's time; None takes the format's default.
    `manifest` is a file as `sha256sum` writes it, which must name this one. `key` (32 bytes) opens a file that
    `encrypt_list` wrote. `at` is the time for which it is read, where entries have an end of their own; None is now.

    Raises HashListError: the file is open to others or is not the manifest's, a line is bad (the first ones
    are named by number, and what is in them never), or the terms do not permit to detect.
    """
    how = _checked(path, name, format, action, terms)
    meanings = dict(categories or {})
    with open_list(path, key) as file:
        if file.encrypted and not how.streamed:
            raise HashListError(f"{path}: a list of format {format} is read in place and cannot be encrypted")
        entries = Entries(file.path, algorithm, meanings, how.unit, at)
        how.read(file, entries)
        digest = file.sha256()
        if manifest is not None:
            check_manifest(manifest, file)
        found = entries.finish()

    def limit(a: Algorithm) -> tuple[int, int]:
        try:
            return checked(a, *(limits or {}).get(a, (None, None)))
        except ValueError as e:
            raise HashListError(f"{path}: list {name}: {e}") from e

    days = how.stale_after if stale_after is None else stale_after
    labels, count = tuple(entries.label_names), sum(map(len, found.values()))

    def made(a: Algorithm, columns: Columns) -> HashList:
        return HashList(
            ListVersion(name, a, action, count, digest, terms, *limit(a), provenance, expires),
            columns.values,
            columns.names,
            columns.labels,
            labels,
            file.modified,
            None if days is None else file.modified + timedelta(days=days),
            meanings,
            entries.kept_aside,
            entries.withdrawn,
        )

    return tuple(made(a, columns) for a, columns in found.items())


def _checked(path: Path | str, name: str, format: str, action: ListAction, terms: Terms) -> Format:
    """How the list is read. Raises HashListError when it may not be, as it is declared."""
    if not IDENTIFIER.fullmatch(name):
        raise HashListError(f"{path}: a list's name is made of letters, digits and . _ : -, at most 64")
    if "detect" not in terms.permitted_uses:
        raise HashListError(
            f"{path}: the terms of list {name} do not permit to detect; such a list is not loaded: ask its"
            " licensor, then add detect to its permitted_uses"
        )
    try:
        how = find_format(format)
    except HashListError as e:
        raise HashListError(f"{path}: list {name}: {e}") from e
    if how.known_good and action is not ListAction.IGNORE:
        raise HashListError(
            f"{path}: list {name} holds files that are no abuse ({format}); declare action: ignore"
        )
    return how
