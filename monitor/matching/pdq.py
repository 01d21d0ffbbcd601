"""PDQ: 256 bits that survive resizing and recompression, and a quality from 0 to 100.

The algorithm is the one published with facebook/ThreatExchange (pdq/, hashing.pdf): luma, two
box blurs in each direction (Jarosz) whose width depends on the picture's size, 64 × 64 samples, the 16 × 16
corner of their DCT, each coefficient against the median. The values are those of pdqhash 0.2.8, bit for
bit.

Up to the comparison all of it is linear, so blur and sampling are one weight vector for each sample. Where
a coefficient lies so near the median that rounding decides, the reference's own sequence of float32 sums is
followed.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]
Rows = Callable[[int, int], Pixels]
"""Gives rows [start, stop) of a picture as uint8 (stop - start, width, 3), RGB."""

ROUNDING = 0.25
"""Of a coefficient: what comes of rounding each value of a coarse plane of luma to a whole number."""
SAMPLES = 64
"""On a side: how many blurred values PDQ takes from a picture."""
LEAST_SIDE = 5
"""Below it the reference gives no hash: all bits 0, quality 0."""
_GROUP = 8
_STRIP = 1 << 17
"""Pixels held as floats at a time; more would make one product large enough for BLAS to start threads (plane.ALONE)."""


class Transform(NamedTuple):
    """What the bits are read from: 16 × 16 float32 coefficients of the DCT, and the quality (0–100)."""

    coefficients: Floats
    quality: int


NO_TRANSFORM = Transform(np.zeros((16, 16), np.float32), 0)
"""That of a picture which is too small."""


class Pdq(NamedTuple):
    """A PDQ hash: 32 bytes in the order of pdqhash's hex, and the picture's quality (0–100)."""

    value: bytes
    quality: int


def pdq(rows: Rows, width: int, height: int) -> Pdq:
    """PDQ of a picture of `width` × `height` pixels whose rows can be read (twice at most)."""
    transform = transform_of(rows, width, height)
    return Pdq(bits(transform.coefficients), transform.quality)


def transform_of(rows: Rows, width: int, height: int, *, turned: bool = False) -> Transform:
    """The transform of a whole picture whose rows can be read (twice at most).

    Its bits are the reference's; with `turned` so are those of its eight `ways`.
    """
    if min(width, height) < LEAST_SIDE:
        return NO_TRANSFORM
    if width == height == SAMPLES:
        return _exact(_luma(rows(0, height)))
    samples = sampled(_strips(rows, width, height), width, height)
    found = transform_of_samples(samples)
    slack = _slack(width, height)
    if _quality(samples, -slack) == _quality(samples, slack) and all(
        _clear(way, slack) for way in (ways(found.coefficients) if turned else (found.coefficients,))
    ):
        return found
    return _exact(_reference_samples(rows, width, height))


def sampled(strips: Iterable[tuple[int, Floats]], width: int, height: int) -> Floats:
    """The 64 × 64 blurred samples of a picture's luma, float32, from strips of whole rows and where each begins."""
    samples = np.zeros((SAMPLES, SAMPLES), np.float32)
    across, down = bands(width), bands(height)
    for top, luma in strips:
        bottom = top + len(luma)
        blurred = np.concatenate(
            [luma[:, band.start : band.stop] @ band.weights.T for band in across], axis=1
        )
        for group, band in zip(samples.reshape(-1, _GROUP, SAMPLES), down, strict=True):
            first, last = max(band.start, top), min(band.stop, bottom)
            if first < last:
                group += (
                    band.weights[:, first - band.start : last - band.start]
                    @ blurred[first - top : last - top]
                )
    return samples


def transform_of_samples(samples: Floats) -> Transform:
    """The transform of 64 × 64 samples of luma, each blurred as PDQ blurs, in whatever order of sums."""
    return Transform(np.asarray(_DCT @ samples @ _DCT.T, np.float32), _quality(samples, 0))


def bits(coefficients: Floats) -> bytes:
    """The 256 bits: each coefficient against the median (the 128th of 256)."""
    median = np.partition(coefficients, 127, axis=None)[127]
    return np.packbits((coefficients > median).ravel()[::-1]).tobytes()


def near_median(coefficients: Floats) -> int:
    """How many coefficients, the median itself among them, are no further from it than luma's rounding at a smaller
    scale moves them."""
    median = np.partition(coefficients, 127, axis=None)[127]
    return int(np.count_nonzero(np.abs(coefficients - median) <= ROUNDING))


def ways(coefficients: Floats) -> tuple[Floats, ...]:
    """The transforms of the picture mirrored and turned, in the order of pdqhash's compute_dihedral.

    As it is; turned by 90°, 180° and 270° counter-clockwise; upside down; left to right; over the main
    diagonal; over the other one.
    """
    # A mirror changes the sign of every other frequency, which begin at 1; a turn also swaps the axes.
    sign = np.where(np.arange(16) % 2, 1, -1).astype(np.float32)
    down, across = coefficients * sign[:, None], coefficients * sign
    both = down * sign
    return (coefficients, across.T, both, down.T, down, across, coefficients.T, both.T)


def _clear(coefficients: Floats, slack: float) -> bool:
    """Whether no rounding could turn a bit: only a tie between the 128th and the next could."""
    low, high = np.partition(coefficients, (127, 128), axis=None)[127:129]
    return bool(high - low > slack)


def _luma(rgb: Pixels) -> Floats:
    # In double precision first, as pdqhash's binding does; the last bit counts in flat pictures.
    luma: Floats = (rgb[..., 0] * 0.299 + rgb[..., 1] * 0.587 + rgb[..., 2] * 0.114).astype(np.float32)
    return luma


