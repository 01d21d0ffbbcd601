"""Tech Against Terrorism's Terrorism Analytics Platform: the JSON of its hash list, with or without pages.

What is marked deleted is left out, and so is what stood of it before in the file. The ideology is the label.
"""

from monitor.matching.entries import Entries, identifier
from monitor.matching.formats import Format
from monitor.matching.json_records import EACH, records
from monitor.matching.list_file import ListFile
from monitor.model import Algorithm

_USABLE = {
    "MD5": Algorithm.MD5,
    "SHA1": Algorithm.SHA1,
    "SHA256": Algorithm.SHA256,
    "PDQ": Algorithm.PDQ,
}


def _read(file: ListFile, entries: Entries) -> None:
    for _, place, record in records(file, ("results", EACH), (EACH,)):
        if not isinstance(record, dict):
            entries.bad(place, "not an entry")
            continue
        kind, value = record.get("algorithm"), record.get("hash_digest")
        entry = identifier(record.get("id"))
        if record.get("deleted") is True:
            entries.withdraw(entry)
        elif not isinstance(kind, str) or not isinstance(value, str):
            entries.bad(place, "no algorithm or no hash_digest")
        elif (name := kind.upper().replace("-", "")) in _USABLE:
            entries.add(place, _USABLE[name], value, entry, entries.label([record.get("ideology")]))
        else:
            entries.unusable(kind)


FORMAT = Format(_read)
