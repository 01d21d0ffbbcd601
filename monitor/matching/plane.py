"""A coarse plane of luma → the values that the hashes of the whole picture are read from.

PDQ, pHash and dHash each read a picture through a few weighted sums of its rows and columns, whose widths hang
on the picture's size. When only every eighth pixel is decoded, or a smaller rendition is all there is, the
whole picture's sums are composed with an interpolation from what there is: one matrix for each axis, cached.
Hashing the small picture as it is would be another picture's hash, by ten bits of PDQ on average.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from monitor.matching.pdq import SAMPLES, Floats, Pixels, bands
from monitor.matching.small import DHASH_COLUMNS, DHASH_ROWS, PHASH_SIDE

LONGEST = 2560
"""Values along a side of a plane: bounds what a matrix, and the cache of them, can take (1 MB, 32 MB)."""

ALONE = 1 << 18
"""Multiplications in one product at most: from there on numpy's BLAS starts threads, which costs more than a
picture takes and, where several threads hash, all of what they gain. They cannot be switched off from here, but
for the whole program."""
_GROUP = 8
"""Rows of weights that share one product: neighbours, so that all of them are zero over most of the plane."""
_LOBES = 3
_SHARPEN = 1 / 24
"""The mean over a cell differs from its centre's value by 1/24 of the second difference."""


class Axis(NamedTuple):
    """How a plane's values lie along one side of the whole picture.

    The side has `length` pixels; of its `points` each covers `step` of them, and the first begins at `start`
    (below 0 where it reaches beyond the edge). `averaged` when a value is the mean of what it covers.
    """

    length: int
    points: int
    step: float
    start: float = 0.0
    averaged: bool = False


class Plane(NamedTuple):
    """Luma of a whole, upright picture at fewer points: uint8 or float32 (down.points, across.points)."""

    values: Pixels | Floats
    down: Axis
    across: Axis


class Samples(NamedTuple):
    """What the hashes are read from.

    `pdq` is float32 (64, 64), blurred; `phash` uint8 (32, 32) and `dhash` uint8 (8, 9), resized by Lanczos.
    """

    pdq: Floats
    phash: Pixels
    dhash: Pixels


def samples_of(plane: Plane) -> Samples:
    """The values of the whole picture, from one product."""
    down, across = _weights(plane.down, DHASH_ROWS), _weights(plane.across, DHASH_COLUMNS)
    values = plane.values.astype(np.float32, copy=False)
    pdq, phash, dhash = (
        _weighed(_weighed(values, rows).T, columns).T for rows, columns in zip(down, across, strict=True)
    )
    return Samples(np.ascontiguousarray(pdq), _grey(phash), _grey(dhash))


class _Group(NamedTuple):
    """Weights of a few neighbouring rows: float32 (rows, stop - start) for the values from `start` to `stop`."""

    start: int
    stop: int
    weights: Floats


def _weighed(values: Floats, groups: Sequence[_Group]) -> Floats:
    """The weighted sums of rows of `values`, one row for each row of weights, in products of ALONE at most."""
    width = values.shape[1]
    weighed = np.empty((sum(len(group.weights) for group in groups), width), np.float32)
    first = 0
    for start, stop, weights in groups:
        last = first + len(weights)
        step = max(1, ALONE // weights.size)
        for column in range(0, width, step):
            np.matmul(
                weights,
                values[start:stop, column : column + step],
                out=weighed[first:last, column : column + step],
            )
        first = last
    return weighed


def _grey(values: Floats) -> Pixels:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


@lru_cache(maxsize=32)
def _weights(axis: Axis, dhash: int) -> tuple[tuple[_Group, ...], ...]:
    """For PDQ, pHash and dHash: the share of each value of the plane in each value to be read."""
    return tuple(
        tuple(_groups(axis, rows))
        for rows in (_blurred(axis), _resized(axis, PHASH_SIDE), _resized(axis, dhash))
    )


def _groups(axis: Axis, rows: npt.NDArray[np.float64]) -> Iterator[_Group]:
    if axis.averaged and axis.points > 1:
        beside = np.pad(rows, ((0, 0), (1, 1)), mode="edge")
        rows = rows - _SHARPEN * (beside[:, 2:] - 2 * rows + beside[:, :-2])
    for first in range(0, len(rows), _GROUP):
        some = rows[first : first + _GROUP].astype(np.float32)
        used = np.flatnonzero(some.any(axis=0))
        start, stop = int(used[0]), int(used[-1]) + 1
        yield _Group(start, stop, np.ascontiguousarray(some[:, start:stop]))


def _blurred(axis: Axis) -> npt.NDArray[np.float64]:
    """PDQ's weights of the whole picture's pixels, each interpolated from the plane by Lanczos-3."""
    composed = np.zeros((SAMPLES, axis.points))
    first = 0
    for start, _, weights in bands(axis.length):
        group, pixel = np.nonzero(weights)
        place = (pixel + start + 0.5 - axis.start) / axis.step - 0.5
        nearest = np.floor(place).astype(np.int64)[:, None] + np.arange(1 - _LOBES, 1 + _LOBES)
        share = _lanczos(place[:, None] - nearest)
        share *= (weights[group, pixel] / share.sum(axis=1))[:, None]
        # Beyond the edge the picture goes on as it ended.
        np.add.at(composed, (first + group[:, None], np.clip(nearest, 0, axis.points - 1)), share)
        first += len(weights)
    return composed


def _resized(axis: Axis, count: int) -> npt.NDArray[np.float64]:
    """The weights with which Pillow resizes the whole side to `count` pixels by Lanczos."""
    scale = max(axis.length / count, axis.step)
    centres = (np.arange(count) + 0.5) * (axis.length / count)
    places = axis.start + (np.arange(axis.points) + 0.5) * axis.step
    weights = _lanczos((places - centres[:, None]) / scale)
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


def _lanczos(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where(np.abs(x) < _LOBES, np.sinc(x) * np.sinc(x / _LOBES), 0.0)
