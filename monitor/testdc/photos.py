"""Photos as Telegram keeps them: recompressed to JPEG in a few sizes, with a stripped preview.

Sizes by longest side: s 100, m 320, x 800, y 1280, w 2560; never enlarged
(https://core.telegram.org/api/files#image-thumbnail-types).
"""

from __future__ import annotations

import functools
import io
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageOps
from telethon.utils import stripped_photo_to_jpg

LONGEST_SIDE = {"s": 100, "m": 320, "x": 800, "y": 1280, "w": 2560}
STRIPPED_SIDE = 40
JPEG_QUALITY = 87
PREFIXES = 5
# A scenario posts the same picture under many ids: work on it is done once.
CACHED = 64


@dataclass(frozen=True, slots=True)
class Rendition:
    """One size of a photo: its letter, width and height in pixels, JPEG bytes.

    When progressive also the byte counts of its usable prefixes; the last one is the whole.
    """

    letter: str
    width: int
    height: int
    data: bytes
    prefixes: tuple[int, ...] = ()


@functools.lru_cache(maxsize=CACHED)
def render(source: bytes, *, progressive: bool = False) -> tuple[Rendition, ...]:
    """All sizes of a picture (JPEG, PNG, …), smallest first. Raises `PIL.UnidentifiedImageError`."""
    picture = _upright(source)
    renditions = []
    for letter, side in LONGEST_SIDE.items():
        last = max(picture.size) <= side or letter == "w"
        scaled = _within(picture, side)
        data = _jpeg(scaled, progressive=progressive and last)
        prefixes = progressive_prefixes(data) if progressive and last else ()
        renditions.append(Rendition(letter, *scaled.size, data, prefixes))
        if last:
            break
    return tuple(renditions)


def thumbnail(source: bytes, letter: str = "m") -> Rendition:
    """A picture's one thumbnail, as a document carries it."""
    scaled = _within(_upright(source), LONGEST_SIDE[letter])
    return Rendition(letter, *scaled.size, _jpeg(scaled))


@functools.lru_cache(maxsize=CACHED)
def stripped(source: bytes) -> bytes:
    """The preview of at most 40 pixels, without the JPEG header that every client knows
    (https://core.telegram.org/api/files#stripped-thumbnails)."""
    scaled = _within(_upright(source), STRIPPED_SIDE)
    out = io.BytesIO()
    scaled.save(out, "JPEG", qtables=_known_tables(), subsampling="4:2:0")
    data = out.getvalue()
    scan = data.index(b"\xff\xda")
    body = data[scan + 2 + int.from_bytes(data[scan + 2 : scan + 4], "big") : -2]
    return bytes((1, scaled.height, scaled.width)) + body


def progressive_prefixes(data: bytes) -> tuple[int, ...]:
    """Byte counts at which a progressive JPEG may be cut and still shows the whole picture, coarser."""
    ends = []
    at = data.index(b"\xff\xda")
    while True:
        # Inside a scan 0xff stands only before 0x00 or a restart marker; the next other marker ends it.
        at = data.index(b"\xff", at + 2)
        while data[at + 1] == 0 or 0xD0 <= data[at + 1] <= 0xD7:
            at = data.index(b"\xff", at + 2)
        ends.append(at)
        if data[at + 1] == 0xD9:
            break
        at = data.index(b"\xff\xda", at)
    # The first scan alone (coarse brightness and colour) up to all of them, evenly.
    chosen = {ends[round(i * (len(ends) - 1) / (PREFIXES - 1))] for i in range(PREFIXES - 1)}
    return (*sorted(chosen - {ends[-1]}), len(data))


def _upright(source: bytes) -> Image.Image:
    with Image.open(io.BytesIO(source)) as opened:
        picture = ImageOps.exif_transpose(opened)
        if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
            # Telegram lays transparent pictures on white.
            layer = picture.convert("RGBA")
            white = Image.new("RGBA", layer.size, "white")
            picture = Image.alpha_composite(white, layer)
        return picture.convert("RGB")


def _within(picture: Image.Image, side: int) -> Image.Image:
    longest = max(picture.size)
    if longest <= side:
        return picture
    width, height = (max(1, round(edge * side / longest)) for edge in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def _jpeg(picture: Image.Image, *, progressive: bool = False) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=JPEG_QUALITY, progressive=progressive, optimize=progressive)
    return out.getvalue()


@functools.cache
def _known_tables() -> Any:
    """The quantization tables of the header that clients put before a stripped preview."""
    with Image.open(io.BytesIO(stripped_photo_to_jpg(b"\x01\x28\x28"))) as header:
        return header.quantization  # type: ignore[attr-defined]  # JpegImageFile has it, Image has not
