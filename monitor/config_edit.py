"""A hash list added to a configuration file, or taken out of it: its own lines change, comments and all else stay.

What comes out is read again and compared with what was meant, so that no file is ever left half right.
"""

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from monitor.errors import InputError

_KEY = "hash_lists"
_EMPTY = re.compile(rf"{_KEY}:[ \t]*(?:\[\s*\]|null|~)?([ \t]*(?:#.*)?)$", re.MULTILINE)


def add_list(text: str, entry: Mapping[str, Any]) -> str:
    """The configuration with one more entry under hash_lists. Raises InputError where its form does not allow it."""
    block = yaml.safe_dump([dict(entry)], sort_keys=False, allow_unicode=True, width=110)
    lists = _lists(text)
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    if lists is None:
        lines.append(f"{_KEY}:\n" + _indented(block, 2))
    else:
        key, found = lists
        if isinstance(found, yaml.SequenceNode) and found.value and not found.flow_style:
            lines.insert(_last_line(found) + 1, _indented(block, found.start_mark.column))
        elif not isinstance(found, yaml.SequenceNode) or not found.value:
            # Empty: nothing, null or [] on the line of the key.
            at = key.start_mark.line
            lines[at] = _EMPTY.sub(rf"{_KEY}:\1", lines[at]) + _indented(block, 2)
    return _checked("".join(lines), [*_entries(text), dict(entry)], text)


def remove_list(text: str, name: str) -> str:
    """The configuration without this entry. Raises InputError when there is none, or its form does not allow it."""
    before = _entries(text)
    kept = [entry for entry in before if entry.get("name") != name]
    lists = _lists(text)
    if lists is None or len(kept) == len(before):
        raise InputError(f"{name}: is not declared under {_KEY}")
    key, found = lists
    lines = text.splitlines(keepends=True)
    if isinstance(found, yaml.SequenceNode) and not found.flow_style:
        number = next(i for i, entry in enumerate(before) if entry.get("name") == name)
        item = found.value[number]
        del lines[item.start_mark.line : _last_line(item) + 1]
        if not kept:
            at = key.start_mark.line
            lines[at] = lines[at].replace(f"{_KEY}:", f"{_KEY}: []", 1)
    return _checked("".join(lines), kept, text)


def write(path: Path, text: str, *, before: str) -> None:
    """Replace a file whole, with the mode that it has.

    Raises InputError when it cannot be written, or holds something else than `before` by now.
    """
    path = path.resolve()  # a link stays one
    try:
        if path.read_text(encoding="utf-8") != before:
            raise InputError(f"{path}: was changed meanwhile; it is left as it is, try again")
        mode = path.stat().st_mode & 0o777
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, prefix=f".{path.name}.", encoding="utf-8", delete=False
        ) as file:
            try:
                os.fchmod(file.fileno(), mode)
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
                os.replace(file.name, path)
            except BaseException:
                os.unlink(file.name)
                raise
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as e:
        raise InputError(f"{path}: cannot be written ({e.strerror})") from e


def _checked(text: str, meant: list[dict[str, Any]], before: str) -> str:
    """The text, when it says what was meant and nothing else has changed."""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        found = None
    old = yaml.safe_load(before) or {}
    if not isinstance(found, dict) or found != {**old, _KEY: meant}:
        raise InputError(
            f"{_KEY}: written in a form that is not changed by command; edit the file, then run monitor check"
        )
    return text


def _entries(text: str) -> list[dict[str, Any]]:
    return list((yaml.safe_load(text) or {}).get(_KEY) or [])


def _lists(text: str) -> "tuple[yaml.Node, yaml.Node] | None":
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        return None
    return next(((key, value) for key, value in root.value if key.value == _KEY), None)


def _last_line(node: yaml.Node) -> int:
    """The line on which a node's own text ends; the end of a block lies behind the comments that follow it."""
    if isinstance(node, yaml.CollectionNode) and node.value and not node.flow_style:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(last, tuple) else last)
    end = node.end_mark
    return int(end.line - 1 if end.column == 0 and end.line > node.start_mark.line else end.line)


def _indented(block: str, columns: int) -> str:
    return "".join(" " * columns + line for line in block.splitlines(keepends=True))