def _strips(rows: Rows, width: int, height: int) -> Iterator[tuple[int, Floats]]:
    step = max(1, _STRIP // width)
    for top in range(0, height, step):
        yield top, _luma(rows(top, min(top + step, height)))


def _exact(samples: Floats) -> Transform:
    """The transform of the reference's own samples, in its own order of sums."""
    product = np.cumsum(_DCT[:, :, None] * samples[None, :, :], axis=1)[:, -1, :]
    coefficients: Floats = np.cumsum(product[:, None, :] * _DCT[None, :, :], axis=2)[:, :, -1]
    return Transform(coefficients, _quality(samples, 0))


def _quality(samples: Floats, slack: float) -> int:
    """Sum of the clear steps between neighbours, were each of them `slack` grey levels higher."""
    steps = np.empty((2, SAMPLES * (SAMPLES - 1)), np.float32)
    np.subtract(samples[1:], samples[:-1], out=steps[0].reshape(SAMPLES - 1, SAMPLES))
    np.subtract(samples[:, 1:], samples[:, :-1], out=steps[1].reshape(SAMPLES, SAMPLES - 1))
    np.abs(steps, out=steps)
    if slack:
        steps += np.float32(slack)
        np.maximum(steps, 0, out=steps)
    steps *= np.float32(100)
    steps /= np.float32(255)
    return min(int(steps.astype(np.int32).sum()) // 90, 100)


def _dct() -> Floats:
    # Rows 1–16: the constant term is left out, so brightness does not count.
    i, j = np.arange(1, 17)[:, None], np.arange(SAMPLES)[None, :]
    scale = np.float64(np.float32(np.sqrt(2.0 / SAMPLES)))
    dct: Floats = (scale * np.cos(np.pi / 2.0 / SAMPLES * i * (2 * j + 1))).astype(np.float32)
    return dct


_DCT = _dct()


def _window(length: int) -> tuple[int, int]:
    """How far the box reaches to the left and to the right of its centre."""
    full = (length + 2 * SAMPLES - 1) // (2 * SAMPLES)
    right = (full + 2) // 2 - 1
    return full - 1 - right, right


def _centres(length: int) -> npt.NDArray[np.int64]:
    return ((np.arange(SAMPLES) + 0.5) * length / SAMPLES).astype(np.int64)


class Band(NamedTuple):
    """The pixels [start, stop) that go into eight neighbouring samples: float32 (8, stop - start)."""

    start: int
    stop: int
    weights: Floats


@lru_cache(maxsize=16)
def bands(length: int) -> tuple[Band, ...]:
    """What two box blurs mix into each of the 64 samples along a side of `length` pixels.

    In groups of eight: fewer products than one a sample, and fewer zeros than one for all.
    """
    left, right = _window(length)
    centre = _centres(length)[:, None]
    # The second box averages these, each of which is the average of a first box, [begin, end).
    middle = centre + np.arange(-left, right + 1)
    inside = (middle >= 0) & (middle < length)
    begin, end = np.maximum(0, middle - left), np.minimum(length, middle + right + 1)
    share = (inside / inside.sum(axis=1, keepdims=True)) / np.maximum(end - begin, 1)
    found = []
    for first in range(0, SAMPLES, _GROUP):
        group = slice(first, first + _GROUP)
        start, stop = int(begin[group][inside[group]].min()), int(end[group][inside[group]].max())
        # A box is a step up where it begins and a step down where it ends; sums of steps are the weights.
        steps = np.zeros((_GROUP, stop - start + 1))
        row = np.nonzero(inside[group])[0]
        np.add.at(steps, (row, begin[group][inside[group]] - start), share[group][inside[group]])
        np.add.at(steps, (row, end[group][inside[group]] - start), -share[group][inside[group]])
        found.append(Band(start, stop, np.cumsum(steps, axis=1)[:, :-1].astype(np.float32)))
    return tuple(found)


def _slack(width: int, height: int) -> float:
    """How far the reference's rounding may move a value, in grey levels: several times the most seen."""
    return 0.01 + 5e-6 * max(width, height)


def _box(values: Floats, axis: int, left: int, right: int) -> Floats:
    """One running mean as the reference computes it: add on the right, subtract on the left, in float32."""
    values = np.moveaxis(values, axis, 0)
    length = len(values)
    moves = np.zeros_like(values, shape=(2 * length - 1, *values.shape[1:]))
    # The box at `c` has taken in c + right and dropped c - left - 1; what comes first is summed first.
    moves[0] = np.cumsum(values[: right + 1], axis=0)[-1]
    moves[1 : 2 * (length - 1 - right) : 2] = values[right + 1 :]
    np.negative(values[: length - left - 1], out=moves[2 * (left + 1) :: 2])
    np.cumsum(moves, axis=0, out=moves)
    centre = np.arange(length)
    counts = np.minimum(centre + right + 1, length) - np.maximum(centre - left, 0)
    means = moves[::2] / counts.astype(np.float32).reshape(-1, *[1] * (values.ndim - 1))
    return np.moveaxis(means, 0, axis)


def _reference_samples(rows: Rows, width: int, height: int) -> Floats:
    """The samples, each sum rounded where the reference rounds it. Holds the picture once, as floats."""
    across, down = _window(width), _window(height)
    full = np.empty((height, width), np.float32)
    for top, luma in _strips(rows, width, height):
        full[top : top + len(luma)] = _box(luma, 1, *across)
    step = max(32, _STRIP // height)  # fewer columns than a cache line holds would read each line again
    for first in range(0, width, step):
        full[:, first : first + step] = _box(full[:, first : first + step], 0, *down)
    step = max(1, _STRIP // width)
    columns = [_box(full[top : top + step], 1, *across)[:, _centres(width)] for top in range(0, height, step)]
    return _box(np.concatenate(columns), 0, *down)[_centres(height)]
