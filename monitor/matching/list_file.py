"""A hash list's file, opened: seen to be private, decrypted where it is encrypted, digested as it is read."""

import contextlib
import hashlib
import os
import shlex
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from monitor.errors import HashListError
from monitor.matching.sealed import MAGIC, decrypted

BLOCK = 1 << 18
_MAX_MANIFEST = 10_000_000


class ListFile:
    """The bytes of a list, in order and once. `sha256` is of the plain bytes, encrypted or not."""

    def __init__(self, path: Path, blocks: Iterator[bytes], modified: datetime, *, encrypted: bool) -> None:
        self.path = path
        self.modified = modified
        self.encrypted = encrypted
        self._blocks = blocks
        self._digest = hashlib.sha256()

    def read(self) -> bytes:
        """The next bytes, some 64 to 256 KiB; none at the end. Raises HashListError when they cannot be read."""
        try:
            block = next(self._blocks, b"")
        except OSError as e:
            raise HashListError(f"{self.path}: {os.strerror(e.errno or 0)}") from e
        self._digest.update(block)
        return block

    def refused(self, reason: str, line: int | None = None) -> HashListError:
        """The error that refuses the file as a whole; `reason` is in words of ours."""
        where = "" if line is None else f"line {line}: "
        return HashListError(f"{self.path}: {where}{reason}")

    def sha256(self) -> bytes:
        """The digest of all bytes; what was not read is read."""
        while self.read():
            pass
        return self._digest.digest()


@contextlib.contextmanager
def open_list(path: Path | str, key: bytes | None) -> Iterator[ListFile]:
    """Open a list's file; `key` (32 bytes) when it is an encrypted one.

    Raises HashListError when it is no file, cannot be read, is open to others, or is encrypted and there is no
    key, or the other way round.
    """
    try:
        # Looked at first: opening a named pipe would wait for a writer.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise HashListError(f"{path}: the list is not a file")
        file = open(path, "rb")
    except OSError as e:
        raise HashListError(
            f"{path}: {os.strerror(e.errno or 0)}; name a readable file under hash_lists"
        ) from e
    except ValueError as e:
        raise HashListError(f"{path!r}: not a path") from e
    with file:
        # Of the open file: the path may lead to another one by now.
        found = os.fstat(file.fileno())
        if stat.S_IMODE(found.st_mode) & 0o077:
            raise HashListError(
                f"{path}: the list is open to others, and a hash can be turned into a rough picture;"
                f" run: chmod 600 {shlex.quote(str(path))}"
            )
        encrypted = file.peek(len(MAGIC))[: len(MAGIC)] == MAGIC
        if encrypted and key is None:
            raise HashListError(f"{path}: the list is encrypted; name its key: under hash_lists")
        if key is not None and not encrypted:
            raise HashListError(
                f"{path}: the list is not encrypted, though a key is declared; encrypt it or remove key:"
            )
        if key is None:
            blocks = iter(lambda: file.read(BLOCK), b"")
        else:
            file.seek(len(MAGIC))
            blocks = decrypted(path, file, key)
        modified = datetime.fromtimestamp(found.st_mtime, UTC)
        yield ListFile(Path(path), blocks, modified, encrypted=encrypted)


def check_manifest(manifest: Path, file: ListFile) -> None:
    """See that a manifest names the list's file with its digest.

    It holds lines as `sha256sum` writes them, "digest  name", names relative to its own folder. An encrypted
    list stands in it as it was before: by the digest of its plain bytes, and by its name without the suffix.

    Raises HashListError when the list is missing or differs, and when the manifest cannot be read.
    """
    path = file.path.with_suffix("") if file.encrypted else file.path
    wanted = os.path.abspath(path)
    for number, line in _manifest_lines(manifest):
        digest, blank, name = line[:64], line[64:66], line[66:]
        try:
            value = bytes.fromhex(digest)
        except ValueError:
            value = b""
        if len(value) != 32 or len(digest) != 64 or blank not in ("  ", " *") or not name:
            raise HashListError(f"{manifest}: line {number}: not a line that sha256sum writes")
        if os.path.abspath(manifest.parent / name) == wanted:
            if value != file.sha256():
                raise HashListError(
                    f"{file.path}: is not the file that {manifest} names; fetch both anew from its source"
                )
            return
    raise HashListError(f"{file.path}: is missing in {manifest}; fetch both anew from its source")


def _manifest_lines(manifest: Path) -> list[tuple[int, str]]:
    try:
        if not stat.S_ISREG(os.stat(manifest).st_mode):
            raise HashListError(f"{manifest}: the manifest is not a file")
        with open(manifest, "rb") as opened:
            data = opened.read(_MAX_MANIFEST + 1)
    except OSError as e:
        raise HashListError(f"{manifest}: the manifest: {os.strerror(e.errno or 0)}") from e
    except ValueError as e:
        raise HashListError(f"{manifest!r}: not a path") from e
    if len(data) > _MAX_MANIFEST:
        raise HashListError(f"{manifest}: is longer than {_MAX_MANIFEST} bytes; no manifest is")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise HashListError(f"{manifest}: is not UTF-8") from None
    lines = enumerate(text.split("\n"), 1)
    return [(number, line.removesuffix("\r")) for number, line in lines if line.strip()]
