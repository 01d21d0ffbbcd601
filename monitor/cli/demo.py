"""`monitor demo`: the whole line, without credentials."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.frame import command, out

if TYPE_CHECKING:
    from monitor.demo import Summary


@command
def demo(
    serve: Annotated[bool, typer.Option("--serve", help="Keep world and daemon alive until Ctrl-C.")] = False,
    out_dir: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where to leave everything.")] = Path(
        "demo-output"
    ),
) -> None:
    """Show the whole job against an embedded test data centre: no account, no network, no real media."""
    import asyncio
    import logging

    from monitor import logs
    from monitor.daemon import stop_on_signals
    from monitor.demo import demo as play
    from monitor.demo import folder

    logs.set_up(logging.ERROR)  # refusals and the cut are part of the show, and of its summary
    place = folder(out_dir)

    async def until_done() -> "Summary":
        stop = asyncio.Event()
        if serve:
            stop_on_signals(stop)
        return await play(place, serve=serve, say=_say, stop=stop)

    _show(asyncio.run(until_done()), place)


def _say(line: str) -> None:
    typer.echo(f"· {line}", err=True)


def _show(summary: "Summary", place: Path) -> None:
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False, padding=(0, 2))
    table.add_column(style="bold")
    table.add_column()
    table.add_row("channels joined", f"{len(summary.channels_joined)}  {', '.join(summary.channels_joined)}")
    for name, reason in summary.channels_refused.items():
        table.add_row("channel refused", f"{name}: {reason}")
    table.add_row("messages", f"{summary.messages_recorded:,} recorded of {summary.messages_posted:,} posted")
    table.add_row(
        "media",
        f"{summary.media_fetched:,} examined with {summary.bytes_fetched / 1e6:.1f} MB"
        f" of {summary.bytes_in_full / 1e6:.1f} MB, none kept",
    )
    table.add_row(
        "matches", f"{summary.found} found of {summary.planted} planted, {summary.false_flags} false flags"
    )
    table.add_row("exports", f"{len(summary.exports)} files in {place / 'exports'}")
    table.add_row(
        "case",
        f"{summary.case}: its match was accepted; {summary.reported_in_app} sightings reported in the app",
    )
    table.add_row("notice", summary.notice)
    table.add_row("bundle", summary.bundle)
    table.add_row("took", f"{summary.seconds:.1f} s")
    console = out()
    console.print()
    console.print(table)
    console.print()
    console.print(f"try: monitor status --config {place / 'config.yaml'}", soft_wrap=True)
    console.print(f"     monitor log verify {summary.bundle}", soft_wrap=True)
