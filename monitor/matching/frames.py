"""A moving picture → some of its frames."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from monitor.errors import MediaUndecodable
from monitor.matching.picture import MAX_PIXELS, opened, upright_rgb

if TYPE_CHECKING:
    from PIL import Image

MOST_FRAMES = 8
"""Frames looked at, unless the caller says otherwise."""

_MOVING = {"GIF", "WEBP", "PNG", "AVIF"}
"""The further pictures of the others are pages, small copies or gain maps."""
_BUDGET = 200_000_000
"""Pixels that may be decoded on the way to the last frame: most formats must go through all before it."""
_A_FRAME = 50_000
"""Pixels in whose time a frame is taken up, however small it is."""

_UNSAID = 0.1
"""Seconds for which players show a frame that does not say how long."""


def timed(data: bytes, *, max_pixels: int = MAX_PIXELS) -> "Iterator[tuple[float, Image.Image]]":
    """Each frame of a moving picture in its turn, as it lies, and the second at which it is shown first; of a still
    picture the one it has. Raises MediaUndecodable where a frame is broken, after those before it.
    """
    with opened(data, max_pixels=max_pixels) as image:
        count = int(getattr(image, "n_frames", 1)) if image.format in _MOVING else 1
        second = 0.0
        for position in range(count):
            image.seek(position)
            if image.width * image.height > max_pixels:
                raise MediaUndecodable(f"a frame is larger than {max_pixels} pixels")
            image.load()
            yield second, image
            lasts = image.info.get("duration")
            second += lasts / 1000 if isinstance(lasts, int | float) and lasts > 0 else _UNSAID


def frames(data: bytes, *, most: int = MOST_FRAMES, max_pixels: int = MAX_PIXELS) -> "Iterator[Image.Image]":
    """Up to `most` frames, evenly spread from the first on, upright RGB; of a still picture the one it has.

    Of a picture that is very long only the beginning is looked at. Raises MediaUndecodable where a frame is
    broken, after those before it.
    """
    with opened(data, max_pixels=max_pixels) as image:
        count = int(getattr(image, "n_frames", 1)) if image.format in _MOVING else 1
        wanted = positions(count, image.width * image.height, most)
        for position in range(wanted[-1] + 1):
            image.seek(position)
            # A frame may reach beyond the canvas and make it larger.
            if image.width * image.height > max_pixels:
                raise MediaUndecodable(f"a frame is larger than {max_pixels} pixels")
            if position in wanted:
                yield upright_rgb(image)


def positions(count: int, pixels: int, most: int) -> list[int]:
    """Which of `count` frames of so many pixels each are looked at, ascending; 0 is always among them."""
    reached = max(1, min(count, _BUDGET // (pixels + _A_FRAME)))
    return sorted({number * reached // most for number in range(most)})
