"""`monitor log …`: the report log that others can verify; bundles and proofs too."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from monitor.cli.frame import (
    ConfigOption,
    JsonOption,
    OperatorOption,
    command,
    existing_store,
    moment,
    operator,
    print_json,
    read_config,
)
from monitor.cli.logged import facts_of, show

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cryptography.x509 import Certificate

    from monitor.config import Config
    from monitor.reportlog import Checkpoint, VerifierKey

app = typer.Typer(
    help="The report log that others can verify: proofs, checkpoints, time stamps.", no_args_is_help=True
)

OutOption = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Write it there, not on the terminal.")
]


ENCRYPTED = (b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED FILE-----")
"""How a file begins that is encrypted with age, plain or armored."""


class Pins(NamedTuple):
    """What the verifier knows beforehand."""

    key: "VerifierKey | None"
    since: "Checkpoint | None"
    certificates: "list[Certificate]"


@app.command()
@command
def verify(
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="[PATH]", help="A bundle, a log's folder or a proof (default: this state's log)."
        ),
    ] = None,
    key: Annotated[
        str | None, typer.Option(metavar="VKEY", help="The key that must have signed: name+id+base64.")
    ] = None,
    since: Annotated[
        Path | None,
        typer.Option(metavar="CHECKPOINT", help="A checkpoint kept from before: the log must go on from it."),
    ] = None,
    certificates: Annotated[
        list[Path] | None, typer.Option(metavar="PEM", help="Certificates that time stamps are checked with.")
    ] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Verify a bundle, a proof or a log, offline: hashes, signatures, time stamps; for this state its events too.

    Exit code 4 when something does not hold; the first thing that is wrong is named.
    """
    from monitor.errors import InputError, VerificationError

    pins = _pins(key, since, certificates or [])
    if path is not None and not path.exists():
        raise InputError(f"{path}: does not exist; give a bundle, a log's folder or a proof")
    try:
        facts = _state(read_config(config), pins) if path is None else _given(path, pins)
    except VerificationError as e:
        if json:
            print_json([{"verified": False, "wrong": str(e)}])
        raise VerificationError(f"{path}: {e}" if path is not None else str(e)) from e
    if json:
        print_json([{"verified": True, **facts}])
    else:
        show(facts)


@app.command()
@command
def checkpoint(write: OutOption = None, config: ConfigOption = None, json: JsonOption = False) -> None:
    """The newest checkpoint: a few lines to mail away or print, so that nobody can rewrite what stands before it."""
    settings = read_config(config)
    published = _published(settings)
    newest = published.checkpoint
    if write is not None:
        _write(write, newest.note)
    elif json:
        row = {
            "origin": newest.origin,
            "size": newest.size,
            "root": newest.root.hex(),
            "note": newest.note.decode(),
        }
        print_json([row | {"keys": [str(key) for key in published.signers]}])
    else:
        typer.echo(newest.note.decode(), nl=False)


@app.command()
@command
def proof(
    seq: Annotated[int, typer.Argument(metavar="SEQ", help="The event's number, which is its leaf's.")],
    write: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="The file to write, such as 7.tlog-proof.")
    ],
    config: ConfigOption = None,
) -> None:
    """Write the proof that an event is in the log. Of the event it tells type and time alone."""
    from monitor.errors import InputError

    published = _published(read_config(config))
    if not 0 <= seq < published.checkpoint.size:
        raise InputError(f"{seq}: the log has leaves 0 to {published.checkpoint.size - 1}")
    _write(write, published.proof(seq).encode())
    typer.echo(
        f"{write}: leaf {seq:,} of {published.checkpoint.size:,}; check it with: monitor log verify {write}"
    )


