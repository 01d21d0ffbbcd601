"""What every command shares: the options that recur, and errors that become one clear line and an exit code."""

import functools
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console

    from monitor.config import Config
    from monitor.model import Role

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", metavar="FILE", help="Configuration (default: MONITOR_CONFIG or ./config.yaml)."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a line on standard output.")]
OperatorOption = Annotated[
    str | None,
    typer.Option(
        "--as", metavar="NAME", help="Who acts (default: MONITOR_OPERATOR or the configuration's operator)."
    ),
]

Command = TypeVar("Command", bound=Callable[..., Any])


def command(function: Command) -> Command:
    """Let a command end with one line on standard error and the exit code of its error's class.

    An error that is not ours is a defect: its type and place are named, never its message, which may
    quote content.
    """

    @functools.wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        from monitor import logs
        from monitor.errors import MonitorError

        logs.set_up()
        try:
            result = function(*args, **kwargs)
            _bring_up_logs()
            return result
        except MonitorError as e:
            # Without a message: a process of ours has said it already.
            for line in str(e).splitlines():
                typer.echo(f"monitor: {line}", err=True)
            raise typer.Exit(e.exit_code) from None
        except (KeyboardInterrupt, BrokenPipeError):
            raise typer.Exit(0) from None
        except (typer.Exit, typer.Abort):
            raise
        except Exception as e:
            typer.echo(f"monitor: a defect: {logs.describe(e)}; please report this line", err=True)
            raise typer.Exit(3) from None

    return guarded  # type: ignore[return-value]  # functools.wraps keeps the signature that typer reads


def read_config(option: Path | None) -> "Config":
    """The configuration of a command. Raises ConfigError."""
    from monitor.config import find, load

    return load(find(option))


def operator(config: "Config", option: str | None, role: "Role", *, people: Path | None = None) -> str:
    """Who acts, in that role; the report log is brought up to the store when the command ends.

    Raises NotPermitted for who may not, InputError for a name that is no identifier.

    `people` is the store that says who may; the configuration's, where nothing else is said.
    The name is what somebody with this shell says, not proof of who they are; docs/operators.md.
    """
    import asyncio
    import os

    from monitor.errors import InputError
    from monitor.model import IDENTIFIER
    from monitor.store import open_reader
    from monitor.store.operators import Operator, everybody, require

    name = option or os.environ.get("MONITOR_OPERATOR") or config.operator
    if not IDENTIFIER.fullmatch(name):
        raise InputError("--as: takes letters, digits, '.', '_', ':' and '-', 64 at most")

    async def read() -> list[Operator]:
        async with open_reader(store) as reader:
            return await reader.run(everybody)

    store = people or config.database
    require(asyncio.run(read()) if store.exists() else [], config.operator, name, role)
    _acted.append(config)
    return name


_acted: "list[Config]" = []
"""Configurations on which somebody has acted in this process."""


def _bring_up_logs() -> None:
    """What people decide and take out is in the report log when the command that does it ends; where a daemon runs,
    its recorder sees to that within a second, and the command needs no key.

    Raises what the log raises, after saying that the command itself is done.
    """
    if not _acted:
        return
    import asyncio

    from monitor.errors import MonitorError
    from monitor.proving import brought_up
    from monitor.state import running

    while _acted:
        config = _acted.pop()
        try:
            if not running(config.state):
                asyncio.run(brought_up(config))
        except MonitorError:
            typer.echo(
                "monitor: done and recorded, but the report log could not be brought up to it:", err=True
            )
            raise


def time_of(option: str, value: str, *, end_of_day: bool) -> "datetime":
    """What an option says as a time in UTC; a date alone is its first or its last microsecond. Raises InputError."""
    from monitor.config import moment
    from monitor.errors import InputError

    try:
        return moment(value, end_of_day=end_of_day)
    except ValueError as e:
        raise InputError(f"{option}: {e}") from None


def window(since: str | None, until: str | None) -> "tuple[datetime | None, datetime | None]":
    """What --since and --until say, days counted whole. Raises InputError, also where the end lies before the start."""
    from monitor.errors import InputError

    first = None if since is None else time_of("--since", since, end_of_day=False)
    last = None if until is None else time_of("--until", until, end_of_day=True)
    if first and last and last < first:
        raise InputError("--until: lies before --since")
    return first, last


def existing_store(config: "Config") -> Path:
    """The store's file. Raises InputError when no run has made it yet."""
    from monitor.errors import InputError

    if not config.database.exists():
        raise InputError(f"{config.database}: there is no store yet; monitor run makes it")
    return config.database


def out() -> "Console":
    """The terminal, for tables and summaries; as wide as it takes where nobody looks at it."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else 160)


def print_json(rows: Iterable[Mapping[str, Any]]) -> None:
    """One object a line on standard output; times in ISO 8601."""
    for row in rows:
        sys.stdout.write(json.dumps(row, default=_plain, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _plain(value: Any) -> Any:
    from datetime import datetime

    if isinstance(value, datetime):
        return moment(value)
    return str(value)


def moment(value: Any) -> str:
    """A time for programs: 2026-11-01T12:00:00Z."""
    return str(value.strftime("%Y-%m-%dT%H:%M:%SZ"))


def minute(value: Any) -> str:
    """A time for people, in UTC: 2026-11-01 12:00."""
    return str(value.strftime("%Y-%m-%d %H:%M"))
