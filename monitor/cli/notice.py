"""`monitor notice …`: what each route needs, and notices from templates. Nothing here sends anything."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.frame import (
    ConfigOption,
    JsonOption,
    OperatorOption,
    command,
    operator,
    out,
    print_json,
    read_config,
)
from monitor.cli.noticing import office, written

if TYPE_CHECKING:
    from monitor.config import Config
    from monitor.model import Route
    from monitor.reporting.notices import Notice, Recipient

app = typer.Typer(
    help="Notices to recipients: what each route needs, texts ready to hand over.", no_args_is_help=True
)

SHEET = "victim_services"
"""Not a route: the sheet on services that only victims can use."""


@app.command("list")
@command
def list_(config: ConfigOption = None, json: JsonOption = False) -> None:
    """The routes: categories that each takes, what of operator_details still lacks, recipients."""
    from monitor.clock import now
    from monitor.reporting.notices import REQUIREMENTS, stale

    settings = read_config(config)
    register = office(settings).register
    old = {r.id for r in stale(register, now().date())}
    rows = [
        {
            "route": route.value,
            "title": needs.title,
            "categories": sorted(needs.categories),
            "lacks": _lacks(settings, route),
            "recipients": [r.id for r in register.on(route)],
        }
        for route, needs in REQUIREMENTS.items()
    ]
    if json:
        print_json(rows)
        return
    _table(rows, old)
    if old:
        typer.echo(
            f"* {len(old)} of {len(register.recipients)} entries were not compared with what the recipient"
        )
        typer.echo(
            "  publishes for 180 days: monitor notice show RECIPIENT, then notices.recipients (docs/notices.md)"
        )


@app.command()
@command
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A recipient, a route, or a template (….j2).")],
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """One recipient's entry, the recipients of a route, or the text of a template, to begin one's own with."""
    from monitor.clock import now
    from monitor.model import Route
    from monitor.reporting.notices import stale

    settings = read_config(config)
    if name.endswith(".j2"):
        source = office(settings).templates.source(name)
        if json:
            print_json([{"template": name, "source": source}])
        else:
            typer.echo(source, nl=False)
        return
    register = office(settings).register
    found = register.on(Route(name)) if name in set(Route) else (register.recipient(name),)
    old = stale(register, now().date())
    if json:
        print_json(_entry(r, r in old) for r in found)
        return
    for recipient in found:
        _entry_shown(_entry(recipient, recipient in old))
    if not found:
        typer.echo(f"{name}: no recipient; add one in a file of your own (notices.recipients)")


@app.command()
@command
def render(
    name: Annotated[str, typer.Argument(metavar="ROUTE", help="A route, or victim_services.")],
    sightings: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What to report: one JSON object a line.")
    ] = None,
    case: Annotated[int | None, typer.Option(metavar="ID", help="The case that it belongs to.")] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="RECIPIENT", help="Who it goes to, by the register.")
    ] = None,
    kind: Annotated[
        str, typer.Option("--format", metavar="F", help="text, eml or html (to print).")
    ] = "text",
    file: Annotated[
        Path | None, typer.Option("--out", metavar="PATH", help="The file to write (private).")
    ] = None,
    acting: OperatorOption = None,
    config: ConfigOption = None,
) -> None:
    """Write a notice, to be handed over by a person. What is missing is named before anything is written."""
    from monitor.model import Role
    from monitor.reporting.notices import eml

    settings = read_config(config)
    operator(settings, acting, Role.EXPORTER)
    if kind not in ("text", "eml", "html"):
        from monitor.errors import InputError

        raise InputError(f"--format: {kind[:20]} is none of text, eml, html")
    notice = _sheet(settings) if name == SHEET else _notice(settings, name, sightings, case, to)
    text = eml(notice) if kind == "eml" else (notice.html if kind == "html" else notice.text).encode()
    written(text, notice.title, file)


def _notice(settings: "Config", name: str, file: Path | None, case: int | None, to: str | None) -> "Notice":
    from monitor.clock import now
    from monitor.errors import InputError
    from monitor.model import CaseId, Route
    from monitor.reporting.notices import Particulars, category_of, read_sightings, render

    if name not in set(Route):
        raise InputError(f"{name[:40]}: no such route; there are {', '.join([*Route, SHEET])}")
    if file is None or case is None:
        raise InputError("a notice tells of sightings of a case: add --sightings FILE and --case ID")
    route, found, tools = Route(name), read_sightings(file), office(settings)
    category = category_of(found)
    register = tools.register
    recipient = register.recipient(to) if to else _only(register.on(route, category))
    return render(
        route,
        found,
        category=category,
        details=tools.details,
        particulars=Particulars(CaseId(case), now()),
        recipient=recipient,
        templates=tools.templates,
    )


def _sheet(settings: "Config") -> "Notice":
    from monitor.clock import now
    from monitor.reporting.notices import information_sheet

    tools = office(settings)
    language = tools.details.language if tools.details else "en"
    return information_sheet(tools.register, language, now(), tools.templates)


def _only(found: "tuple[Recipient, ...]") -> "Recipient | None":
    """The one recipient that there is; of several a person chooses."""
    return found[0] if len(found) == 1 else None


def _lacks(settings: "Config", route: "Route") -> list[str]:
    """The fields of operator_details that the route needs for any of its categories, and that are not there."""
    from monitor.reporting.notices import REQUIREMENTS

    given = settings.operator_details
    return [n.field for n in REQUIREMENTS[route].needs if given is None or not getattr(given, n.field)]


def _entry(recipient: "Recipient", old: bool) -> dict[str, Any]:
    from dataclasses import asdict

    facts = asdict(recipient)
    facts["route"] = recipient.route and recipient.route.value
    facts["categories"] = sorted(recipient.categories)
    facts["checked_on"] = recipient.checked_on and recipient.checked_on.isoformat()
    return {key: value for key, value in facts.items() if not key.startswith("_")} | {"stale": old}


def _entry_shown(facts: dict[str, Any]) -> None:
    typer.secho(f"{facts['id']}: {facts['name']}", bold=True)
    for key in ("route", "jurisdiction", "url", "email", "phone", "postal", "source", "notes"):
        if facts[key]:
            typer.echo(f"  {key + ':':14}{facts[key]}")
    typer.echo(f"  {'languages:':14}{', '.join(facts['languages'])}")
    if facts["categories"]:
        typer.echo(f"  {'categories:':14}{', '.join(facts['categories'])}")
    advice = " (compare it with what the recipient publishes)" if facts["stale"] else ""
    typer.echo(f"  {'checked_on:':14}{facts['checked_on'] or 'never'}{advice}")


def _table(rows: list[dict[str, Any]], old: set[str]) -> None:
    from rich.table import Table

    table = Table("route", "categories", "still lacks", "recipients", box=None, pad_edge=False)
    for row in rows:
        table.add_row(
            row["route"],
            ", ".join(row["categories"]),
            ", ".join(row["lacks"]) or "-",
            ", ".join(f"{r}*" if r in old else r for r in row["recipients"]) or "-",
        )
    out().print(table)