@app.command()
@command
def timestamp(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Have the newest checkpoint time-stamped by the authorities of the configuration (RFC 3161).

    What does not answer stays open: run it again. Exit code 3 then.
    """
    import asyncio

    from monitor.errors import ConfigError, NoNetwork
    from monitor.proving import brought_up
    from monitor.reportlog.stamps import certificates, obtain

    settings = read_config(config)
    if settings.report_log is None or not settings.report_log.timestamps:
        raise ConfigError(
            f"{settings.path}: report_log.timestamps: names no authority; add one with its certificates"
        )
    asyncio.run(brought_up(settings))
    newest = _published(settings).checkpoint
    trusted = [certificates(settings.resolve(one.certificates)) for one in settings.report_log.timestamps]
    failed: list[NoNetwork] = []
    for authority, known in zip(settings.report_log.timestamps, trusted, strict=True):
        row: dict[str, Any] = {"url": authority.url, "size": newest.size, "at": None}
        try:
            row["at"] = moment(obtain(settings.log, newest, authority.url, known).at)
        except NoNetwork as e:
            failed.append(e)
        if json:
            print_json([row])
        elif row["at"] is not None:
            typer.echo(f"{authority.url}: {newest.size:,} leaves stamped at {row['at']}")
    if failed:
        raise NoNetwork("\n".join(map(str, failed)))


@app.command()
@command
def rotate_key(
    keep: Annotated[Path | None, typer.Option(metavar="FILE", help="Keep the old key there (0600).")] = None,
    revoked: Annotated[
        bool, typer.Option("--revoked", help="Say that the old key may be in other hands.")
    ] = False,
    acting: OperatorOption = None,
    config: ConfigOption = None,
) -> None:
    """Sign the log with a new key from now on; the change is an event, and the checkpoint of it has both signatures."""
    from monitor.model import Role
    from monitor.rotating import rotate

    settings = read_config(config)
    who = operator(settings, acting, Role.ADMIN)
    existing_store(settings)
    done = rotate(settings, who, keep=keep, revoked=revoked)
    typer.echo(f"the log is signed by {done.new} from now on")
    typer.echo(
        f"give this to all who hold a checkpoint or a key of before:\n\n{done.checkpoint.note.decode()}",
        nl=False,
    )


def _pins(key: str | None, since: Path | None, certificates: list[Path]) -> Pins:
    from monitor.errors import InputError, VerificationError
    from monitor.reportlog import parse_checkpoint, verifier_key
    from monitor.reportlog.stamps import certificates as read

    try:
        known = verifier_key(key) if key is not None else None
    except VerificationError as e:
        raise InputError(f"--key: {e}") from None
    try:
        earlier = parse_checkpoint(since.read_bytes()) if since is not None else None
    except OSError as e:
        raise InputError(f"--since: {since}: cannot be read ({e.strerror})") from e
    except VerificationError as e:
        raise InputError(f"--since: {since}: {e}") from None
    return Pins(known, earlier, [one for path in certificates for one in read(path)])


def _given(path: Path, pins: Pins) -> dict[str, Any]:
    """What holds of what lies at that path. Raises VerificationError, InputError for what must be decrypted first."""
    from monitor.errors import InputError, VerificationError
    from monitor.reportlog import parse_proof
    from monitor.reportlog.bundles import verify_bundle
    from monitor.reportlog.proof import LONGEST_PROOF
    from monitor.reportlog.verifying import verify_log, verify_proof

    if path.is_dir():
        verified = verify_log(path, pinned=pins.key, since=pins.since, trusted=pins.certificates)
        return {"what": "log", **facts_of(verified)}
    try:
        with open(path, "rb") as file:
            data = file.read(LONGEST_PROOF)
    except OSError as e:
        raise VerificationError(f"cannot be read ({e.strerror})") from e
    if data.startswith(ENCRYPTED):
        raise InputError(f"{path}: is encrypted; decrypt it first: age -d -i KEY -o BUNDLE.zip {path}")
    if data.startswith(b"PK"):
        bundle = verify_bundle(path, pinned=pins.key, since=pins.since, trusted=pins.certificates)
        shown = {name: bundle.body.get(name) for name in ("operator", "handed_to", "purpose")}
        return {
            "what": "bundle",
            **facts_of(bundle.verified),
            "files": bundle.files,
            "export": bundle.seq,
            "opened": bundle.opened,
            **shown,
        }
    verified, leaf = verify_proof(parse_proof(data), pinned=pins.key, since=pins.since)
    return {
        "what": "proof",
        **facts_of(verified),
        "type": leaf.type,
        "at": leaf.at.isoformat().replace("+00:00", "Z"),
    }


def _state(config: "Config", pins: Pins) -> dict[str, Any]:
    """What holds of the configuration's own log and of the events in its store. Raises VerificationError."""
    import asyncio

    from monitor.proving import verified_state

    trusted: Mapping[str, Sequence[Certificate]] | Sequence[Certificate] = pins.certificates or _trusted(
        config
    )
    found = asyncio.run(verified_state(config, pinned=pins.key, since=pins.since, trusted=trusted))
    facts = {"what": "state", **facts_of(found.verified), "erased": found.erased, "waiting": found.waiting}
    return facts | {"removed": found.removed}


def _trusted(config: "Config") -> "dict[str, list[Certificate]]":
    from monitor.reportlog.stamps import authority_name, certificates

    authorities = config.report_log.timestamps if config.report_log is not None else ()
    return {authority_name(one.url): certificates(config.resolve(one.certificates)) for one in authorities}


def _published(config: "Config") -> Any:
    """The configuration's log as it is signed. Raises ConfigError, VerificationError."""
    from monitor.errors import InputError
    from monitor.reportlog import Published, known_checkpoint, locked

    if known_checkpoint(config.log) is None:
        raise InputError(
            f"{config.log}: there is no log yet; it begins with the first event under a report_log key"
        )
    with locked(config.log, shared=True):
        return Published(config.log)


def _write(path: Path, data: bytes) -> None:
    from monitor.errors import InputError

    try:
        path.write_bytes(data)
    except OSError as e:
        raise InputError(f"{path}: cannot be written ({e.strerror}); name another") from e
