"""An index in one file: a header of one page, then its arrays as they lie in memory.

The header is the magic word, the SHA-256 of what follows in the page, and JSON with the version, the byte
order, the largest radius, and for each array where it lies, its shape and its SHA-256; zeros fill the page.
Every array begins on a page of its own, zeros between.
"""

import hashlib
import json
import mmap
import os
import sys
import tempfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from monitor.matching.buckets import CHUNK, KEYS, LANES, MOST_ENTRIES, Bits, Halves, Words

VERSION = 1
_MAGIC = b"CMINDEX\n"
_PAGE = 4096
_DIGEST = 32
_AT_ONCE = 1 << 24


class IndexFileError(ValueError):
    """The file is not a sound index of this version. Build the index again; never go on with it."""


@dataclass(frozen=True, slots=True, eq=False)
class Saved:
    """What a file holds; read from one, the arrays are read-only views of it. See Buckets."""

    max_radius: int
    words: Words
    starts: npt.NDArray[np.uint32]
    entries: npt.NDArray[np.uint32]
    nexts: Halves
    tail: Words
    removed: Bits


_ARRAYS: dict[str, Any] = {
    "words": np.uint64,
    "starts": np.uint32,
    "entries": np.uint32,
    "nexts": np.uint16,
    "tail": np.uint64,
    "removed": np.uint8,
}


def write(path: Path, saved: Saved) -> None:
    """Write a file in the place of another or none, whole or not at all. Raises OSError."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "wb") as file:
            arrays = {}
            for number, key in enumerate(_ARRAYS):
                array = np.ascontiguousarray(getattr(saved, key))
                file.seek(-(-file.tell() // _PAGE) * _PAGE if number else _PAGE)
                arrays[key] = {"at": file.tell(), "shape": array.shape, "sha256": _write(file, array)}
            file.truncate(file.tell())  # empty arrays at the end leave no byte
            header = {
                "version": VERSION,
                "byte_order": sys.byteorder,
                "max_radius": saved.max_radius,
                "size": file.tell(),
                "arrays": arrays,
            }
            page = json.dumps(header).encode().ljust(_PAGE - len(_MAGIC) - _DIGEST, b"\0")
            file.seek(0)
            file.write(_MAGIC + hashlib.sha256(page).digest() + page)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read(path: Path, *, verify: bool) -> Saved:
    """Map a file; with `verify` compare every array with its checksum. Raises IndexFileError, OSError."""
    with path.open("rb") as file:
        page = file.read(_PAGE)
        header = _header(path, page)
        if os.fstat(file.fileno()).st_size != header.get("size"):
            raise _bad(path, "it was cut short or has grown")
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    try:
        found = {key: _array(mapped, header["arrays"][key], dtype) for key, dtype in _ARRAYS.items()}
        saved = Saved(int(header["max_radius"]), **found)
        sound = _shapes_fit(saved)
    except (KeyError, TypeError, ValueError) as e:
        raise _bad(path, "its header makes no sense") from e
    if not sound:
        raise _bad(path, "its arrays do not fit together")
    if verify:
        for field in fields(Saved)[1:]:
            if _digest(getattr(saved, field.name)) != header["arrays"][field.name]["sha256"]:
                raise _bad(path, f"what it holds ({field.name}) is not what was written")
    return saved


def _bad(path: Path, why: str) -> IndexFileError:
    return IndexFileError(f"{path}: {why}; build the index again")


def _header(path: Path, page: bytes) -> dict[str, Any]:
    if not page.startswith(_MAGIC):
        raise _bad(path, "it is not an index")
    body = page[len(_MAGIC) + _DIGEST :]
    if len(page) < _PAGE or page[len(_MAGIC) : -len(body)] != hashlib.sha256(body).digest():
        raise _bad(path, "its header is damaged")
    try:
        header = json.loads(body.rstrip(b"\0"))
        version, order = header["version"], header["byte_order"]
    except (ValueError, KeyError, TypeError) as e:
        raise _bad(path, "its header makes no sense") from e
    if version != VERSION:
        raise _bad(path, f"it is of version {version!r}, not {VERSION}")
    if order != sys.byteorder:
        raise _bad(path, "a machine with another byte order wrote it")
    return dict(header)


def _array(mapped: mmap.mmap, entry: dict[str, Any], dtype: Any) -> npt.NDArray[Any]:
    at, shape = entry["at"], tuple(entry["shape"])
    if any(type(number) is not int or not 0 <= number < 1 << 40 for number in (at, *shape)) or at % _PAGE:
        raise ValueError("not a place in the file")
    count = int(np.prod(shape, dtype=object))
    if at + count * np.dtype(dtype).itemsize > len(mapped):
        raise ValueError("beyond the file")
    if not count:
        return np.zeros(shape, dtype)
    return np.frombuffer(mapped, dtype, count, at).reshape(shape)


def _shapes_fit(saved: Saved) -> bool:
    rows, columns = saved.words.shape
    chunks = len(saved.starts)
    live = saved.entries.shape[1]
    return (
        columns in (1, 4)
        and chunks in (0, columns * 64 // CHUNK)
        and saved.starts.shape == (chunks, KEYS + 1)
        and saved.entries.shape == (chunks, live)
        and live <= rows
        and saved.nexts.shape == (chunks, live + LANES)
        and saved.tail.ndim == 2
        and saved.tail.shape[1] == columns
        and saved.removed.ndim == 1
        and rows + len(saved.tail) < MOST_ENTRIES
        and 0 <= saved.max_radius <= columns * 64
    )


def _bytes(array: npt.NDArray[Any]) -> memoryview:
    return array.reshape(-1).view(np.uint8).data


def _write(file: Any, array: npt.NDArray[Any]) -> str:
    data, digest = _bytes(array), hashlib.sha256()
    for start in range(0, len(data), _AT_ONCE):
        part = data[start : start + _AT_ONCE]
        file.write(part)
        digest.update(part)
    return digest.hexdigest()


def _digest(array: npt.NDArray[Any]) -> str:
    return hashlib.sha256(_bytes(array)).hexdigest()
