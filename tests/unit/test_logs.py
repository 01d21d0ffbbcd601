"""A line is told by its place and its numbers; no exception, warning or library gets a word of its own out."""

import ast
import asyncio
import gc
import io
import logging
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import redirect_stderr
from pathlib import Path

import pytest

from monitor import logs
from monitor.errors import ChannelRefused, SourceUnavailable
from monitor.model import MediaOutcome, Refusal

PACKAGE = Path(logs.__file__).parent
MARK = "zqxmarker and more"
log = logging.getLogger("monitor.test")


@pytest.fixture(autouse=True)
def error_stream() -> Iterator[io.StringIO]:
    """Standard error, with everything put back afterwards."""
    names = ("", "monitor", "asyncio", *logs.SILENCED)
    before = [
        (n, logging.getLogger(n).level, logging.getLogger(n).handlers[:], logging.getLogger(n).propagate)
        for n in names
    ]
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook, warnings.showwarning
    stream = io.StringIO()
    with redirect_stderr(stream):
        logs.set_up(logging.DEBUG)
        yield stream
    sys.excepthook, threading.excepthook, sys.unraisablehook, warnings.showwarning = hooks
    for name, level, handlers, propagate in before:
        logger = logging.getLogger(name)
        logger.setLevel(level)
        logger.handlers[:] = handlers
        logger.propagate = propagate


def line(stream: io.StringIO) -> str:
    """The last line, without its time."""
    assert MARK not in stream.getvalue()
    assert "zqx" not in stream.getvalue()
    return stream.getvalue().splitlines()[-1][9:]


def test_a_line_tells_what_happened_and_where(error_stream: io.StringIO) -> None:
    log.info("channel joined", extra={"channel": "example_channel", "count": 3, "seconds": 1.5})
    assert line(error_stream) == "INFO    channel joined channel=example_channel seconds=1.5 count=3"
    log.warning("flag raised", extra={"media": 5_000_000_000, "channel": 1_500_000_001})
    assert line(error_stream) == "WARNING flag raised channel=1500000001 media=5000000000"


def test_numbers_words_enumerations_and_our_errors_are_filled_in(error_stream: io.StringIO) -> None:
    log.info("%s of %d: %s", MediaOutcome.EMPTY, 4, SourceUnavailable("the connection ended"))
    assert line(error_stream) == "INFO    empty of 4: the connection ended"
    log.info("refused: %s", Refusal.GONE.explanation, extra={"reason": Refusal.GONE.value})
    assert line(error_stream).startswith("INFO    refused: it was deleted or banned")
    log.info("not in force: %s", logs.Said("TCP to listed ports alone"))
    assert line(error_stream) == "INFO    not in force: TCP to listed ports alone"
    log.info("refused: %s", ChannelRefused(Refusal.PRIVATE))
    assert "private" in line(error_stream)


def test_an_error_of_ours_stays_on_its_line(error_stream: io.StringIO) -> None:
    log.info("ended: %s", SourceUnavailable("one\ntwo\x1b[0m" + "x" * 1000))
    assert error_stream.getvalue().count("\n") == 1
    assert "\x1b" not in error_stream.getvalue()
    assert len(error_stream.getvalue()) < 600


@pytest.mark.parametrize(
    ("argument", "shown"),
    [
        (MARK, "<str>"),
        (KeyError(MARK), "<KeyError>"),
        (MARK.encode(), "<bytes>"),
        ([MARK], "<list>"),
        (Path(MARK), "<PosixPath>"),
        (type(MARK, (), {})(), "<an exception>"),
    ],
    ids=["text", "exception", "bytes", "list", "path", "class"],
)
def test_anything_else_is_shown_as_its_type(argument: object, shown: str, error_stream: io.StringIO) -> None:
    log.info("got %s", argument)
    assert line(error_stream) == f"INFO    got {shown}"


@pytest.mark.parametrize("name", logs.FIELDS)
def test_no_field_takes_a_sentence(name: str, error_stream: io.StringIO) -> None:
    for value in (MARK, "два слова", "x" * 300, ["a"], b"bytes", KeyError("k"), "", "a\nb"):
        log.info("looked", extra={name: value})
        assert line(error_stream) == f"INFO    looked {name}=<{type(value).__name__}>"


def test_a_field_that_is_not_listed_is_dropped(error_stream: io.StringIO) -> None:
    log.info("looked", extra={"text": MARK, "title": MARK})
    assert line(error_stream) == "INFO    looked"


def test_a_line_put_together_at_run_time_is_not_printed(error_stream: io.StringIO) -> None:
    log.info(f"got {MARK}")
    assert line(error_stream) == "INFO    (a line that is not one of ours) from monitor.test"
    handed_in = "".join(["got ", MARK])
    log.info(handed_in)
    assert line(error_stream).startswith("INFO    (a line")
    log.info(KeyError(MARK))
    assert line(error_stream).startswith("INFO    (a line")


def test_an_exception_is_told_by_type_and_place(error_stream: io.StringIO) -> None:
    try:
        {}[MARK]  # type: ignore[index]
    except KeyError:
        log.exception("went wrong")
    assert line(error_stream).startswith("ERROR   went wrong error=KeyError at test_logs.py:")


def test_a_group_is_told_by_what_is_in_it() -> None:
    group = ExceptionGroup(MARK, [KeyError(MARK), ExceptionGroup(MARK, [ValueError(MARK)])])
    assert logs.describe(group) == (
        "ExceptionGroup of KeyError at an unknown place, ExceptionGroup of ValueError at an unknown place"
    )


