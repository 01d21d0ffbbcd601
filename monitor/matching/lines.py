"""A list's file in lines of text, many at a time."""

from collections.abc import Iterator
from typing import AnyStr

from monitor.matching.list_file import ListFile

MAX_LINE = 4096
"""Bytes in a line, its end included; nothing that belongs into a hash list is longer."""


def batches(file: ListFile) -> Iterator[tuple[int, list[str]]]:
    """Thousands of lines at a time, without their ends, and the number of the first.

    UTF-8, with or without byte order mark. Raises HashListError for what is no text, with the line.
    """
    number, rest = 1, b""
    while True:
        block = file.read()
        data = rest + block
        cut = data.rfind(b"\n") + 1 if block else len(data)
        data, rest = data[:cut], data[cut:]
        if data:
            lines = _lines(file, number, data)
            yield number, lines
            number += len(lines)
        if len(rest) > MAX_LINE:
            raise _too_long(file, number)
        if not block:
            return


def _lines(file: ListFile, number: int, data: bytes) -> list[str]:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return _one_by_one(file, number, data)
    lines = _split(text)
    # In characters, of which each may have four bytes.
    if "\0" in text or max(map(len, lines)) >= MAX_LINE // 4:
        return _one_by_one(file, number, data)
    if number == 1:
        lines[0] = lines[0].removeprefix("\ufeff")
    return [line.rstrip("\r") for line in lines] if "\r" in text else lines


def _one_by_one(file: ListFile, number: int, data: bytes) -> list[str]:
    lines = []
    for at, line in enumerate(_split(data), number):
        if len(line) >= MAX_LINE:
            raise _too_long(file, at)
        try:
            text = line.decode("utf-8-sig" if at == 1 else "utf-8")
        except UnicodeDecodeError:
            raise file.refused(f"line {at} is not UTF-8") from None
        if "\0" in text:
            raise file.refused(f"line {at} holds a zero byte; a list is text")
        lines.append(text.rstrip("\r"))
    return lines


def _split(text: AnyStr) -> list[AnyStr]:
    end = "\n" if isinstance(text, str) else b"\n"
    return text.removesuffix(end).split(end)


def _too_long(file: ListFile, number: int) -> Exception:
    return file.refused(f"line {number} is longer than {MAX_LINE} bytes")
