"""`monitor export WHAT`: rows of the store as a file, with an event that says who took it and why."""

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.frame import ConfigOption, OperatorOption, command, existing_store, operator, read_config


@command
def export(
    what: Annotated[str, typer.Argument(metavar="WHAT", help="flags, messages or channels.")],
    out: Annotated[Path, typer.Option("--out", metavar="PATH", help="The file to write.")],
    kind: Annotated[str, typer.Option("--format", metavar="F", help="csv or jsonl.")] = "csv",
    with_addresses: Annotated[
        bool, typer.Option("--with-addresses", help="Add what leads to flagged messages; needs a purpose.")
    ] = False,
    purpose: Annotated[str | None, typer.Option(metavar="TEXT", help="What the addresses are for.")] = None,
    acting: OperatorOption = None,
    config: ConfigOption = None,
) -> None:
    """Write flags, messages or channels to a file. Addresses of flagged items are left out unless asked for."""
    import asyncio

    from monitor.config import Config
    from monitor.model import Role
    from monitor.prepare import now
    from monitor.reporting.exports import Exported
    from monitor.reporting.exports import export as write
    from monitor.store import open_store

    settings = read_config(config)
    who = operator(settings, acting, Role.EXPORTER if with_addresses else Role.VIEWER)
    database = existing_store(settings)

    async def written(settings: Config) -> Exported:
        async with open_store(database) as store:
            return await write(
                store,
                database,
                what,
                kind,
                out,
                operator=who,
                at=now(),
                with_addresses=with_addresses,
                purpose=purpose,
            )

    done = asyncio.run(written(settings))
    typer.echo(f"{done.rows:,} rows in {out}, SHA-256 {done.sha256}")
