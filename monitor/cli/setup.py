"""`monitor init` and `monitor login`: from nothing to a signed-in account."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.frame import ConfigOption, command, read_config

TEMPLATE = """\
# Channel Monitor. All keys, with explanations: config.example.yaml and docs/configuration.md.
state_dir: ./state
operator: analyst-1
pseudonym_key: {{file: ./{key}}}

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
def init(config: ConfigOption = None) -> None:
    """Write a configuration to begin with, and the key for pseudonyms beside it."""
    import os
    import secrets

    from monitor.config import find
    from monitor.errors import InputError
    from monitor.telegram.pseudonyms import KEY_BYTES

    path = find(config).absolute()
    key = path.with_name("pseudonym.key")
    if path.exists():
        raise InputError(f"{path}: exists already; it is left as it is. Name another with --config FILE")
    if not path.parent.is_dir():
        raise InputError(f"{path.parent}: no such folder; create it first")
    if not key.exists():
        with open(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_hex(KEY_BYTES).encode("ascii") + b"\n")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(TEMPLATE.format(key=key.name))
    typer.echo(f"written: {path}")
    typer.echo(f"         {key}  (keep it: without it pseudonyms of old and new records do not agree)")
    typer.echo("next:    fill in accounts and channels, then run: monitor login, monitor check, monitor run")


@command
def login(
    account: Annotated[str | None, typer.Argument(help="The account's name in the configuration.")] = None,
    config: ConfigOption = None,
) -> None:
    """Sign an account in. Asks on the terminal; otherwise reads phone, code and password, line by line."""
    import asyncio

    settings = read_config(config)
    asyncio.run(_login(settings.path, account))


async def _login(path: Path, name: str | None) -> None:
    from monitor.config import load
    from monitor.daemon import sole
    from monitor.errors import FloodWait, InputError, NoNetwork, SourceUnavailable
    from monitor.model import EventType
    from monitor.prepare import credentials, endpoint, now
    from monitor.store import open_store
    from monitor.telegram.client import connect
    from monitor.telegram.session import StoredSession
    from monitor.telegram.signin import sign_in

    config = load(path)
    account = config.account(name)
    identity, server = credentials(config, account.name), endpoint(config)
    with sole(config.state):
        async with open_store(config.database) as store:
            session = StoredSession(account.name, await store.session(account.name))
            try:
                async with connect(session, identity, server, signed_in=False) as connection:
                    who = await sign_in(connection, _ask, bot=account.kind == "bot")
            except SourceUnavailable as e:
                raise NoNetwork(
                    f"the platform cannot be reached; check the network and telegram: ({e})"
                ) from e
            except FloodWait as e:
                raise InputError(
                    f"the platform asks for a pause of {e.seconds} s before the next sign-in"
                ) from e
            state = session.state()
            if state is not None:
                await store.save_session(state)
            if not who.already:
                await store.append(
                    EventType.SIGNED_IN, {"account": account.name, "user_id": who.user_id}, now()
                )
    typer.echo(f"account {account.name} {'is signed in already' if who.already else 'is signed in'}")


def _ask(question: str, secret: bool) -> str:
    from monitor.errors import InputError

    if sys.stdin.isatty():
        answer = str(typer.prompt(question, hide_input=secret, err=True))
    else:
        answer = sys.stdin.readline()
        if not answer:
            raise InputError(f"standard input ended before an answer to: {question}")
    return answer.strip()
