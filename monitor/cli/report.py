"""`monitor report …`: what is reported to whom, and what came of it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli import answering, noticing
from monitor.cli.casework import (
    AddressesOption,
    CaseArgument,
    PurposeOption,
    ReportArgument,
    act_on_case,
    asked_for,
    day,
    facts,
    parse,
    read,
    show_addresses,
    show_events,
)
from monitor.cli.frame import (
    ConfigOption,
    JsonOption,
    OperatorOption,
    command,
    out,
    print_json,
    read_config,
)

if TYPE_CHECKING:
    from monitor.reporting.casefacts import Report
    from monitor.store.report_book import ReportLine

app = typer.Typer(help="Reports: prepared, approved, sent or handed over, answered.", no_args_is_help=True)


@app.command("list")
@command
def list_reports(
    state: Annotated[str | None, typer.Option(metavar="STATE", help="Those in one state.")] = None,
    case: Annotated[int | None, typer.Option("--case", metavar="CASE", help="Those of one case.")] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Reports with their route and state."""
    from monitor.model import ReportState
    from monitor.store import report_book

    wanted = None if state is None else parse(state, "--state", ReportState)
    found = read(config, lambda reader: reader.run(report_book.list_reports, state=wanted, case_id=case))
    _print(found, json, "no report")


@app.command()
@command
def corrections(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Reports that were sent and no longer stand: whoever got them is to be told."""
    from monitor.store import report_book

    found = read(config, lambda reader: reader.run(report_book.list_reports, corrections=True))
    _print(found, json, "no correction is to be made")


@app.command()
@command
def show(
    report: ReportArgument,
    with_addresses: AddressesOption = False,
    purpose: PurposeOption = None,
    acting: OperatorOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """One report: what it covers, who did what. Nothing that leads to an item unless asked."""
    from monitor.clock import now
    from monitor.reporting.acting import look
    from monitor.reporting.chronology import without_addresses
    from monitor.store.cases import case_of

    number = read(config, lambda reader: reader.run(case_of, report))
    found = asked_for(config, acting, number, purpose, with_addresses=with_addresses, report_id=report)
    case = read(config, lambda reader: look(reader, number, now()))
    stands, events = case.report(report), [e for e in case.record.events if e.body.get("report_id") == report]
    if json:
        told_of = [{"seq": e.seq, "at": e.at, "type": e.type, **without_addresses(e.body)} for e in events]
        more = {"sightings": [facts(s) for s in found]} if found else {}
        print_json([_described(number, stands) | {"events": told_of} | more])
        return
    out().print(
        f"report {report} of case {number}: {stands.route}, {stands.state},"
        f" {len(stands.flags):,} sighting{'' if len(stands.flags) == 1 else 's'}, category {stands.category}",
        markup=False,
    )
    show_events(events)
    if found:
        show_addresses(found)


@app.command()
@command
def prepare(
    case: CaseArgument,
    route: Annotated[
        str,
        typer.Option(
            metavar="R",
            help="telegram, telegram_mail, dsa, hotline, ncmec, kr_review_body, kr_police, kr_victim_centre, generic.",
        ),
    ],
    recipient: Annotated[
        str | None, typer.Option(metavar="ID", help="Who gets it, as the register of recipients names them.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also what was reported on this route; needs --reason.")
    ] = False,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why once more.")] = None,
    acting: OperatorOption = None,
    config: ConfigOption = None,
) -> None:
    """A report of the accepted sightings of a case that were not reported on this route yet."""
    from monitor.model import Route
    from monitor.reporting.noticing import prepare
    from monitor.store.sightings import sightings

    way = parse(route, "--route", Route)
    settings = read_config(config)
    office, found = noticing.office(settings), read(config, lambda reader: reader.run(sightings, case))
    done = act_on_case(
        config,
        acting,
        case,
        lambda who, settings: prepare(
            who,
            way,
            settings.reporting.value(),
            office,
            found,
            recipient=recipient,
            again=again,
            explanation=reason,
        ),
    )
    made = max(done.facts.reports)
    report = done.facts.reports[made]
    count, to = len(report.flags), report.recipient
    typer.echo(
        f"report {made}: prepared{f' to {to}' if to else ''}, {count:,} sighting{'' if count == 1 else 's'};"
        f" then: monitor report approve {made}"
    )
    noticing.warn(settings, office.register.recipient(to) if to else None)


for name, function in (
    ("notice", noticing.notice),
    ("mail", noticing.mail),
    ("approve", answering.approve),
    ("sent", answering.sent),
    ("hand-over", answering.hand_over),
    ("failed", answering.failed),
    ("acknowledge", answering.acknowledge),
    ("outcome", answering.outcome),
    ("correct", answering.correct),
):
    app.command(name)(function)


def _described(case_id: int, report: "Report") -> dict[str, Any]:
    from dataclasses import asdict

    return (
        {"case_id": case_id}
        | asdict(report)
        | {
            "flags": sorted(report.flags),
            "correction_since": report.correction_since,
        }
    )


def _print(found: "list[ReportLine]", json: bool, none: str) -> None:
    if json:
        print_json(line._asdict() for line in found)
        return
    if not found:
        typer.echo(none)
        return
    from rich.table import Table

    table = Table("report", "case", "list", "entry", "route", "recipient", "state", box=None, pad_edge=False)
    table.add_column("items", justify="right")
    for title in ("prepared", "sent", "notes"):
        table.add_column(title)
    for line in found:
        notes = [
            f"{what} {day(when)}"
            for what, when in (("correct since", line.correction_since), ("escalated", line.escalated_at))
            if when is not None
        ]
        table.add_row(
            str(line.report_id),
            str(line.case_id),
            line.hash_list,
            line.entry,
            line.route.value,
            line.recipient or "",
            line.state.value,
            f"{line.items:,}",
            day(line.prepared_at),
            day(line.sent_at),
            "; ".join(notes),
        )
    out().print(table)
