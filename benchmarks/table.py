"""A row a measurement, with its target and a verdict."""

import contextlib
import os
import platform
from dataclasses import dataclass
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich.console import Console
from rich.table import Table

PACKAGES = (
    "telethon",
    "numpy",
    "numba",
    "pillow",
    "imagehash",
    "simplejpeg",
    "threatexchange",
    "pdqhash",
    "faiss-cpu",
    "av",
    "pyarrow",
)
"""Whose versions a document names."""


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


def as_markdown(rows: list[Row]) -> str:
    """The rows as a document: when and where it was measured, with what versions, and the table."""
    lines = [
        "# Benchmarks",
        "",
        "Written by `python -m benchmarks --write docs/benchmarks.md`; `make bench` and `make bench-full` print the"
        " same rows. Peers and",
        "ours take turns in one run, medians, and only their ratios say something: times hang on the machine.",
        "",
        f"{date.today().isoformat()}, {_machine()}, Python {platform.python_version()}.",
        ", ".join(f"{name} {version(name)}" for name in PACKAGES if _installed(name)) + ".",
        "",
        "| what | measured | value | target | verdict |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.what} | {row.detail} | {row.value:.2f} | {row.target} | {'met' if row.met else '**missed**'} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def _machine() -> str:
    model = "processor unknown"
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{os.cpu_count()} cores ({model}), load average {load} at the end, {platform.system()}"


def _installed(name: str) -> bool:
    with contextlib.suppress(PackageNotFoundError):
        return bool(version(name))
    return False
