"""A picture's bytes → upright RGB, or MediaUndecodable. The one place that meets Pillow's decoders.

Normalised before anything is hashed: the first frame; the EXIF orientation applied; palette, CMYK, YCbCr,
1, 16 and 32 bit brought to 8-bit RGB. Alpha is dropped, the colours below it count: that is what pdqhash
and python-threatexchange hash, and so what lists hold. 16 bit keeps the high byte.
"""

import contextlib
import importlib
import io
import logging
import re
import struct
import warnings
import zlib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from monitor.errors import MediaUndecodable

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 25_000_000
"""Width × height above which a picture is refused. Decoded it takes 4 bytes a pixel, at most twice over, and
some formats need as much again: what fits into a decoder's 256 MiB and 5 s. The platform's own photos have
6.6 million pixels at most; what phones send as files has seldom more than 24.5 million.
"""
MAX_SIDE = 65_535
"""What JPEG can hold."""
MAX_SCANS = 100
"""Scans of a JPEG. Each goes over all its blocks, and an empty one takes a few bytes; encoders use up to 20."""

_PLUGINS: Mapping[str, str] = {
    "JPEG": "Jpeg",
    "PNG": "Png",
    "WEBP": "WebP",
    "GIF": "Gif",
    "BMP": "Bmp",
    "TIFF": "Tiff",
    "AVIF": "Avif",
}
"""Raster formats, decoded in this process. Pillow's others are never tried: some start a program (EPS)."""

_MAGIC = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF87a",
    b"GIF89a",
    b"II*\0",
    b"MM\0*",
    b"II+\0",
    b"MM\0+",
)
ISO_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"heif", b"hevc", b"mif1", b"msf1")
_BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)
MAGIC_BYTES = 18
"""How many first bytes `looks_like_picture` needs."""

# What decoders raise on broken input, by experience and by Pillow's own list of exceptions for corrupt
# files. By descent UnidentifiedImageError (OSError), NotImplementedError and RecursionError (RuntimeError)
# are among them; RuntimeError itself is what the AVIF decoder raises.
BROKEN = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    struct.error,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    AssertionError,
    OverflowError,
    ZeroDivisionError,
    MemoryError,
    RuntimeError,
    zlib.error,
)

_ORIENTATION = 0x0112
_SCAN, _END = 0xDA, 0xD9
_MARKER: "re.Pattern[bytes]" = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)
"""The next marker in coded data or between segments (ITU-T T.81, B.1.1.2)."""
_SCAN_BEGINS = np.frombuffer(b"\xff\xda", np.uint16)[0]
_PILLOW: object = re.compile(r"PIL\.")


def looks_like_picture(head: bytes) -> bool:
    """Whether a file that begins like this says it is a picture; formats that cannot be read here included.

    A sender chooses the declared type, so only the bytes count.
    """
    if head.startswith(_MAGIC):
        return True
    if head.startswith(b"RIFF"):
        return head[8:12] == b"WEBP"
    if head.startswith(b"BM"):
        # Two letters are not enough: texts begin so.
        return int.from_bytes(head[14:18], "little") in _BMP_HEADERS
    return head[4:8] == b"ftyp" and head[8:12] in ISO_BRANDS


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS) -> "Image.Image":
    """The first frame as an upright Pillow image of mode RGB.

    Raises MediaUndecodable for anything that is not a whole picture in one of the formats and within the
    limits.
    """
    with opened(data, max_pixels=max_pixels) as image:
        return upright_rgb(image)


@contextlib.contextmanager
def opened(data: bytes, *, max_pixels: int = MAX_PIXELS) -> "Iterator[Image.Image]":
    """A picture whose header was read, within the limits; nothing is decoded yet.

    Raises MediaUndecodable, for what is met inside the context too.
    """
    from PIL import Image

    _quiet()
    if data.startswith(b"\xff\xd8") and _too_many_scans(data):
        raise MediaUndecodable(f"the picture has more than {MAX_SCANS} scans")
    try:
        with Image.open(io.BytesIO(data), formats=formats()) as image:
            width, height = image.size
            if width * height > max_pixels or max(width, height) > MAX_SIDE:
                raise MediaUndecodable(
                    f"the picture is larger than {max_pixels} pixels or {MAX_SIDE} on a side"
                )
            yield image
    except (*BROKEN, Image.DecompressionBombError) as e:
        # Its own words may hold words from the file.
        raise MediaUndecodable("the bytes are not a picture that can be decoded") from e


