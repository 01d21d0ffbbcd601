"""`monitor hash --to-list` and `monitor lists remove-entry`: a list kept here, for a desk that victims turn to.

Of a file its hashes are kept, with the references of case and consent; not the file, not its name, and nothing at all
where a minor is shown.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from monitor.cli.frame import (
    ConfigOption,
    OperatorOption,
    command,
    moment,
    operator,
    out,
    print_json,
    read_config,
)
from monitor.cli.intake import BLIND, Agreed, Told, agreed_on, no_minor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.config import Config, HashListEntry
    from monitor.matching.local_list import LocalRow
    from monitor.model import EventType, Hash, MediaHashes, Scalar

LONGEST_REASON = 500
"""Characters."""


class Kept(NamedTuple):
    """What is kept of one file, by its place among those that were named."""

    file: int
    entry: str
    agreed: Agreed
    renewed: bool
    hashes: "tuple[Hash, ...]"
    outcome: str


def keep(files: Sequence[Path], told: Told, acting: str | None, config: Path | None, json: bool) -> None:
    """Hash files onto a local list: all of them, or none. Raises InputError, also when a minor is shown."""
    import asyncio

    from monitor.clock import now
    from monitor.matching.local_list import changing
    from monitor.model import EventType, Role
    from monitor.prepare import list_key

    settings = read_config(config)
    who, at = operator(settings, acting, Role.REVIEWER), now()
    agreed = agreed_on(told, at)
    entry, text = _declared(settings, told.to_list)
    no_minor(told.minor_shown)
    hashed = asyncio.run(_hashed(files))
    with changing(settings.resolve(entry.file or Path()), list_key(settings, entry), at) as rows:
        kept = [_taken(rows, number, found, agreed) for number, found in enumerate(hashed, 1)]
        # Before the file: nothing gets onto the list without a trace, be it of an attempt.
        bodies = [_event(who, entry.name, one) for one in kept]
        asyncio.run(_noted(settings, EventType.LIST_ENTRY_ADDED, bodies, at))
    if text is not None:
        from monitor.config_edit import write

        write(settings.path, text, before=settings.text)
    _say(settings, entry, kept, declared=text is not None, json=json)


@command
def remove_entry(
    name: Annotated[str, typer.Argument(metavar="LIST", help="A local list.")],
    entry: Annotated[
        str, typer.Argument(metavar="ENTRY", help="The entry, as monitor lists show LIST has it.")
    ],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept with who and when.")],
    acting: OperatorOption = None,
    config: ConfigOption = None,
) -> None:
    """Take an entry off a local list, as when a consent was withdrawn. In force with the next monitor reload."""
    import asyncio

    from monitor.clock import now
    from monitor.errors import InputError
    from monitor.matching.local_list import changing
    from monitor.model import EventType, Role
    from monitor.prepare import list_key

    settings = read_config(config)
    who, at = operator(settings, acting, Role.REVIEWER), now()
    if not 0 < len(reason.strip()) <= LONGEST_REASON:
        raise InputError(f"--reason: takes 1 to {LONGEST_REASON} characters")
    declared = next((known for known in settings.hash_lists if known.name == name), None)
    if declared is None or not declared.local:
        raise InputError(f"{name}: is not a local list; what others list is theirs to withdraw")
    with changing(settings.resolve(declared.file or Path()), list_key(settings, declared), at) as rows:
        left = [row for row in rows if row.entry != entry]
        if len(left) == len(rows):
            raise InputError(f"{name}/{entry}: there is no such entry; monitor lists show {name} names them")
        body = {"operator": who, "hash_list": name, "entry": entry, "explanation": reason.strip()}
        asyncio.run(_noted(settings, EventType.LIST_ENTRY_REMOVED, [body], at))
        rows[:] = left
    typer.echo(f"{name}/{entry}: removed; next: monitor reload, then it matches nothing")
    typer.echo("its earlier flags stay on record: look at its case", err=True)


def _declared(settings: "Config", name: str) -> "tuple[HashListEntry, str | None]":
    """The list as it is declared; and, where it is not yet, the configuration's text that declares it."""
    from monitor.cli.list_changes import with_list
    from monitor.config import LOCAL
    from monitor.errors import InputError

    for declared in settings.hash_lists:
        if declared.name == name and not declared.local:
            raise InputError(
                f"{name}: is the list of {declared.terms.licensor}, and no local one; name another"
            )
        if declared.name == name:
            return declared, None
    terms = {
        "licensor": "kept here",
        "reference": "the consent of each entry",
        "permitted_uses": ["detect", "report"],
    }
    entry = {"name": name, "file": f"lists/{name}.csv", "format": LOCAL, "action": "review", "terms": terms}
    changed, text = with_list(settings, entry)
    return changed.hash_lists[-1], text


