"""Columns of a list while they grow: in as many bytes as they need, and never copied as a whole."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.uint8]
Names = npt.NDArray[np.bytes_]
Labels = npt.NDArray[np.signedinteger[Any]]
Mask = npt.NDArray[np.bool_]

_AT_ONCE = 1 << 16


def derived_name(value: bytes) -> bytes:
    """The identifier of an entry that has none: the first 16 hex digits of the SHA-256 of its value."""
    return hashlib.sha256(value).hexdigest()[:16].encode("ascii")


class Columns:
    """The entries of one algorithm. `values` is uint8 (n, size); `names` empty where an entry has none;
    `labels` codes, -1 for none. The arrays are there once it is finished, and read-only.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._raw = bytearray()
        self._grown_names = _Growing(np.dtype("S1"))
        self._grown_labels = _Growing(np.dtype(np.int8))
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def extend(self, raw: bytes, names: Names, labels: npt.NDArray[np.int_]) -> None:
        """Add entries: their values one after the other, their names and labels."""
        self._length += len(names)
        self._raw += raw
        self._grown_names.extend(names)
        self._grown_labels.extend(labels.astype(np.min_scalar_type(-1 - int(labels.max(initial=0)))))

    def share(self, other: "Columns") -> None:
        """Keep one column of names for both where they are the same: often each entry has all hashes."""
        if self._grown_names == other._grown_names:
            self._grown_names = other._grown_names

    def finish(self, withdrawn: Mapping[bytes, int]) -> None:
        """Drop what `withdrawn` names (up to a position each), and the same pair of value and name but once."""
        values = np.frombuffer(self._raw, np.uint8).reshape(-1, self._size)
        names, labels = self._grown_names.array(), self._grown_labels.array()
        keep = _kept(values, names, withdrawn)
        if keep is not None:
            values, names, labels = _compacted(values, keep), names[keep], labels[keep]
        self._length = len(values)
        for column in (values, names, labels):
            column.flags.writeable = False
        self.values: Values = values
        self.names: Names = names
        self.labels: Labels = labels


class _Growing:
    """Bytes of one dtype, which becomes wider when it must."""

    def __init__(self, dtype: "np.dtype[Any]") -> None:
        self._dtype = dtype
        self._bytes = bytearray()

    def extend(self, more: npt.NDArray[Any]) -> None:
        wider = np.promote_types(self._dtype, more.dtype)
        if wider != self._dtype:
            self._bytes = bytearray(self.array().astype(wider).data.cast("B"))
            self._dtype = wider
        self._bytes += more.astype(wider).tobytes()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Growing) and self._dtype == other._dtype and self._bytes == other._bytes

    def array(self) -> npt.NDArray[Any]:
        return np.frombuffer(self._bytes, self._dtype)


def _kept(values: Values, names: Names, withdrawn: Mapping[bytes, int]) -> Mask | None:
    """Which entries stay; None for all."""
    keep = np.ones(len(values), np.bool_)
    if withdrawn:
        for position in _among(names, np.array(sorted(withdrawn), np.bytes_)).tolist():
            keep[position] = position >= withdrawn[bytes(names[position])]
    twice = _twice(values)
    if len(twice):
        # What shares its first four bytes with another, be it by chance, is looked at whole.
        members = _among(values[:, :4].view(np.uint32).reshape(-1), twice)
        members = members[keep[members]]
        first = np.unique(_pairs(values[members], names[members]), return_index=True)[1]
        keep[members] = False
        keep[members[first]] = True
    return None if keep.all() else keep


def _twice(values: Values) -> npt.NDArray[np.uint32]:
    """The first four bytes, as a number, that several values share, in order."""
    starts = values[:, :4].copy().view(np.uint32).reshape(-1)
    starts.sort()
    return np.unique(starts[1:][starts[1:] == starts[:-1]])


def _among(column: npt.NDArray[Any], wanted: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Positions of what is one of the sorted `wanted`."""
    found = []
    for start in range(0, len(column), _AT_ONCE):
        part = column[start : start + _AT_ONCE]
        near = np.searchsorted(wanted, part)
        near[near == len(wanted)] = 0
        found.append(np.flatnonzero(wanted[near] == part) + start)
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def _pairs(values: Values, names: Names) -> npt.NDArray[np.bytes_]:
    """Value and name in one, of one length each: cannot be cut in two ways."""
    empty = names == b""
    if empty.any() and not empty.all():
        names = names.astype(np.promote_types(names.dtype, "S16"))
        for position in np.flatnonzero(empty).tolist():
            names[position] = derived_name(values[position].tobytes())
    width = names.dtype.itemsize
    joined = np.empty((len(values), values.shape[1] + width), np.uint8)
    joined[:, : values.shape[1]] = values
    joined[:, values.shape[1] :] = names.view(np.uint8).reshape(-1, width)
    return joined.view(f"S{joined.shape[1]}").reshape(-1)


def _compacted(values: Values, keep: Mask) -> Values:
    """The rows that stay, moved to the front of the same memory."""
    upto = 0
    for start in range(0, len(values), _AT_ONCE):
        part = values[start : start + _AT_ONCE][keep[start : start + _AT_ONCE]]
        values[upto : upto + len(part)] = part
        upto += len(part)
    return values[:upto]
