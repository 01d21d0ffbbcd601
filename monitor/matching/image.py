"""A picture's bytes → its perceptual hashes."""

import contextlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from monitor.errors import MediaUndecodable
from monitor.matching.frames import MOST_FRAMES, frames
from monitor.matching.pdq import (
    LEAST_SIDE,
    NO_TRANSFORM,
    Floats,
    Pdq,
    Pixels,
    Transform,
    bits,
    near_median,
    transform_of,
    transform_of_samples,
    ways,
)
from monitor.matching.picture import MAX_PIXELS, MAX_SIDE, decode, formats
from monitor.matching.plane import Plane, Samples, samples_of
from monitor.matching.scaled import grey_plane, jpeg_plane, stands_for
from monitor.matching.small import dhash, phash

if TYPE_CHECKING:
    from PIL import Image


MANY_NEAR = 6
"""So many of the 256 coefficients beside the median, and luma's rounding may turn a few bits: one picture in twenty."""


@dataclass(frozen=True, slots=True)
class ImageHashes:
    """Perceptual hashes of one picture, upright.

    `pdq` is 32 bytes in the order of pdqhash's hex, `pdq_quality` 0–100 (below 50 the hash says little);
    `phash` and `dhash` are 8 bytes in imagehash's order; `width` and `height` in pixels, of the picture that
    was hashed or, where it was hashed as a rendition of a larger one, of that.
    """

    pdq: bytes
    pdq_quality: int
    phash: bytes
    dhash: bytes
    width: int
    height: int


def hash_image(
    data: bytes, *, original_size: tuple[int, int] | None = None, max_pixels: int = MAX_PIXELS
) -> ImageHashes:
    """Hash a picture in JPEG, PNG, WebP, GIF, BMP, TIFF or, where Pillow has it, AVIF.

    With `original_size`, the width and height (upright) of the picture of which `data` is a smaller rendition,
    the hashes are those of that original, as far as the rendition shows it. A size that cannot be the
    original's, as it is smaller or of another shape, is passed over, as a sender may have declared it:
    `width` and `height` say for what the hashes stand.

    The hashes are pdqhash's and imagehash's, bit for bit, but for large JPEGs, which are decoded at a smaller
    scale (PDQ: less than a bit off on average, 4 at most where its quality is 50 and more), and renditions.

    Raises MediaUndecodable; ValueError when `original_size` is not within 1 and MAX_SIDE.
    """
    seen = _seen(data, original_size, max_pixels)
    if not isinstance(seen, Plane):
        return _of_whole(seen)
    samples, transform = _of_plane(seen, data, original_size, max_pixels)
    return ImageHashes(
        pdq=bits(transform.coefficients),
        pdq_quality=transform.quality,
        phash=phash(samples.phash),
        dhash=dhash(samples.dhash),
        width=seen.across.length,
        height=seen.down.length,
    )


def hash_frames(
    data: bytes, *, most: int = MOST_FRAMES, max_pixels: int = MAX_PIXELS
) -> tuple[ImageHashes, ...]:
    """The hashes of up to `most` frames of a moving picture, evenly spread from the first on; of a still
    picture `hash_image`'s.

    What follows a broken frame, and the end of a very long picture, is left out. Raises MediaUndecodable when
    the first frame is broken.
    """
    found: list[ImageHashes] = []
    try:
        for image in frames(data, most=most, max_pixels=max_pixels):
            found.append(_of_whole(image))
    except MediaUndecodable:
        if not found:
            raise
    return tuple(found) if len(found) > 1 else (hash_image(data, max_pixels=max_pixels),)


def checked_size(original_size: tuple[int, int] | None) -> tuple[int, int] | None:
    """The size as it is. Raises ValueError unless both of its sides lie within 1 and MAX_SIDE."""
    if original_size is not None and not all(1 <= side <= MAX_SIDE for side in original_size):
        raise ValueError(f"a side of the original must lie within 1 and {MAX_SIDE}")
    return original_size


