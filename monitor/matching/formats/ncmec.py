"""NCMEC hash sharing v2: the XML of its `entries`, a `queryResult` with images and videos.

An entry is known by its member and its id, as ids are the members' own. Deleted entries are left out, and so
is what stood of them before in the file. The classification (A1, A2, B1, B2) is the label.

There is no DTD in such a file: one is refused, and with it every entity that could grow or reach out.
"""

from typing import Any
from xml.parsers import expat

from monitor.matching.entries import Entries, Place, identifier
from monitor.matching.formats import Format
from monitor.matching.list_file import ListFile
from monitor.model import Algorithm

_USABLE = {"md5": Algorithm.MD5, "sha1": Algorithm.SHA1, "sha256": Algorithm.SHA256, "pdq": Algorithm.PDQ}
_RECORDS = {"image": False, "video": False, "deletedimage": True, "deletedvideo": True}
_MAX_DEPTH = 32
_MAX_TEXT = 256
"""Characters of what we read: an id, a class, a digest. Longer fingerprints are none of ours."""
_MAX_TOKEN = 1 << 22
"""Bytes of a tag, a comment or the like."""


def _read(file: ListFile, entries: Entries) -> None:
    reader = _Reader(file, entries)
    parser = expat.ParserCreate("utf-8", " ")
    parser.StartElementHandler = lambda name, attributes: reader.start(name, attributes, parser)
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = lambda *_: reader.doctype(parser)
    fed = 0
    try:
        while block := file.read():
            parser.Parse(block, False)
            fed += len(block)
            if fed - max(parser.CurrentByteIndex, 0) > _MAX_TOKEN:
                raise file.refused("no XML, or a tag that does not end", parser.CurrentLineNumber)
        parser.Parse(b"", True)
    except expat.ExpatError as e:
        raise file.refused("is not XML here", e.lineno) from None


class _Reader:
    """The elements above the one that is read, and the record so far."""

    def __init__(self, file: ListFile, entries: Entries) -> None:
        self._file = file
        self._entries = entries
        self._above: list[str] = []
        self._deleted: bool | None = None
        self._count = 0
        self._place = Place(0)
        self._fields: dict[str, str] = {}
        self._hashes: list[tuple[str, str]] = []
        self._text: str | None = None

    def doctype(self, parser: Any) -> None:
        raise self._file.refused(
            "declares a document type, which no such list does", parser.CurrentLineNumber
        )

    def start(self, name: str, attributes: dict[str, str], parser: Any) -> None:
        name = name.rpartition(" ")[2].lower()
        depth = len(self._above)
        if depth == 0 and name != "queryresult":
            raise self._file.refused("is not a queryResult", parser.CurrentLineNumber)
        if depth == _MAX_DEPTH:
            raise self._file.refused("nested too deeply", parser.CurrentLineNumber)
        self._above.append(name)
        if depth == 2 and name in _RECORDS:
            self._count += 1
            self._deleted = _RECORDS[name]
            self._place = Place(parser.CurrentLineNumber, self._count)
            self._fields, self._hashes = {}, []
        elif self._deleted is not None:
            if depth == 3 and name == "member":
                self._fields["member"] = attributes.get("id", "")
            self._text = "" if depth == 3 or self._above[3:4] == ["fingerprints"] else None

    def text(self, text: str) -> None:
        if self._text is not None and len(self._text) <= _MAX_TEXT:
            self._text += text[: _MAX_TEXT + 1]

    def end(self, _: str) -> None:
        name = self._above.pop()
        depth = len(self._above)
        text = (self._text or "").strip()
        self._text = None
        if self._deleted is None:
            return
        if depth == 2:
            self._finish()
            self._deleted = None
        elif depth == 3 and name in ("id", "classification"):
            self._fields[name] = text
        elif depth == 4 and self._above[3] == "fingerprints":
            self._hashes.append((name, text))

    def _finish(self) -> None:
        number = self._fields.get("id", "")
        if not number:
            self._entries.bad(self._place, "no id")
            return
        entry = identifier(f"{self._fields.get('member', '')}:{number}".removeprefix(":"))
        if self._deleted:
            self._entries.withdraw(entry)
            return
        label = self._entries.label([self._fields.get("classification", "")])
        for kind, value in self._hashes:
            if kind in _USABLE:
                if value:
                    self._entries.add(self._place, _USABLE[kind], value, entry, label)
            else:
                self._entries.unusable(kind)


FORMAT = Format(_read)
