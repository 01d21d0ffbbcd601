"""StopNCII: the JSON of its hash records.

Records have no id: an entry is known by its value. A record whose status is Withdrawn or Deleted, or all of
whose cases are, is left out, and so is what stood of it before in the file.
"""

from monitor.matching.columns import derived_name
from monitor.matching.entries import Entries
from monitor.matching.formats import Format
from monitor.matching.json_records import EACH, records
from monitor.matching.list_file import ListFile
from monitor.model import Algorithm

# The MD5 of a film is that of its file.
_USABLE = {"ImagePDQ": Algorithm.PDQ, "VideoMD5": Algorithm.MD5, "ImageMD5": Algorithm.MD5}
_OVER = {"Withdrawn", "Deleted"}


def _read(file: ListFile, entries: Entries) -> None:
    for _, place, record in records(file, ("hashRecords", EACH), (EACH,)):
        if not isinstance(record, dict):
            entries.bad(place, "not a hash record")
            continue
        kind, value = record.get("signalType"), record.get("hashValue")
        if not isinstance(kind, str) or not isinstance(value, str):
            entries.bad(place, "no signalType or no hashValue")
            continue
        cases = record.get("caseNumbers")
        states = set(map(str, cases.values())) if isinstance(cases, dict) else set()
        if str(record.get("hashStatus")) in _OVER or (states and states <= _OVER):
            entries.withdraw(_name(value))
        elif kind in _USABLE:
            entries.add(place, _USABLE[kind], value, _name(value))
        else:
            entries.unusable(kind)


def _name(value: str) -> str:
    try:
        return derived_name(bytes.fromhex(value)).decode("ascii")
    except ValueError:
        return ""


FORMAT = Format(_read, stale_after=30)