def dihedral_pdq(
    data: bytes, *, original_size: tuple[int, int] | None = None, max_pixels: int = MAX_PIXELS
) -> tuple[bytes, ...]:
    """PDQ of a picture and of its seven mirrored and turned copies, in the order of pdqhash's compute_dihedral.

    As it is; turned by 90°, 180°, 270° counter-clockwise; upside down; left to right; over the main diagonal;
    over the other. Look all of them up to find copies that were mirrored or turned. Otherwise like `hash_image`.
    """
    seen = _seen(data, original_size, max_pixels)
    if isinstance(seen, Plane):
        _, transform = _of_plane(seen, data, original_size, max_pixels)
    else:
        transform = _whole_transform(seen, turned=True)
    return tuple(bits(way) for way in ways(transform.coefficients))


def pdq_of_image(image: "Image.Image") -> Pdq:
    """PDQ of a decoded, upright picture."""
    transform = _whole_transform(image)
    return Pdq(bits(transform.coefficients), transform.quality)


def warm_up() -> None:
    """Load all that `hash_image` will ever need, by hashing a small picture of each format and kind.

    Afterwards it opens no file: for a process that is about to lose the file system.
    """
    from PIL import Image, ImageFile, ImagePalette, ImageSequence, MpoImagePlugin, TiffTags  # noqa: F401 - some come late

    for mode in ("L", "P", "RGB", "RGBA", "CMYK", "I;16"):
        for name in formats():
            written = io.BytesIO()
            try:
                Image.new(mode, (80, 60)).save(written, name)
            except (OSError, ValueError):
                continue  # A mode that the format does not have.
            hash_image(written.getvalue())
            hash_image(written.getvalue(), original_size=(320, 240))
    with contextlib.suppress(MediaUndecodable):
        hash_image(b"not a picture")


def _seen(data: bytes, original: tuple[int, int] | None, max_pixels: int) -> "Plane | Image.Image":
    """What there is to hash: a plane where it is enough, else the whole picture."""
    checked_size(original)
    with contextlib.suppress(MediaUndecodable):  # what cannot be scaled may still be decoded whole
        if plane := jpeg_plane(data, original, max_pixels=max_pixels):
            return plane
    image = decode(data, max_pixels=max_pixels)
    if original is not None and stands_for(original, image.size):
        return grey_plane(image, original)
    return image


def _of_plane(
    plane: Plane, data: bytes, original: tuple[int, int] | None, max_pixels: int
) -> tuple[Samples, Transform]:
    """What the hashes are read from; `data` is looked at again where the plane's rounding would decide."""
    samples = samples_of(plane)
    transform = _plane_transform(plane, samples.pdq)
    if near_median(transform.coefficients) >= MANY_NEAR:
        with contextlib.suppress(MediaUndecodable):
            if fine := jpeg_plane(data, original, max_pixels=max_pixels, finely=True):
                samples = samples_of(fine)
                transform = _plane_transform(fine, samples.pdq)
    return samples, transform


def _plane_transform(plane: Plane, samples: Floats) -> Transform:
    small = min(plane.across.length, plane.down.length) < LEAST_SIDE
    return NO_TRANSFORM if small else transform_of_samples(samples)


def _of_whole(image: "Image.Image") -> ImageHashes:
    import imagehash

    transform = _whole_transform(image)
    return ImageHashes(
        pdq=bits(transform.coefficients),
        pdq_quality=transform.quality,
        # Between equal coefficients, in symmetric pictures, its own order of sums decides.
        phash=np.packbits(imagehash.phash(image).hash.ravel()).tobytes(),
        dhash=np.packbits(imagehash.dhash(image).hash.ravel()).tobytes(),
        width=image.width,
        height=image.height,
    )


def _whole_transform(image: "Image.Image", *, turned: bool = False) -> Transform:
    width, height = image.size

    def rows(start: int, stop: int) -> Pixels:
        # In strips: a second copy of a large picture would cost as much as the first.
        return np.asarray(image.crop((0, start, width, stop)))

    return transform_of(rows, width, height, turned=turned)
