"""`monitor lists …`: the hash lists that the configuration names."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.desk import remove_entry
from monitor.cli.frame import (
    ConfigOption,
    JsonOption,
    OperatorOption,
    command,
    existing_store,
    minute,
    moment,
    operator,
    out,
    print_json,
    read_config,
)
from monitor.cli.list_changes import add, encrypt, remove
from monitor.cli.list_views import show, verify

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.config import Config
    from monitor.exchange_schedule import Update
    from monitor.model import Hash, Match
    from monitor.store import Quarantined

app = typer.Typer(
    help="Hash lists: what is declared and whether it is in order, look hashes up, ask exchanges, quarantine.",
    no_args_is_help=True,
)
for function in (add, show, verify, remove, encrypt, remove_entry):
    app.command()(function)


@app.command()
@command
def match(
    values: Annotated[
        list[str],
        typer.Argument(
            metavar="HASH…",
            help="Hex digits, such as monitor hash prints; pdq:… or sha256:… where the length does not tell.",
        ),
    ],
    acting: OperatorOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Which entries of which list a hash matches, within each list's threshold; nearest first.

    64 digits are looked up as PDQ and as SHA-256, 16 as pHash and as dHash. Lists to be ignored are named too.
    Where there is a store, who looked up how many hashes is an event, the hashes are not, and an operator has so many
    an hour (matching.lookups_per_hour).
    """
    import asyncio

    from monitor.matching import ListMatcher
    from monitor.model import MediaHashes, Role
    from monitor.prepare import lists

    wanted = [(text, _read(text)) for text in values]
    settings = read_config(config)
    who = operator(settings, acting, Role.REVIEWER)
    matcher = ListMatcher(lists(settings))
    actions = {entry.name: entry.action.value for entry in settings.hash_lists}
    looked_up = [(text, matcher.look_up(MediaHashes(tuple(meant)))) for text, meant in wanted]
    # Before anything is shown: what is refused is not answered either.
    asyncio.run(_noted(settings, who, [hash for _, meant in wanted for hash in meant], looked_up))
    for text, found in looked_up:
        rows = [_facts(text, match) | {"action": actions[match.hash_list]} for match in found]
        if json:
            print_json(rows)
        else:
            _show(text, rows, len(actions))


