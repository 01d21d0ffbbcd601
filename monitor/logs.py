"""Log lines for people on standard error: time, level, what happened, and named ids and counts.

An allow-list, so that no line can carry words from a message. What happened is a constant of the function that
logs it; what is filled in are numbers, enumerations, words of a narrow alphabet and errors of our own; fields have
rules by name. All else is shown as its type. Libraries are silenced (Telethon writes raw bytes at WARNING,
Pillow and aiosqlite values at DEBUG), and of exceptions that nobody caught only type and place are told.
"""

import contextlib
import enum
import logging
import os
import re
import sys
import threading
import time
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from monitor.errors import MonitorError
from monitor.model import IDENTIFIER, USERNAME, Refusal

_WORD = re.compile(r"[A-Za-z0-9._:/+-]{1,64}")
_REQUEST = re.compile(r"([a-z]{1,16}\.)?[A-Za-z0-9]{1,48}")
_VERSION = re.compile(r"[0-9]{1,18}-[0-9a-f]{12}")
LONGEST_ERROR = 400
"""Characters of an error's message in a line."""
NOT_OURS = "(a line that is not one of ours)"


class Said(str):
    """Words of this program itself, put together at run time. Whoever makes one vouches that nothing in it
    came from outside."""

    __slots__ = ()


def _number(value: object) -> str | None:
    return str(value) if isinstance(value, int | float) else None


def _matching(pattern: re.Pattern[str]) -> Callable[[object], str | None]:
    return lambda value: str(value) if isinstance(value, str) and pattern.fullmatch(value) else None


def _channel(value: object) -> str | None:
    return _number(value) or _matching(USERNAME)(value)


def _reason(value: object) -> str | None:
    return str(value) if isinstance(value, str) and value in set(Refusal) else None


FIELDS: dict[str, Callable[[object], str | None]] = {
    "account": _matching(IDENTIFIER),
    "channel": _channel,
    "reason": _reason,
    "request": _matching(_REQUEST),
    "seconds": _number,
    "media": _number,
    "flags": _number,
    "hash_list": _matching(IDENTIFIER),
    "version": _matching(_VERSION),
    "count": _number,
    "at_once": _number,
}
"""What may be added to a line, in this order, each with its rule: the text to show, None for what does not fit."""
SILENCED = ("telethon", "PIL", "aiosqlite", "sqlalchemy", "alembic")
_EXPLANATIONS = frozenset(reason.explanation for reason in Refusal)


class Formatter(logging.Formatter):
    """`12:04:31 INFO    channel joined channel=example_channel`, in UTC."""

    def __init__(self) -> None:
        super().__init__(datefmt="%H:%M:%S")
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        parts = [self.formatTime(record, self.datefmt), f"{record.levelname:<7}", _message(record)]
        for name, rule in FIELDS.items():
            if hasattr(record, name):
                value = getattr(record, name)
                shown = rule(value)
                parts.append(f"{name}={_type(value) if shown is None else shown}")
        if record.exc_info and record.exc_info[1] is not None:
            parts.append(f"error={describe(record.exc_info[1])}")
        return " ".join(parts)


class _Handler(logging.StreamHandler[Any]):
    def handleError(self, record: logging.LogRecord) -> None:
        # The library's own would print the line's arguments.
        _say("a log line could not be written")


def set_up(level: int = logging.WARNING) -> None:
    """Send this package's lines to standard error, silence the libraries', and install `hooks`."""
    handler = _Handler(sys.stderr)
    handler.setFormatter(Formatter())
    ours = logging.getLogger("monitor")
    ours.handlers[:] = [handler]
    ours.propagate = False
    ours.setLevel(level)
    for name in SILENCED:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    # What reaches these is shown as a line that is not ours, with the type and place of its exception.
    foreign = logging.getLogger()
    foreign.handlers[:] = [handler]
    foreign.setLevel(logging.ERROR)
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    hooks()


def hooks() -> None:
    """Let exceptions and warnings that nobody caught end as one line with type and place; for every process.

    Exceptions of tasks and callbacks come through asyncio's logger, which `set_up` takes.
    """
    sys.excepthook = _unhandled
    threading.excepthook = _in_thread
    sys.unraisablehook = _unraisable
    warnings.showwarning = _warned
    # asyncio's debug mode prints reprs of callbacks with their arguments.
    os.environ.pop("PYTHONASYNCIODEBUG", None)


def describe(error: BaseException) -> str:
    """Type and place of an exception, such as "KeyError at history.py:88"; never its message."""
    if isinstance(error, BaseExceptionGroup):
        leaves = ", ".join(describe(each) for each in error.exceptions[:5])
        return f"{_name(type(error))} of {leaves}"
    return f"{_name(type(error))} at {place(error.__traceback__)}"


def place(trace: types.TracebackType | None) -> str:
    """Where an exception was raised: file name and line."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "an unknown place"
    return f"{_file(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}"


def _message(record: logging.LogRecord) -> str:
    if not record.name.startswith("monitor.") or not _constant(record):
        return f"{NOT_OURS} from {record.name if _WORD.fullmatch(record.name) else 'a library'}"
    if not record.args:
        return str(record.msg)
    given = record.args if isinstance(record.args, tuple) else (record.args,)
    try:
        return str(record.msg) % tuple(map(_argument, given))
    except (TypeError, ValueError):
        return str(record.msg)


def _constant(record: logging.LogRecord) -> bool:
    """Whether the line is a constant of the function that logs it: not put together there, and not handed in."""
    frame: types.FrameType | None = sys._getframe()
    while frame is not None:
        code = frame.f_code
        if code.co_name == record.funcName and code.co_filename == record.pathname:
            return isinstance(record.msg, str) and record.msg in code.co_consts
        frame = frame.f_back
    return False


def _argument(value: object) -> object:
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, int | float | Said):
        return value
    if isinstance(value, MonitorError):
        words = "".join(c if c.isprintable() else " " for c in str(value))
        return words[:LONGEST_ERROR]
    if isinstance(value, str) and (_WORD.fullmatch(value) or value in _EXPLANATIONS):
        return value
    return _type(value)


def _type(value: object) -> str:
    return f"<{_name(type(value))}>"


def _name(kind: type) -> str:
    # A class can be made at run time, under any name.
    return kind.__name__ if _WORD.fullmatch(kind.__name__) else "an exception"


def _file(path: str) -> str:
    name = Path(path).name
    return name if _WORD.fullmatch(name) else "a file"


def _say(line: str) -> None:
    # With standard error closed, or its terminal, there is nobody left to tell.
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(f"monitor: {line}", file=sys.stderr, flush=True)


def _unhandled(kind: type[BaseException], error: BaseException, trace: types.TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        _say(f"a defect: {describe(error.with_traceback(trace))}; please report this line")


def _in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
        _say(f"a defect in a thread: {describe(args.exc_value)}; please report this line")


def _unraisable(args: "sys.UnraisableHookArgs") -> None:
    if args.exc_value is not None:
        _say(f"a defect while something was put away: {describe(args.exc_value)}")


def _warned(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: str | None = None,
) -> None:
    _say(f"a warning: {_name(category)} at {_file(filename)}:{lineno}")
