"""What an exchange gave, as a hash list to be matched."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from monitor import exchange
from monitor.config import HashListEntry
from monitor.errors import HashListError
from monitor.exchange import Row
from monitor.matching.lists import HashList
from monitor.matching.thresholds import checked
from monitor.model import Algorithm, ListVersion


def load(
    path: Path, entry: HashListEntry, limits: Mapping[Algorithm, tuple[int | None, int | None]]
) -> tuple[HashList, ...]:
    """The hashes that are in force in an exchange's file: a list for each algorithm, or for the declared one.

    Count and digest of a version are those of all hashes that can be compared here. `limits` are max_distance in
    bits and min_quality 0–100. Raises HashListError when nothing was fetched yet, or the file is damaged.
    """
    columns: dict[str, _Columns] = {} if entry.algorithm is None else {entry.algorithm.value: _Columns()}
    codes: dict[str, int] = {}

    def take(row: Row) -> None:
        name, algorithm, value, label = row
        if entry.algorithm is None:
            columns.setdefault(algorithm, _Columns())
        if algorithm in columns:
            found = columns[algorithm]
            found.values.extend(value)
            found.names.append(name.encode("ascii"))
            found.labels.append(-1 if label is None else codes.setdefault(label, len(codes)))

    standing = exchange.in_force(path, take)
    if standing is None:
        raise HashListError(f"list {entry.name}: nothing was fetched yet; run: monitor lists update")

    def made(algorithm: Algorithm, found: _Columns) -> HashList:
        values = np.frombuffer(bytes(found.values), np.uint8).reshape(-1, algorithm.size)
        names, labels = np.array(found.names, np.bytes_), np.array(found.labels, np.int32)
        names.flags.writeable = labels.flags.writeable = False
        version = ListVersion(
            entry.name,
            algorithm,
            entry.action,
            standing.count,
            standing.sha256,
            entry.terms.value(),
            *checked(algorithm, *limits.get(algorithm, (None, None))),
            provenance=entry.provenance,
            expires=entry.expires,
            added=standing.added,
            withdrawn=standing.withdrawn,
        )
        fetched = standing.fetched_at or datetime.fromtimestamp(0, UTC)
        return HashList(
            version, values, names, labels, tuple(codes), fetched, None, entry.labels, dict(standing.unusable)
        )

    return tuple(made(Algorithm(name), columns[name]) for name in sorted(columns))


@dataclass(frozen=True, slots=True)
class _Columns:
    """What is gathered of one algorithm."""

    values: bytearray = field(default_factory=bytearray)
    names: list[bytes] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
