"""pHash and dHash from the few grey values that imagehash resizes a picture to."""

import numpy as np

from monitor.matching.pdq import Pixels

PHASH_SIDE = 32
DHASH_ROWS, DHASH_COLUMNS = 8, 9

_FREQUENCIES = 8
_NOTHING = 1e-6
"""Coefficients that are 0, as in a flat picture, come out of the sums as some 1e-11."""


def phash(grey: Pixels) -> bytes:
    """imagehash's phash of uint8 (32, 32), 8 bytes: the low frequencies of the DCT against their median."""
    coefficients = _DCT @ grey @ _DCT.T
    coefficients[np.abs(coefficients) < _NOTHING] = 0
    low, high = np.partition(coefficients, (31, 32), axis=None)[31:33]
    return np.packbits(coefficients > (low + high) / 2).tobytes()


def dhash(grey: Pixels) -> bytes:
    """imagehash's dhash of uint8 (8, 9), 8 bytes: whether each value is less than the next in its row."""
    return np.packbits(grey[:, 1:] > grey[:, :-1]).tobytes()


# Scaled as scipy's type II is, twice.
_DCT = 2 * np.cos(np.pi / 2 / PHASH_SIDE * np.outer(np.arange(_FREQUENCIES), 2 * np.arange(PHASH_SIDE) + 1))
