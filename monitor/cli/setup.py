"""`monitor init` and `monitor login`: from nothing to a signed-in account."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.frame import ConfigOption, command, read_config

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.config import Account, Config
    from monitor.model import Scalar, SessionState
    from monitor.telegram.access import Credentials, Endpoint
    from monitor.telegram.session import StoredSession

TEMPLATE = """\
# Channel Monitor. All keys, with explanations: config.example.yaml and docs/configuration.md.
state_dir: ./state
operator: analyst-1
pseudonym_key: {{file: ./{key}}}
# The log that others can verify. Its origin names it in every proof, and stays: put a name of yours there first.
report_log: {{origin: {origin}, key: {{file: ./{log_key}}}}}

# Without a legal statement no media is fetched, only metadata is recorded.
# legal:
#   jurisdiction: KR
#   reference: opinion 2026-11
#   reviewed_on: 2026-11-01
#   fetch_suspected: false

accounts:
  - name: main
    api_id: 12345                            # yours, from the platform's page for developers
    api_hash: {{env: TELEGRAM_API_HASH}}

channels: []
# - username: example_channel
#   authorization:
#     reference: IRB-2026-014
#     basis: ethics_approval                 # or owner_consent, statutory_mandate, contract
#     granted_by: Ethics Board
#     document_sha256: "…"                   # of the signed document
#     approved_by: second-person
#     valid_from: 2026-11-01
#     valid_until: 2027-05-01