@pytest.mark.parametrize(
    "name", ["telethon.network", "PIL.Image", "aiosqlite", "sqlalchemy.engine", "asyncio"]
)
@pytest.mark.parametrize(
    "level", [logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL]
)
def test_a_library_says_nothing(name: str, level: int, error_stream: io.StringIO) -> None:
    logging.getLogger(name).log(level, "received %r", MARK)
    assert "zqx" not in error_stream.getvalue()


def test_a_library_that_nobody_thought_of_says_nothing(error_stream: io.StringIO) -> None:
    logging.getLogger("some.library").error(f"received {MARK}")
    assert line(error_stream) == "ERROR   (a line that is not one of ours) from some.library"
    logging.getLogger(MARK).error(MARK)
    assert line(error_stream) == "ERROR   (a line that is not one of ours) from a library"


async def test_a_task_that_nobody_waited_for_is_told_by_type_and_place(error_stream: io.StringIO) -> None:
    async def fail() -> None:
        raise ValueError(MARK)

    task = asyncio.create_task(fail(), name=MARK)
    await asyncio.sleep(0.01)
    del task
    gc.collect()
    assert "error=ValueError at test_logs.py:" in line(error_stream)


async def test_a_callback_that_fails_is_told_by_type_and_place(error_stream: io.StringIO) -> None:
    def fail(text: str) -> None:
        raise ValueError(text)

    asyncio.get_running_loop().call_soon(fail, MARK)
    await asyncio.sleep(0.01)
    assert "error=ValueError at test_logs.py:" in line(error_stream)


PROGRAMS = {
    "uncaught": ("raise KeyError(MARK)", "a defect: KeyError at program.py:5"),
    "caused": (
        "try:\n    {}[MARK]\nexcept KeyError as e:\n    raise ValueError(MARK) from e",
        "a defect: ValueError at program.py:8",
    ),
    "group": ("raise ExceptionGroup(MARK, [KeyError(MARK)])", "ExceptionGroup of KeyError"),
    "note": ("e = KeyError(MARK)\ne.add_note(MARK)\nraise e", "a defect: KeyError"),
    "class": ("raise type(MARK, (Exception,), {})(MARK)", "a defect: an exception at program.py:5"),
    "syntax": ("compile('(' + MARK, MARK, 'exec')", "a defect: SyntaxError at program.py:5"),
    "decoding": ("(MARK.encode() + b'\\xff').decode()", "a defect: UnicodeDecodeError"),
    "thread": (
        "threading.Thread(target=lambda: {}[MARK], name=MARK).start()",
        "a defect in a thread: KeyError at program.py:5",
    ),
    "finalizer": (
        "class Failing:\n    def __del__(self):\n        raise ValueError(MARK)\nFailing()",
        "a defect while something was put away: ValueError at program.py:7",
    ),
    "asyncio": ("async def main():\n    raise KeyError(MARK)\nasyncio.run(main())", "a defect: KeyError"),
    "task": (
        "async def main():\n    async def fail():\n        raise KeyError(MARK)\n"
        "    asyncio.create_task(fail(), name=MARK)\n    await asyncio.sleep(0.05)\nasyncio.run(main())",
        "from asyncio error=KeyError at program.py:7",
    ),
    "warning": ("import warnings\nwarnings.warn(MARK)", "a warning: UserWarning at program.py:6"),
    "log": ("import logging\nlogging.getLogger('x').error(MARK)", "(a line that is not one of ours) from x"),
    "log arguments": (
        "import logging\nlogging.getLogger('monitor.x').error('a %d', MARK)",
        "ERROR   a %d",
    ),
    "too many arguments": (
        "import logging\nlogging.getLogger('monitor.x').error('one %s', MARK, MARK)",
        "ERROR   one %s",
    ),
    "arguments by name": (
        "import logging\nlogging.getLogger('monitor.x').error('one %(a)s', {'a': MARK})",
        "ERROR   one %(a)s",
    ),
    "interrupted": ("raise KeyboardInterrupt(MARK)", ""),
}


@pytest.mark.parametrize("how", PROGRAMS)
def test_a_process_ends_without_words_on_standard_error(how: str, tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    begin = "import asyncio, threading\nfrom monitor import logs\nlogs.set_up()\nMARK = input()\n"
    code, told = PROGRAMS[how]
    script.write_text(begin + code)
    done = subprocess.run(
        [sys.executable, str(script)],
        input=MARK,
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"PYTHONPATH": str(PACKAGE.parent), "PYTHONASYNCIODEBUG": "1"},
    )
    assert "zqx" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert told in done.stderr


def log_calls() -> Iterator[tuple[str, ast.Call]]:
    """Every call of a logger's method in the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if "testdc" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "log"
            ):
                yield f"{path.name}:{node.lineno}", node


CALLS = list(log_calls())


@pytest.mark.parametrize(("where", "call"), CALLS, ids=[where for where, _ in CALLS])
def test_every_line_in_the_source_is_a_constant_with_known_fields(where: str, call: ast.Call) -> None:
    assert isinstance(call.args[0], ast.Constant), f"{where}: the line is put together at run time"
    for keyword in call.keywords:
        if keyword.arg == "extra":
            assert isinstance(keyword.value, ast.Dict), where
            for key in keyword.value.keys:
                assert isinstance(key, ast.Constant)
                assert key.value in logs.FIELDS, f"{where}: {key.value} has no rule in FIELDS"
