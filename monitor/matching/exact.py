"""Exact search among digests, by sorted array."""

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.uint8]


class ExactIndex:
    """Digests of one length, looked up by equality. Immutable."""

    def __init__(self, values: Values) -> None:
        """An index of a uint8 array (n, bytes)."""
        # As fixed-width strings numpy orders and compares them whole, zeros inside and at the end included.
        digests = np.ascontiguousarray(values).view(f"S{values.shape[1]}").reshape(len(values))
        self._order = np.argsort(digests, kind="stable")
        self._sorted = digests[self._order]

    def __len__(self) -> int:
        return len(self._sorted)

    def find(self, value: bytes) -> npt.NDArray[np.int64]:
        """Positions of the entries with this value, ascending; `value` has the length of the entries."""
        first = np.searchsorted(self._sorted, np.bytes_(value), "left")
        last = np.searchsorted(self._sorted, np.bytes_(value), "right")
        return self._order[first:last]
