"""Bars for histories being read, on a terminal only."""

import contextlib
import io
import sys
from collections.abc import Iterator
from typing import IO, TextIO, cast

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from monitor.ports import Progress as Report


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Ids a second, once that is known."""
        return Text(f"{task.speed:,.0f}/s" if task.speed else "", justify="right")


class _Terminal(io.TextIOBase):
    """A terminal to draw on, until it is closed: what is written then goes nowhere."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:  # type: ignore[override]  # rich asks for it
        return self._stream.encoding

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream.fileno()

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


@contextlib.contextmanager
def history_bars(*, shown: bool = True) -> Iterator[Report]:
    """What a run reports its progress to; elsewhere than on a terminal, nothing is shown."""
    if not (shown and sys.stderr.isatty()):
        yield lambda username, done, total: None
        return
    bars = Progress(
        TextColumn("{task.description:<24}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
        console=Console(file=cast(IO[str], _Terminal(sys.stderr))),
        transient=True,
    )
    tasks: dict[str, TaskID] = {}

    def report(username: str, done: int, total: int) -> None:
        if username not in tasks:
            tasks[username] = bars.add_task(username, total=None)
        bars.update(tasks[username], completed=done, total=total or None)
        if done >= total > 0:
            bars.remove_task(tasks.pop(username))

    with bars:
        yield report
