"""What else a run of bytes may mean: hex, base64, escapes and compressed streams, undone.

Each view is searched as the bytes themselves are, and unwrapped again, so that nested encodings are seen.
"""

import binascii
import bz2
import lzma
import re
import zlib
from collections.abc import Callable, Iterable, Iterator

DEPTH = 3
"""How many encodings one around the other are undone."""
MOST = 8 * 1024 * 1024
"""Bytes that are taken out of one compressed stream."""
PIECE = 64
"""Bytes fed to a decompressor at once: what came before a broken place still counts."""

_HEX = re.compile(rb"[0-9A-Fa-f]{16,}")
_SPACED_HEX = re.compile(rb"(?:[0-9A-Fa-f]{2}[ :,]){11,}[0-9A-Fa-f]{2}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{12,}(?:\r?\n[A-Za-z0-9+/_-]{4,})*")
_WIDE = re.compile(rb"(?:[\x09\x0a\x0d\x20-\x7e]\x00){12,}")
_ESCAPE = re.compile(
    rb"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|([nrt\\'\"/0]))"
)
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
_ENTITY = re.compile(rb"&#(?:x([0-9a-fA-F]{2,6})|(\d{2,7}));")
_STREAMS = re.compile(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b\x08|BZh[1-9]1AY|\xfd7zXZ\x00|PK\x03\x04")
_SIMPLE = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"0": b"\0"}
_URLSAFE = bytes.maketrans(b"-_", b"+/")


def views(data: bytes, depth: int = DEPTH) -> Iterator[tuple[bytes, str]]:
    """Every way in which `data` or a part of it can be read further, with the encodings that were undone."""
    for view, how in _views(data):
        yield view, how
        if depth > 1:
            for further, then in views(view, depth - 1):
                yield further, f"{how}, {then}"


def _views(data: bytes) -> Iterator[tuple[bytes, str]]:
    # All runs of one kind make one view: a view for each would take most of the time.
    runs = [found[0] for found in _HEX.finditer(data)]
    runs += [re.sub(rb"[ :,]", b"", found[0]) for found in _SPACED_HEX.finditer(data)]
    if runs:
        yield from ((_joined(_hex(run[offset:]) for run in runs), "hex") for offset in range(2))
    runs = [re.sub(rb"\s", b"", found[0]).translate(_URLSAFE) for found in _BASE64.finditer(data)]
    if runs:
        yield from ((_joined(_base64(run[offset:]) for run in runs), "base64") for offset in range(4))
    runs = [found[0][::2] for found in _WIDE.finditer(data)]
    if runs:
        yield _joined(runs), "utf-16"
    if b"\\" in data and (unescaped := _ESCAPE.sub(_unescape, data)) != data:
        yield unescaped, "escapes"
    if b"%" in data and (unquoted := _PERCENT.sub(lambda m: bytes.fromhex(m[1].decode()), data)) != data:
        yield unquoted, "percent-encoding"
    if b"&#" in data and (plain := _ENTITY.sub(_entity, data)) != data:
        yield plain, "entities"
    for found in _STREAMS.finditer(data):
        if view := _inflated(data, found):
            yield view, "compression"


def _joined(runs: Iterable[bytes]) -> bytes:
    return b"\0".join(runs)


def _hex(run: bytes) -> bytes:
    return binascii.unhexlify(run[: len(run) & ~1])


def _base64(run: bytes) -> bytes:
    return binascii.a2b_base64(run + b"A" * (-len(run) % 4))


def _unescape(found: re.Match[bytes]) -> bytes:
    byte, short, long, octal, simple = found.groups()
    if byte:
        return bytes.fromhex(byte.decode())
    if octal:
        return bytes([int(octal, 8)])
    if simple:
        return _SIMPLE.get(simple, simple)
    return _character(int(short or long, 16))


def _entity(found: re.Match[bytes]) -> bytes:
    return _character(int(found[1], 16) if found[1] else int(found[2]))


def _character(number: int) -> bytes:
    return chr(number).encode("utf-8", "surrogatepass") if number <= 0x10FFFF else b"?"


def _inflated(data: bytes, found: re.Match[bytes]) -> bytes:
    start, magic = found.start(), found[0]
    feed: Callable[[bytes], bytes]
    if magic.startswith(b"PK"):  # a local header of a ZIP archive, and a deflated stream after it
        name, extra = (int.from_bytes(data[start + at : start + at + 2], "little") for at in (26, 28))
        start, feed = start + 30 + name + extra, zlib.decompressobj(-15).decompress
    elif magic.startswith(b"BZh"):
        feed = bz2.BZ2Decompressor().decompress
    elif magic.startswith(b"\xfd7z"):
        feed = lzma.LZMADecompressor().decompress
    else:
        feed = zlib.decompressobj(47).decompress  # zlib or gzip, by its header
    out = bytearray()
    try:
        for at in range(start, len(data), PIECE):
            out += feed(data[at : at + PIECE])
            if len(out) > MOST:
                break
    except (zlib.error, OSError, EOFError, lzma.LZMAError):
        pass  # the stream ends here, or was none
    return bytes(out)
