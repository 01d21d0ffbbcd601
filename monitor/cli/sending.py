"""`monitor report send`, `errands` and `note`: reports in the app."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.asking import asking
from monitor.cli.frame import (
    ConfigOption,
    JsonOption,
    OperatorOption,
    command,
    existing_store,
    minute,
    operator,
    out,
    print_json,
    read_config,
)
from monitor.cli.report import app as app

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from monitor.config import Config
    from monitor.errors import MonitorError
    from monitor.model import Channel, ChannelId, InAppReport


@app.command()
@command
def send(
    channel: Annotated[str, typer.Option("--channel", metavar="USERNAME", help="The channel.")],
    message: Annotated[int, typer.Option("--message", metavar="ID", help="The flagged message in it.")],
    approved_by: Annotated[
        str | None, typer.Option("--approved-by", metavar="NAME", help="Who approved that it is sent.")
    ] = None,
    route: Annotated[
        str, typer.Option("--route", metavar="ROUTE", help="telegram: in the app.")
    ] = "telegram",
    choose: Annotated[
        list[str] | None,
        typer.Option(
            "--choose", metavar="TEXT", help="A text of the menu, from its top; once for each choice."
        ),
    ] = None,
    category: Annotated[
        str | None,
        typer.Option(metavar="C", help="Choose what telegram.report_menu names for this category instead."),
    ] = None,
    comment: Annotated[
        str | None, typer.Option("--comment", metavar="TEXT", help="What goes with it, where the menu asks.")
    ] = None,
    again: Annotated[
        str | None,
        typer.Option("--again", metavar="REASON", help="Why it is reported again, if it was before."),
    ] = None,
    acting: OperatorOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Report one flagged message through the platform's own menu.

    On a terminal the menu is shown, and asks. A choice may be the last one: what has no further menu is sent at once.
    With a running daemon it is sent through that; else by this command itself. Ctrl-C only ends the waiting.
    """
    import asyncio

    from monitor.daemon import running, stop_on_signals
    from monitor.errors import InputError
    from monitor.model import IDENTIFIER, Approval, MessageId, Role
    from monitor.prepare import now
    from monitor.sending import Wanted, report_in_app

    settings = read_config(config)
    who = operator(settings, acting, Role.REVIEWER)
    if route != "telegram":
        raise InputError(f"--route {route}: this command sends in the app; its route is telegram")
    if approved_by is None or not IDENTIFIER.fullmatch(approved_by):
        raise InputError("--approved-by: nothing is sent before a person approved it; say who did")
    asks = sys.stdin.isatty() and sys.stderr.isatty()
    wanted = Wanted(
        _channel(asyncio.run(_channels(existing_store(settings))), channel),
        MessageId(message),
        Approval(approved_by, now()),
        who,
        _path(settings, choose or [], category),
        "" if comment is None and not asks else comment,
        again,
    )

    async def sent(wanted: Wanted) -> "InAppReport":
        stop = asyncio.Event()
        stop_on_signals(stop)
        return await report_in_app(settings, wanted, stop, asking(stop) if asks else None)

    report = asyncio.run(sent(wanted))
    if json:
        print_json([_facts(report)])
    wrong = _wrong(report, served=running(settings.state))
    if wrong is not None:
        raise wrong
    if not json:
        typer.echo(_said(report))


