"""Bars for histories being read, on a terminal only."""

import contextlib
import sys
from collections.abc import Iterator

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


@contextlib.contextmanager
def history_bars() -> Iterator[Report]:
    """What a run reports its progress to; elsewhere than on a terminal, nothing is shown."""
    if not sys.stderr.isatty():
        yield lambda username, done, total: None
        return
    bars = Progress(
        TextColumn("{task.description:<24}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
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
