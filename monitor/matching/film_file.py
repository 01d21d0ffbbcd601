"""A film's bytes → which container they are, and a file that FFmpeg can read, wherever they lie."""

import io
from collections.abc import Callable, Mapping

from monitor.matching.picture import ISO_BRANDS

MAX_FILM_BYTES = 200_000_000
"""Above it a file that says it is a film is not kept for decoding, unless the caller says otherwise."""
PIECE = 128 * 1024
"""Bytes that are read at a time: enough that asking costs nothing, few enough where samples lie scattered."""

ReadAt = Callable[[int, int], bytes]
"""Offset and number of bytes, both within the file → these bytes."""

_SOUND_BRANDS = (b"M4A ", b"M4B ", b"M4P ", b"F4A ", b"F4B ")
_OLD_QUICKTIME = (b"moov", b"mdat", b"wide", b"pnot")
_FORMATS: Mapping[str, str] = {"iso": "mov", "ebml": "matroska", "avi": "avi"}


def film_format(head: bytes) -> str | None:
    """FFmpeg's name of the container of a file that begins like this; None when it is no film that is read here.

    MP4, MOV and 3GP, WebM and Matroska, AVI. `picture.MAGIC_BYTES` are enough. A sender chooses the declared type,
    so only the bytes count; a file that holds sound alone may begin like this too.
    """
    if head[4:8] == b"ftyp":
        return None if head[8:12] in (*ISO_BRANDS, *_SOUND_BRANDS) else _FORMATS["iso"]
    if head[4:8] in _OLD_QUICKTIME:
        return _FORMATS["iso"]
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return _FORMATS["ebml"]
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return _FORMATS["avi"]
    return None


def moves(head: bytes) -> bool:
    """Whether a picture whose first bytes (some thousand) are these may have more than one frame to show."""
    if head.startswith((b"GIF87a", b"GIF89a")):
        return True
    if head.startswith(b"\x89PNG"):
        return b"acTL" in head  # stands before the first pixels
    if head.startswith(b"RIFF"):
        return head[8:16] == b"WEBPVP8X" and bool(head[20:21]) and bool(head[20] & 2)
    return head[4:12] == b"ftypavis"


class FilmFile(io.RawIOBase):
    """A file to read, over bytes that lie elsewhere and are asked for piece by piece."""

    def __init__(self, size: int, read_at: ReadAt) -> None:
        super().__init__()
        self._size = size
        self._read_at = read_at
        self._at = 0

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes, `size` at most; none at the end."""
        left = self._size - self._at
        wanted = left if size < 0 else min(size, left)
        if wanted <= 0:
            return b""
        data = self._read_at(self._at, wanted)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a place and say which; one before the beginning is the beginning."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._at

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True
