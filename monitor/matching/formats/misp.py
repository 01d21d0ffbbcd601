"""MISP: the JSON of an event, of several, or of a search for attributes.

Hashes are attributes of their own or of an object, whose uuid then is the entry, so that all hashes of a file
have one. What is deleted is left out, and so is what is not meant for detection (`to_ids`). Of an attribute's
tags one is the label.
"""

from collections.abc import Iterator
from typing import Any

from monitor.matching.entries import Entries, Place, identifier
from monitor.matching.formats import Format
from monitor.matching.json_records import EACH, Path, records
from monitor.matching.list_file import ListFile
from monitor.model import Algorithm

_EVENTS: tuple[Path, ...] = ((), (EACH,), ("response",), ("response", EACH))
_PATHS: tuple[Path, ...] = (
    *((*event, "Event", kind, EACH) for event in _EVENTS for kind in ("Attribute", "Object")),
    ("response", "Attribute", EACH),
    ("Attribute", EACH),
)
_UNUSABLE = {
    *(
        "sha224",
        "sha384",
        "sha512",
        "sha512/224",
        "sha512/256",
        "sha3-224",
        "sha3-256",
        "sha3-384",
        "sha3-512",
    ),
    *("ssdeep", "tlsh", "imphash", "impfuzzy", "telfhash", "pehash", "vhash", "authentihash", "cdhash"),
}


def _read(file: ListFile, entries: Entries) -> None:
    for path, place, found in records(file, *_PATHS):
        if not isinstance(found, dict):
            entries.bad(place, "not an attribute or object")
        elif path[-2] == "Object":
            entry = identifier(found.get("uuid"))
            if _true(found.get("deleted")):
                entries.withdraw(entry)
                continue
            inner = found.get("Attribute")
            for attribute in inner if isinstance(inner, list) else ():
                if isinstance(attribute, dict):
                    # Of an object's deleted attribute, the others stay.
                    _take(entries, place, attribute, entry, withdraws="")
        else:
            entry = identifier(found.get("uuid"))
            _take(entries, place, found, entry, withdraws=entry)


def _take(entries: Entries, place: Place, attribute: dict[str, Any], entry: str, *, withdraws: str) -> None:
    kind = str(attribute.get("type")).removeprefix("filename|").lower()
    if kind in _UNUSABLE:
        entries.unusable(kind)
    if kind not in _ALGORITHMS:
        return
    if _true(attribute.get("deleted")):
        entries.withdraw(withdraws)
    elif attribute.get("to_ids") is not None and not _true(attribute["to_ids"]):
        entries.unusable("not-for-detection")
    else:
        value = attribute.get("value")
        # Of "name|hash" the hash; a name may hold the stroke.
        digits = value.rpartition("|")[2] if isinstance(value, str) else value
        entries.add(place, _ALGORITHMS[kind], digits, entry, entries.label(_tags(attribute.get("Tag"))))


def _tags(tags: Any) -> Iterator[object]:
    for tag in tags if isinstance(tags, list) else ():
        yield tag.get("name") if isinstance(tag, dict) else tag


def _true(value: Any) -> bool:
    return value in (True, 1, "1", "true")


_ALGORITHMS = {algorithm.value: algorithm for algorithm in Algorithm}

FORMAT = Format(_read)
