"""`monitor cases …`: what was matched, most pressing first; decisions about it; what has come of it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli import deciding, negatives
from monitor.cli.casework import (
    AddressesOption,
    CaseArgument,
    PurposeOption,
    asked_for,
    day,
    facts,
    parse,
    read,
    show_addresses,
    show_events,
    write,
)
from monitor.cli.frame import (
    ConfigOption,
    JsonOption,
    OperatorOption,
    command,
    minute,
    operator,
    out,
    print_json,
    read_config,
)

if TYPE_CHECKING:
    from monitor.reporting.acting import Case
    from monitor.store.casebook import CaseLine

app = typer.Typer(
    help="Cases: all sightings of one entry of a list; review and decide.", no_args_is_help=True
)


@app.command("list")
@command
def list_cases(
    state: Annotated[
        str | None,
        typer.Option(metavar="STATE", help="open, accepted, not_relied_on or second_opinion."),
    ] = None,
    hash_list: Annotated[str | None, typer.Option("--list", metavar="NAME", help="Of one list.")] = None,
    assigned_to: Annotated[
        str | None, typer.Option("--assigned-to", metavar="NAME", help="Of one person.")
    ] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Cases, the most pressing first: children, then lists that flag, then exact matches, then by reach."""
    from monitor.clock import now
    from monitor.model import CaseState
    from monitor.store import casebook

    wanted = None if state is None else parse(state, "--state", CaseState)
    found = read(
        config,
        lambda reader: reader.run(
            casebook.list_cases, now(), state=wanted, hash_list=hash_list, assigned_to=assigned_to
        ),
    )
    if json:
        print_json(line._asdict() for line in found)
    elif not found:
        typer.echo("no case" + (f" is {state}" if state else ""))
    else:
        _show_list(found)


@app.command()
@command
def show(
    case: CaseArgument,
    with_addresses: AddressesOption = False,
    purpose: PurposeOption = None,
    acting: OperatorOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """What stands of a case, its reports, and all that happened, in order. No address of an item unless asked."""
    from monitor.clock import now
    from monitor.reporting.acting import look

    found = asked_for(config, acting, case, purpose, with_addresses=with_addresses)
    seen = read(config, lambda reader: look(reader, case, now()))
    if json:
        print_json([_described(seen) | ({"sightings": [facts(s) for s in found]} if found else {})])
        return
    _show(seen)
    if found:
        show_addresses(found)


@app.command()
@command
def due(acting: OperatorOption = None, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Take up what is due now: ends of holds, corrections, escalations. A running daemon does it by itself."""
    from monitor.clock import now
    from monitor.model import Role
    from monitor.reporting.aftermath import take_due

    settings = read_config(config)
    operator(settings, acting, Role.REVIEWER)
    found = write(settings, lambda store: take_due(store, settings.reporting.value(), now()))
    if json:
        print_json({"case_id": d.case_id, "type": d.type.value, "report_id": d.report_id} for d in found)
        return
    for each in found:
        about = "" if each.report_id is None else f", report {each.report_id}"
        typer.echo(f"case {each.case_id}{about}: {each.type.replace('_', ' ')}")
    if not found:
        typer.echo("nothing is due")


for name, function in (
    ("accept", deciding.accept),
    ("reject", deciding.reject),
    ("second-opinion", deciding.second_opinion),
    ("undo", deciding.undo),
    ("assign", deciding.assign),
    ("hold", deciding.hold),
    ("release-hold", deciding.release_hold),
):
    app.command(name)(function)
app.add_typer(negatives.app, name="negative")


def _show_list(found: "list[CaseLine]") -> None:
    from rich.table import Table

    table = Table("case", box=None, pad_edge=False)
    for title in ("pri", "list", "entry", "category", "state"):
        table.add_column(title)
    table.add_column("match")
    for title in ("seen", "channels", "reach"):
        table.add_column(title, justify="right")
    table.add_column("assigned")
    table.add_column("notes")
    for line in found:
        table.add_row(
            str(line.case_id),
            str(line.priority),
            line.hash_list,
            line.entry,
            line.category or "–",
            line.state.value,
            "exact" if line.exact else f"{line.distance} bits",
            f"{line.sightings:,}",
            f"{line.channels:,}",
            f"{line.reach:,}",
            line.assigned_to or "",
            _notes(line),
        )
    out().print(table)


def _notes(line: "CaseLine") -> str:
    said = [
        ("held until", line.held_until),
        ("negative until", line.negative_until),
        ("in quarantine since", line.quarantined_at),
        ("withdrawn", line.withdrawn_at),
    ]
    return "; ".join(f"{what} {day(when)}" for what, when in said if when is not None)


def _described(seen: "Case") -> dict[str, Any]:
    from dataclasses import asdict

    from monitor.reporting.chronology import without_addresses

    record, stands = seen.record, seen.facts
    return {
        "case_id": record.case_id,
        "hash_list": record.hash_list,
        "entry": record.entry,
        "category": record.category,
        "action": record.action,
        "opened_at": record.opened_at,
        "state": stands.state,
        "flags": {str(flag): state.value for flag, state in stands.flags.items()},
        "waiting": len(stands.waiting),
        "assigned_to": stands.assigned_to,
        "holds": [asdict(hold) for hold in stands.holds],
        "negative_until": stands.negative_until if stands.negative else None,
        "withdrawn_at": stands.withdrawn_at,
        "quarantined": stands.quarantined,
        "reports": [
            asdict(report) | {"flags": sorted(report.flags), "correction_since": report.correction_since}
            for report in stands.reports.values()
        ],
        "events": [
            {"seq": event.seq, "at": event.at, "type": event.type, **without_addresses(event.body)}
            for event in record.events
        ],
    }


def _show(seen: "Case") -> None:
    from collections import Counter

    from rich.table import Table
    from rich.text import Text

    record, stands, console = seen.record, seen.facts, out()
    counts = Counter(state.value.replace("_", " ") for state in stands.flags.values())
    lines = Table(show_header=False, box=None, pad_edge=False)
    lines.add_row("entry", f"{record.entry} of {record.hash_list}")
    lines.add_row("category", record.category or "none: its label has no mapping, so there is no route")
    lines.add_row("state", stands.state.replace("_", " "))
    lines.add_row("sightings", ", ".join(f"{n:,} {state}" for state, n in counts.items()) or "none")
    if stands.assigned_to:
        lines.add_row("assigned to", stands.assigned_to)
    for hold in stands.holds:
        lines.add_row("held until", Text(f"{minute(hold.until)} (UTC), {hold.asked_by}: {hold.reference}"))
    if stands.negative and stands.negative_until:
        lines.add_row("negative list", f"until {day(stands.negative_until)}")
    for report in stands.reports.values():
        answer = f": {report.outcome}" if report.outcome else ""
        correction = "; a correction is to be made" if report.correction_since else ""
        lines.add_row(f"report {report.report_id}", f"{report.route}, {report.state}{answer}{correction}")
    console.print(lines)
    console.print()
    show_events(record.events)
