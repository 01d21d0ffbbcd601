"""`monitor selftest …`: the promises, proved on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.frame import command

SHOWN = 500
"""Hits that are printed; the last line counts them all."""

app = typer.Typer(no_args_is_help=True, help="Prove on this machine what is promised.")


@app.callback()
def _selftest() -> None:
    """Prove on this machine what is promised."""


@app.command("no-content")
@command
def no_content(
    seconds: Annotated[
        float, typer.Option("--seconds", metavar="N", min=5, help="How long the daemon runs.")
    ] = 60,
    out_dir: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Keep what was written, and the traces (a new folder)."),
    ] = None,
) -> None:
    """Run the whole daemon among marked content, then search files, writes and disk for any of it."""
    import asyncio
    import tempfile

    from monitor.errors import InputError, VerificationError
    from monitor.selftest.nocontent import Outcome
    from monitor.selftest.nocontent import no_content as prove

    async def run(home: Path) -> Outcome:
        return await prove(home, seconds, lambda line: typer.echo(line, err=True), keep=out_dir is not None)

    if out_dir is not None:
        try:
            out_dir.mkdir(mode=0o700, parents=True)
        except OSError as e:
            raise InputError(f"{out_dir}: cannot be made ({e.strerror}); name a new folder") from e
        outcome = asyncio.run(run(out_dir.absolute()))
    else:
        with tempfile.TemporaryDirectory(prefix="monitor-selftest-") as home:
            outcome = asyncio.run(run(Path(home)))
    for hit in outcome.hits[:SHOWN]:
        typer.echo(f"hit: {hit}")
    typer.echo(outcome.line)
    if outcome.hits:
        raise VerificationError(f"{len(outcome.hits)} traces of content where none may be")