async def _hashed(files: Sequence[Path]) -> "list[MediaHashes]":
    """The hashes of all files. Raises InputError when one of them has none."""
    from monitor.cli.hashing import LARGEST_FILM, hashed
    from monitor.decoder import WorkerHasher
    from monitor.errors import InputError

    done = []
    async with WorkerHasher(workers=1, max_film_bytes=LARGEST_FILM, required=False) as hasher:
        for path in files:
            try:
                _, found = await hashed(path, hasher)
            except OSError as e:
                raise InputError(f"{path}: {e.strerror}; nothing is kept of any file") from e
            if found is None:
                raise InputError(f"{path}: is empty; nothing is kept of any file")
            done.append(found)
    return done


def _worth(found: "MediaHashes") -> "tuple[Hash, ...]":
    """SHA-256 of every file, first; PDQ of a picture and of a film's frames, where they show enough to be compared."""
    from monitor.matching import MIN_QUALITY
    from monitor.model import Algorithm, Hash

    clear = found.quality is not None and found.quality >= MIN_QUALITY
    own = {hash.algorithm: hash for hash in found.hashes}
    frames = dict.fromkeys(frame.pdq for frame in found.frames if frame.quality >= MIN_QUALITY)
    return (
        own[Algorithm.SHA256],
        *([own[Algorithm.PDQ]] if clear else []),
        *(Hash(Algorithm.VPDQ, pdq) for pdq in frames),
    )


def _taken(rows: "list[LocalRow]", number: int, found: "MediaHashes", agreed: Agreed) -> Kept:
    """Put one file's hashes among the rows. The same file in the same case is the same entry, under this consent."""
    from monitor.cli.hashing import outcome
    from monitor.matching.local_list import LocalRow, new_entry

    worth = _worth(found)
    values = [hash.value.hex() for hash in worth]
    before = next((row for row in rows if row.case == agreed.case and row.value == values[0]), None)
    entry = new_entry() if before is None else before.entry
    if before is not None:
        # What was agreed on stays until something else is said.
        agreed = agreed._replace(
            expires=agreed.expires or before.expires, category=agreed.category or before.label
        )
    rows[:] = [row for row in rows if row.entry != entry]
    rows += [
        LocalRow(entry, agreed.category, agreed.expires, agreed.case, agreed.consent, hash.algorithm, value)
        for hash, value in zip(worth, values, strict=True)
    ]
    return Kept(number, entry, agreed, before is not None, worth, outcome(found))


def _event(who: str, name: str, kept: Kept) -> "dict[str, Scalar]":
    agreed = kept.agreed
    return {
        "operator": who,
        "hash_list": name,
        "entry": kept.entry,
        "hashes": len(kept.hashes),
        "case_reference": agreed.case,
        "consent_reference": agreed.consent,
        "category": agreed.category or None,
        "expires": moment(agreed.expires) if agreed.expires else None,
    }


async def _noted(
    settings: "Config", kind: "EventType", bodies: "Sequence[Mapping[str, Scalar]]", at: datetime
) -> None:
    from monitor.store import open_store

    if not settings.database.exists():
        return
    async with open_store(settings.database) as store:
        for body in bodies:
            await store.append(kind, body, at)


def _say(
    settings: "Config", entry: "HashListEntry", kept: Sequence[Kept], *, declared: bool, json: bool
) -> None:
    from rich.table import Table

    from monitor.cli.hashing import MEANING

    rows: list[dict[str, Any]] = [
        {
            "file": k.file,
            "hash_list": entry.name,
            "entry": k.entry,
            "renewed": k.renewed,
            "hashes": len(k.hashes),
            "algorithms": list(dict.fromkeys(hash.algorithm.value for hash in k.hashes)),
            "outcome": k.outcome,
        }
        for k in kept
    ]
    if json:
        print_json(rows)
    else:
        table = Table("file", "entry", "kept", "", box=None, pad_edge=False)
        for row in rows:
            note = MEANING.get(row["outcome"], "") if row["outcome"] != "hashed" else ""
            if row["outcome"] == "low_quality":
                note = "shows too little for a perceptual hash: its digest alone"
            what = ", ".join(row["algorithms"])
            table.add_row(
                f"{row['file']}", row["entry"], what, "renewed" if row["renewed"] and not note else note
            )
        out().print(table)
    typer.echo(f"note: {BLIND}", err=True)
    if not settings.database.exists():
        typer.echo("note: there is no store yet: that they were added is on no record", err=True)
    if declared:
        typer.echo(f"{settings.path}: {entry.name} is declared now, with action review", err=True)
    typer.echo(f"next: monitor reload, then {entry.name} is matched", err=True)
