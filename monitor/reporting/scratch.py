"""Files on the way to another: written and read again, nameless, and unreadable to all but this process."""

import io
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR

from monitor.errors import InputError

_BLOCK = 16
_BUFFER = 1 << 20


@contextmanager
def scratch_beside(path: Path) -> Iterator[Callable[[], IO[bytes]]]:
    """Gives files on the disk of `path`, to be appended to and read at any place; gone when the block ends.

    What lies on the disk is encrypted under a key of its own (AES-256-CTR) that is in memory alone: nothing can be
    read of it after a crash either. Raises InputError when there is no such folder or it cannot be written to.
    """
    folder = path.absolute().parent
    if not folder.is_dir():
        raise InputError(f"{path}: cannot be written: no such folder; create it first")
    try:
        with ExitStack() as opened:
            yield lambda: opened.enter_context(io.BufferedRandom(_Sealed(folder), _BUFFER))
    except OSError as e:
        raise InputError(f"{path}: cannot be written: {e.strerror}") from e


class _Sealed(io.RawIOBase):
    """Encrypted on its way to the disk; where it is damaged there, what is read is damaged: others see to that."""

    def __init__(self, folder: Path) -> None:
        # Nameless where the system has that, and else without a name from the next moment on.
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)
        self._cipher = AES256(secrets.token_bytes(32))
        self._at = self._end = 0

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._file.fileno()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + (0, self._at, self._end)[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        sealed = os.pread(self.fileno(), min(len(buffer), max(self._end - self._at, 0)), self._at)
        buffer[: len(sealed)] = self._crypted(sealed)
        self._at += len(sealed)
        return len(sealed)

    def write(self, data: Any) -> int:
        # Two texts under one place of the key stream would tell of each other.
        if self._at != self._end:
            raise ValueError("what is written stays; it can be appended to")
        written = os.pwrite(self.fileno(), self._crypted(bytes(data)), self._at)
        self._at += written
        self._end = self._at
        return written

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._file.close()

    def _crypted(self, data: bytes) -> bytes:
        """Encrypted or decrypted, which is the same here, for where it is."""
        block, skipped = divmod(self._at, _BLOCK)
        stream = Cipher(self._cipher, CTR(block.to_bytes(_BLOCK, "big"))).encryptor()
        stream.update(bytes(skipped))
        return stream.update(data)
