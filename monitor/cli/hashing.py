"""`monitor hash FILE…`: hashes of local files, computed here; nothing is kept, and no file leaves this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.frame import ConfigOption, JsonOption, OperatorOption, command, out, print_json

if TYPE_CHECKING:
    from monitor.model import MediaHashes
    from monitor.ports import Hasher

CHUNK = 1 << 20
"""Bytes read at a time."""
LARGEST_FILM = 2_000_000_000
"""Bytes of a film that is decoded: it is held in memory."""


@command
def hash(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Files of any kind.")],
    to_list: Annotated[
        str | None, typer.Option(metavar="NAME", help="Keep the hashes on a local list, and nothing else.")
    ] = None,
    case_reference: Annotated[
        str | None, typer.Option(metavar="REFERENCE", help="With --to-list: your case; no name of a person.")
    ] = None,
    consent_reference: Annotated[
        str | None, typer.Option(metavar="REFERENCE", help="With --to-list: where the consent is kept.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="DATE", help="With --to-list: counts to the end of that day, UTC.")
    ] = None,
    category: Annotated[
        str | None,
        typer.Option(
            metavar="CATEGORY",
            help="With --to-list: adult_filmed or adult_synthetic; without one nothing can be reported.",
        ),
    ] = None,
    minor_shown: Annotated[
        str | None,
        typer.Option(metavar="yes|no", help="With --to-list: the answer to what is asked on a terminal."),
    ] = None,
    acting: OperatorOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """MD5, SHA-1 and SHA-256 of files; of pictures also PDQ, pHash and dHash, of films the PDQ of a frame a second.

    Pictures and films are decoded in a process that can do nothing else, where the system has such. A file that
    cannot be read is named on standard error, and the others are hashed all the same.

    With --to-list, for a desk that victims turn to: SHA-256, PDQ and vPDQ go to a list that is kept here, with case,
    consent and expiry; the files and their names stay where they are. Never of a person under 18.
    """
    import asyncio

    if to_list is not None:
        from monitor.cli.desk import keep
        from monitor.cli.intake import Told

        told = Told(to_list, case_reference, consent_reference, expires, category, minor_shown)
        keep(files, told, acting, config, json)
        return
    if any(
        given is not None for given in (case_reference, consent_reference, expires, category, minor_shown)
    ):
        from monitor.errors import InputError

        raise InputError("hash: a case and what belongs to it go with --to-list NAME")
    if not asyncio.run(_all(files, json)):
        raise typer.Exit(2)


async def _all(files: list[Path], json: bool) -> bool:
    """Print each file's hashes as soon as they are there; whether all could be read."""
    from monitor.decoder import WorkerHasher

    readable = True
    async with WorkerHasher(workers=1, max_film_bytes=LARGEST_FILM, required=False) as hasher:
        for path in files:
            try:
                row = await _one(path, hasher)
            except OSError as e:
                typer.echo(f"monitor: {path}: {e.strerror}; name files that can be read", err=True)
                readable = False
                continue
            if json:
                print_json([row])
            else:
                _show(row)
    return readable


async def hashed(path: Path, hasher: "Hasher") -> "tuple[int, MediaHashes | None]":
    """A file's size in bytes and its hashes, None where it is empty. Raises OSError."""
    from monitor.errors import MediaEmpty

    hashing, size = hasher.start(), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            size += len(chunk)
            await hashing.feed(chunk)
    try:
        return size, await hashing.finish()
    except MediaEmpty:
        return size, None


async def _one(path: Path, hasher: "Hasher") -> dict[str, Any]:
    size, found = await hashed(path, hasher)
    values = {} if found is None else {hash.algorithm.value: hash.value.hex() for hash in found.hashes}
    return {
        "file": str(path),
        "bytes": size,
        **{name: values.get(name) for name in ("md5", "sha1", "sha256", "pdq")},
        "pdq_quality": None if found is None else found.quality,
        **{name: values.get(name) for name in ("phash", "dhash")},
        "width": None if found is None else found.width,
        "height": None if found is None else found.height,
        "outcome": outcome(found),
        **({"vpdq": frames} if (frames := _frames(found)) else {}),
    }


def _frames(found: "MediaHashes | None") -> list[dict[str, Any]]:
    """A film's frames, in vPDQ's words but for `second`."""
    return [
        {"second": round(frame.second, 3), "pdq": frame.pdq.hex(), "quality": frame.quality}
        for frame in (() if found is None else found.frames)
    ]


def outcome(found: "MediaHashes | None") -> str:
    """What became of a file, in a word."""
    from monitor.matching import MIN_QUALITY

    if found is None:
        return "empty"
    if found.undecodable:
        return "undecodable"
    if found.best_quality is None:
        return "no_picture"
    if found.partial:
        return "partial"
    return "low_quality" if found.best_quality < MIN_QUALITY else "hashed"


MEANING = {
    "empty": "empty: there is nothing to hash",
    "undecodable": "says that it is a picture or a film, and cannot be read as one: digests alone",
    "no_picture": "no picture and no film that is read here: digests alone",
    "partial": "a film of which some is broken or beyond the limits; what there is was hashed",
    "low_quality": "a picture that shows too little for its perceptual hashes to be compared",
}


def _show(row: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    from monitor.matching import MIN_QUALITY

    head = Text(str(row["file"]), style="bold")
    size = f"  {row['bytes']:,} bytes"
    head.append(
        size if row["width"] is None else f"{size}, {row['width']} × {row['height']}", style="not bold"
    )
    table = Table(show_header=False, box=None, pad_edge=False, padding=(0, 2))
    for name in ("md5", "sha1", "sha256", "pdq", "phash", "dhash"):
        if row[name] is not None:
            quality = f"  quality {row['pdq_quality']}" if name == "pdq" else ""
            table.add_row(f"  {name}", f"{row[name]}{quality}")
    if frames := row.get("vpdq"):
        clear = sum(frame["quality"] >= MIN_QUALITY for frame in frames)
        table.add_row("  vpdq", f"{len(frames)} frames, {clear} of them clear enough; --json prints them")
    if row["outcome"] in MEANING:
        table.add_row("  note", MEANING[row["outcome"]])
    console = out()
    console.print(head, soft_wrap=True)
    console.print(table)
