"""Encryption to a recipient's key on the way to the disk (age, https://age-encryption.org/v1)."""

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

from monitor.errors import InputError
from monitor.reporting.formats import Out


def recipient(key: str) -> Any:
    """The recipient of a public key, age1…. Raises InputError for what is none, or without pyrage."""
    try:
        from pyrage import RecipientError, x25519
    except ModuleNotFoundError as e:
        raise InputError("--encrypt-to: needs pyrage; pip install 'channel-monitor[export]'") from e
    try:
        return x25519.Recipient.from_str(key)
    except RecipientError as e:
        raise InputError(
            "--encrypt-to: is no public key of age; it begins with age1 and has 62 characters (age-keygen -y)"
        ) from e


def fingerprint(key: str) -> str:
    """SHA-256 of the public key as it is written, in hex."""
    return hashlib.sha256(key.encode()).hexdigest()


class Plain:
    """What is written before it is encrypted, and its SHA-256."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        """Pass it on."""
        data = bytes(data)
        self._digest.update(data)
        return self._out.write(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def hexdigest(self) -> str:
        """Of all that was written."""
        return self._digest.hexdigest()


@contextmanager
def encrypting(out: Out, key: str) -> Iterator[Plain]:
    """What is written comes out encrypted in `out`, by and by: whole when the block ends, no use when it fails.

    The library reads from a pipe in a thread, so that neither plain nor cipher text is held or lies on a disk. The
    error that `out` raised, if any, is raised at the end.
    """
    import pyrage

    to = recipient(key)
    reading, writing = os.pipe()
    failed: list[BaseException] = []

    def encrypt() -> None:
        with os.fdopen(reading, "rb") as plain:
            try:
                pyrage.encrypt_io(plain, _Kept(out, failed), [to])
            except Exception as e:  # the library's own say less than what `out` raised before
                failed.append(e)

    thread = threading.Thread(target=encrypt, name="export:encrypt")
    thread.start()
    pipe = os.fdopen(writing, "wb")
    try:
        # A pipe that is closed at the other end: the thread has failed, and says below why.
        with suppress(BrokenPipeError):
            yield Plain(pipe)
    finally:
        with suppress(BrokenPipeError):
            pipe.close()
        thread.join()
    if failed:
        raise failed[0]


class _Kept:
    """Keeps what `out` raises: the library makes an error of its own of it."""

    def __init__(self, out: Out, failed: list[BaseException]) -> None:
        self._out = out
        self._failed = failed

    def write(self, data: bytes) -> int:
        try:
            return self._out.write(bytes(data))
        except BaseException as e:
            self._failed.append(e)
            raise

    def flush(self) -> None:
        self._out.flush()
