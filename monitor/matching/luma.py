"""A decoded frame → its PDQ, from the luma as it was coded.

What vpdq hashes is the frame brought to RGB and then to luma again: the luma that the film holds, but for rounding
and for what is cut off at black and white. Reading it saves both conversions. The sums that PDQ is read from are
linear, so a narrow range of levels (16–235) is widened after them, in 64 × 64 values: without that the quality would
come out lower by a seventh.
"""

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from monitor.matching.pdq import LEAST_SIDE, Floats, Pdq, bits, pdq, sampled, transform_of_samples

if TYPE_CHECKING:
    from av import VideoFrame

_STRIP = 1 << 18
"""Pixels held as floats at a time."""
_WIDE = 2
"""AVCOL_RANGE_JPEG: luma takes all levels. Unsaid it takes 16 to 235, as players assume too."""

Plane = npt.NDArray[Any]


Matrix = tuple[int, int, int, int]
"""How frames are turned before they are shown: x' = a·x + c·y, y' = b·x + d·y, as (a, b, c, d)."""
AS_IT_LIES: Matrix = (1, 0, 0, 1)


def pdq_of_frame(frame: "VideoFrame", matrix: Matrix = AS_IT_LIES) -> tuple[Pdq, int, int]:
    """PDQ of a frame as it is shown, upright, and the width and height in pixels that it then has."""
    luma = _coded_luma(frame)
    if luma is None:
        rgb = _upright(frame.to_ndarray(format="rgb24", threads=1), matrix)
        height, width = rgb.shape[:2]
        return pdq(lambda start, stop: rgb[start:stop], width, height), width, height
    luma = _upright(luma, matrix)
    height, width = luma.shape
    if min(width, height) < LEAST_SIDE:
        return Pdq(bytes(32), 0), width, height
    transform = transform_of_samples(_widened(frame, sampled(_strips(luma), width, height)))
    return Pdq(bits(transform.coefficients), transform.quality), width, height


def _coded_luma(frame: "VideoFrame") -> Plane | None:
    """The plane of luma, uint8 or uint16 (height, width), no copy; None for a frame that has none."""
    name = frame.format.name
    if not name.startswith(("yuv", "nv12", "gray")) or name.endswith("be") or not frame.format.is_planar:
        # Grey has one plane and counts as packed.
        if name not in ("gray", "gray10le", "gray12le", "gray16le"):
            return None
    plane, wide = frame.planes[0], frame.format.components[0].bits > 8
    if plane.line_size <= 0:
        return None
    values: Plane = np.frombuffer(memoryview(plane), np.dtype("<u2") if wide else np.uint8)
    return values.reshape(-1, plane.line_size // values.itemsize)[: frame.height, : frame.width]


def _strips(luma: Plane) -> Iterator[tuple[int, Floats]]:
    step = max(1, _STRIP // luma.shape[1])
    for top in range(0, len(luma), step):
        yield top, luma[top : top + step].astype(np.float32)


def _widened(frame: "VideoFrame", samples: Floats) -> Floats:
    """Coded levels as 0 to 255."""
    unit = np.float32(1 << (frame.format.components[0].bits - 8))
    name = frame.format.name
    if frame.color_range == _WIDE or name.startswith(("yuvj", "gray")):
        return samples * np.float32(255 / (256 * unit - 1))
    widened: Floats = (samples - 16 * unit) * np.float32(255 / (219 * unit))
    return widened


def display_matrix(frame: "VideoFrame") -> Matrix:
    """How the film that a frame is from is turned before it is shown.

    For one frame of a film alone: one that was asked is freed only when Python's garbage collector finds it.
    """
    found = frame.side_data.get("DISPLAYMATRIX")
    if found is None or len(raw := bytes(memoryview(cast(Any, found)))) != 36:
        return AS_IT_LIES
    a, b, _, c, d, *_ = struct.unpack("=9i", raw)
    return a, b, c, d


def _upright(values: Plane, matrix: Matrix) -> Plane:
    """The plane turned and mirrored by quarters: what is askew stays as it is nearest to."""
    a, b, c, d = matrix
    if abs(b) + abs(c) > abs(a) + abs(d):
        values = values.swapaxes(0, 1)
        return values[:: -1 if b < 0 else 1, :: -1 if c < 0 else 1]
    return values[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
