"""A list that is kept here, by a desk for victims: its file read, and changed whole or not at all.

A line is one hash of one entry. Its last column is the hash, of a length that is known, so that a line which was cut
is seen. There is no file and no name in it: an entry is known by random digits, and what case it belongs to and who
consented stand as references that mean something to the desk alone.
"""

import contextlib
import fcntl
import io
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from monitor.errors import HashListError
from monitor.matching.lines import batches
from monitor.matching.list_file import ListFile, open_list
from monitor.matching.sealed import encrypted
from monitor.model import IDENTIFIER, Algorithm

HEADER = "entry,label,expires,case,consent,algorithm,hash"
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_BLOCK = 1 << 16


class LocalRow(NamedTuple):
    """One hash of an entry, in hex digits. It counts until `expires`, included; for ever where that is None."""

    entry: str
    label: str
    expires: datetime | None
    case: str
    consent: str
    algorithm: Algorithm
    value: str

    def expired(self, at: datetime) -> bool:
        """Whether it counts no more."""
        return self.expires is not None and at > self.expires


def rows(file: ListFile) -> Iterator[tuple[int, LocalRow | str]]:
    """Each line's number and its row, or what is wrong with it; hash, entry and label are not looked at.

    Raises HashListError for a file that is no local list.
    """
    begun = False
    for first, lines in batches(file):
        for number, line in enumerate(lines, first):
            if not begun:
                if line != HEADER:
                    raise file.refused(f"a local list begins with {HEADER}", number)
                begun = True
            else:
                yield number, _row(line)
    if not begun:
        raise file.refused(f"a local list begins with {HEADER}", 1)


def read_local(path: Path, key: bytes | None = None) -> list[LocalRow]:
    """All rows of a local list, expired ones too; none where there is no file. `key` opens an encrypted one.

    Raises HashListError when it is open to others, or a line is bad.
    """
    if not path.exists():
        return []
    with open_list(path, key) as file:
        return [_sound(file, number, row) for number, row in rows(file)]


@contextlib.contextmanager
def changing(path: Path, key: bytes | None, at: datetime) -> Iterator[list[LocalRow]]:
    """The rows that count at `at`, to be changed; what they are at the end takes the file's place, durably.

    One at a time: others wait. When the block raises, or is killed, the file is what it was. What is left out is
    overwritten on the disk, as far as one lets itself be. Raises HashListError as `read_local` does, and when the file
    cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as e:
        raise HashListError(f"{path.parent}: {e.strerror}; the list's folder must be one of yours") from e
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        before = read_local(path, key)
        after = [row for row in before if not row.expired(at)]
        yield after
        if after != before or not path.exists():
            try:
                _replace(path, folder, _written(after, key), erase=bool(set(before) - set(after)))
            except OSError as e:
                raise HashListError(f"{path}: cannot be written ({e.strerror}); it is as it was") from e
    finally:
        os.close(folder)


def new_entry() -> str:
    """An entry's identifier, from chance: nothing about the file can be told from it."""
    return f"local-{secrets.token_hex(8)}"


def _row(line: str) -> LocalRow | str:
    cells = line.split(",")
    if len(cells) != HEADER.count(",") + 1:
        return f"{len(cells)} columns, not {HEADER.count(',') + 1}"
    entry, label, until, case, consent, name, value = cells
    try:
        algorithm = Algorithm(name)
    except ValueError:
        return "not an algorithm that is known"
    if not entry:
        return "no entry"
    if not (IDENTIFIER.fullmatch(case) and IDENTIFIER.fullmatch(consent)):
        return "a reference is not made of letters, digits and . _ : -, at most 64"
    try:
        expires = datetime.strptime(until, _TIME).replace(tzinfo=UTC) if until else None
    except ValueError:
        return "not a time such as 2027-05-01T23:59:59Z"
    return LocalRow(entry, label, expires, case, consent, algorithm, value)


def _sound(file: ListFile, number: int, row: LocalRow | str) -> LocalRow:
    if isinstance(row, str):
        raise file.refused(row, number)
    digits = row.algorithm.size * 2
    if not re.fullmatch(rf"[0-9a-f]{{{digits}}}", row.value):
        raise file.refused(f"not the {digits} hex digits of {row.algorithm}", number)
    return row


def _written(rows: Sequence[LocalRow], key: bytes | None) -> bytes:
    lines = [HEADER]
    for row in rows:
        until = "" if row.expires is None else row.expires.strftime(_TIME)
        cells = (row.entry, row.label, until, row.case, row.consent, row.algorithm.value, row.value)
        lines.append(",".join(cells))
    plain = "\n".join([*lines, ""]).encode()
    return plain if key is None else b"".join(encrypted(io.BytesIO(plain), key))


def _replace(path: Path, folder: int, data: bytes, *, erase: bool) -> None:
    # Of a writer that was killed the same name is left: it is written anew.
    fresh = path.with_name(f".{path.name}.new")
    with contextlib.ExitStack() as opened:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        file = opened.enter_context(open(descriptor, "wb"))
        os.fchmod(descriptor, 0o600)
        file.write(data)
        file.flush()
        os.fsync(descriptor)
        old = opened.enter_context(open(path, "r+b")) if erase else None
        os.replace(fresh, path)
        os.fsync(folder)
        if old is not None:
            # Zeros and not a shorter file: who is reading it right now is told that it is no list.
            left = os.fstat(old.fileno()).st_size
            while left:
                left -= old.write(bytes(min(left, _BLOCK)))
            old.flush()
            os.fsync(old.fileno())
