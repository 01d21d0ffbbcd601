"""`monitor cases negative …`: entries whose further sightings nobody is asked about, for a time."""

from typing import Annotated

import typer

from monitor.cli.casework import CaseArgument, WhyOption, act_on_case, day, read
from monitor.cli.frame import ConfigOption, JsonOption, OperatorOption, command, out, print_json

app = typer.Typer(help="The negative list: entries withdrawn, or called not illegal.", no_args_is_help=True)


@app.command("list")
@command
def list_negatives(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Entries on the negative list, by the end of their time."""
    from monitor.clock import now
    from monitor.store import casebook

    lines = read(config, lambda reader: reader.run(casebook.list_cases, now()))
    found = sorted(
        ((line.negative_until, line) for line in lines if line.negative_until is not None),
        key=lambda pair: (pair[0], pair[1].case_id),
    )
    if json:
        print_json(
            {"case_id": line.case_id, "hash_list": line.hash_list, "entry": line.entry, "until": until}
            for until, line in found
        )
        return
    if not found:
        typer.echo("no entry is on the negative list")
        return
    from rich.table import Table

    table = Table("case", "list", "entry", "until (UTC)", box=None, pad_edge=False)
    for until, line in found:
        table.add_row(str(line.case_id), line.hash_list, line.entry, day(until))
    out().print(table)


@app.command()
@command
def add(
    case: CaseArgument,
    days: Annotated[int, typer.Option(metavar="N", help="For how long.")] = 180,
    explanation: WhyOption = None,
    acting: OperatorOption = None,
    config: ConfigOption = None,
) -> None:
    """Ask nobody about further sightings of an entry: withdrawn by its source, or called not illegal."""
    from monitor.reporting import negatives

    done = act_on_case(
        config,
        acting,
        case,
        lambda who, settings: negatives.add(
            who, settings.reporting.value(), days=days, explanation=explanation
        ),
    )
    typer.echo(f"case {case}: on the negative list until {day(done.facts.negative_until)}")


@app.command()
@command
def end(
    case: CaseArgument,
    explanation: WhyOption = None,
    acting: OperatorOption = None,
    config: ConfigOption = None,
) -> None:
    """Take an entry off the negative list before its time: what was seen meanwhile waits for a decision."""
    from monitor.reporting import negatives

    done = act_on_case(config, acting, case, lambda who, _: negatives.end(who, explanation))
    count = len(done.facts.waiting)
    typer.echo(
        f"case {case}: off the negative list; {count:,} sighting{'' if count == 1 else 's'} to decide on"
    )
