"""`monitor run`, `monitor reload` and `monitor status`."""

from typing import TYPE_CHECKING, Any, NamedTuple

from monitor.cli import accounts
from monitor.cli.concerns import concerns, of_reports
from monitor.cli.frame import ConfigOption, JsonOption, command, minute, moment, out, print_json, read_config
from monitor.cli.logged import standing

if TYPE_CHECKING:
    from monitor.config import Config
    from monitor.model import ChannelId, Conduct, InAppReport, MediaOutcome, Totals
    from monitor.reloading import Changes
    from monitor.reporting.begun import Begun
    from monitor.store import ChannelStatus, Quarantined
    from monitor.store.report_book import Tasks
    from monitor.store.sums import Sums

NAMED = 5
"""Names of a kind that a line shows."""


@command
def run(config: ConfigOption = None) -> None:
    """Collect until stopped by SIGTERM or Ctrl-C."""
    import signal

    # Until the daemon handles signals itself: a stop while it starts is an ordinary end too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    import asyncio
    import logging

    from monitor import logs
    from monitor.config import Config
    from monitor.daemon import run as collect
    from monitor.daemon import stop_on_signals

    settings = read_config(config)
    logs.set_up(logging.INFO)

    async def until_stopped(settings: Config) -> None:
        stop = asyncio.Event()
        stop_on_signals(stop)
        await collect(settings, stop)

    asyncio.run(until_stopped(settings))


