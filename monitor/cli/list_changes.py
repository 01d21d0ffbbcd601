"""`monitor lists add`, `remove` and `encrypt`: lists put into the configuration, and taken out of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.frame import ConfigOption, OperatorOption, command, operator, out, read_config

if TYPE_CHECKING:
    from monitor.config import Config
    from monitor.matching import HashList


@command
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is called here.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Yours alone (chmod 600).")],
    licensor: Annotated[str, typer.Option(metavar="TEXT", help="Who gave it.")],
    reference: Annotated[str, typer.Option(metavar="TEXT", help="Of the agreement under which it is held.")],
    permits: Annotated[
        str,
        typer.Option(metavar="USES", help="What the terms permit: detect, report, research; with commas."),
    ],
    format: Annotated[
        str, typer.Option(metavar="FORMAT", help="How the file is written; docs/list-formats.md has them.")
    ] = "csv",
    algorithm: Annotated[
        str | None, typer.Option(metavar="ALGORITHM", help="Where the file does not say what its hashes are.")
    ] = None,
    action: Annotated[
        str | None, typer.Option(metavar="ACTION", help="flag (unless said otherwise), review or ignore.")
    ] = None,
    expires: Annotated[str | None, typer.Option(metavar="DATE", help="The last day of its terms.")] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LABEL=CATEGORY",
            help="What a label means: child, adult_filmed, adult_synthetic, terrorism, unknown; again for each.",
        ),
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What sha256sum wrote of the list.")
    ] = None,
    key: Annotated[Path | None, typer.Option(metavar="FILE", help="The key of an encrypted list.")] = None,
    acting: OperatorOption = None,
    config: ConfigOption = None,
) -> None:
    """Read every line of a list and, if all are in order, add it to the configuration; comments there stay."""
    from monitor.clock import now
    from monitor.config_edit import write
    from monitor.errors import InputError
    from monitor.model import Role
    from monitor.prepare import read_list

    settings = read_config(config)
    operator(settings, acting, Role.ADMIN)
    if any(known.name == name for known in settings.hash_lists):
        raise InputError(f"{name}: is declared already; monitor lists remove {name} takes it out")
    terms = {"licensor": licensor, "reference": reference, "permitted_uses": _words(permits)}
    entry = {
        "name": name,
        "file": _from(settings, file),
        "format": format,
        "algorithm": algorithm,
        "action": action,
        "expires": _day(expires),
        "labels": _meanings(label or ()),
        "manifest": manifest and _from(settings, manifest),
        "key": key and {"file": _from(settings, key)},
        "terms": terms,
    }
    changed, text = with_list(settings, {k: v for k, v in entry.items() if v})
    declared = changed.hash_lists[-1]
    if declared.expired(now()):
        raise InputError(f"{name}: its terms ended on {declared.expires:%Y-%m-%d}; it would not be opened")
    loaded = read_list(changed, declared)
    if not loaded:
        raise InputError(f"{name}: nothing of it is in force: all of it is withdrawn")
    write(settings.path, text, before=settings.text)
    _say_added(settings, name, loaded)


@command
def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The list, as the configuration names it.")],
    acting: OperatorOption = None,
    config: ConfigOption = None,
) -> None:
    """Take a list out of the configuration. Its file stays, and so does what it has flagged."""
    from monitor.config import parse
    from monitor.config_edit import remove_list, write
    from monitor.model import Role

    settings = read_config(config)
    operator(settings, acting, Role.ADMIN)
    text = remove_list(settings.text, name)
    parse(text, settings.path)
    entry = next(known for known in settings.hash_lists if known.name == name)
    write(settings.path, text, before=settings.text)
    typer.echo(
        f"{name}: no longer declared in {settings.path}; next: monitor reload, then it matches nothing"
    )
    left = (
        settings.fetched(entry.exchange)
        if entry.file is None and entry.exchange
        else settings.resolve(entry.file or Path())
    )
    typer.echo(f"left as it is: {left}; and every flag and case of the list", err=True)


@command
def encrypt(
    what: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A declared list, or a file.")],
    key: Annotated[
        Path,
        typer.Option(metavar="FILE", help="64 hexadecimal digits; made (0600) where there is no such file."),
    ],
    config: ConfigOption = None,
) -> None:
    """Write an encrypted copy of a list beside it, FILE.sealed; the plain one is yours to delete then."""
    import secrets

    from monitor.errors import InputError
    from monitor.matching import encrypt_list
    from monitor.matching.formats import find_format
    from monitor.matching.list_file import open_list
    from monitor.secrets import Secret, sealing_key, write_private

    settings = _configuration(what, config)
    declared = (
        next((known for known in settings.hash_lists if known.name == what), None) if settings else None
    )
    if settings is not None and declared is not None:
        if declared.file is None:
            raise InputError(f"{what}: is what an exchange gives, and no file of yours")
        if not find_format(declared.format).streamed:
            raise InputError(
                f"{what}: a list of format {declared.format} is read in place: keep it on a disk that is"
                " encrypted itself"
            )
        path = settings.resolve(declared.file)
    else:
        path = Path(what)
    sealed = path.with_name(path.name + ".sealed")
    state = settings.state if settings else Path("/nonexistent")
    if key.absolute().is_relative_to(state):
        raise InputError(
            f"--key: {key} lies in the state directory; keep it elsewhere, or whoever takes one has both"
        )
    with open_list(path, None) as plain:
        digest = plain.sha256()
    if not key.exists():
        write_private(key, secrets.token_hex(32).encode() + b"\n")
        typer.echo(f"{key}: a new key; keep a copy elsewhere: without it the list is lost", err=True)
    value = sealing_key(Secret.model_validate({"file": key.absolute()}), Path(), state, "--key")
    encrypt_list(path, sealed, value)
    with open_list(sealed, value) as written:
        if written.sha256() != digest:
            sealed.unlink()
            raise InputError(f"{path}: was changed meanwhile; try again")
    typer.echo(f"written and read back: {sealed}")
    if settings is not None and declared is not None:
        shown = f"file: {_from(settings, sealed)}, key: {{file: {_from(settings, key)}}}"
        typer.echo(f"next: declare it in {settings.path} as {what}: {shown}", err=True)
    else:
        typer.echo(f"next: monitor lists add NAME {sealed} --key {key} …", err=True)
    typer.echo(f"then: monitor lists verify, monitor reload, and delete the plain file: {path}", err=True)


def with_list(settings: "Config", entry: Mapping[str, Any]) -> "tuple[Config, str]":
    """The configuration with one more list, and its text. Raises InputError that names the entry's key."""
    from monitor.config import parse
    from monitor.config_edit import add_list
    from monitor.errors import ConfigError, InputError

    text = add_list(settings.text, entry)
    try:
        return parse(text, settings.path), text
    except ConfigError as e:
        # The line is one of a text that nobody will see: key and what is wrong with it are enough.
        (first, *_) = str(e).splitlines()
        place = f"hash_lists.{len(settings.hash_lists)}"
        what = first.split(": ", 1)[-1].replace(f"{place}.", "").replace(f"{place}: ", "")
        raise InputError(f"{entry['name']}: {what}") from e


