"""`monitor channels …`: what is declared, what is collected, what is refused and why."""

import typer

from monitor.cli.authorizations import authorize, revoke
from monitor.cli.coverage import coverage
from monitor.cli.frame import ConfigOption, JsonOption, command, moment, out, print_json, read_config

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


app.command("coverage")(coverage)
for function in (authorize, revoke):
    app.command()(function)
