"""A person at a terminal chooses in the platform's menu for reports."""

import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    import asyncio

    from monitor.model import InAppReport
    from monitor.sending import Answer, Ask


def asking(stop: "asyncio.Event") -> "Ask":
    """Asks on standard error, and listens on standard input until `stop` is set."""
    from monitor.sending import Answer

    async def ask(report: "InAppReport") -> "Answer | None":
        if report.comment_optional is not None:
            kind = "optional; an empty line leaves it out" if report.comment_optional else "required"
            typer.echo(f"the platform asks for a comment ({kind})", err=True)
            comment = await _line("comment: ", stop)
            return None if comment is None else Answer(comment=comment)
        typer.echo(" > ".join(("the platform's menu", *report.path[: report.steps])) + ":", err=True)
        for number, line in enumerate(report.menu, 1):
            typer.echo(f"  {number:>2}  {line.text}", err=True)
        if report.hidden:
            typer.echo(f"      ({report.hidden} more that cannot be shown)", err=True)
        while True:
            chosen = await _line("which one? (a choice may send the report; empty takes it back) ", stop)
            if not chosen:
                return None
            if chosen.isdecimal() and 0 < int(chosen) <= len(report.menu):
                return Answer(choice=report.menu[int(chosen) - 1].text)
            typer.echo(f"a number from 1 to {len(report.menu)}", err=True)

    return ask


async def _line(prompt: str, stop: "asyncio.Event") -> str | None:
    """A line from the terminal; None when there is none any more, or nobody waits for it."""
    import asyncio

    from monitor.pair import any_of

    typer.echo(prompt, nl=False, err=True)
    # The connection stays alive meanwhile, so the loop must not stand still.
    loop, readable = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), readable.set)
    try:
        await any_of(readable, stop)
    finally:
        loop.remove_reader(sys.stdin.fileno())
    line = "" if stop.is_set() else sys.stdin.readline()
    if not line:
        typer.echo(err=True)
    return line.strip() if line else None
