"""What the commands on cases and reports share: a rule acts in a transaction, and addresses take a role of two."""

import enum
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from monitor.cli.frame import existing_store, minute, operator, out, read_config

if TYPE_CHECKING:
    from monitor.config import Config
    from monitor.model import Event, Sighting
    from monitor.reporting.acting import Case, Rule
    from monitor.reporting.reports import ReportRule
    from monitor.store import Reader, SqlStore

T = TypeVar("T")
E = TypeVar("E", bound=enum.StrEnum)

CaseArgument = Annotated[
    int, typer.Argument(metavar="CASE", help="Its number, as monitor cases list shows it.")
]
ReportArgument = Annotated[
    int, typer.Argument(metavar="REPORT", help="Its number, as monitor report list shows it.")
]
FlagOption = Annotated[
    int | None, typer.Option("--flag", metavar="N", help="One sighting alone, not the whole case.")
]
WhyOption = Annotated[
    str | None, typer.Option("--explanation", metavar="TEXT", help="Why; kept with who and when.")
]
ReferenceOption = Annotated[
    str | None, typer.Option("--reference", metavar="TEXT", help="Under which it is to be found.")
]
AddressesOption = Annotated[
    bool,
    typer.Option("--with-addresses", help="Show where the items are; needs a purpose, and leaves an event."),
]
PurposeOption = Annotated[
    str | None, typer.Option("--purpose", metavar="TEXT", help="What the addresses are for.")
]


def read(config: Path | None, work: "Callable[[Reader], Awaitable[T]]") -> T:
    """What is read of the configuration's store. Raises InputError when there is none yet."""
    import asyncio

    from monitor.store import open_reader

    database = existing_store(read_config(config))

    async def reading() -> T:
        async with open_reader(database) as reader:
            return await work(reader)

    return asyncio.run(reading())


def write(settings: "Config", work: "Callable[[SqlStore], Awaitable[T]]") -> T:
    """What is done in the configuration's store. Raises InputError when there is none yet."""
    import asyncio

    from monitor.store import open_store

    database = existing_store(settings)

    async def writing() -> T:
        async with open_store(database) as store:
            return await work(store)

    return asyncio.run(writing())


def act_on_case(
    config: Path | None,
    acting: str | None,
    case_id: int,
    rule: "Callable[[str, Config], Rule]",
) -> "Case":
    """Have a reviewer act on a case; the case as it stands then."""
    from monitor.clock import now
    from monitor.model import Role
    from monitor.reporting.acting import act

    settings = read_config(config)
    who = operator(settings, acting, Role.REVIEWER)
    return write(settings, lambda store: act(store, case_id, rule(who, settings), now()))


def act_on_report(
    config: Path | None,
    acting: str | None,
    report_id: int,
    rule: "Callable[[str, Config], ReportRule]",
) -> "Case":
    """Have a reviewer act on a report; its case as it stands then."""
    from monitor.clock import now
    from monitor.model import Role
    from monitor.reporting.acting import act_on_report as act

    settings = read_config(config)
    who = operator(settings, acting, Role.REVIEWER)
    return write(settings, lambda store: act(store, report_id, rule(who, settings), now()))


def reviewer_or_exporter(settings: "Config", acting: str | None) -> str:
    """Who acts, in one of the two roles that addresses are for."""
    from monitor.errors import MonitorError, NotAuthorized
    from monitor.model import Role

    try:
        return operator(settings, acting, Role.REVIEWER)
    except MonitorError as e:
        if e.exit_code != NotAuthorized.exit_code:
            raise
    return operator(settings, acting, Role.EXPORTER)


def asked_for(
    config: Path | None,
    acting: str | None,
    case_id: int,
    purpose: str | None,
    *,
    with_addresses: bool,
    report_id: int | None = None,
) -> "list[Sighting]":
    """Where the items of a case or of one report of it are, once that is on record; none unless somebody asked."""
    from monitor.clock import now
    from monitor.reporting.showing import addresses

    if not with_addresses and purpose is None:
        return []
    settings = read_config(config)
    who = reviewer_or_exporter(settings, acting)
    return write(
        settings,
        lambda store: addresses(store, case_id, operator=who, purpose=purpose, at=now(), report_id=report_id),
    )


def show_addresses(sightings: "list[Sighting]") -> None:
    """Where items are, as a table."""
    from rich.table import Table

    table = Table("flag", "posted (UTC)", "link", box=None, pad_edge=False)
    for sighting in sightings:
        table.add_row(str(sighting.flag_id), minute(sighting.posted_at), sighting.link)
    console = out()
    console.print()
    console.print(table)


def show_events(events: "Sequence[Event]") -> None:
    """What happened, in order, as a table."""
    from rich.table import Table
    from rich.text import Text

    from monitor.reporting.chronology import told

    table = Table("event", "when (UTC)", "who", "what", box=None, pad_edge=False)
    for event in events:
        line = told(event)
        # As they are: what operators declared may hold brackets.
        table.add_row(str(line.seq), minute(line.at), line.operator or "", Text(line.what))
    out().print(table)


def facts(sighting: "Sighting") -> dict[str, Any]:
    """A sighting as JSON has it."""
    from dataclasses import asdict

    return asdict(sighting)


def day(value: datetime | None) -> str:
    """A day for people; nothing when there is none."""
    return "" if value is None else f"{value:%Y-%m-%d}"


def parse(value: str, option: str, kind: type[E]) -> E:
    """One of an enumeration's values. Raises InputError with those that there are."""
    from monitor.errors import InputError

    try:
        return kind(value)
    except ValueError:
        raise InputError(f"{option} {value[:40]}: not known; choose one of {', '.join(kind)}") from None
