"""`monitor report send`, `errands` and `note`: reports in the app."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.asking import asking
from monitor.cli.casework import ReportArgument
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
    from pathlib import Path

    from monitor.errors import MonitorError
    from monitor.model import Channel, InAppReport
    from monitor.report_items import Sent


@app.command()
@command
def send(
    report: ReportArgument,
    route: Annotated[
        str, typer.Option("--route", metavar="ROUTE", help="telegram: in the app.")
    ] = "telegram",
    choose: Annotated[
        list[str] | None,
        typer.Option(
            "--choose",
            metavar="TEXT",
            help="A text of the menu, from its top; once for each choice. Else telegram.report_menu chooses.",
        ),
    ] = None,
    comment: Annotated[
        str | None, typer.Option("--comment", metavar="TEXT", help="What goes with it, where the menu asks.")
    ] = None,
    again: Annotated[
        str | None,
        typer.Option(
            "--again", metavar="REASON", help="Why what was reported, or may have been, is once more."
        ),
    ] = None,
    acting: OperatorOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Send an approved report through the platform's own menu: each of its items, one after the other.

    On a terminal the menu is shown, and asks, for the first item. A choice may be the last one: what has no further
    menu is sent at once. With a running daemon it is sent through that; else by this command itself. Ctrl-C only ends
    the waiting. What has arrived is not sent again: once more, the command takes up what is missing.
    """
    import asyncio

    from monitor.daemon import stop_on_signals
    from monitor.errors import InputError
    from monitor.model import Role
    from monitor.report_items import Words, send_report
    from monitor.state import running

    settings = read_config(config)
    who = operator(settings, acting, Role.REVIEWER)
    if route != "telegram":
        raise InputError(f"--route {route}: this command sends in the app; its route is telegram")
    existing_store(settings)
    asks = sys.stdin.isatty() and sys.stderr.isatty()
    words = Words(tuple(choose or ()), comment, again)

    async def sent() -> "Sent":
        stop = asyncio.Event()
        stop_on_signals(stop)
        return await send_report(settings, report, who, words, stop, asking(stop) if asks else None)

    done = asyncio.run(sent())
    if json:
        print_json([_facts(item) for item in done.items])
    served = running(settings.state)
    wrong = [error for item in done.items if (error := _wrong(item, served=served)) is not None]
    if not json:
        for item in done.items:
            if _wrong(item, served=served) is None:
                typer.echo(_said(item))
    if wrong:
        raise wrong[0]
    if json:
        return
    if done.outcome is not None:
        typer.echo(f"report {report}: nothing of it is left to send: {done.outcome}")
    elif done.complete:
        typer.echo(f"report {report}: sent")
    elif any(item.until is not None for item in done.items):
        typer.echo(f"report {report}: not all sent; the daemon sends what waits on record, and notes the end")
    else:
        typer.echo(f"report {report}: not all sent; then: monitor report send {report}")


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

    One that has not left yet is taken back. To send it once more: monitor report send REPORT --again REASON.
    """
    import asyncio

    from monitor.clock import now
    from monitor.errors import InputError
    from monitor.model import Role
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
