"""MISP's core format (draft-dulaunoy-misp-core-format): one event, an object a flag.

Nothing is for detection (to_ids is false) or for anybody but the organisation that imports it (distribution 0), until
a person there decides otherwise.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from monitor.model import Algorithm
from monitor.reporting.columns import Value
from monitor.reporting.entries import EntryNames
from monitor.reporting.formats import Head, Out, Page
from monitor.reporting.formats.streaming import JsonDocument
from monitor.reporting.spelling import moment, rows

_OTHER, _OUTSIDE = "Other", "External analysis"
_FACTS = {
    "hash_list": "text",
    "list_version": "text",
    "entry": "text",
    "entry_hmac": "text",
    "algorithm": "text",
    "distance": "counter",
    "threshold": "counter",
    "quality": "counter",
    "error_bound": "counter",
    "rendition": "text",
    "media_kind": "text",
    "posted_at": "datetime",
    "raised_at": "datetime",
}
"""Columns that are facts of the match, with MISP's type for each."""


class MispWriter:
    """An event, tagged tlp:red when it holds addresses or hashes, tlp:amber otherwise.

    Raises ValueError without names of entries, of which the ids are made.
    """

    def __init__(self, out: Out, head: Head) -> None:
        if head.names is None:
            raise ValueError("MISP ids are made of the names of entries")
        self._names: EntryNames = head.names
        self._head = head
        self._columns = [column.name for column in head.columns]
        self._document = JsonDocument(out, '{"Event": {"Object": [\n')

    def write(self, page: Page) -> None:
        """Take the next flags."""
        for row in rows(self._columns, page):
            self._document.add(self._object(row))

    def finish(self) -> None:
        """What the event says of itself; its id is one of its contents."""
        head, about = self._head, "matches with hash lists; no item was viewed by any person"
        event: dict[str, Any] = {
            "uuid": self._uuid("event", self._document.hexdigest()),
            "info": f"Channel Monitor: {about}" + (f"; {head.marking}" if head.marking else ""),
            "date": f"{head.at:%Y-%m-%d}",
            "timestamp": str(int(head.at.timestamp())),
            "threat_level_id": "4",
            "analysis": "0",
            "distribution": "0",
            "published": False,
            "Tag": [{"name": "tlp:red" if head.marking else "tlp:amber"}],
            "Attribute": [],
        }
        self._document.end("\n], " + json.dumps(event, ensure_ascii=False)[1:] + "}\n")

    def _uuid(self, *parts: str | int) -> str:
        return str(self._names.uuid("misp", *parts))

    def _object(self, row: Mapping[str, Value]) -> dict[str, Any]:
        key = ("flag", int(row["flag_id"] or 0), int(row["case_id"] or 0))
        at = str(int(row["raised_at"] or 0) // 1_000_000)
        attributes = [
            {
                "uuid": self._uuid(*key, relation),
                "object_relation": relation,
                "type": kind,
                "category": category,
                "value": value,
                "to_ids": False,
                "distribution": "0",
                "disable_correlation": category == _OTHER,
                "timestamp": at,
            }
            for relation, kind, category, value in _attributes(row)
        ]
        return {
            "uuid": self._uuid(*key),
            "name": "hash-list-match",
            "meta-category": "misc",
            "description": "An item in a public channel whose hash matches an entry of a list.",
            "template_uuid": "7d0c2a5e-5a3c-5c0e-9d0b-6f3a1a6f9b1e",
            "template_version": "1",
            "comment": f"flag {row['flag_id']}: hash match to list {row['hash_list']}; not viewed by any person here",
            "distribution": "0",
            "timestamp": at,
            "Attribute": attributes,
        }


def _attributes(row: Mapping[str, Value]) -> Iterator[tuple[str, str, str, str]]:
    """Relation, type, category and value of each fact that is there."""
    for name, kind in _FACTS.items():
        value = row[name]
        if value is not None:
            yield name, kind, _OTHER, moment(int(value)) if kind == "datetime" else str(value)
    if (link := row.get("link")) is not None:
        yield "link", "url", _OUTSIDE, str(link)
    for number, value in enumerate(str(row.get("hash") or "").split()):
        algorithm = Algorithm(str(row["algorithm"]))
        relation = f"hash-{number + 1}" if number else "hash"
        # MISP has types for digests, none for perceptual hashes.
        yield (
            (relation, algorithm.value, _OUTSIDE, value)
            if algorithm.exact
            else (relation, "other", _OTHER, f"{algorithm.value}:{value}")
        )