@app.command()
@command
def update(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One exchange; all of them.")] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Ask the exchanges for what has changed, now. A running daemon takes it up by itself."""
    import asyncio

    from monitor.errors import ConfigError, InputError
    from monitor.exchange_schedule import Update
    from monitor.exchange_schedule import update as ask
    from monitor.pair import ProcessFailed
    from monitor.state import private_state

    settings = read_config(config)
    wanted = [entry.name for entry in settings.exchanges if name in (None, entry.name)]
    if not settings.exchanges:
        raise ConfigError(f"{settings.path}: exchanges: none is declared; see docs/exchanges.md")
    if not wanted:
        known = ", ".join(entry.name for entry in settings.exchanges)
        raise InputError(f"{name}: no such exchange; there are {known}")
    private_state(settings)
    done: dict[str, Update] = {}
    worst = 0
    for each in wanted:
        try:
            done[each] = asyncio.run(ask(settings, each))
        except ProcessFailed as e:
            typer.echo(f"monitor: {e}", err=True)
            worst = max(worst, e.exit_code)
    if json:
        print_json({"exchange": each} | _update(found) for each, found in done.items())
    elif done:
        _show_updates(done)
    if worst:
        raise typer.Exit(worst)


@app.command()
@command
def quarantine(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Entries that matched so many items within an hour that their flags are held back until a person releases them."""
    import asyncio

    settings = read_config(config)
    held = asyncio.run(_held(settings.database)) if settings.database.exists() else []
    if json:
        print_json(
            {"hash_list": h.hash_list, "entry": h.entry, "since": moment(h.since), "media": h.items}
            for h in held
        )
        return
    if not held:
        typer.echo("no entry is in quarantine")
        return
    from rich.table import Table

    table = Table("list", "entry", "since (UTC)", "media", box=None, pad_edge=False)
    for h in held:
        table.add_row(h.hash_list, h.entry, minute(h.since), f"{h.items:,}")
    out().print(table)


@app.command()
@command
def release(
    name: Annotated[str, typer.Argument(metavar="LIST", help="The list's name.")],
    entry: Annotated[str, typer.Argument(metavar="ENTRY", help="The entry, as lists quarantine shows it.")],
    acting: OperatorOption = None,
    config: ConfigOption = None,
) -> None:
    """Take an entry out of quarantine: the flags that were held back are raised, and further ones as ever."""
    import asyncio

    from monitor.clock import now
    from monitor.model import Role
    from monitor.store import media, open_store

    settings = read_config(config)
    who, database = operator(settings, acting, Role.REVIEWER), existing_store(settings)

    async def released() -> int:
        async with open_store(database) as store:
            return await store.run(media.released, name, entry, who, now())

    raised = asyncio.run(released())
    typer.echo(f"{name}/{entry} released; {raised:,} flags raised")


def _update(found: "Update") -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(found)


def _show_updates(done: "dict[str, Update]") -> None:
    from rich.table import Table

    table = Table("exchange", box=None, pad_edge=False)
    for title in ("added", "withdrawn", "in force"):
        table.add_column(title, justify="right")
    table.add_column("version")
    table.add_column("cannot be compared here")
    for name, found in done.items():
        aside = ", ".join(f"{count:,} {kind}" for kind, count in found.unusable.items())
        table.add_row(
            name,
            f"{found.added:,}",
            f"{found.withdrawn:,}",
            f"{found.in_force:,}",
            found.version,
            aside,
        )
    out().print(table)


async def _noted(
    settings: "Config", who: str, hashes: "list[Hash]", found: "list[tuple[str, tuple[Match, ...]]]"
) -> None:
    from monitor.clock import now
    from monitor.store import lookups, open_store

    if not settings.database.exists():
        return
    async with open_store(settings.database) as store:
        await store.run(
            lookups.looked_up,
            who,
            [hash.algorithm for hash in hashes],
            hashes=len(found),
            matched=sum(bool(matches) for _, matches in found),
            limit=settings.matching.lookups_per_hour,
            at=now(),
        )


async def _held(database: "Path") -> "list[Quarantined]":
    from monitor.store import open_reader

    async with open_reader(database) as reader:
        return await reader.quarantined()


def _read(text: str) -> "list[Hash]":
    """The hashes that a word may be. Raises InputError."""
    from monitor.errors import InputError
    from monitor.model import Algorithm, Hash

    name, colon, digits = text.rpartition(":")
    try:
        value = bytes.fromhex(digits)
        algorithms = [Algorithm(name)] if colon else list(Algorithm)
    except ValueError:
        raise InputError(
            f"{text[:80]}: not hex digits, or no algorithm that is known: {', '.join(Algorithm)}"
        ) from None
    found = [Hash(algorithm, value) for algorithm in algorithms if algorithm.size == len(value)]
    if not found:
        sizes = ", ".join(f"{algorithm} {algorithm.size * 2}" for algorithm in algorithms)
        raise InputError(f"{text[:80]}: {len(value) * 2} hex digits; there are {sizes}")
    return found


def _facts(text: str, found: "Match") -> dict[str, Any]:
    return {
        "hash": text,
        "algorithm": found.algorithm.value,
        "hash_list": found.hash_list,
        "list_version": found.list_version,
        "entry": found.entry,
        "distance": found.distance,
        "threshold": found.threshold,
    }


def _show(text: str, rows: list[dict[str, Any]], lists: int) -> None:
    from rich.table import Table

    console = out()
    console.print(text, style="bold", soft_wrap=True)
    if not rows:
        console.print(f"  no match in {lists} list{'' if lists == 1 else 's'}")
        return
    table = Table("  list", "action", "entry", "algorithm", "distance", "threshold", box=None, pad_edge=False)
    for row in rows:
        table.add_row(
            f"  {row['hash_list']}",
            row["action"],
            row["entry"],
            row["algorithm"],
            f"{row['distance']} bits" if row["threshold"] else "exact",
            f"{row['threshold']}",
        )
    console.print(table)