def _configuration(what: str, option: Path | None) -> "Config | None":
    """The configuration; None where a file is meant and there is none."""
    from monitor.config import find

    if option is None and Path(what).exists() and not find(None).exists():
        return None
    return read_config(option)


def _from(settings: "Config", path: Path) -> str:
    """A path as the configuration is to have it: from its own folder where it lies there."""
    absolute, folder = path.expanduser().absolute(), settings.path.parent
    return str(absolute.relative_to(folder) if absolute.is_relative_to(folder) else absolute)


def _words(text: str) -> list[str]:
    return [word for part in text.split(",") if (word := part.strip())]


def _day(text: str | None) -> object:
    """A date as YAML has it, where it is one."""
    from datetime import date

    try:
        return text and date.fromisoformat(text)
    except ValueError:
        return text


def _meanings(given: Sequence[str]) -> dict[str, str]:
    from monitor.errors import InputError

    meanings = {}
    for text in given:
        label, equals, category = text.rpartition("=")
        if not (equals and label and category):
            raise InputError(f"--label: {text[:80]}: is not of the form LABEL=CATEGORY")
        meanings[label] = category
    return meanings


def _say_added(settings: "Config", name: str, loaded: "Sequence[HashList]") -> None:
    from rich.table import Table

    table = Table("list", "algorithm", box=None, pad_edge=False)
    table.add_column("entries", justify="right")
    table.add_column("action")
    table.add_column("within")
    table.add_column("version")
    for found in loaded:
        version = found.version
        within = "exact" if version.algorithm.exact else f"{version.max_distance} bits"
        table.add_row(
            name, version.algorithm.value, f"{len(found):,}", version.action.value, within, version.version
        )
    out().print(table)
    if loaded:
        if unusable := loaded[0].unusable:
            kinds = ", ".join(f"{count:,} {kind}" for kind, count in unusable.items())
            typer.echo(f"cannot be compared here: {kinds}")
        if loaded[0].withdrawn:
            typer.echo(f"withdrawn in the file: {loaded[0].withdrawn:,}")
    typer.echo(f"added to {settings.path}; next: monitor reload")
