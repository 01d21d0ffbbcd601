"""A zip archive of which every byte follows from its members: names, sizes, contents, and nothing else.

Members are stored, in the order of their names, one after the other from the first byte on; all have the time
1980-01-01 and the mode 0600; no comments, no extra fields but those of ZIP64 where a number needs it. So a reader
derives every header anew and compares, and no bit goes unchecked. Format: APPNOTE.TXT 6.3.10 (PKWARE).
"""

import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import IO

from monitor.errors import VerificationError

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")
_FULL32, _FULL16 = 0xFFFFFFFF, 0xFFFF
_PLAIN, _ZIP64 = 20, 45
_TIME, _DATE = 0, 0x21
_MODE = 0o100600 << 16
_UNIX = 3 << 8
_CHUNK = 1 << 20

Content = bytes | IO[bytes]
"""What goes into an archive: bytes, or a file that is open and can be read more than once."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive: its size in bytes, CRC-32, SHA-256 in hex, and where its header begins."""

    name: str
    size: int
    crc: int
    sha256: str
    offset: int


def local_header(name: str, size: int, crc: int) -> bytes:
    """What stands before a member's bytes."""
    large = size >= _FULL32
    extra = struct.pack("<HHQQ", 1, 16, size, size) if large else b""
    shown = _FULL32 if large else size
    version = _ZIP64 if large else _PLAIN
    return (
        struct.pack(
            "<4s5H3I2H", b"PK\3\4", version, 0, 0, _TIME, _DATE, crc, shown, shown, len(name), len(extra)
        )
        + name.encode("ascii")
        + extra
    )


def directory(members: Iterable[Member], at: int) -> bytes:
    """What stands behind the last member: the central directory, which begins at byte `at`, and its end records."""
    parts, count = [], 0
    for member in members:
        numbers = [member.size] * 2 * (member.size >= _FULL32) + [member.offset] * (member.offset >= _FULL32)
        extra = struct.pack(f"<HH{len(numbers)}Q", 1, 8 * len(numbers), *numbers) if numbers else b""
        version = _ZIP64 if numbers else _PLAIN
        size, offset = min(member.size, _FULL32), min(member.offset, _FULL32)
        parts.append(
            struct.pack(
                "<4s6H3I5H2I",
                *(b"PK\1\2", _UNIX | version, version, 0, 0, _TIME, _DATE, member.crc, size, size),
                *(len(member.name), len(extra), 0, 0, 0, _MODE, offset),
            )
            + member.name.encode("ascii")
            + extra
        )
        count += 1
    records = b"".join(parts)
    end = b""
    if count >= _FULL16 or len(records) >= _FULL32 or at >= _FULL32:
        end = struct.pack(
            "<4sQ2H2I4Q", b"PK\6\6", 44, _UNIX | _ZIP64, _ZIP64, 0, 0, count, count, len(records), at
        ) + struct.pack("<4sIQI", b"PK\6\7", 0, at + len(records), 1)
    shown = min(count, _FULL16)
    return (
        records
        + end
        + struct.pack(
            "<4s4H2IH", b"PK\5\6", 0, 0, shown, shown, min(len(records), _FULL32), min(at, _FULL32), 0
        )
    )


class Archive:
    """An archive that was found to be of this form. Open it with `opened`."""

    def __init__(self, file: IO[bytes]) -> None:
        """Reads all of it once. Raises VerificationError for any byte that does not follow from its members."""
        self._file = file
        self.members: Mapping[str, Member] = {member.name: member for member in _walk(file)}

    def chunks(self, name: str) -> Iterator[bytes]:
        """A member's bytes. Raises VerificationError when there is no such member."""
        if name not in self.members:
            raise VerificationError(f"{name}: is missing")
        member = self.members[name]
        self._file.seek(member.offset + len(local_header(name, member.size, member.crc)))
        yield from _pieces(self._file, member.size)

    def read(self, name: str) -> bytes:
        """All of a member, for those that are small."""
        return b"".join(self.chunks(name))


def _walk(file: IO[bytes]) -> list[Member]:
    """The members, after every byte was compared with what it must be."""
    try:
        # Only told what to expect; what it says is then compared with every byte.
        with zipfile.ZipFile(file) as listed:
            infos = [(info.filename, info.file_size) for info in listed.infolist()]
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, struct.error, OSError):
        raise VerificationError("is no zip archive that can be read") from None
    if infos != sorted(set(infos)) or len({name for name, _ in infos}) != len(infos):
        raise VerificationError("its files are not in the order of their names, each once")
    file.seek(0)
    found: list[Member] = []
    at = 0
    for name, size in infos:
        if not NAME.fullmatch(name):
            raise VerificationError(
                f"it has a file of another name than any may have (number {len(found) + 1})"
            )
        start = at
        header = file.read(len(local_header(name, size, 0)))
        crc, digest = 0, sha256()
        for piece in _pieces(file, size):
            crc = zlib.crc32(piece, crc)
            digest.update(piece)
        if header != local_header(name, size, crc):
            raise VerificationError(f"{name}: is damaged (its header does not fit its content)")
        found.append(Member(name, size, crc, digest.hexdigest(), start))
        at += len(header) + size
    wanted = directory(found, at)
    if file.read(len(wanted) + 1) != wanted:
        raise VerificationError("its directory does not fit its files")
    return found


def _pieces(file: IO[bytes], size: int) -> Iterator[bytes]:
    while size:
        piece = file.read(min(size, _CHUNK))
        if not piece:
            raise VerificationError("the archive ends too early")
        size -= len(piece)
        yield piece


class Writer:
    """Writes an archive; members in the order of their names. `write` takes the archive's bytes, piece by piece."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._members: list[Member] = []
        self._at = 0

    def add(self, name: str, content: Content) -> None:
        """Add a member. Raises ValueError for a name that none may have, or that is not after the last one's."""
        if not NAME.fullmatch(name) or (self._members and name <= self._members[-1].name):
            raise ValueError(f"no name for the next member: {name}")
        size, crc, digest = _measured(content)
        header = local_header(name, size, crc)
        self._write(header)
        for piece in pieces(content):
            self._write(piece)
        self._members.append(Member(name, size, crc, digest, self._at))
        self._at += len(header) + size

    def finish(self) -> None:
        """Write what stands at the end."""
        self._write(directory(self._members, self._at))


def pieces(content: Content) -> Iterator[bytes]:
    """The bytes of a file from its start, or these bytes."""
    if isinstance(content, bytes):
        yield content
        return
    content.seek(0)
    while piece := content.read(_CHUNK):
        yield piece


def _measured(content: Content) -> tuple[int, int, str]:
    size, crc, digest = 0, 0, sha256()
    for piece in pieces(content):
        size, crc = size + len(piece), zlib.crc32(piece, crc)
        digest.update(piece)
    return size, crc, digest.hexdigest()
