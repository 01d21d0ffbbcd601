"""Bars for histories being read, on a terminal only."""

import contextlib
import sys
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from monitor.collector import Progress as Report


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
        TimeRemainingColumn(),
        console=Console(stderr=True),
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
