"""STIX 2.1: the hashes of a bundle's file and artifact objects, and of indicators that name nothing but them.

Indicators whose pattern asks for more than hashes of a file cannot be compared here and are counted as
`pattern`. What is revoked is left out, wherever it stands. Of an object's labels one is kept.
"""

import re
from collections.abc import Iterator
from typing import Any

from monitor.matching.entries import Entries, Place, identifier
from monitor.matching.formats import Format
from monitor.matching.json_records import EACH, records
from monitor.matching.list_file import ListFile
from monitor.model import Algorithm

_NAME = r"(?:'(?P<quoted>[^'\\]{1,64})'|\"(?P<double>[^\"\\]{1,64})\"|(?P<bare>[A-Za-z0-9_-]{1,64}))"
_HASH = re.compile(rf"file:hashes\.{_NAME}\s*=\s*'(?P<value>[^'\\]*)'\s*")
_BETWEEN = re.compile(r"\s*(?:\]\s*(?:OR|AND)\s*\[|OR\b|AND\b)\s*")
_EDGE = re.compile(r"\s*\[\s*|\s*\]\s*")


def _read(file: ListFile, entries: Entries) -> None:
    revoked = []
    for _, place, found in records(file, ("objects", EACH)):
        if not isinstance(found, dict):
            entries.bad(place, "not an object")
            continue
        entry = identifier(found.get("id"))
        if found.get("revoked") is True:
            revoked.append(entry)
            continue
        labels = found.get("labels")
        label = entries.label(labels if isinstance(labels, list) else ())
        kind = found.get("type")
        if kind in ("file", "artifact"):
            hashes = found.get("hashes")
            if isinstance(hashes, dict):
                _take(entries, place, hashes.items(), entry, label)
        elif kind == "indicator" and found.get("pattern_type", "stix") == "stix":
            pattern = found.get("pattern")
            if not isinstance(pattern, str):
                entries.bad(place, "no pattern")
            elif hashes := _hashes(pattern):
                _take(entries, place, hashes, entry, label)
            else:
                entries.unusable("pattern")
    for entry in revoked:
        entries.withdraw(entry)


def _take(entries: Entries, place: Place, hashes: Any, entry: str, label: str) -> None:
    for name, value in hashes:
        # SHA-256 is the standard's word; x_pdq and the like are custom keys.
        plain = name.lower().replace("-", "").replace("_", "")
        algorithm = _ALGORITHMS.get(plain) or _ALGORITHMS.get(plain.removeprefix("x"))
        if algorithm is None:
            entries.unusable(name)
        else:
            entries.add(place, algorithm, value, entry, label)


def _hashes(pattern: str) -> list[tuple[str, str]]:
    """Name and value of each hash of a pattern; none when it asks for anything else."""
    return list(_parsed(pattern) or ())


def _parsed(pattern: str) -> Iterator[tuple[str, str]] | None:
    opening = _EDGE.match(pattern)
    at = opening.end() if opening and "[" in opening[0] else None
    found = []
    while at is not None:
        hit = _HASH.match(pattern, at)
        if hit is None:
            return None
        found.append((hit["quoted"] or hit["double"] or hit["bare"], hit["value"]))
        between = _BETWEEN.match(pattern, hit.end())
        if between is None:
            closing = _EDGE.match(pattern, hit.end())
            whole = closing is not None and "]" in closing[0] and closing.end() == len(pattern)
            return iter(found) if whole else None
        at = between.end()
    return None


_ALGORITHMS = {algorithm.value: algorithm for algorithm in Algorithm}

FORMAT = Format(_read)
