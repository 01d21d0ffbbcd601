"""`monitor channels coverage`: each id of each channel counted once, and what is missing."""

from typing import TYPE_CHECKING, Any

from monitor.cli.frame import ConfigOption, JsonOption, command, moment, out, print_json, read_config

if TYPE_CHECKING:
    from rich.text import Text

WIDTH = 24
"""Characters of a bar."""


@command
def coverage(config: ConfigOption = None, json: JsonOption = False) -> None:
    """For each channel: ids that exist, and how many of them are recorded, service, deleted, removed, or missing."""
    import asyncio

    settings = read_config(config)
    rows = asyncio.run(_read(settings.database)) if settings.database.exists() else []
    if json:
        print_json(rows)
    else:
        _show(rows)


async def _read(database: Any) -> list[dict[str, Any]]:
    from monitor.store import open_reader

    async with open_reader(database) as reader:
        names = {c.profile.channel_id: c for c in await reader.channels() if c.profile is not None}
        rows = []
        for sums in await reader.coverage():
            channel = names.get(sums.channel_id)
            missing = await reader.holes(sums.channel_id) if sums.holes else []
            rows.append(
                {
                    "username": channel.username if channel else None,
                    "channel_id": sums.channel_id,
                    "state": channel.state.value if channel else None,
                    "start": sums.start,
                    "top": sums.top,
                    "expected": sums.expected,
                    "recorded": sums.recorded,
                    "service": sums.service,
                    "deleted": sums.deleted,
                    "removed": sums.removed,
                    "holes": sums.holes,
                    "hole_ranges": [[span.after + 1, span.upto] for span in missing],
                    "stale": sums.stale,
                    "sources": {source.value: count for source, count in sorted(sums.sources.items())},
                    "known_at": moment(sums.known_at) if sums.known_at else None,
                }
            )
        return sorted(rows, key=lambda row: str(row["username"] or row["channel_id"]))


def _show(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    console = out()
    if not rows:
        console.print("nothing is covered yet; monitor run begins with the declared channels")
        return
    table = Table("channel", box=None, header_style="bold", pad_edge=False)
    for title in ("ids", "recorded", "service", "deleted", "removed", "holes"):
        table.add_column(title, justify="right")
    table.add_column("coverage", no_wrap=True)
    table.add_column("known until (UTC)")
    for row in rows:
        shown = ("expected", "recorded", "service", "deleted", "removed", "holes")
        counts = [f"{row[name]:,}" for name in shown]
        known = row["known_at"]
        table.add_row(
            str(row["username"] or row["channel_id"]),
            *counts,
            _bar(row["expected"], row["holes"]),
            str(known)[:16].replace("T", " ") if known else "",
        )
    console.print(table)
    for row in rows:
        if row["holes"]:
            runs = ", ".join(
                f"{first}" if first == last else f"{first}–{last}" for first, last in row["hole_ranges"]
            )
            console.print(f"{row['username'] or row['channel_id']}: missing {runs}", soft_wrap=True)
        if row["stale"]:
            console.print(
                f"{row['username'] or row['channel_id']}: {row['stale']:,} ids are being read again"
            )


def _bar(expected: int, holes: int) -> "Text":
    """What is accounted for, as a bar; full only when nothing at all is missing."""
    from rich.text import Text

    known = expected - holes
    filled = WIDTH * known // expected if expected else WIDTH
    share = 1000 * known // expected if expected else 1000
    return Text.assemble(
        ("█" * filled, "green" if not holes else "yellow"),
        ("░" * (WIDTH - filled), "dim"),
        f" {share / 10:5.1f} %",
    )