def upright_rgb(image: "Image.Image") -> "Image.Image":
    """The frame at which an opened picture stands, decoded and normalised."""
    from PIL.Image import Transpose

    image.load()
    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    turn = turns.get(orientation_of(image))
    return _rgb(image if turn is None else image.transpose(turn))


def orientation_of(image: "Image.Image") -> int:
    """The EXIF orientation (1–8, 1 is upright) of a picture as it lies.

    Ask after it was loaded: the TIFF plug-in turns its pictures itself and then drops the tag.
    """
    try:
        orientation = image.getexif().get(_ORIENTATION)
    except BROKEN:
        return 1  # Broken metadata leaves the picture as it lies, as viewers do.
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


def _too_many_scans(data: bytes) -> bool:
    # Pairs of bytes from the first on and from the second: half the time of any search for two bytes.
    pairs = (np.frombuffer(data, np.uint16, (len(data) - at) // 2, at) for at in (0, 1))
    if sum(int(np.count_nonzero(pair == _SCAN_BEGINS)) for pair in pairs) <= MAX_SCANS:
        return False
    # What follows the picture, or lies in its metadata, may hold those bytes too.
    scans, at = 0, 2
    while scans <= MAX_SCANS and (found := _MARKER.search(data, at)) and found[1][0] != _END:
        scans += found[1][0] == _SCAN
        at = found.end() + max(2, int.from_bytes(data[found.end() : found.end() + 2], "big"))
    return scans > MAX_SCANS


def _rgb(image: "Image.Image") -> "Image.Image":
    if image.mode[0] in "IF":
        image = _eight_bit(image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _eight_bit(image: "Image.Image") -> "Image.Image":
    """Grey of 16 or 32 bits or floating point, scaled down; Pillow's own conversion would clip at 255."""
    from PIL import Image

    values = np.asarray(image)
    if image.mode.startswith("I;16"):
        scaled = values >> 8
    else:
        if not np.isfinite(values).all():
            raise ValueError("not a number")
        top = values.max(initial=0)
        # The format does not say what is white: the least of the usual whites that holds the brightest pixel.
        white = next(
            (w for w in (1.0, 255.0, 65_535.0) if top <= w and (w > 1 or image.mode == "F")), 2.0**32
        )
        scaled = np.clip(values * (255.0 / white), 0, 255)
    return Image.fromarray(scaled.astype(np.uint8))


@cache
def formats() -> tuple[str, ...]:
    """Pillow's names of the formats that are read here, their plug-ins loaded."""
    from PIL import Image

    for plugin in _PLUGINS.values():
        try:
            module: Any = importlib.import_module(f"PIL.{plugin}ImagePlugin")
        except ImportError:  # An older Pillow: without AVIF.
            continue
        if plugin == "Avif":
            # As many threads as processors otherwise, and a confined decoder may start none.
            module.DEFAULT_MAX_THREADS = 1
    return tuple(name for name in _PLUGINS if name in Image.OPEN)


def _quiet() -> None:
    # Warnings about a file's oddities change nothing here, and none may become a line on the daemon's
    # standard error. At DEBUG Pillow logs the text of tags, which a sender wrote. Asked each time, as a
    # test runner sets the filters anew, and added once: a change of filters makes Python repeat warnings
    # that it has shown before.
    if all(entry[3] != _PILLOW for entry in warnings.filters):
        warnings.filterwarnings("ignore", module=r"PIL\.")
    logger = logging.getLogger("PIL")
    if logger.level < logging.INFO:
        logger.setLevel(logging.INFO)