@app.command()
@command
def errands(
    every: Annotated[bool, typer.Option("--all", help="All, not only those that are open.")] = False,
    acting: OperatorOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Reports in the app that are open: they wait, failed, or may not have arrived, and nobody has noted that."""
    import asyncio

    from monitor.model import Role

    settings = read_config(config)
    operator(settings, acting, Role.REVIEWER)
    database = existing_store(settings)
    found, names = asyncio.run(_reports(database, troubled=not every)), asyncio.run(_channels(database))
    if json:
        print_json(_facts(report) for report in found)
        return
    if not found:
        typer.echo("no report in the app" if every else "no report in the app is open")
        return
    from rich.table import Table

    by_id = {c.profile.channel_id: c.username for c in names if c.profile is not None}
    table = Table(
        "errand", "asked (UTC)", "message", "state", "why", "chosen", "by", box=None, pad_edge=False
    )
    for report in found:
        table.add_row(
            f"{report.errand_id}",
            minute(report.requested_at),
            f"{by_id.get(report.channel_id, report.channel_id)}/{report.message_id}",
            report.state.value,
            report.failure.value if report.failure else "",
            " > ".join(report.path),
            report.operator,
        )
    out().print(table)


@app.command()
@command
def note(
    errand: Annotated[int, typer.Argument(metavar="ERRAND", help="Its number, as report errands shows it.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why it is left at that.")],
    acting: OperatorOption = None,
    config: ConfigOption = None,
) -> None:
    """Take note of a report in the app that failed or may not have arrived, and leave it at that.

    One that has not left yet is taken back. To send it once more: monitor report send … --again REASON.
    """
    import asyncio

    from monitor.errors import InputError
    from monitor.model import Role
    from monitor.prepare import now
    from monitor.store import open_store

    settings = read_config(config)
    who, database = operator(settings, acting, Role.REVIEWER), existing_store(settings)
    if not 0 < len(reason.strip()) <= 1000:
        raise InputError("--reason: takes a sentence, of at most 1000 characters")

    async def noted() -> None:
        async with open_store(database) as store:
            await store.note_errand(errand, explanation=reason, operator=who, at=now())

    asyncio.run(noted())
    typer.echo(f"errand {errand}: noted")


async def _channels(database: "Path") -> "list[Channel]":
    from monitor.store import open_reader

    async with open_reader(database) as reader:
        return await reader.channels()


async def _reports(database: "Path", *, troubled: bool) -> "list[InAppReport]":
    from monitor.store import open_reader

    async with open_reader(database) as reader:
        return await reader.in_app_reports(troubled=troubled)


def _channel(channels: "list[Channel]", username: str) -> "ChannelId":
    from monitor.errors import InputError

    name = username.removeprefix("@").lower()
    for channel in channels:
        if channel.username.lower() == name and channel.profile is not None:
            return channel.profile.channel_id
    raise InputError(f"{username}: is not on record; monitor channels list shows what is")


def _path(config: "Config", choose: "Sequence[str]", category: str | None) -> tuple[str, ...]:
    from monitor.errors import InputError
    from monitor.model import Category

    if category is None:
        return tuple(choose)
    if choose:
        raise InputError("--category: names the choices itself; leave out either it or --choose")
    if category not in set(Category):
        raise InputError(f"--category {category}: not known; choose one of {', '.join(Category)}")
    path = config.telegram.report_menu.get(Category(category))
    if path is None:
        raise InputError(f"{config.path}: telegram.report_menu: names no choices for {category}")
    return path


def _said(report: "InAppReport") -> str:
    from monitor.model import ErrandState

    number = f"errand {report.errand_id}"
    if report.state is ErrandState.SENT:
        left = report.path[report.steps :]
        more = f"; the menu ended before {left[0]!r}" if left else ""
        unsaid = "; the menu asked for no comment" if report.comment and not report.commented else ""
        return f"reported: {' > '.join(report.path[: report.steps])} ({number}){more}{unsaid}"
    if report.state is ErrandState.FAILED:
        return f"taken back ({number})"
    if report.until is not None:
        return f"waits until {minute(report.until)} UTC ({number}): the daemon sends it then"
    return f"{number} is {report.state.value}; a running daemon goes on with it"


def _wrong(report: "InAppReport", *, served: bool) -> "MonitorError | None":
    """The error that a report ends with that was not sent; None for one that was, or is taken care of: `served` says
    that a daemon runs."""
    from monitor.errors import FatalError, InputError, NotAuthorized
    from monitor.model import ErrandFailure, ErrandState

    number = f"errand {report.errand_id}"
    if report.state is ErrandState.UNKNOWN:
        return FatalError(
            f"{number}: a request left, and no answer was heard: whether the report arrived is unknown. It is not"
            " sent again by itself: send it with --again REASON, or leave it: monitor report note"
        )
    if report.until is not None and not report.state.settled and not served:
        return FatalError(
            f"{number}: not sent yet: the account may report again from {minute(report.until)} UTC on; no daemon runs"
            " that would wait for that: start one, or run this command again then"
        )
    if report.state is not ErrandState.FAILED or report.failure in (None, ErrandFailure.WITHDRAWN):
        return None
    said = f"{number}: not sent, and open: {report.failure.explanation}"
    if report.menu:
        taken = " > ".join(report.path[: report.steps]) or "at its top"
        said += f". The menu offers ({taken}): " + "; ".join(line.text for line in report.menu)
    kind: type[MonitorError] = FatalError
    if report.failure in (
        ErrandFailure.NOT_OFFERED,
        ErrandFailure.MORE_CHOICES,
        ErrandFailure.COMMENT_NEEDED,
    ):
        kind = InputError
    elif report.failure is ErrandFailure.NOT_COLLECTED:
        kind = NotAuthorized
    return kind(said)


def _facts(report: "InAppReport") -> dict[str, Any]:
    return {
        "errand": report.errand_id,
        "report_id": report.report_id,
        "account": report.account,
        "channel_id": report.channel_id,
        "message_id": report.message_id,
        "operator": report.operator,
        "requested_at": report.requested_at,
        "approved_by": report.approval.by,
        "approved_at": report.approval.at,
        "state": report.state.value,
        "failure": report.failure.value if report.failure else None,
        "path": list(report.path),
        "steps": report.steps,
        "comment": report.comment if report.commented else None,
        "again": report.again,
        "explanation": report.explanation,
        "menu": [line.text for line in report.menu],
        "until": report.until,
        "told_at": report.told_at,
        "seen_by": report.seen_by,
    }
