"""`monitor lists show` and `verify`: what is declared, what was loaded when, and whether the files are in order."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from monitor.cli.frame import ConfigOption, JsonOption, command, minute, moment, out, print_json, read_config

if TYPE_CHECKING:
    from monitor.config import Config, HashListEntry
    from monitor.matching import HashList
    from monitor.store.list_history import Loaded


@command
def show(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One list, with its history.")] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """The declared lists as their files are now, and the version that a run has loaded; of one list, all versions."""
    settings = read_config(config)
    past = _history(settings, name)
    wanted = [entry for entry in settings.hash_lists if name in (None, entry.name)]
    if name is not None and not wanted and not past:
        raise _unknown(settings, name)
    found = [_read(settings, entry) for entry in wanted]
    rows = [_described(each, past) for each in found]
    for each, row in zip(found, rows, strict=True):
        if name is not None and each.entry.local and each.error is None:
            row["kept"] = _kept(settings, each.entry)
    if json:
        print_json(rows)
        if name is not None:
            print_json(_version(each) for each in past)
        return
    if rows:
        _show_lists(rows)
    for row in rows:
        for warning in row["warnings"]:
            out().print(f"warning: {row['name']}: {warning}", style="yellow", soft_wrap=True)
    if name is None:
        if not rows:
            typer.echo("no list is declared; monitor lists add declares one")
        return
    if not rows:
        typer.echo(f"{name}: no longer declared in {settings.path}")
    for row in rows:
        if "kept" in row:
            _show_entries(row["kept"])
    _show_history(past)


@command
def verify(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME…", help="Lists; all of them.")] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Read every line of the lists' files as they are now; compare their manifests, and the versions last loaded.

    Ends with 2 when one is broken; the lines are named, never what is in them.
    """
    settings = read_config(config)
    wanted = [entry for entry in settings.hash_lists if not names or entry.name in names]
    for name in names or ():
        if all(entry.name != name for entry in wanted):
            raise _unknown(settings, name)
    past = _history(settings, None)
    rows = [_verified(_read(settings, entry), past) for entry in wanted]
    if json:
        print_json(rows)
    else:
        _show_verified(rows)
    for row in rows:
        if row["error"]:
            typer.echo(f"monitor: {row['error']}", err=True)
    if any(row["error"] for row in rows):
        raise typer.Exit(2)


class _Found(NamedTuple):
    """A declared list and what reading it gave; `error` says why that was nothing, `expired` that it was not opened."""

    entry: "HashListEntry"
    loaded: "tuple[HashList, ...]"
    warnings: list[str]
    error: str | None = None
    expired: bool = False


def _read(settings: "Config", entry: "HashListEntry") -> _Found:
    from monitor import exchange_lists
    from monitor.cli.list_concerns import of_contents, of_declaration
    from monitor.clock import now
    from monitor.errors import MonitorError
    from monitor.prepare import read_list

    at = now()
    said = of_declaration(settings, entry, at)
    if entry.expired(at):
        return _Found(entry, (), said, expired=True)
    try:
        if entry in exchange_lists.waiting(settings):
            what = f"nothing was fetched yet; run: monitor lists update {entry.exchange}"
            return _Found(entry, (), [what])
        loaded = read_list(settings, entry)
    except MonitorError as e:
        return _Found(entry, (), said, error=str(e))
    return _Found(entry, loaded, said + of_contents(entry, loaded))


def _described(found: _Found, past: "Sequence[Loaded]") -> dict[str, Any]:
    entry, loaded = found.entry, found.loaded
    last = next((each for each in reversed(past) if each.name == entry.name), None)
    stale_at = loaded[0].stale_at if loaded else None
    return {
        "name": entry.name,
        "from": entry.exchange or str(entry.file),
        "format": "exchange" if entry.exchange else entry.format,
        "algorithms": {each.version.algorithm.value: len(each) for each in loaded},
        "within": {each.version.algorithm.value: each.version.max_distance for each in loaded},
        "action": entry.action.value,
        "licensor": entry.terms.licensor,
        "reference": entry.terms.reference,
        "permitted_uses": sorted(entry.terms.permitted_uses),
        "expires": moment(entry.expires) if entry.expires else None,
        "stale_at": moment(stale_at) if stale_at else None,
        "unusable": dict(loaded[0].unusable) if loaded else {},
        "withdrawn": loaded[0].withdrawn if loaded else 0,
        "version": loaded[0].version.version if loaded else None,
        "loaded_version": last.version if last else None,
        "loaded_at": moment(last.loaded_at) if last else None,
        "warnings": found.warnings + ([found.error] if found.error else []),
    }


def _verified(found: _Found, past: "Sequence[Loaded]") -> dict[str, Any]:
    entry, loaded = found.entry, found.loaded
    last = next((each for each in reversed(past) if each.name == entry.name), None)
    version = loaded[0].version if loaded else None
    if found.error:
        stands = "broken"
    elif found.expired:
        stands = "expired"
    elif version is None:
        stands = "empty"
    elif last is None:
        stands = "never_loaded"
    else:
        same = (last.sha256, last.count) == (version.sha256, version.count)
        stands = "as_loaded" if same else "changed"
    return {
        "name": entry.name,
        "stands": stands,
        "entries": sum(map(len, loaded)),
        "version": version.version if version else None,
        "sha256": version.sha256.hex() if version else None,
        "loaded_version": last.version if last else None,
        "manifest": "agrees" if entry.manifest and loaded else None,
        "error": found.error,
    }


