"""The command line: one module a group of commands, one function a command.

Modules here import typer at the top and everything else inside the command, so that `monitor --help`
does not load what it does not use.
"""

import os
import sys

import typer

from monitor.cli.channels import app as channels
from monitor.cli.check import check
from monitor.cli.collect import reload, run, status
from monitor.cli.demo import demo
from monitor.cli.export import export
from monitor.cli.rescan import rescan
from monitor.cli.selftest import app as selftest
from monitor.cli.setup import init, login

app = typer.Typer(
    name="monitor",
    help="Watch authorized public channels for known abuse material by hash. Stores no content.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from monitor import __version__

        typer.echo(f"channel-monitor {__version__}")
        raise typer.Exit()


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Watch authorized public channels for known abuse material by hash. Stores no content."""


for function in (demo, init, login, check, run, status, reload, rescan, export):
    app.command()(function)
app.add_typer(channels, name="channels")
app.add_typer(selftest, name="selftest")


def main() -> None:
    """The entry point of the `monitor` command."""
    try:
        app()
    finally:
        _flush()


def _flush() -> None:
    """Write out what is left; where nobody reads any more (a closed terminal, a pipe), that is no failure."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
            readers = not _hung_up(stream.fileno())
        except OSError:
            readers = False
        if not readers:
            # The interpreter tries once more at its end, also what is said until then, and exits with 120.
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _hung_up(descriptor: int) -> bool:
    import select

    watched = select.poll()
    watched.register(descriptor, 0)
    return any(event & (select.POLLHUP | select.POLLERR) for _, event in watched.poll(0))
