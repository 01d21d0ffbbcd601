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

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.config import Config, HashListEntry
    from monitor.matching.local_list import LocalRow
    from monitor.model import EventType, Hash, MediaHashes, Scalar

QUESTION = "Is anyone shown, or made to appear, who is under 18 or was when it was made? yes, no or unsure"
MINORS = """\
nothing was hashed and nothing is kept: pictures and films of minors do not belong on a list of your own
do not copy or send the file; these services act for minors:
  NCMEC Take It Down, worldwide, for whoever was under 18 then: takeitdown.ncmec.org; hashes on the person's own device
  Report Remove by Childline and the IWF, United Kingdom, under 18: childline.org.uk/remove
  Korea: call 1366 (중앙디지털성범죄피해자지원센터); elsewhere the police or your hotline: inhope.org"""
BLIND = "the hash of a source photograph does not match a fake made from it: hash what is being spread, too"
LONGEST_REASON = 500
"""Characters."""


class Case(NamedTuple):
    """What a command was told beside the files, as it was typed."""

    to_list: str
    case: str | None
    consent: str | None
    expires: str | None
    category: str | None
    minor_shown: str | None


class Kept(NamedTuple):
    """What is kept of one file, by its place among those that were named."""

    file: int
    entry: str
    renewed: bool
    hashes: "tuple[Hash, ...]"
    outcome: str


def keep(files: Sequence[Path], told: Case, acting: str | None, config: Path | None, json: bool) -> None:
    """Hash files onto a local list: all of them, or none. Raises InputError, also when a minor is shown."""
    import asyncio

    from monitor.matching.local_list import changing
    from monitor.model import EventType, Role
    from monitor.prepare import list_key, now

    settings = read_config(config)
    who, at = operator(settings, acting, Role.REVIEWER), now()
    case, consent = _reference("--case-reference", told.case), _reference("--consent-reference", told.consent)
    expires, category = _expires(told.expires, at), _category(told.category)
    entry, text = _declared(settings, told.to_list)
    _ask(told.minor_shown)
    hashed = asyncio.run(_hashed(files))
    kept = []
    # An event before it: nothing gets onto the list without a trace, be it of an attempt.
    with changing(settings.resolve(entry.file or Path()), list_key(settings, entry), at) as rows:
        for number, found in enumerate(hashed, 1):
            kept.append(_taken(rows, number, found, case, consent, expires, category))
        shared: dict[str, Scalar] = {
            "operator": who,
            "hash_list": entry.name,
            "case_reference": case,
            "consent_reference": consent,
            "category": category or None,
            "expires": moment(expires) if expires else None,
        }
        bodies: list[Mapping[str, Scalar]] = [
            {**shared, "entry": one.entry, "hashes": len(one.hashes)} for one in kept
        ]
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

    from monitor.errors import InputError
    from monitor.matching.local_list import changing
    from monitor.model import EventType, Role
    from monitor.prepare import list_key, now

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


def _reference(option: str, text: str | None) -> str:
    from monitor.errors import InputError
    from monitor.model import IDENTIFIER

    if text is None:
        raise InputError(f"{option}: is missing; a local list keeps no hash without it")
    if not IDENTIFIER.fullmatch(text):
        raise InputError(
            f"{option}: takes letters, digits, '.', '_', ':' and '-', 64 at most: a number of yours, and no name"
        )
    return text


def _expires(text: str | None, at: datetime) -> datetime | None:
    from monitor.config import moment as read
    from monitor.errors import InputError

    if text is None:
        return None
    try:
        expires = read(text, end_of_day=True).replace(microsecond=0)
    except ValueError as e:
        raise InputError(f"--expires: {e}") from e
    if expires <= at:
        raise InputError(f"--expires: {text} is over; name a day to come")
    return expires


def _category(text: str | None) -> str:
    from monitor.errors import InputError
    from monitor.model import Category

    usual = (Category.ADULT_FILMED.value, Category.ADULT_SYNTHETIC.value)
    if text is not None and text not in usual:
        raise InputError(
            f"--category: is one of {', '.join(usual)}; a minor belongs on no list that is kept here"
        )
    return text or ""


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


def _ask(answer: str | None) -> None:
    """Go on only when it was said that no minor is shown. Raises InputError."""
    import sys

    from monitor.errors import InputError

    if answer is None and not sys.stdin.isatty():
        raise InputError(
            "whether a minor is shown was not answered: --minor-shown yes or no; nothing was hashed, nothing is kept"
        )
    if answer is None:
        answer = str(typer.prompt(QUESTION, prompt_suffix="? ", err=True))
    match answer.strip().lower():
        case "no" | "n":
            return
        case "yes" | "y" | "unsure":
            raise InputError(MINORS)
        case _:
            raise InputError("whether a minor is shown takes yes or no; nothing was hashed, nothing is kept")


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
    """SHA-256 of every file; PDQ of a picture and of a film's frames, where they show enough to be compared."""
    from monitor.matching import MIN_QUALITY
    from monitor.model import Algorithm, Hash

    clear = found.quality is not None and found.quality >= MIN_QUALITY
    wanted = (Algorithm.SHA256, Algorithm.PDQ) if clear else (Algorithm.SHA256,)
    frames = dict.fromkeys(frame.pdq for frame in found.frames if frame.quality >= MIN_QUALITY)
    return (
        *(hash for hash in found.hashes if hash.algorithm in wanted),
        *(Hash(Algorithm.VPDQ, pdq) for pdq in frames),
    )


def _taken(
    rows: "list[LocalRow]",
    number: int,
    found: "MediaHashes",
    case: str,
    consent: str,
    expires: datetime | None,
    category: str,
) -> Kept:
    """Put one file's hashes among the rows. The same file in the same case is the same entry, with a new consent."""
    from monitor.cli.hashing import outcome
    from monitor.matching.local_list import LocalRow, new_entry

    worth = _worth(found)
    digest = worth[0].value.hex()
    before = next((row.entry for row in rows if row.case == case and row.value == digest), None)
    entry = before or new_entry()
    rows[:] = [row for row in rows if row.entry != entry]
    rows += [
        LocalRow(entry, category, expires, case, consent, hash.algorithm, hash.value.hex()) for hash in worth
    ]
    return Kept(number, entry, before is not None, worth, outcome(found))


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
            "algorithms": sorted({hash.algorithm.value for hash in k.hashes}),
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
    if declared:
        typer.echo(f"{settings.path}: {entry.name} is declared now, with action review", err=True)
    typer.echo(f"next: monitor reload, then {entry.name} is matched", err=True)
