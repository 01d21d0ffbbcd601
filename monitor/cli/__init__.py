"""The command line: one module a group of commands, one function a command.

Modules here import typer at the top and everything else inside the command, so that `monitor --help`
does not load what it does not use.
"""

import typer

from monitor.cli import channels, check, collect, demo, export, setup

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


app.command()(demo.demo)
app.command()(setup.init)
app.command()(setup.login)
app.command()(check.check)
app.command()(collect.run)
app.command()(collect.status)
app.add_typer(channels.app, name="channels")
app.command()(export.export)


def main() -> None:
    """The entry point of the `monitor` command."""
    app()
