"""`monitor db …`: the store as a whole: copies, and what is not kept."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from monitor.cli.frame import (
    ConfigOption,
    JsonOption,
    OperatorOption,
    command,
    existing_store,
    minute,
    moment,
    operator,
    out,
    print_json,
    read_config,
)

if TYPE_CHECKING:
    from monitor.config import Config
    from monitor.store import SqlStore
    from monitor.store.erasure import Erased
    from monitor.store.retention import Due

app = typer.Typer(no_args_is_help=True, help="The store: upgrade, backup, restore, retention, erasure.")

LONGEST_REASON = 500
"""Characters."""
T = TypeVar("T")


@app.command()
@command
def upgrade(config: ConfigOption = None) -> None:
    """Bring the store to this version's schema, as a start of the daemon does; nothing else is changed."""
    import asyncio

    from monitor.state import sole
    from monitor.store import upgraded

    settings = read_config(config)
    database = existing_store(settings)
    with sole(settings.state):
        before, after = asyncio.run(upgraded(database))
    typer.echo(f"schema {after}" + (", as it was" if before == after else f", from {before}"))


@app.command()
@command
def backup(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A file that is not there yet.")],
    acting: OperatorOption = None,
    config: ConfigOption = None,
) -> None:
    """Copy the whole store to one private file (0600), verified; also while a daemon runs."""
    from monitor.clock import now
    from monitor.model import Role
    from monitor.store.backup import back_up

    settings = read_config(config)
    who, database = operator(settings, acting, Role.ADMIN), existing_store(settings)
    made = _with_store(settings, lambda store: back_up(store, database, path, operator=who, at=now()))
    typer.echo(f"{path}: {made.size / 1e6:,.1f} MB, {made.events:,} events, SHA-256 {made.sha256}")


@app.command()
@command
def restore(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A backup.")],
    acting: OperatorOption = None,
    config: ConfigOption = None,
) -> None:
    """Put a backup in the place of the store, which is kept aside. No daemon may run."""
    import asyncio

    from monitor.clock import now
    from monitor.errors import FatalError
    from monitor.model import Role
    from monitor.state import sole
    from monitor.store import backup

    settings = read_config(config)
    backup.check(path)
    try:
        who = operator(settings, acting, Role.ADMIN)
    except FatalError:
        # The store cannot be read, which is why it is to be replaced: the backup says who may.
        who = operator(settings, acting, Role.ADMIN, people=path)
    at = now()
    aside = settings.database.with_name(f"{settings.database.name}.before-{at:%Y%m%dT%H%M%SZ}")
    with sole(settings.state):
        done = asyncio.run(backup.restore(settings.database, path, aside, operator=who, at=at))
    typer.echo(f"{path}: restored, with {done.events:,} events")
    if done.aside is not None:
        typer.echo(f"the store before lies at {done.aside}; remove it when it is no longer needed")
    if done.carried is None and done.aside is not None:
        typer.echo("warning: its events could not be carried over; a report log knows them still", err=True)
    elif done.carried:
        typer.echo(f"later events carried over: {done.carried:,}; what they speak of is as in the backup")
    if done.erasures:
        typer.echo(
            f"warning: of retention and erasures among them: {done.erasures:,}; the rows are back: run these again",
            err=True,
        )


@app.command()
@command
def retention(
    run: Annotated[
        bool, typer.Option("--run/--dry-run", help="Remove it; otherwise only show what is due.")
    ] = False,
    acting: OperatorOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """What is due under the configuration's retention; with --run it is removed, also while a daemon runs."""
    import asyncio

    from monitor.clock import now
    from monitor.errors import InputError
    from monitor.model import Role
    from monitor.reporting.closing import over
    from monitor.store import open_reader
    from monitor.store.retention import due, retain

    settings = read_config(config)
    who = operator(settings, acting, Role.ADMIN if run else Role.VIEWER)
    database, policy, at = existing_store(settings), settings.retention.periods(), now()
    if not policy:
        raise InputError(f"{settings.path}: retention: names no time, so everything is kept")

    async def asked() -> "list[Due]":
        async with open_reader(database) as reader:
            return await reader.run(due, policy, at, over)

    rows = asyncio.run(asked())
    gone = (
        _with_store(settings, lambda store: retain(store, policy, operator=who, at=at, over=over))
        if run
        else None
    )
    shown = [
        {
            "purpose": one.purpose.value,
            "days": policy[one.purpose].days,
            "before": one.before,
            "due": one.rows,
            "removed": None if gone is None else gone[one.purpose],
        }
        for one in rows
    ]
    if json:
        print_json(row | {"before": moment(row["before"])} for row in shown)
        return
    _show(shown)
    if gone is None:
        typer.echo("nothing was removed; --run does it")


@app.command()
@command
def erase(
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why; kept for good, so name nobody in it.")
    ],
    event: Annotated[
        list[int] | None, typer.Option("--event", metavar="SEQ", help="Bodies of events; more than once.")
    ] = None,
    channel: Annotated[
        str | None, typer.Option("--channel", metavar="USERNAME", help="All messages of a channel.")
    ] = None,
    sender: Annotated[
        str | None, typer.Option("--sender", metavar="PSEUDONYM", help="All messages of a sender.")
    ] = None,
    acting: OperatorOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Erase for good: bodies of events, or the messages of a channel or a sender. What belongs to a case stays."""
    from dataclasses import asdict

    from monitor.clock import now
    from monitor.errors import InputError
    from monitor.model import Role
    from monitor.store import erasure

    settings = read_config(config)
    if sum(bool(wanted) for wanted in (event, channel, sender)) != 1:
        raise InputError("name one of --event, --channel and --sender")
    if not 0 < len(reason.strip()) <= LONGEST_REASON:
        raise InputError(f"--reason: takes 1 to {LONGEST_REASON} characters")
    said: dict[str, Any] = {
        "explanation": reason.strip(),
        "operator": operator(settings, acting, Role.ADMIN),
        "at": now(),
    }
    existing_store(settings)

    def erased(store: "SqlStore") -> "Coroutine[Any, Any, Erased]":
        if event:
            return erasure.erase_events(store, event, **said)
        if channel:
            return erasure.erase_channel(store, channel.removeprefix("@"), **said)
        return erasure.erase_sender(store, sender or "", **said)

    done = _with_store(settings, erased)
    if json:
        print_json([asdict(done)])
        return
    counted = (("event bodies", done.events), ("messages", done.messages), ("forwards", done.forwards))
    shown = ", ".join(f"{what} {count:,}" for what, count in counted if count)
    typer.echo(f"erased: {shown or 'nothing'}" + (f"; {done.kept:,} flagged ones stay" if done.kept else ""))
    if not done.overwritten:
        typer.echo(
            "warning: a reader held older pages in the write-ahead log; they go when it is next emptied",
            err=True,
        )


def _with_store(config: "Config", work: "Callable[[SqlStore], Coroutine[Any, Any, T]]") -> T:
    """Do something with the store, opened and closed around it."""
    import asyncio

    from monitor.store import open_store

    async def done() -> T:
        async with open_store(config.database) as store:
            return await work(store)

    return asyncio.run(done())


def _show(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table("what", "kept for", "older than (UTC)", box=None, pad_edge=False)
    for title in ("due", "removed"):
        table.add_column(title, justify="right")
    for row in rows:
        removed = "" if row["removed"] is None else f"{row['removed']:,}"
        what = row["purpose"].replace("_", " ")
        table.add_row(what, f"{row['days']:,} days", minute(row["before"]), f"{row['due']:,}", removed)
    out().print(table)
