"""VICS 2.0 (Project VIC): the JSON of its media, read one by one.

A tolerant reader: what is not needed is passed over, empty hashes are absent. An entry is known by its
MediaID; its Category is the label, and what a category means differs from country to country. No
certification is claimed.
"""

from monitor.matching.entries import Entries, identifier
from monitor.matching.formats import Format
from monitor.matching.json_records import EACH, records
from monitor.matching.list_file import ListFile
from monitor.model import Algorithm

_USABLE = (("MD5", Algorithm.MD5), ("SHA1", Algorithm.SHA1), ("SHA256", Algorithm.SHA256))
_UNUSABLE = ("PhotoDNA",)


def _read(file: ListFile, entries: Entries) -> None:
    for _, place, media in records(file, ("value", EACH)):
        if not isinstance(media, dict) or "Media" in media:
            entries.bad(place, "no media; of a file of cases, its media are to be exported")
            continue
        entry = identifier(media.get("MediaID"))
        category = media.get("Category")
        label = "" if category is None else entries.label([str(category)])
        hashed = False
        for key, algorithm in _USABLE:
            if value := media.get(key):
                entries.add(place, algorithm, value, entry, label)
                hashed = True
        for key in _UNUSABLE:
            if media.get(key):
                entries.unusable(key)
                hashed = True
        if not hashed:
            entries.bad(place, "no hash")


FORMAT = Format(_read)
