"""The one text of a notice as blocks for a page: headings, paragraphs, lists, fields, Korean beside English.

The text is the notice; the page shows the same words. Its conventions: the first line is the title; a line above
a line of dashes is a heading; `- ` begins an item of a list; a line that begins with two blanks is a field, its
label before the first `: `; blank lines part paragraphs. Fields that a blank line parts are records of one table,
which has the heading right above them as its head, so that it stands above them again on the next sheet.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_RULE = re.compile(r"-{3,}")
_HANGUL = re.compile(r"[가-힣]")
_HEADING, _TABLE = "heading", "table"


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a page. `kind` is heading, paragraph, pair (Korean, English), list or table.

    A table's `lines` are its heading, or none; its `records` hold fields, each a label and a value.
    """

    kind: str
    lines: tuple[str, ...] = ()
    records: tuple[tuple[tuple[str, str], ...], ...] = ()


def tidy(text: str) -> str:
    """The text without blanks at ends of lines, and with one blank line at most between others."""
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return re.sub(r"\n{3,}", "\n\n", lines).strip("\n") + "\n"


def split_title(text: str) -> tuple[str, str]:
    """The first line, and what follows."""
    title, _, rest = text.partition("\n")
    return title.strip(), rest.lstrip("\n")


def blocks(text: str) -> tuple[Block, ...]:
    """The blocks of a text without its title."""
    return tuple(_tabled(_paired(list(_blocks(text)))))


def _blocks(text: str) -> Iterator[Block]:
    for chunk in re.split(r"\n{2,}", text.strip("\n")):
        run: list[str] = []
        kind = "paragraph"
        lines = chunk.split("\n")
        for number, line in enumerate(lines):
            below = lines[number + 1] if number + 1 < len(lines) else ""
            if _RULE.fullmatch(line) and number:
                continue
            if _RULE.fullmatch(below):
                yield from _block(kind, run)
                run = []
                yield Block(_HEADING, (line,))
                continue
            is_a = _kind(line)
            if is_a != kind:
                yield from _block(kind, run)
                kind, run = is_a, []
            run.append(line)
        yield from _block(kind, run)


def _kind(line: str) -> str:
    if line.startswith("- "):
        return "list"
    return "fields" if line.startswith("  ") and ": " in line else "paragraph"


def _block(kind: str, lines: list[str]) -> Iterator[Block]:
    if not lines:
        return
    if kind == "list":
        yield Block(kind, tuple(line[2:] for line in lines))
    elif kind == "fields":
        parted = (line.strip().partition(": ") for line in lines)
        yield Block(_TABLE, records=(tuple((label, value) for label, _, value in parted),))
    else:
        yield Block(kind, (" ".join(line.strip() for line in lines),))


def _paired(found: list[Block]) -> Iterator[Block]:
    """Each Korean paragraph that an English one follows, as a pair of both."""
    waiting: Block | None = None
    for block in found:
        korean = block.kind == "paragraph" and bool(_HANGUL.search(block.lines[0]))
        if waiting is not None:
            if block.kind == "paragraph" and not korean:
                yield Block("pair", (*waiting.lines, *block.lines))
                waiting = None
                continue
            yield waiting
            waiting = None
        if korean:
            waiting = block
        else:
            yield block
    if waiting is not None:
        yield waiting


def _tabled(found: Iterable[Block]) -> Iterator[Block]:
    """With tables that follow each other as one, under the heading that is right above them."""
    waiting: Block | None = None
    for block in found:
        if waiting is not None and block.kind == _TABLE:
            waiting = Block(_TABLE, waiting.lines, (*waiting.records, *block.records))
            continue
        if waiting is not None:
            yield waiting
        waiting = block if block.kind in (_HEADING, _TABLE) else None
        if waiting is None:
            yield block
    if waiting is not None:
        yield waiting
