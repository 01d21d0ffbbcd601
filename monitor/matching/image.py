"""A picture's bytes → its perceptual hashes."""

import contextlib
import io
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.errors import MediaUndecodable
from monitor.matching.pdq import Pixels, pdq
from monitor.matching.picture import MAX_PIXELS, decode, formats


@dataclass(frozen=True, slots=True)
class ImageHashes:
    """Perceptual hashes of one picture, upright.

    `pdq` is 32 bytes in the order of pdqhash's hex, `pdq_quality` 0–100 (below 50 the hash says little);
    `phash` and `dhash` are 8 bytes in imagehash's order; `width` and `height` in pixels.
    """

    pdq: bytes
    pdq_quality: int
    phash: bytes
    dhash: bytes
    width: int
    height: int


def hash_image(data: bytes, *, max_pixels: int = MAX_PIXELS) -> ImageHashes:
    """Hash a picture in JPEG, PNG, WebP, GIF, BMP, TIFF or, where Pillow has it, AVIF. Raises
    MediaUndecodable.
    """
    import imagehash

    image = decode(data, max_pixels=max_pixels)
    width, height = image.size

    def rows(start: int, stop: int) -> Pixels:
        # In strips: a second copy of a large picture would cost as much as the first.
        return np.asarray(image.crop((0, start, width, stop)))

    found = pdq(rows, width, height)
    return ImageHashes(
        pdq=found.value,
        pdq_quality=found.quality,
        phash=_packed(imagehash.phash(image)),
        dhash=_packed(imagehash.dhash(image)),
        width=width,
        height=height,
    )


def warm_up() -> None:
    """Load all that `hash_image` will ever need, by hashing a small picture of each format and kind.

    Afterwards it opens no file: for a process that is about to lose the file system.
    """
    from PIL import Image, ImageFile, ImagePalette, ImageSequence, TiffTags  # noqa: F401 - some come late

    for mode in ("L", "P", "RGB", "RGBA", "CMYK", "I;16"):
        for name in formats():
            written = io.BytesIO()
            try:
                Image.new(mode, (80, 60)).save(written, name)
            except (OSError, ValueError):
                continue  # A mode that the format does not have.
            hash_image(written.getvalue())
    with contextlib.suppress(MediaUndecodable):
        hash_image(b"not a picture")


def _packed(hashed: Any) -> bytes:
    return np.packbits(hashed.hash.ravel()).tobytes()
