"""`monitor export WHAT`: rows of the store as a file, with an event that says who took it and why."""

import functools
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypedDict

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
    window,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from monitor.config import Config
    from monitor.reporting.bundle_export import BundledExport
    from monitor.reporting.entries import EntryNames, HashValues
    from monitor.reporting.exports import Exported, Progress
    from monitor.store import Filters

    class _Common(TypedDict):
        """What both kinds of export are told."""

        at: datetime
        with_addresses: bool
        with_hashes: bool
        filters: Filters
        names: EntryNames
        values: HashValues | None
        encrypt_to: str | None
        progress: Progress | None


@command
def export(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT", help="flags, cases, reports, messages, channels, log or observations."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="PATH", help="The file to write.")],
    kind: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="F",
            help="csv, jsonl, parquet or xlsx; of flags also stix or misp; bundle of all but messages, channels,"
            " observations.",
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
        str | None,
        typer.Option("--state", metavar="NAME", help="Only cases, reports or channels in this state."),
    ] = None,
    case: Annotated[
        list[int] | None, typer.Option("--case", metavar="N", help="Only this case; may be repeated.")
    ] = None,
    with_addresses: Annotated[
        bool, typer.Option("--with-addresses", help="Add what leads to flagged messages; needs a purpose.")
    ] = False,
    with_hashes: Annotated[
        bool,
        typer.Option("--with-hashes", help="Add the hashes that the lists have; needs a purpose."),
    ] = False,
    purpose: Annotated[
        str | None,
        typer.Option("--purpose", metavar="TEXT", help="What addresses, hashes or a bundle are for."),
    ] = None,
    recipient: Annotated[
        str | None, typer.Option("--recipient", metavar="WHO", help="Of a bundle: to whom it is handed.")
    ] = None,
    encrypt_to: Annotated[
        str | None, typer.Option("--encrypt-to", metavar="KEY", help="A recipient's public key, age1….")
    ] = None,
    acting: OperatorOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Write rows to a file. Addresses and hashes of flagged items are left out unless asked for with a purpose.

    A bundle also has the events that the rows rest on, proofs of them, a custody sheet and a verifier.
    """
    import asyncio
    import sys

    from monitor.bars import history_bars
    from monitor.clock import now
    from monitor.errors import InputError
    from monitor.model import Role
    from monitor.prepare import pseudonym_key
    from monitor.proving import log_access
    from monitor.reporting.bundle_export import BundledExport, export_bundle
    from monitor.reporting.custody import Handover
    from monitor.reporting.entries import EntryNames
    from monitor.reporting.exports import export as write
    from monitor.store import open_store

    settings = read_config(config)
    filters = _filters(since, until, channel or [], list_name, category, state, case or [])
    bundle = kind == "bundle"
    if not bundle and recipient is not None:
        raise InputError("--recipient: is said of a bundle; add --format bundle, or leave it out")
    takes_out = with_addresses or with_hashes or bundle
    who = operator(settings, acting, Role.EXPORTER if takes_out else Role.VIEWER)
    database = existing_store(settings)
    names = EntryNames(pseudonym_key(settings))

    log = log_access(settings) if bundle else None

    async def written(report: "Callable[[str, int, int], None]") -> "Exported | BundledExport":
        async with open_store(database) as store:
            values = _values(settings, await store.reader.entries()) if with_hashes else None
            common: _Common = {
                "at": now(),
                "with_addresses": with_addresses,
                "with_hashes": with_hashes,
                "filters": filters,
                "names": names,
                "values": values,
                "encrypt_to": encrypt_to,
                # Counting rows beforehand takes a while, and is for a bar alone.
                "progress": functools.partial(report, what) if sys.stderr.isatty() else None,
            }
            if log is not None:
                handover = Handover(who, recipient or "", purpose or "")
                return await export_bundle(store, database, log, what, out, handover, **common)
            return await write(
                *(store, database, what, kind, out),
                operator=who,
                purpose=purpose,
                **common,
            )

    with history_bars() as bar:
        done = asyncio.run(written(bar))
    if isinstance(done, BundledExport):
        _show_bundle(out, done, json)
    elif json:
        print_json([{"out": str(out)} | asdict(done)])
    else:
        typer.echo(f"{done.rows:,} rows in {out}, SHA-256 {done.sha256}")


def _show_bundle(out: Path, done: "BundledExport", json: bool) -> None:
    made = done.bundle
    digests = {"sha256": made.sha256, "plain_sha256": made.plain_sha256}
    told = {"export": made.seq, "opened": made.opened, "erased": made.erased}
    if json:
        print_json([{"out": str(out), "rows": done.rows} | digests | told | {"key": made.key}])
        return
    typer.echo(f"{done.rows:,} rows and {made.opened:,} events in {out}, SHA-256 {made.sha256}")
    if made.erased:
        typer.echo(f"{made.erased:,} events could not be opened: they were erased")
    first = "decrypt it (age -d), then" if made.plain_sha256 else "to verify it"
    typer.echo(f"signed by {made.key}; {first}: monitor log verify {out}")


def _filters(
    since: str | None,
    until: str | None,
    channels: list[str],
    hash_list: str | None,
    category: str | None,
    state: str | None,
    cases: list[int],
) -> "Filters":
    from monitor.errors import InputError
    from monitor.model import Category
    from monitor.store import Filters

    first, last = window(since, until)
    if category is not None and category not in list(Category):
        raise InputError(f"--category {category}: not known; choose one of {', '.join(Category)}")
    return Filters(
        first,
        last,
        tuple(name.removeprefix("@") for name in channels),
        hash_list,
        None if category is None else Category(category),
        state,
        tuple(cases),
    )


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
