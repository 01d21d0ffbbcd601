"""`monitor selftest …`: the promises, proved on this machine."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.frame import JsonOption, command, out, print_json

if TYPE_CHECKING:
    from monitor.selftest.confinement import Verdict

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


@app.command("confinement")
@command
def confinement(json: JsonOption = False) -> None:
    """Try every way out from inside each confined process, and say what held."""
    from monitor.errors import VerificationError
    from monitor.selftest.confinement import confinement as prove

    with _bar() as report:
        verdict = prove(report)
    if json:
        print_json(
            {
                "process": trial.process,
                "tries": trial.tries,
                "held": trial.held,
                "unconfined": trial.unconfined,
                "escaped": trial.escaped,
                "changed": trial.changed,
                "not_in_force": [{"measure": m.name, "how": m.how} for m in trial.missing],
            }
            for trial in verdict.trials
        )
    else:
        _show(verdict)
    if verdict.faults:
        raise VerificationError("confinement does not hold: " + "; ".join(verdict.faults))


def _show(verdict: "Verdict") -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="")
    table.add_column("process")
    for heading in ("tries", "held", "escaped"):
        table.add_column(heading, justify="right")
    table.add_column("not in force")
    for trial in verdict.trials:
        missing = "; ".join(f"{measure.name} ({measure.how})" for measure in trial.missing)
        counts = (trial.tries, trial.held, len(trial.escaped))
        table.add_row(trial.process, *map(str, counts), missing or "–")
    if verdict.trials:
        out().print(table)
    for trial in verdict.trials:
        for name in trial.escaped:
            typer.echo(f"escaped: {trial.process}: {name.replace('_', ' ')}")
        for name in trial.changed:
            typer.echo(f"changed outside: {trial.process}: {name}")
    typer.echo(verdict.line)


@contextlib.contextmanager
def _bar() -> Iterator[Callable[[int, int], object]]:
    """What takes how many of how many steps are done; shows it on a terminal only."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("processes", total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
