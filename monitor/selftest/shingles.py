"""Every 16 bytes of the media that were planted, and whether any of them stand in other bytes."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

SHINGLE = 16
PLAIN = 9
"""A shingle of fewer different bytes is no trace of a picture: paddings and counters look like it."""
_BITS = 26
_BLOCK = 1 << 20


class Shingles:
    """An index over all windows of 16 bytes of `media`; looks at 10 to 100 MB a second."""

    def __init__(self, media: Iterable[bytes]) -> None:
        keys = [_keys(item)[_rich(item)] for item in media if len(item) >= SHINGLE]
        self._keys = np.unique(np.concatenate(keys)) if keys else np.empty(0, np.uint64)
        # One bit for each beginning of a key: most windows are ruled out by it alone.
        self._seen = np.zeros(1 << _BITS, np.bool_)
        self._seen[self._keys >> np.uint64(64 - _BITS)] = True

    def __len__(self) -> int:
        return len(self._keys)

    def found_in(self, data: bytes) -> bool:
        """Whether any 16 bytes in a row of `data` are 16 bytes in a row of the media."""
        for start in range(0, max(len(data) - SHINGLE + 1, 0), _BLOCK):
            block = data[start : start + _BLOCK + SHINGLE - 1]
            if not block.strip(b"\0"):
                continue
            keys = _keys(block)
            close = keys[self._seen[keys >> np.uint64(64 - _BITS)]]
            at = np.minimum(np.searchsorted(self._keys, close), len(self._keys) - 1)
            if len(close) and (self._keys[at] == close).any():
                return True
        return False


def _windows(data: bytes, offset: int) -> NDArray[np.uint64]:
    """The eight bytes at each position, from `offset` on, as integers."""
    count = len(data) - SHINGLE + 1
    return np.ndarray((count,), np.dtype("<u8"), data, offset, (1,))


def _keys(data: bytes) -> NDArray[np.uint64]:
    low, high = _windows(data, 0), _windows(data, 8)
    mixed: NDArray[np.uint64] = low * np.uint64(0x9E3779B97F4A7C15) ^ high * np.uint64(0xC2B2AE3D27D4EB4F)
    return (mixed ^ mixed >> np.uint64(29)) * np.uint64(0xBF58476D1CE4E5B9)


def _rich(data: bytes) -> NDArray[np.bool_]:
    """Which windows hold at least PLAIN different bytes and are no mere counting."""
    windows = np.lib.stride_tricks.sliding_window_view(np.frombuffer(data, np.uint8), SHINGLE)
    return np.concatenate(
        [_rich_windows(part) for part in np.array_split(windows, len(windows) // _BLOCK + 1)]
    )


def _rich_windows(windows: NDArray[np.uint8]) -> NDArray[np.bool_]:
    different = np.count_nonzero(np.diff(np.sort(windows, axis=1), axis=1), axis=1) + 1
    counting = np.count_nonzero(windows[:, 1:] - windows[:, :-1] == 1, axis=1)
    rich: NDArray[np.bool_] = (different >= PLAIN) & (counting < PLAIN - 1)
    return rich
