"""A hash list at rest, encrypted: the container, how it is written and read, in bounded memory.

    magic   16 bytes   b"channel-list 1\\r\\n"
    salt    16 bytes   random
    chunks             ciphertext and a 16-byte tag each, of 65,536 bytes of plain text; the last one of 0 to 65,536

The chunks' key is HKDF-SHA256 (RFC 5869) of the list's key with this salt and the magic as info. Each chunk is
ChaCha20-Poly1305 (RFC 8439) under the nonce counter (11 bytes, big-endian, from 0) ‖ last (one byte: 1 in the
last chunk, else 0), so that none can be changed, moved, dropped or added: the STREAM construction (Hoang,
Reyhanitabar, Rogaway, Vizár 2015), as in the payload of age.
"""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from monitor.errors import HashListError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

MAGIC = b"channel-list 1\r\n"
KEY_BYTES = 32
_SALT_BYTES = 16
_CHUNK = 65_536
_TAG = 16


def encrypt_list(path_in: Path | str, path_out: Path | str, key: bytes) -> None:
    """Encrypt a list's file into a new one (0600, durable, of the same modification time). `key` is 32 bytes.

    Raises HashListError when the one cannot be read, or the other exists or cannot be written; then there is none.
    """
    try:
        with open(path_in, "rb") as plain:
            if plain.read(len(MAGIC)) == MAGIC:
                raise HashListError(f"{path_in}: is encrypted already")
            plain.seek(0)
            descriptor = os.open(path_out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                with open(descriptor, "wb") as sealed:
                    for part in encrypted(plain, key):
                        sealed.write(part)
                    sealed.flush()
                    os.fsync(descriptor)
                # Whether a list is stale goes by the time at which its file was made.
                found = os.fstat(plain.fileno())
                os.utime(path_out, ns=(found.st_atime_ns, found.st_mtime_ns))
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(path_out)
                raise
    except FileExistsError as e:
        raise HashListError(f"{path_out}: exists already; it is left as it is") from e
    except OSError as e:
        raise HashListError(f"{e.filename or path_out}: {os.strerror(e.errno or 0)}") from e


def decrypted(path: Path | str, file: BinaryIO, key: bytes) -> Iterator[bytes]:
    """The plain text of a file that stands behind its magic, in chunks; each is authentic when it is given.

    Raises HashListError, at the latest at the end, when the key is not the one or anything was changed or cut.
    """
    salt = file.read(_SALT_BYTES)
    cipher = _cipher(key, salt)
    chunk = file.read(_CHUNK + _TAG)
    counter = 0
    while True:
        following = file.read(_CHUNK + _TAG)
        yield _opened(path, cipher, counter, chunk, last=not following)
        if not following:
            return
        chunk, counter = following, counter + 1


def encrypted(plain: BinaryIO, key: bytes) -> Iterator[bytes]:
    """The container's bytes, in parts, for a plain text. `key` is 32 bytes."""
    salt = secrets.token_bytes(_SALT_BYTES)
    cipher = _cipher(key, salt)
    yield MAGIC + salt
    chunk = plain.read(_CHUNK)
    counter = 0
    while True:
        following = plain.read(_CHUNK)
        yield cipher.encrypt(_nonce(counter, last=not following), chunk, None)
        if not following:
            return
        chunk, counter = following, counter + 1


def _opened(path: Path | str, cipher: "ChaCha20Poly1305", counter: int, chunk: bytes, *, last: bool) -> bytes:
    from cryptography.exceptions import InvalidTag

    try:
        return cipher.decrypt(_nonce(counter, last=last), chunk, None)
    except InvalidTag:
        where = "it cannot be opened" if counter == 0 else f"chunk {counter + 1} cannot be opened"
        raise HashListError(
            f"{path}: {where}: the key is another, or the file was changed or cut; see key: under hash_lists"
        ) from None


def _cipher(key: bytes, salt: bytes) -> "ChaCha20Poly1305":
    # Loaded when a list is encrypted: importing monitor.matching stays light.
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    if len(key) != KEY_BYTES:
        raise HashListError(f"the key of an encrypted list has {KEY_BYTES} bytes")
    return ChaCha20Poly1305(HKDF(SHA256(), KEY_BYTES, salt, MAGIC).derive(key))


def _nonce(counter: int, *, last: bool) -> bytes:
    return counter.to_bytes(11, "big") + bytes([last])
