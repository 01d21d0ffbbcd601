"""Whether bytes hold content: a marker in any encoding, a piece of the media, or the beginning of a media file."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from monitor.selftest.markers import Markers
from monitor.selftest.shingles import Shingles
from monitor.selftest.unwrap import views

ENCODINGS = "utf-8, utf-16, utf-32, hex, base64, escapes, zlib, gzip, bzip2, xz"
OVERLAP = 4096
"""Bytes of a stream that are looked at again with what follows them."""

# At the beginning of a buffer or file a few bytes tell; in its midst it takes more, or random keys and salts
# would look like pictures now and then.
_BEGINS = re.compile(
    rb"\xff\xd8\xff|\x89PNG|GIF8|RIFF....(?:WEBP|AVI |WAVE)|....ftyp|\x1a\x45\xdf\xa3|PK\x03\x04|OggS|ID3[\x02-\x04]"
    rb"|%PDF-|II\*\0|MM\0\*|7z\xbc\xaf\x27\x1c|Rar!|\x00\x00\x01\xb3|FLV\x01|8BPS",
    re.DOTALL,
)
_INSIDE = re.compile(
    rb"\xff\xd8\xff(?:\xe0..JF(?:IF|XX)|\xe1..(?:Exif|http)|\xdb\x00[\x43\x84\xc5]|\xe2..ICC_|\xee..Adobe"
    rb"|\xfe\x00|\xc0\x00|\xc2\x00)"
    rb"|\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF....(?:WEBP|AVI |WAVE)|\x00\x00\x00.ftyp[a-zA-Z0-9]{3}"
    rb"|\x1a\x45\xdf\xa3.{0,60}(?:webm|matroska)|PK\x03\x04[\x0a-\x3f]\x00|OggS\x00[\x00-\x07]|%PDF-[12]\.",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True, order=True)
class Hit:
    """Content where none may be. `where` names a file or descriptor, `kind` what it is a trace of."""

    where: str
    kind: str
    encoding: str

    def __str__(self) -> str:
        return f"{self.kind} in {self.where} ({self.encoding})"


class Search:
    """Looks for the markers of a run and for its media."""

    def __init__(self, markers: Markers, media: Iterable[bytes] = ()) -> None:
        self._markers = markers
        self._shingles = Shingles(media)
        self._needles = [needle for needle in markers.needles() if needle[0]]
        self._numbers = list(markers.numbers())

    def search(self, data: bytes, where: str, *, begins: bool = True) -> set[Hit]:
        """All that is found in the bytes of a file or a written buffer; `begins`: it is the beginning of one."""
        hits = {Hit(where, kind, how) for kind, how in self._everywhere(data)}
        for view, how in views(data):
            hits |= {Hit(where, kind, f"{how}, {last}") for kind, last in self._everywhere(view)}
            if _BEGINS.match(view):
                hits.add(Hit(where, "the beginning of a media file", how))
        if begins and _BEGINS.match(data):
            hits.add(Hit(where, "the beginning of a media file", "as it is"))
        return hits

    def words_only(self, data: bytes, where: str) -> set[Hit]:
        """What is found of texts and names, for sockets and pipes through which media may pass."""
        of_media = self._markers.in_media
        found = list(self._words(data))
        for view, how in views(data, 2):
            found += [(kind, f"{how}, {last}") for kind, last in self._words(view)]
        return {Hit(where, kind, how) for kind, how in found if kind not in of_media}

    def shown(self, name: str) -> str:
        """A path or name as it may be printed: without what it may hold of content."""
        if self.search(name.encode("utf-8", "surrogateescape"), ""):
            parent = name.rpartition("/")[0]
            return f"{self.shown(parent)}/(a name that is content)" if parent else "(a name that is content)"
        return name

    def _everywhere(self, data: bytes) -> Iterator[tuple[str, str]]:
        yield from self._words(data)
        if self._shingles.found_in(data):
            yield "bytes of the media", "16 in a row"
        if _INSIDE.search(data):
            yield "the beginning of a media file", "inside"

    def _words(self, data: bytes) -> Iterator[tuple[str, str]]:
        for needle, encoding, rest in self._needles:
            at = data.find(needle)
            while at >= 0:
                end = at + len(needle)
                yield self._markers.kind_after(data, end, encoding, rest), encoding
                at = data.find(needle, end)
        for needle, kind, encoding in self._numbers:
            if needle in data:
                yield kind, encoding
