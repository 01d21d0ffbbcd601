"""The records of a JSON file (RFC 8259), one at a time: of a file of any size, a record is in memory."""

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any

from monitor.matching.entries import Place
from monitor.matching.list_file import ListFile

MAX_RECORD = 1 << 22
"""Characters in one record."""
EACH = "*"
"""In a path: every element of an array."""

Path = tuple[str, ...]

_SPACE = re.compile(r"[ \t\n\r]*")


def records(file: ListFile, *paths: Path) -> Iterator[tuple[Path, Place, Any]]:
    """The values that stand at one of the `paths` (names of members, EACH for an array's elements), in their order.

    A path must not lead through another. Several documents may follow one another, as pages of an exchange do.
    What stands elsewhere is passed over. Raises HashListError with the line of what is no JSON, is no text or
    is too long.
    """
    reader = _Reader(file, paths)
    if not reader.peek():
        raise file.refused("the file is empty")
    while reader.peek():
        yield from reader.at(())


class _Reader:
    """A window on the text, and how many lines and records lie before it."""

    def __init__(self, file: ListFile, paths: tuple[Path, ...]) -> None:
        self._file = file
        self._wanted = frozenset(paths)
        self._on_the_way = frozenset(path[:n] for path in paths for n in range(len(path)))
        self._bytes = codecs.getincrementaldecoder("utf-8-sig")()
        self._value_at = json.JSONDecoder().raw_decode
        self._text = ""
        self._at = 0
        self._counted = 0
        self._line = 1
        self._record = 0
        self._ended = False

    def at(self, path: Path) -> Iterator[tuple[Path, Place, Any]]:
        """The records of the value that begins here, which stands at `path`."""
        if path in self._wanted:
            yield self._taken(path)
            return
        opening = self.peek()
        if path in self._on_the_way and opening in ("[", "{"):
            self._at += 1
            yield from self._elements((*path, EACH)) if opening == "[" else self._members(path)
        else:
            self._value()

    def _taken(self, path: Path) -> tuple[Path, Place, Any]:
        self._record += 1
        place = Place(self._line_here(), self._record)
        return path, place, self._value()

    def _elements(self, path: Path) -> Iterator[tuple[Path, Place, Any]]:
        if self._passed("]"):
            return
        wanted = path in self._wanted
        while True:
            self.peek()
            if wanted:
                yield self._taken(path)
            else:
                yield from self.at(path)
            if not self._passed(","):
                self._expect("]")
                return

    def _members(self, path: Path) -> Iterator[tuple[Path, Place, Any]]:
        if self._passed("}"):
            return
        while True:
            if self.peek() != '"':
                raise self._malformed()
            name = self._value()
            self._expect(":")
            self.peek()
            # A name cannot pass for EACH.
            yield from self.at((*path, name if name != EACH else ""))
            if not self._passed(","):
                self._expect("}")
                return

    def peek(self) -> str:
        """The next character that is no blank; "" at the end. It is where the window stands."""
        while True:
            found = _SPACE.match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def _passed(self, character: str) -> bool:
        if self.peek() != character:
            return False
        self._at += 1
        return True

    def _expect(self, character: str) -> None:
        if not self._passed(character):
            raise self._malformed()

    def _value(self) -> Any:
        while True:
            try:
                value, end = self._value_at(self._text, self._at)
            except RecursionError:
                raise self._file.refused("nested too deeply", self._line_here()) from None
            # Not only JSONDecodeError: a number of thousands of digits is a ValueError.
            except ValueError as e:
                if self._more():
                    continue
                raise self._malformed(getattr(e, "pos", None)) from None
            # A number that ends with the window may go on behind it.
            if end == len(self._text) and self._more():
                continue
            self._at = end
            return value

    def _more(self) -> bool:
        """Move the window on, keeping what is not read; False when the end was seen before."""
        if self._ended:
            return False
        if len(self._text) - self._at > MAX_RECORD:
            raise self._file.refused(
                f"no JSON, or a record of more than {MAX_RECORD} characters", self._line_here()
            )
        line = self._line_here()
        block = self._file.read()
        try:
            text = self._bytes.decode(block, final=not block)
        except UnicodeDecodeError as e:
            line += self._text.count("\n", self._at) + e.object.count(b"\n", 0, e.start)
            raise self._file.refused("is not UTF-8", line) from None
        self._text = self._text[self._at :] + text
        self._at = self._counted = 0
        self._ended = not block
        return True

    def _line_here(self, at: int | None = None) -> int:
        at = self._at if at is None else at
        self._line += self._text.count("\n", self._counted, at)
        self._counted = at
        return self._line

    def _malformed(self, at: int | None = None) -> Exception:
        return self._file.refused("is not JSON here", self._line_here(at))
