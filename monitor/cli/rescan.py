"""`monitor rescan`: media that was settled is fetched again, for hashes that came later."""

import contextlib
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.frame import (
    ConfigOption,
    JsonOption,
    OperatorOption,
    command,
    operator,
    out,
    print_json,
    read_config,
    time_of,
    window,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from monitor.store import Rescanned


@command
def rescan(
    since: Annotated[
        str, typer.Option("--since", metavar="DATE", help="Media posted from then on (UTC), 2026-11-01.")
    ],
    until: Annotated[
        str | None, typer.Option("--until", metavar="DATE", help="… until then; a plain date counts whole.")
    ] = None,
    list_name: Annotated[
        str | None,
        typer.Option(
            "--list", metavar="NAME", help="Only what was not yet compared with this version of a list."
        ),
    ] = None,
    channel: Annotated[
        str | None, typer.Option("--channel", metavar="USERNAME", help="Only this channel's.")
    ] = None,
    acting: OperatorOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Fetch media in a window again and compare it with the lists in force; what has matched is left alone.

    With a running daemon this waits for it to be done; else it runs until it is. Ctrl-C only ends the waiting:
    what is left is taken up by the next run.
    """
    import asyncio

    from monitor.daemon import stop_on_signals
    from monitor.errors import InputError
    from monitor.model import Role
    from monitor.rescanning import Wanted
    from monitor.rescanning import rescan as have_done

    settings = read_config(config)
    who = operator(settings, acting, Role.ADMIN)
    if not (settings.media_permitted and settings.hash_lists):
        raise InputError("no media is fetched without a legal statement and a hash list; see monitor check")
    _, last = window(since, until)
    first = time_of("--since", since, end_of_day=False)
    wanted = Wanted(who, first, last, list_name, channel.removeprefix("@") if channel else None)

    async def done() -> "Rescanned | None":
        stop = asyncio.Event()
        stop_on_signals(stop)
        with _bar() as show:
            return await have_done(settings, wanted, stop, show)

    result = asyncio.run(done())
    if result is None:
        typer.echo("stopped before it had begun; nothing was changed", err=True)
    elif json:
        print_json([_facts(result)])
    else:
        _show(result)


@contextlib.contextmanager
def _bar() -> "Iterator[Callable[[Rescanned], None]]":
    """What is told of the progress; a bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda state: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("fetched again"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bar:
        task = bar.add_task("", total=None)
        yield lambda state: bar.update(
            task, total=state.items, completed=state.items - state.left - state.stuck
        )


def _facts(result: "Rescanned") -> dict[str, object]:
    return {
        "request": result.request,
        "items": result.items,
        "examined": result.items - result.left - result.stuck,
        "left": result.left,
        "stuck": result.stuck,
        "outcomes": {outcome.value: count for outcome, count in result.outcomes.items()},
        "flags": result.flags,
    }


def _show(result: "Rescanned") -> None:
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False)
    examined = result.items - result.left - result.stuck
    table.add_row("fetched again", f"{examined:,} of {result.items:,} items")
    for outcome, count in sorted(result.outcomes.items()):
        table.add_row("", f"{count:,} {outcome.value}")
    table.add_row("new flags", f"{result.flags:,}")
    if result.left:
        table.add_row("left", f"{result.left:,}; a running daemon, or the next run, goes on with them")
    if result.stuck:
        table.add_row("cannot be asked for", f"{result.stuck:,}, in channels that are not collected any more")
    out().print(table)
