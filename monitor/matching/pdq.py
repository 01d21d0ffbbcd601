"""PDQ: 256 bits that survive resizing and recompression, and a quality from 0 to 100.

The algorithm is the one published with facebook/ThreatExchange (pdq/, hashing.pdf): luma, two
box blurs in each direction (Jarosz) whose width depends on the picture's size, 64 × 64 samples, the 16 × 16
corner of their DCT, each coefficient against the median. The values are those of pdqhash 0.2.8, bit for
bit.

Up to the comparison all of it is linear, so blur and sampling are one weight vector for each sample. Where
a coefficient lies so near the median that rounding decides, the reference's own sequence of float32 sums is
followed.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]
Rows = Callable[[int, int], Pixels]
"""Gives rows [start, stop) of a picture as uint8 (stop - start, width, 3), RGB."""

_SAMPLES = 64
_LEAST_SIDE = 5
"""Below it the reference gives no hash: all bits 0, quality 0."""
_STRIP = 1 << 18
"""Pixels held as floats at a time."""


class Pdq(NamedTuple):
    """A PDQ hash: 32 bytes in the order of pdqhash's hex, and the picture's quality (0–100)."""

    value: bytes
    quality: int


def pdq(rows: Rows, width: int, height: int) -> Pdq:
    """PDQ of a picture of `width` × `height` pixels whose rows can be read (twice at most)."""
    if min(width, height) < _LEAST_SIDE:
        return Pdq(bytes(32), 0)
    if width == height == _SAMPLES:
        return _exact(_luma(rows(0, height)))
    samples = np.zeros((_SAMPLES, _SAMPLES), np.float32)
    across, down = _bands(width), _bands(height)
    for top, luma in _strips(rows, width, height):
        bottom = top + len(luma)
        blurred = np.stack([luma[:, band.start : band.stop] @ band.weights for band in across], axis=1)
        for sample, band in zip(samples, down, strict=True):
            first, last = max(band.start, top), min(band.stop, bottom)
            if first < last:
                sample += (
                    band.weights[first - band.start : last - band.start] @ blurred[first - top : last - top]
                )
    coefficients = np.asarray(_DCT @ samples @ _DCT.T, np.float32)
    slack = _slack(width, height)
    # The bits are the 128 largest; only a tie between the 128th and the next could turn one.
    low, high = np.partition(coefficients, (127, 128), axis=None)[127:129]
    if high - low > slack and _quality(samples, -slack) == (quality := _quality(samples, slack)):
        return Pdq(_bits(coefficients, low), quality)
    return _exact(_reference_samples(rows, width, height))


def _luma(rgb: Pixels) -> Floats:
    # In double precision first, as pdqhash's binding does; the last bit counts in flat pictures.
    luma: Floats = (rgb[..., 0] * 0.299 + rgb[..., 1] * 0.587 + rgb[..., 2] * 0.114).astype(np.float32)
    return luma


def _strips(rows: Rows, width: int, height: int) -> Iterator[tuple[int, Floats]]:
    step = max(1, _STRIP // width)
    for top in range(0, height, step):
        yield top, _luma(rows(top, min(top + step, height)))


def _exact(samples: Floats) -> Pdq:
    """Hash and quality from the reference's own samples, in its own order of sums."""
    product = np.cumsum(_DCT[:, :, None] * samples[None, :, :], axis=1)[:, -1, :]
    coefficients: Floats = np.cumsum(product[:, None, :] * _DCT[None, :, :], axis=2)[:, :, -1]
    median = np.partition(coefficients, 127, axis=None)[127]
    return Pdq(_bits(coefficients, median), _quality(samples, 0))


def _bits(coefficients: Floats, median: np.float32) -> bytes:
    return np.packbits((coefficients > median).ravel()[::-1]).tobytes()


def _quality(samples: Floats, slack: float) -> int:
    """Sum of the clear steps between neighbours, were each of them `slack` grey levels higher."""
    total = 0
    for axis in (0, 1):
        steps = np.abs(np.diff(samples, axis=axis)) + np.float32(slack)
        total += int(np.trunc(np.maximum(steps, 0) * np.float32(100) / np.float32(255)).sum())
    return min(total // 90, 100)


def _dct() -> Floats:
    # Rows 1–16: the constant term is left out, so brightness does not count.
    i, j = np.arange(1, 17)[:, None], np.arange(_SAMPLES)[None, :]
    scale = np.float64(np.float32(np.sqrt(2.0 / _SAMPLES)))
    dct: Floats = (scale * np.cos(np.pi / 2.0 / _SAMPLES * i * (2 * j + 1))).astype(np.float32)
    return dct


_DCT = _dct()


def _window(length: int) -> tuple[int, int]:
    """How far the box reaches to the left and to the right of its centre."""
    full = (length + 2 * _SAMPLES - 1) // (2 * _SAMPLES)
    right = (full + 2) // 2 - 1
    return full - 1 - right, right


def _centres(length: int) -> npt.NDArray[np.int64]:
    return ((np.arange(_SAMPLES) + 0.5) * length / _SAMPLES).astype(np.int64)


class _Band(NamedTuple):
    start: int
    stop: int
    weights: Floats


@lru_cache(maxsize=128)
def _bands(length: int) -> tuple[_Band, ...]:
    """For each sample the pixels that two box blurs mix into it, and the share of each."""
    left, right = _window(length)
    bands = []
    for centre in _centres(length).tolist():
        start, stop = max(0, centre - 2 * left), min(length, centre + 2 * right + 1)
        weights = np.zeros(stop - start)
        second = range(max(0, centre - left), min(length, centre + right + 1))
        for middle in second:
            a, b = max(0, middle - left), min(length, middle + right + 1)
            weights[a - start : b - start] += 1.0 / (b - a) / len(second)
        bands.append(_Band(start, stop, weights.astype(np.float32)))
    return tuple(bands)


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
