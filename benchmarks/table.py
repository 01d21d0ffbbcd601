"""A row a measurement, with its target and a verdict."""

from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured. `value` is a ratio or a count; `met` compares it with the target."""

    what: str
    detail: str
    value: float
    target: str
    met: bool


def show(rows: list[Row]) -> bool:
    """Print the rows; whether every target is met."""
    table = Table("what", "measured", "value", "target", "verdict", box=None, header_style="bold")
    for row in rows:
        verdict = "[green]met[/green]" if row.met else "[red]missed[/red]"
        table.add_row(row.what, row.detail, f"{row.value:.2f}", row.target, verdict)
    Console(highlight=False, width=None).print(table)
    return all(row.met for row in rows)