def _version(each: "Loaded") -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(each) | {
        "sha256": each.sha256.hex(),
        "loaded_at": moment(each.loaded_at),
        "permitted_uses": each.permitted_uses.split(),
    }


def _history(settings: "Config", name: str | None) -> "list[Loaded]":
    import asyncio

    from monitor.store import open_reader
    from monitor.store.list_history import history

    async def read() -> "list[Loaded]":
        async with open_reader(settings.database) as reader:
            return await reader.run(history, name)

    return asyncio.run(read()) if settings.database.exists() else []


def _unknown(settings: "Config", name: str) -> Exception:
    from monitor.errors import InputError

    known = ", ".join(entry.name for entry in settings.hash_lists) or "none"
    return InputError(f"{name}: no such list; declared are {known}")


def _show_lists(rows: Sequence[Mapping[str, Any]]) -> None:
    from rich.table import Table

    table = Table("list", "algorithm", box=None, pad_edge=False)
    table.add_column("entries", justify="right")
    for title in ("within", "action", "licensor", "expires", "stale", "unusable", "version", "loaded (UTC)"):
        table.add_column(title)
    for row in rows:
        counts, within = row["algorithms"], row["within"]
        loaded = "" if row["loaded_at"] is None else row["loaded_at"].replace("T", " ")[:16]
        table.add_row(
            row["name"],
            "\n".join(counts),
            "\n".join(f"{count:,}" for count in counts.values()),
            "\n".join(f"{within[name]} bits" if within[name] else "exact" for name in counts),
            row["action"],
            row["licensor"],
            (row["expires"] or "")[:10],
            (row["stale_at"] or "")[:10],
            "\n".join(f"{count:,} {kind}" for kind, count in row["unusable"].items()),
            row["version"] or "",
            loaded
            and (loaded if row["loaded_version"] == row["version"] else f"{row['loaded_version']}\n{loaded}"),
        )
    out().print(table)


def _show_verified(rows: Sequence[Mapping[str, Any]]) -> None:
    from rich.table import Table

    words = {
        "as_loaded": "in order, as last loaded",
        "changed": "in order; another version than last loaded: monitor reload",
        "never_loaded": "in order; never loaded yet",
        "expired": "its terms have ended: not opened",
        "empty": "nothing in it is in force",
        "broken": "broken",
    }
    table = Table("list", box=None, pad_edge=False)
    table.add_column("entries", justify="right")
    for title in ("version", "last loaded", "manifest", ""):
        table.add_column(title)
    for row in rows:
        known = [row[key] or "" for key in ("version", "loaded_version", "manifest")]
        cells = (*known, words[row["stands"]])
        table.add_row(row["name"], f"{row['entries']:,}", *cells)
    out().print(table)


def _kept(settings: "Config", entry: "HashListEntry") -> list[dict[str, Any]]:
    """The entries of a local list, those whose end has passed too."""
    from monitor.clock import now
    from monitor.matching.local_list import LocalRow, read_local
    from monitor.prepare import list_key

    entries: dict[str, list[LocalRow]] = {}
    for row in read_local(settings.resolve(entry.file or Path()), list_key(settings, entry)):
        entries.setdefault(row.entry, []).append(row)
    return [
        {
            "entry": name,
            "algorithms": list(dict.fromkeys(row.algorithm.value for row in rows)),
            "category": rows[0].label or None,
            "case": rows[0].case,
            "consent": rows[0].consent,
            "expires": moment(rows[0].expires) if rows[0].expires else None,
            "over": rows[0].expired(now()),
        }
        for name, rows in entries.items()
    ]


def _show_entries(entries: Sequence[Mapping[str, Any]]) -> None:
    from rich.table import Table

    table = Table("entry", "kept", "category", "case", "consent", "expires", box=None, pad_edge=False)
    for each in entries:
        until = (each["expires"] or "")[:10] + (" (over)" if each["over"] else "")
        kinds = ", ".join(each["algorithms"])
        table.add_row(each["entry"], kinds, each["category"] or "", each["case"], each["consent"], until)
    out().print()
    out().print(table)


def _show_history(past: "Sequence[Loaded]") -> None:
    from rich.table import Table

    if not past:
        typer.echo("no run has loaded it yet")
        return
    table = Table("loaded (UTC)", "version", "algorithm", box=None, pad_edge=False)
    for title in ("entries", "added", "withdrawn"):
        table.add_column(title, justify="right")
    for title in ("action", "licensor", "reference", "SHA-256"):
        table.add_column(title)
    for each in past:
        changes = ["" if count is None else f"{count:,}" for count in (each.added, each.withdrawn)]
        terms = (each.action.value, each.licensor, each.reference)
        facts = (minute(each.loaded_at), each.version, each.algorithm.value, f"{each.count:,}")
        table.add_row(*facts, *changes, *terms, each.sha256.hex()[:16])
    out().print()
    out().print(table)
