"""`monitor channels …`: what is declared, what is collected, what is refused and why."""

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.coverage import coverage
from monitor.cli.frame import (
    ConfigOption,
    JsonOption,
    OperatorOption,
    command,
    moment,
    operator,
    out,
    print_json,
    read_config,
)

LONGEST_REASON = 500
"""Characters."""

app = typer.Typer(no_args_is_help=True, help="Declared channels, their authorization and standing.")


@app.callback()
def _channels() -> None:
    """Declared channels, their authorization and standing."""


@app.command("list")
@command
def list_channels(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Every declared channel with its state, the reason if it is refused, and its authorization."""
    import asyncio

    from monitor.model import Channel
    from monitor.store import open_reader

    settings = read_config(config)

    async def read() -> list[Channel]:
        async with open_reader(settings.database) as reader:
            return await reader.channels()

    channels = asyncio.run(read()) if settings.database.exists() else []
    rows: list[dict[str, object]] = [
        {
            "username": c.username,
            "channel_id": c.profile.channel_id if c.profile else None,
            "state": c.state.value,
            "reason": c.reason.value if c.reason else None,
            "explanation": c.reason.explanation if c.reason else None,
            "cursor": c.cursor,
            "account": c.account,
            "authorization": c.authorization.reference if c.authorization else None,
            "valid_until": moment(c.authorization.valid_until) if c.authorization else None,
        }
        for c in channels
    ]
    # What is declared and was never seen by a run belongs here too.
    seen = {c.username for c in channels}
    rows += [
        {
            "username": d.username,
            "channel_id": None,
            "state": "declared",
            "reason": None,
            "explanation": None,
            "cursor": 0,
            "account": d.account,
            "authorization": d.authorization.reference if d.authorization else None,
            "valid_until": moment(d.authorization.valid_until) if d.authorization else None,
        }
        for d in settings.declarations()
        if d.username not in seen
    ]
    if json:
        print_json(rows)
        return
    _show(rows)


def _show(rows: list[dict[str, object]]) -> None:
    from rich.table import Table

    console = out()
    if not rows:
        console.print("no channel is declared; add one under channels: in the configuration")
        return
    table = Table(
        "channel", "state", "authorization", "valid until", box=None, header_style="bold", pad_edge=False
    )
    for row in rows:
        until = str(row["valid_until"] or "")[:10]
        table.add_row(str(row["username"]), str(row["state"]), str(row["authorization"] or ""), until)
    console.print(table)
    told = [row for row in rows if row["explanation"]]
    if told:
        console.print()
    for row in told:
        console.print(f"{row['username']}: {row['explanation']} ({row['reason']})", soft_wrap=True)


@app.command()
@command
def authorize(
    username: Annotated[str, typer.Argument(metavar="USERNAME", help="The channel's public name.")],
    reference: Annotated[
        str, typer.Option(metavar="TEXT", help="Of the authorization; another one each time.")
    ],
    basis: Annotated[
        str,
        typer.Option(metavar="BASIS", help="owner_consent, ethics_approval, statutory_mandate, contract."),
    ],
    granted_by: Annotated[str, typer.Option(metavar="TEXT", help="Who granted it.")],
    valid_from: Annotated[str, typer.Option(metavar="DATE", help="In force from then on (UTC), 2026-11-01.")],
    valid_until: Annotated[str, typer.Option(metavar="DATE", help="… to the end of that day.")],
    document: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The signed document; its SHA-256 is declared.")
    ] = None,
    approved_by: Annotated[str | None, typer.Option(metavar="TEXT", help="The second person.")] = None,
    config: ConfigOption = None,
) -> None:
    """Check an authorization and print it as the configuration declares it. Nothing is written: you put it there."""
    import hashlib

    import yaml

    from monitor.config import parse
    from monitor.errors import ConfigError, InputError

    settings = read_config(config)
    record: dict[str, str] = {"reference": reference, "basis": basis, "granted_by": granted_by}
    if document is not None:
        try:
            record["document_sha256"] = hashlib.sha256(document.read_bytes()).hexdigest()
        except OSError as e:
            raise InputError(f"{document}: cannot be read ({e.strerror})") from e
    if approved_by is not None:
        record["approved_by"] = approved_by
    entry = {
        "username": username,
        "authorization": record | {"valid_from": valid_from, "valid_until": valid_until},
    }
    text = yaml.safe_dump({"channels": [entry]}, sort_keys=False, allow_unicode=True)
    try:
        (declared,) = parse(text, settings.path).channels
    except ConfigError as e:
        # Where it would stand means nothing here: the key and what is wrong with it do.
        raise InputError(str(e).split(": ", 1)[-1].replace("channels.0.", "")) from e
    before = next((c for c in settings.channels if c.username == declared.username), None)
    typer.echo(text, nl=False)
    if before is None:
        what = "put it under channels: in"
    elif before.authorization is not None and before.authorization.reference == reference:
        what = "a revocation holds until another reference is declared; else replace its authorization in"
    else:
        what = "replace its authorization in"
    typer.echo(f"next: {what} {settings.path}, then run: monitor reload", err=True)


@app.command()
@command
def revoke(
    username: Annotated[str, typer.Argument(metavar="USERNAME", help="The channel's public name.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept with who and when.")],
    acting: OperatorOption = None,
    config: ConfigOption = None,
) -> None:
    """End a channel's authorization now. It holds until one under another reference is declared."""
    import asyncio

    from monitor.errors import InputError
    from monitor.prepare import now
    from monitor.store import open_store

    settings = read_config(config)
    who, name = operator(settings, acting), username.removeprefix("@")
    if not 0 < len(reason.strip()) <= LONGEST_REASON:
        raise InputError(f"--reason: takes 1 to {LONGEST_REASON} characters")
    if not settings.database.exists():
        raise InputError(
            f"{settings.database}: there is no store yet; take the channel out of the configuration"
        )

    async def revoked() -> bool:
        async with open_store(settings.database) as store:
            return await store.revoke(name, explanation=reason.strip(), operator=who, at=now())

    if asyncio.run(revoked()):
        typer.echo(f"{name}: revoked; a running daemon stops within half a minute")
    else:
        typer.echo(f"{name}: was revoked already")


app.command("coverage")(coverage)
