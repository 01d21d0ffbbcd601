"""`monitor export WHAT`: rows of the store as a file, with an event that says who took it and why."""

import functools
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.frame import (
    ConfigOption,
    JsonOption,
    OperatorOption,
    command,
    existing_store,
    operator,
    print_json,
    read_config,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from monitor.config import Config
    from monitor.reporting.entries import HashValues
    from monitor.reporting.exports import Exported
    from monitor.store import Filters


@command
def export(
    what: Annotated[
        str,
        typer.Argument(metavar="WHAT", help="flags, cases, messages, channels, log or observations."),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="PATH", help="The file to write.")],
    kind: Annotated[
        str,
        typer.Option(
            "--format", metavar="F", help="csv, jsonl, parquet or xlsx; of flags also stix or misp."
        ),
    ] = "csv",
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="DATE", help="Rows of that time (UTC) or later, 2026-11-01."),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="DATE", help="… until then; a plain date counts whole.")
    ] = None,
    channel: Annotated[
        list[str] | None,
        typer.Option("--channel", metavar="USERNAME", help="Only this channel's; may be repeated."),
    ] = None,
    list_name: Annotated[
        str | None, typer.Option("--list", metavar="NAME", help="Only matches with this hash list.")
    ] = None,
    category: Annotated[
        str | None, typer.Option("--category", metavar="NAME", help="Only what the lists class so.")
    ] = None,
    state: Annotated[
        str | None, typer.Option("--state", metavar="NAME", help="Only cases, or channels, in this state.")
    ] = None,
    with_addresses: Annotated[
        bool, typer.Option("--with-addresses", help="Add what leads to flagged messages; needs a purpose.")
    ] = False,
    with_hashes: Annotated[
        bool,
        typer.Option("--with-hashes", help="Add the hashes that the lists have; needs a purpose."),
    ] = False,
    purpose: Annotated[
        str | None, typer.Option("--purpose", metavar="TEXT", help="What addresses or hashes are for.")
    ] = None,
    encrypt_to: Annotated[
        str | None, typer.Option("--encrypt-to", metavar="KEY", help="A recipient's public key, age1….")
    ] = None,
    acting: OperatorOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Write rows to a file. Addresses and hashes of flagged items are left out unless asked for with a purpose."""
    import asyncio
    import sys

    from monitor.bars import history_bars
    from monitor.model import Role
    from monitor.prepare import now, pseudonym_key
    from monitor.reporting.entries import EntryNames
    from monitor.reporting.exports import export as write
    from monitor.store import open_store

    settings = read_config(config)
    filters = _filters(since, until, channel or [], list_name, category, state)
    who = operator(settings, acting, Role.EXPORTER if with_addresses or with_hashes else Role.VIEWER)
    database = existing_store(settings)
    names = EntryNames(pseudonym_key(settings))

    async def written(report: "Callable[[str, int, int], None]") -> "Exported":
        async with open_store(database) as store:
            values = _values(settings, await store.reader.entries()) if with_hashes else None
            return await write(
                *(store, database, what, kind, out),
                operator=who,
                at=now(),
                with_addresses=with_addresses,
                with_hashes=with_hashes,
                purpose=purpose,
                filters=filters,
                names=names,
                values=values,
                encrypt_to=encrypt_to,
                # Counting rows beforehand takes a while, and is for a bar alone.
                progress=functools.partial(report, what) if sys.stderr.isatty() else None,
            )

    with history_bars() as bar:
        done = asyncio.run(written(bar))
    if json:
        print_json([{"out": str(out)} | asdict(done)])
    else:
        typer.echo(f"{done.rows:,} rows in {out}, SHA-256 {done.sha256}")


def _filters(
    since: str | None,
    until: str | None,
    channels: list[str],
    hash_list: str | None,
    category: str | None,
    state: str | None,
) -> "Filters":
    from monitor.errors import InputError
    from monitor.model import Category
    from monitor.store import Filters

    first = None if since is None else _moment("--since", since, end_of_day=False)
    last = None if until is None else _moment("--until", until, end_of_day=True)
    if first and last and last < first:
        raise InputError("--until: lies before --since")
    if category is not None and category not in list(Category):
        raise InputError(f"--category {category}: not known; choose one of {', '.join(Category)}")
    return Filters(
        first,
        last,
        tuple(name.removeprefix("@") for name in channels),
        hash_list,
        None if category is None else Category(category),
        state,
    )


def _moment(option: str, value: str, *, end_of_day: bool) -> "datetime":
    from monitor.config import moment
    from monitor.errors import InputError

    try:
        found = moment(value, end_of_day=end_of_day)
    except ValueError as e:
        raise InputError(f"{option}: {e}") from e
    # Rows have microseconds: the last second of a day counts whole.
    return found.replace(microsecond=999_999) if end_of_day and len(value) <= 10 else found


def _values(settings: "Config", flagged: set[tuple[str, str]]) -> "HashValues":
    """What the lists have for these entries now. Raises InputError for a list whose terms do not permit to report."""
    from monitor.errors import InputError
    from monitor.prepare import read_list

    found: dict[tuple[str, str, str], set[str]] = {}
    for declared in settings.hash_lists:
        if not any(name == declared.name for name, _ in flagged):
            continue
        if "report" not in declared.terms.permitted_uses:
            raise InputError(
                f"--with-hashes: the terms of list {declared.name} do not permit to report; leave it out"
            )
        for entry in (entry for hashes in read_list(settings, declared) for entry in hashes):
            if (declared.name, entry.entry) in flagged:
                key = (declared.name, entry.entry, entry.hash.algorithm.value)
                found.setdefault(key, set()).add(entry.hash.value.hex())

    def values(hash_list: str, entry: str, algorithm: str) -> str | None:
        return " ".join(sorted(found.get((hash_list, entry, algorithm), ()))) or None

    return values