hash_lists: []
# - name: partner-a
#   file: lists/partner-a.csv
#   algorithm: pdq
#   terms: {{licensor: Partner A, reference: DSA-12, permitted_uses: [detect, report]}}
"""


@command
def init(
    config: ConfigOption = None,
    rotate_pseudonym_key: Annotated[
        bool,
        typer.Option(
            "--rotate-pseudonym-key",
            help="Replace the key for pseudonyms: new names from then on; the old cannot be made again.",
        ),
    ] = False,
    keep: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --rotate-pseudonym-key: keep the old key there."),
    ] = None,
) -> None:
    """Write a configuration to begin with, and beside it the keys for pseudonyms and for the report log."""
    import secrets

    from monitor.config import find
    from monitor.errors import InputError
    from monitor.secrets import write_private

    if rotate_pseudonym_key:
        _rotate(config, keep)
        return
    if keep is not None:
        raise InputError("--keep: goes with --rotate-pseudonym-key")
    path = find(config).absolute()
    key, log_key = path.with_name("pseudonym.key"), path.with_name("log.key")
    if path.exists():
        raise InputError(f"{path}: exists already; it is left as it is. Name another with --config FILE")
    if not path.parent.is_dir():
        raise InputError(f"{path.parent}: no such folder; create it first")
    if not key.exists():
        write_private(key, _new_key())
    if not log_key.exists():
        write_private(log_key, _new_key())
    origin = f"channel-monitor/{secrets.token_hex(4)}"
    write_private(path, TEMPLATE.format(key=key.name, log_key=log_key.name, origin=origin).encode())
    typer.echo(f"written: {path}")
    typer.echo(f"         {key}  (keep it: without it pseudonyms of old and new records do not agree)")
    typer.echo(f"         {log_key}  (it signs the report log; who holds it can sign in your name)")
    typer.echo("next:    fill in accounts and channels, then run: monitor login, monitor check, monitor run")


def _new_key() -> bytes:
    import secrets

    from monitor.telegram.pseudonyms import KEY_BYTES

    return secrets.token_hex(KEY_BYTES).encode("ascii") + b"\n"


def _rotate(option: Path | None, keep: Path | None) -> None:
    import asyncio

    from monitor.errors import ConfigError, InputError
    from monitor.secrets import read_private, replace_private, write_private
    from monitor.state import sole
    from monitor.telegram.pseudonyms import KEY_BYTES, key_id

    config = read_config(option)
    path, where = config.resolve(config.pseudonym_key.file), f"{config.path}: pseudonym_key"
    old = read_private(path, where)
    if keep is not None and keep.absolute().is_relative_to(config.state):
        raise InputError(f"--keep: {keep} lies in the state directory; keep the key elsewhere")
    fresh = path.with_name(path.name + ".new")
    with sole(config.state):
        if keep is not None:
            write_private(keep, old)
        if (
            not fresh.exists()
        ):  # else a rotation was cut short; its event may be on record: bring it to its end
            write_private(fresh, _new_key())
        new = read_private(fresh, where)
        if len(new) < KEY_BYTES:
            raise ConfigError(f"{where}: {fresh} was cut short; remove it and run this again")
        ids: dict[str, Scalar] = {"old": key_id(old), "new": key_id(new), "kept": keep is not None}
        asyncio.run(_record_rotation(config, ids))
        try:
            replace_private(path, fresh)
        except OSError as e:
            raise ConfigError(f"{where}: {path} cannot be replaced ({e.strerror}); run this again") from e
    typer.echo(
        f"pseudonyms begin with {ids['new']} from now on; those with {ids['old']} belong to the old key"
    )
    typer.echo(f"the old key: {keep if keep is not None else 'overwritten; destroy its backups too'}")


async def _record_rotation(config: "Config", ids: "Mapping[str, Scalar]") -> None:
    from datetime import UTC, datetime

    from monitor.model import EventType
    from monitor.proving import brought_up
    from monitor.store import open_store

    async with open_store(config.database) as store:
        await store.append(EventType.PSEUDONYM_KEY_ROTATED, ids, datetime.now(UTC))
    await brought_up(config)


@command
def login(
    account: Annotated[str | None, typer.Argument(help="The account's name in the configuration.")] = None,
    config: ConfigOption = None,
    qr: Annotated[
        bool, typer.Option("--qr", help="Show a QR code for the account's app to scan, instead of asking.")
    ] = False,
) -> None:
    """Sign an account in. Asks on the terminal; otherwise reads phone, code and password, line by line."""
    import asyncio

    settings = read_config(config)
    asyncio.run(_login(settings, account, qr))


async def _login(config: "Config", name: str | None, qr: bool) -> None:
    from monitor.clock import now
    from monitor.errors import FloodWait, InputError, NoNetwork, SourceUnavailable
    from monitor.model import AccountState, EventType
    from monitor.prepare import credentials, endpoint
    from monitor.proving import brought_up
    from monitor.state import sole
    from monitor.store import open_store
    from monitor.telegram.politeness import Politeness
    from monitor.telegram.sealing import seal

    account = config.account(name)
    if qr and account.kind == "bot":
        raise InputError(f"--qr: account {account.name} is a bot; bots sign in with their token")
    identity, server = credentials(config, account.name), endpoint(config)
    sealing = config.sealing_key()
    with sole(config.state):
        async with open_store(config.database) as store:
            saved = await store.session(account.name)
            try:
                already = await _still_signed_in(saved, sealing, identity, server)
                session = already or await _sign_in(config, account, qr, identity, server)
            except SourceUnavailable as e:
                raise NoNetwork(
                    f"the platform cannot be reached; check the network and telegram: ({e})"
                ) from e
            except FloodWait as e:
                raise InputError(
                    f"the platform asks for a pause of {e.seconds} s before the next sign-in"
                ) from e
            # Only now: a sign-in that failed leaves the stored key as it is.
            state = session.state()
            if state is not None:
                await store.save_session(seal(state, sealing))
            politeness = await Politeness.load(account.name, {}, store)
            if politeness.state is not AccountState.ACTIVE:
                # Whoever was frozen or signed out is given another chance.
                await politeness.became(AccountState.ACTIVE)
            if not already:
                body: dict[str, Scalar] = {"account": account.name, "user_id": session.user_id}
                await store.append(EventType.SIGNED_IN, body, now())
    await brought_up(config)
    typer.echo(f"account {account.name} {'is signed in already' if already else 'is signed in'}")


async def _still_signed_in(
    saved: "SessionState | None",
    sealing: bytes | None,
    identity: "Credentials",
    server: "Endpoint | None",
) -> "StoredSession | None":
    """The saved session, if the platform still knows it; None where signing in anew is the remedy."""
    from monitor.errors import ConfigError, SessionRevoked
    from monitor.telegram.client import connect
    from monitor.telegram.sealing import unseal
    from monitor.telegram.session import StoredSession

    if saved is None:
        return None
    try:
        session = StoredSession(saved.account, unseal(saved, sealing))
        async with connect(session, identity, server, key_pauses=()):
            return session
    except (ConfigError, SessionRevoked):
        return None


async def _sign_in(
    config: "Config", account: "Account", qr: bool, identity: "Credentials", server: "Endpoint | None"
) -> "StoredSession":
    """A new session, signed in under a key of its own."""
    from monitor.telegram.client import connect
    from monitor.telegram.session import StoredSession
    from monitor.telegram.signin import Scan, by_phone, by_token, sign_in

    def token() -> str:
        if account.token is None:
            return _ask("Bot token", True)
        return account.token.read(config.path.parent, f"{config.path}: account {account.name}: token")

    session, scan = StoredSession(account.name), Scan(_ask, _show)
    sink = scan if qr else None
    async with connect(session, identity, server, sink=sink, signed_in=False) as connection:
        if qr:
            await sign_in(connection, scan.way)
        else:
            await sign_in(connection, by_token(token) if account.kind == "bot" else by_phone(_ask))
    return session


def _show(link: str) -> None:
    """The QR code on a terminal, and the link below it."""
    if sys.stderr.isatty():
        import io

        import segno

        drawn = io.StringIO()
        segno.make(link, error="l", micro=False).terminal(drawn, border=2, compact=True)
        for line in drawn.getvalue().splitlines():
            # White on black whatever the terminal's own colours: some scanners refuse the negative.
            typer.echo(f"\x1b[38;5;231;48;5;16m{line}\x1b[0m", err=True)
    typer.echo("in the account's app: Settings, Devices, Link Desktop Device; or open there:", err=True)
    typer.echo(link, err=True)


def _ask(question: str, secret: bool) -> str:
    from monitor.errors import InputError

    if sys.stdin.isatty():
        answer = str(typer.prompt(question, hide_input=secret, err=True))
    else:
        answer = sys.stdin.readline()
        if not answer:
            raise InputError(f"standard input ended before an answer to: {question}")
    return answer.strip()
