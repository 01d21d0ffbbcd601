"""A file that is there whole, or not at all."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from monitor.errors import InputError


class Written:
    """A private file (0600) beside its destination, until `keep` puts it there."""

    def __init__(self, path: Path, descriptor: int, name: str) -> None:
        self._path = path
        self._name = name
        self._digest = hashlib.sha256()
        self._file = os.fdopen(descriptor, "wb")

    @property
    def place(self) -> Path:
        """Where the file is until it is kept."""
        return Path(self._name)

    def write(self, data: bytes) -> int:
        """Append the bytes; returns how many they are."""
        self._digest.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        """Nothing: `close` makes it durable."""

    def reserve(self, size: int) -> None:
        """Have the disk keep room for so many bytes, where the system can. Raises OSError when there is none."""
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(self._file.fileno(), 0, size)

    def close(self) -> str:
        """Make what was written durable; returns its SHA-256 in hex."""
        self._file.truncate()
        os.fsync(self._file.fileno())
        self._file.close()
        return self._digest.hexdigest()

    def keep(self) -> None:
        """Put the file at its destination, in place of what was there."""
        os.replace(self._name, self._path)

    def discard(self) -> None:
        """Leave nothing behind; nothing happens after `keep`."""
        self._file.close()
        with suppress(FileNotFoundError):
            os.unlink(self._name)


@contextmanager
def writing(path: Path) -> Iterator[Written]:
    """A file that appears at `path` when it is kept, and not otherwise. A file that is there is replaced.

    Raises InputError when `path` is something else than a file, or its folder cannot be written to.
    """
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: not a file; give the path of a file to write")
    try:
        descriptor, name = tempfile.mkstemp(
            prefix=f".{path.name}.", suffix=".part", dir=path.absolute().parent
        )
    except OSError as e:
        raise InputError(f"{path}: cannot be written: {e.strerror}; give a path in a folder of yours") from e
    written = Written(path, descriptor, name)
    try:
        yield written
    except OSError as e:
        raise InputError(f"{path}: cannot be written: {e.strerror}") from e
    finally:
        written.discard()
