"""A picture → its luma at as many points as its hashes need, and no more.

A JPEG's coefficients give the means of 2 × 2, 4 × 4 or 8 × 8 pixels without the pixels: at 1280 px that saves
most of what follows the entropy coding, colour included. Pillow does this; why not simplejpeg says decision 7.
"""

from typing import TYPE_CHECKING

import numpy as np

from monitor.matching.pdq import Floats, Pixels
from monitor.matching.picture import opened, orientation_of
from monitor.matching.plane import LONGEST, Axis, Plane

if TYPE_CHECKING:
    from PIL import Image

ENOUGH = 180
"""Values along the shorter side of a plane, at least, when a picture is decoded at a smaller scale. From there on
PDQ is on average a bit or less from the whole picture's, and 6 at most (4 where what is too near to tell is
read finely); with 150 it is 2.5 and 8. Of pictures
of quality 50 and more."""

_SCALES = (8, 4, 2)
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""The shares of red, green and blue."""


def jpeg_plane(
    data: bytes, original: tuple[int, int] | None, *, max_pixels: int, finely: bool = False
) -> Plane | None:
    """A JPEG's luma at the smallest scale that is enough, standing for `original` (see `stands_for`).

    `finely`: made of its colours, which takes half a millisecond more. Luma as it is stored comes rounded to whole
    numbers; of three colours, each rounded by itself, the rounding is half as large.

    None when it has no colours to be read finely, or has to be decoded whole: another format or colour model, one
    that is too small to be scaled, one that is far longer than high. Raises MediaUndecodable; what cannot be scaled
    may still be decoded whole.
    """
    from PIL.JpegImagePlugin import JpegImageFile

    with opened(data, max_pixels=max_pixels) as image:
        if not isinstance(image, JpegImageFile) or image.mode not in ("L", "RGB"):
            return None
        width, height = image.size
        scale = next((s for s in _SCALES if -(-min(width, height) // s) >= ENOUGH), 1)
        orientation = orientation_of(image)
        upright = (height, width) if orientation > 4 else (width, height)
        if not stands_for(original, upright):
            original = None
        if (scale == 1 and original is None) or -(-max(width, height) // scale) > LONGEST:
            return None
        if finely and image.mode == "L":
            return None
        image.draft("RGB" if finely else "L", (width // scale, height // scale))
        # In one piece: where one ends within a row of blocks, the decoder begins that row again.
        image.decodermaxblock = len(data)
        image.load()
        values = np.asarray(image)
        return _plane(values @ LUMA if finely else values, upright, scale, orientation, original or upright)


def grey_plane(image: "Image.Image", original: tuple[int, int]) -> Plane:
    """The luma of a decoded, upright picture, standing for `original`."""
    scale = -(-max(image.size) // LONGEST)
    return _plane(np.asarray(image.convert("L").reduce(scale)), image.size, scale, 1, original)


def stands_for(original: tuple[int, int] | None, rendition: tuple[int, int]) -> bool:
    """Whether a picture of this size may be a smaller rendition of one that is `original` wide and high.

    It is not larger, and its sides are in the same proportion, up to the rounding of one of them to a pixel.
    """
    if original is None or original == rendition:
        return False
    (width, height), (narrow, low) = original, rendition
    return (
        narrow <= width
        and low <= height
        and (abs(height * narrow - low * width) <= width or abs(width * low - narrow * height) <= height)
    )


def _plane(
    values: Pixels | Floats,
    upright: tuple[int, int],
    scale: int,
    orientation: int,
    original: tuple[int, int],
) -> Plane:
    """`values` as they lie, each the mean of `scale` × `scale` pixels of a picture that is `upright` in size."""
    if orientation > 4:
        values = values.T
    if mirrored := orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    if inverted := orientation in (3, 4, 7, 8):
        values = values[::-1]
    rows, columns = values.shape
    return Plane(
        values,
        _axis(original[1], upright[1], rows, scale, inverted),
        _axis(original[0], upright[0], columns, scale, mirrored),
    )


def _axis(length: int, pixels: int, count: int, scale: int, turned: bool) -> Axis:
    # The last mean as it lies may reach beyond the edge; turned round it is the first.
    step = scale * length / pixels
    return Axis(length, count, step, length - count * step if turned else 0.0, scale > 1)
