"""Meta's ThreatExchange, GIFCT: the JSON of threat updates, indicators or descriptors.

What is marked should_delete is left out, and so is what stood of it before in the file; so is what everybody
who gave an opinion calls NON_MALICIOUS. Of an indicator's tags one is the label: one that the configuration
maps, else the first.
"""

from collections.abc import Iterator
from typing import Any

from monitor.matching.entries import Entries, identifier
from monitor.matching.formats import Format
from monitor.matching.json_records import EACH, records
from monitor.matching.list_file import ListFile
from monitor.model import Algorithm

_USABLE = {
    "HASH_MD5": Algorithm.MD5,
    "HASH_SHA1": Algorithm.SHA1,
    "HASH_SHA256": Algorithm.SHA256,
    "HASH_PDQ": Algorithm.PDQ,
    # Of the file, as of any other.
    "HASH_VIDEO_MD5": Algorithm.MD5,
    "HASH_VIDEO_SHA256": Algorithm.SHA256,
}


def _read(file: ListFile, entries: Entries) -> None:
    for _, place, record in records(file, ("data", EACH), (EACH,)):
        if not isinstance(record, dict):
            entries.bad(place, "not an indicator")
            continue
        entry = identifier(record.get("id"))
        opinions = list(_opinions(record))
        if record.get("should_delete") is True:
            entries.withdraw(entry)
            continue
        if opinions and all(str(opinion.get("status")) == "NON_MALICIOUS" for opinion in opinions):
            entries.withdraw(entry)
            continue
        found = record.get("indicator")
        # A descriptor holds its indicator as an object, or as text beside.
        inner = found if isinstance(found, dict) else record
        value = inner.get("indicator") if inner is not record else found or record.get("raw_indicator")
        kind = inner.get("type") or record.get("type")
        if not isinstance(kind, str) or not isinstance(value, str):
            entries.bad(place, "no type or no indicator")
        elif kind in _USABLE:
            label = entries.label(tag for part in (record, *opinions) for tag in _tags(part.get("tags")))
            entries.add(place, _USABLE[kind], value, entry, label)
        else:
            entries.unusable(kind)


def _opinions(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Who says what of it: its descriptors, or itself where it is one."""
    descriptors = record.get("descriptors")
    if isinstance(descriptors, dict):
        descriptors = descriptors.get("data")
    if isinstance(descriptors, list):
        yield from (d for d in descriptors if isinstance(d, dict))
    elif "status" in record:
        yield record


def _tags(tags: Any) -> Iterator[object]:
    """Tags as words, or as objects in a page."""
    if isinstance(tags, dict):
        tags = tags.get("data")
    for tag in tags if isinstance(tags, list) else ():
        yield tag.get("text") if isinstance(tag, dict) else tag


FORMAT = Format(_read, stale_after=85)