@command
def reload(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Have the running daemon take up the changed configuration; ends when that is in force, or refused."""
    import asyncio
    from dataclasses import asdict

    from monitor.reloading import ask
    from monitor.state import running

    settings = read_config(config)
    first = asyncio.run(_next_event(settings))
    changes = ask(settings, running)
    loaded = asyncio.run(_lists_since(settings, first))
    if json:
        print_json([{"in_force": True, **asdict(changes), "lists_loaded": loaded}])
    else:
        out().print(f"in force: {_sentence(changes, loaded)}", soft_wrap=True)


async def _next_event(config: "Config") -> int:
    from monitor.store import open_reader

    if not config.database.exists():
        return 0
    async with open_reader(config.database) as reader:
        return await reader.next_event()


async def _lists_since(config: "Config", first: int) -> dict[str, str]:
    """Lists that came in another version, by name."""
    from monitor.model import EventType
    from monitor.store import open_reader

    async with open_reader(config.database) as reader:
        return {
            str(event.body["name"]): str(event.body["version"])
            async for event in reader.events(first)
            if event.type is EventType.LIST_LOADED
        }


def _sentence(changes: "Changes", loaded: dict[str, str]) -> str:
    parts = []
    for what in ("channel", "list"):
        for how in ("added", "removed", "changed"):
            names = getattr(changes, f"{what}s_{how}")
            if names:
                shown = ", ".join(names[:NAMED]) + (" …" if len(names) > NAMED else "")
                parts.append(f"{len(names):,} {what}{'s' if len(names) > 1 else ''} {how} ({shown})")
    parts += [f"{name} is now {version}" for name, version in loaded.items()]
    if changes.settings:
        parts.append(f"changed: {', '.join(changes.settings)}")
    return "; ".join(parts) or "nothing has changed"


@command
def status(config: ConfigOption = None, json: JsonOption = False) -> None:
    """What is being collected, how far each channel is, what waits, what was flagged; how accounts fare."""
    import asyncio

    from monitor.cli.list_concerns import concerns as of_lists
    from monitor.clock import now
    from monitor.exchange_lists import concerns as of_exchanges
    from monitor.state import running

    settings = read_config(config)
    alive = running(settings.state)
    totals, channels, outcomes, flags, conducts, sums, quarantined, people, reports, tasks, mails = (
        asyncio.run(_read(settings))
    )
    described = [accounts.described(settings, conduct) for conduct in conducts]
    logged = standing(settings, totals.events)
    warnings = [
        *of_reports(tasks, mails),
        *concerns(channels, sums, described, quarantined, reports, logged),
        *of_exchanges(settings, now()),
        *of_lists(settings, now()),
    ]
    if json:
        print_json(
            [
                {
                    "running": alive,
                    "messages": totals.messages - totals.service,
                    "service": totals.service,
                    "media": totals.media,
                    "media_pending": totals.media_pending,
                    "media_fetched": totals.media_fetched,
                    "bytes_fetched": totals.fetched_bytes,
                    "media_outcomes": {outcome.value: count for outcome, count in outcomes.items()},
                    "flags": totals.flags,
                    "flags_by_list": flags,
                    "events": totals.events,
                    "operators": people,
                    "report_log": logged,
                    "accounts": described,
                    "mails_begun": [{"report_id": one.report_id, "at": moment(one.at)} for one in mails],
                    "warnings": warnings,
                    "channels": [
                        {
                            "username": c.username,
                            "state": c.state.value,
                            "reason": c.reason.value if c.reason else None,
                            "messages": c.messages,
                            "cursor": c.cursor,
                            "top": c.top,
                            "holes": sums[c.channel_id].holes if c.channel_id in sums else 0,
                            "last_posted_at": moment(c.last_posted_at) if c.last_posted_at else None,
                        }
                        for c in channels
                    ],
                }
            ]
        )
        return
    _show(alive, totals, channels, outcomes, flags, described, logged)
    if not people:
        out().print(f"no operator was added yet: {settings.operator} acts in every role", soft_wrap=True)
    for warning in warnings:
        out().print(f"warning: {warning}", style="yellow", soft_wrap=True)


class _State(NamedTuple):
    """All that is shown, read at one time."""

    totals: "Totals"
    channels: "list[ChannelStatus]"
    outcomes: "dict[MediaOutcome, int]"
    flags: dict[str, int]
    conducts: "list[Conduct]"
    sums: "dict[ChannelId, Sums]"
    quarantined: "list[Quarantined]"
    operators: int
    reports: "list[InAppReport]"
    tasks: "Tasks"
    mails: "list[Begun]"


async def _read(config: "Config") -> _State:
    from monitor.clock import now
    from monitor.reporting.begun import unended
    from monitor.store import open_reader
    from monitor.store.operators import everybody
    from monitor.store.report_book import tasks as read_tasks

    async with open_reader(config.database) as reader:
        return _State(
            await reader.totals(),
            await reader.channel_status(),
            await reader.media_outcomes(),
            await reader.flags_by_list(),
            [await reader.conduct(account.name) for account in config.accounts],
            {sums.channel_id: sums for sums in await reader.coverage()},
            await reader.quarantined(),
            sum(one.disabled_at is None for one in await reader.run(everybody)),
            await reader.in_app_reports(troubled=True),
            await reader.run(read_tasks),
            await unended(reader, now()),
        )


def _show(
    alive: bool,
    totals: "Totals",
    channels: "list[ChannelStatus]",
    outcomes: "dict[MediaOutcome, int]",
    flags: dict[str, int],
    described: list[dict[str, Any]],
    logged: dict[str, Any],
) -> None:
    from rich.table import Table

    console = out()
    table = Table("channel", "state", box=None, header_style="bold", pad_edge=False)
    for title in ("messages", "last post", "gap"):
        table.add_column(title, justify="right")
    table.add_column("reason")
    for c in channels:
        table.add_row(
            c.username,
            c.state.value,
            f"{c.messages:,}",
            minute(c.last_posted_at) if c.last_posted_at else "",
            "yes" if c.top > c.cursor else "",
            c.reason.value if c.reason else "",
        )
    console.print(table)
    console.print()
    accounts.show(console, described)
    console.print()
    facts = Table(show_header=False, box=None, pad_edge=False)
    facts.add_row("daemon", "running" if alive else "not running")
    facts.add_row("messages", f"{totals.messages - totals.service:,} and {totals.service:,} service messages")
    facts.add_row(
        "media",
        ", ".join(f"{count:,} {outcome.value}" for outcome, count in sorted(outcomes.items())) or "none",
    )
    facts.add_row(
        "fetched", f"{totals.media_fetched:,} items, {totals.fetched_bytes / 1e6:.1f} MB, none kept"
    )
    facts.add_row("flags", ", ".join(f"{count:,} by {name}" for name, count in flags.items()) or "none")
    facts.add_row("events", f"{totals.events:,}")
    facts.add_row("report log", f"{logged['leaves']:,} leaves" if logged["origin"] else "none")
    console.print(facts)
