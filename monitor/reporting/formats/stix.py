"""STIX 2.1 (OASIS): each entry an indicator, each flag a sighting of it, each address an observed URL.

Ids are of version 5, those of our own objects in a namespace of the operator's key: the same object has the same id in
every export, so that a recipient's platform does not take a second export for more sightings. Without hashes an
indicator's pattern names list and entry (pattern_type "channel-monitor-entry"); with them it is a STIX pattern, and an
exact match also gives an observed file. What a match is like stands in an extension of our own.
"""

import json
import uuid
from collections.abc import Mapping
from typing import Any

from monitor.model import Algorithm
from monitor.reporting.columns import Value
from monitor.reporting.entries import EntryNames
from monitor.reporting.formats import Head, Out, Page
from monitor.reporting.formats.streaming import JsonDocument
from monitor.reporting.spelling import moment, rows

# What all producers call these markings (STIX 2.1, 7.2.1.4).
_RED = "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed"
_AMBER = "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82"
_OBSERVABLES = uuid.UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")
_TLP_MADE = "2017-01-20T00:00:00.000Z"
# Objects that every export repeats must be the same each time, their dates too.
_OURS_MADE = "2026-11-01T00:00:00.000Z"
_HASHES = {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256"}
_MATCH = (
    *("case_id", "list_version", "algorithm", "distance", "threshold", "quality", "error_bound"),
    *("rendition", "media_kind", "entry_hmac"),
)
_VIEWED = "Hash match to list {}; not viewed by any person here."


def _spelled(micros: Value) -> str:
    """STIX wants milliseconds, exactly three digits of them where a time says when an object was made."""
    text = moment(int(micros or 0) // 1000 * 1000)
    return f"{text[:23]}Z" if "." in text else f"{text[:19]}.000Z"


def _name(algorithm: Value) -> str:
    return _HASHES.get(str(algorithm), str(algorithm).upper())


class StixWriter:
    """A bundle. Marked TLP:RED with a statement when it holds addresses or hashes, TLP:AMBER otherwise.

    Raises ValueError without names of entries, of which the ids are made.
    """

    def __init__(self, out: Out, head: Head) -> None:
        if head.names is None:
            raise ValueError("STIX ids are made of the names of entries")
        self._names: EntryNames = head.names
        self._columns = [column.name for column in head.columns]
        self._written: set[str] = set()
        self._document = JsonDocument(out, '{"type": "bundle", "objects": [\n')
        self._identity = self._id("identity")
        self._extension = self._id("extension-definition")
        self._marks = [_AMBER]
        self._add_producer()
        if head.marking:
            self._marks = [_RED, self._add_statement(head.marking)]

    def write(self, page: Page) -> None:
        """Take the next flags."""
        for row in rows(self._columns, page):
            indicator = self._add_indicator(row)
            observed = self._add_observed(row)
            self._add_sighting(row, indicator, observed)

    def finish(self) -> None:
        """The bundle's id, which is one of its contents."""
        self._document.end(f'\n], "id": "{self._id("bundle", self._document.hexdigest())}"}}\n')

    def _id(self, kind: str, *parts: str | int) -> str:
        return f"{kind}--{self._names.uuid(kind, *parts)}"

    def _add(self, kind: str, identifier: str, /, **more: Any) -> str:
        """An object, once; what is None is left out."""
        if identifier not in self._written:
            self._written.add(identifier)
            common: dict[str, Any] = {"type": kind, "spec_version": "2.1", "id": identifier}
            self._document.add(common | {name: value for name, value in more.items() if value is not None})
        return identifier

    def _made(self, micros: Value) -> dict[str, str]:
        at = _spelled(micros)
        return {"created": at, "modified": at, "created_by_ref": self._identity}

    def _add_producer(self) -> None:
        for identifier, colour in ((_RED, "red"), (_AMBER, "amber")):
            self._add(
                *("marking-definition", identifier),
                created=_TLP_MADE,
                definition_type="tlp",
                name=f"TLP:{colour.upper()}",
                definition={"tlp": colour},
            )
        self._add(
            *("identity", self._identity),
            created=_OURS_MADE,
            modified=_OURS_MADE,
            name="an operator of Channel Monitor (unofficial)",
            identity_class="organization",
        )
        self._add(
            *("extension-definition", self._extension),
            created=_OURS_MADE,
            modified=_OURS_MADE,
            created_by_ref=self._identity,
            name="match with an entry of a hash list",
            description="How closely an item matched: distance, threshold, error bound in bits, quality 0 to 100.",
            schema="docs/exports.md of Channel Monitor; each property is the column of that name",
            version="1.0.0",
            extension_types=["property-extension"],
        )

    def _add_statement(self, marking: str) -> str:
        return self._add(
            *("marking-definition", self._id("marking-definition", marking)),
            created=_OURS_MADE,
            definition_type="statement",
            definition={"statement": marking},
        )

    def _add_indicator(self, row: Mapping[str, Value]) -> str:
        hash_list, entry = str(row["hash_list"]), str(row["entry"])
        value, more = (
            row.get("hash"),
            {"pattern_type": "channel-monitor-entry", "pattern": f"{hash_list}/{entry}"},
        )
        parts = ["entry", hash_list, entry]
        if value:
            tests = [f"file:hashes.'{_name(row['algorithm'])}' = '{one}'" for one in str(value).split()]
            more = {"pattern_type": "stix", "pattern_version": "2.1", "pattern": f"[{' OR '.join(tests)}]"}
            # An entry may match by several algorithms, each with a value of its own.
            parts += ["hash", str(row["algorithm"])]
        return self._add(
            *("indicator", self._id("indicator", *parts)),
            **self._made(row["opened_at"]),
            object_marking_refs=self._marks if value else [_AMBER],
            name=f"entry {entry} of list {hash_list}",
            valid_from=_spelled(row["opened_at"]),
            **more,
        )

    def _add_observed(self, row: Mapping[str, Value]) -> str | None:
        seen = []
        if (link := row.get("link")) is not None:
            seen.append(self._add_observable("url", value=link))
        value = row.get("hash")
        # Only of an exact match is the entry's hash also the item's.
        if value and " " not in str(value) and Algorithm(str(row["algorithm"])).exact:
            seen.append(self._add_observable("file", hashes={_name(row["algorithm"]): value}))
        if not seen:
            return None
        return self._add(
            *("observed-data", self._id("observed-data", int(row["flag_id"] or 0), *seen)),
            **self._made(row["raised_at"]),
            object_marking_refs=self._marks,
            first_observed=_spelled(row["raised_at"]),
            last_observed=_spelled(row["raised_at"]),
            number_observed=1,
            object_refs=seen,
        )

    def _add_observable(self, kind: str, **of: Any) -> str:
        """What all producers give the same id, made of its contents (STIX 2.1, 2.9)."""
        canonical = json.dumps(of, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return self._add(
            kind, f"{kind}--{uuid.uuid5(_OBSERVABLES, canonical)}", object_marking_refs=self._marks, **of
        )

    def _add_sighting(self, row: Mapping[str, Value], indicator: str, observed: str | None) -> None:
        hash_list = str(row["hash_list"])
        # The same sighting with addresses or hashes is a later version of it (STIX 2.1, 3.6), the fuller the later, so
        # that an export without them does not take them away again where it is read after it.
        told = ("link" in row) * 2 + ("hash" in row)
        match = {name: row[name] for name in _MATCH if row[name] is not None}
        self._add(
            *("sighting", self._id("sighting", int(row["flag_id"] or 0), hash_list, str(row["entry"]))),
            **(
                self._made(row["raised_at"])
                | {"modified": _spelled(int(row["raised_at"] or 0) + told * 1_000)}
            ),
            object_marking_refs=self._marks,
            description=_VIEWED.format(hash_list),
            first_seen=_spelled(row["posted_at"]),
            count=1,
            sighting_of_ref=indicator,
            observed_data_refs=[observed] if observed else None,
            where_sighted_refs=[self._identity],
            extensions={self._extension: {"extension_type": "property-extension", **match}},
        )
