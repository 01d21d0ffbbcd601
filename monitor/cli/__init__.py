"""The command line: one module a group of commands, one function a command.

Modules here import typer at the top and everything else inside the command, so that `monitor --help`
does not load what it does not use.
"""

import typer

from monitor.cli.cases import app as cases
from monitor.cli.channels import app as channels
from monitor.cli.check import check
from monitor.cli.collect import reload, run, status
from monitor.cli.db import app as db
from monitor.cli.demo import demo
from monitor.cli.export import export
from monitor.cli.hashing import hash
from monitor.cli.lists import app as lists
from monitor.cli.log import app as log
from monitor.cli.notice import app as notice
from monitor.cli.operators import app as operators
from monitor.cli.rescan import rescan
from monitor.cli.selftest import app as selftest
from monitor.cli.sending import app as report
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


for function in (demo, init, login, check, run, status, reload, hash, rescan, export):
    app.command()(function)
app.add_typer(channels, name="channels")
app.add_typer(db, name="db")
app.add_typer(lists, name="lists")
app.add_typer(notice, name="notice")
app.add_typer(operators, name="operators")
app.add_typer(cases, name="cases")
app.add_typer(report, name="report")
app.add_typer(log, name="log")
app.add_typer(selftest, name="selftest")


def main() -> None:
    """The entry point of the `monitor` command."""
    try:
        app()
    finally:
        from monitor.streams import finish

        finish()
