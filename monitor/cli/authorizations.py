"""`monitor channels authorize` and `revoke`: an authorization begins in the configuration, and ends there or here."""

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.frame import ConfigOption, OperatorOption, command, operator, read_config

LONGEST_REASON = 500
"""Characters."""


@command
def authorize(
    username: Annotated[str, typer.Argument(metavar="USERNAME", help="The channel's public name.")],
    reference: Annotated[
        str, typer.Option(metavar="TEXT", help="Of the authorization; another one each time.")
    ],
    basis: Annotated[
        str,
        typer.Option(metavar="BASIS", help="owner_consent, ethics_approval, statutory_mandate, contract."),
    ],
    granted_by: Annotated[str, typer.Option(metavar="TEXT", help="Who granted it.")],
    valid_from: Annotated[str, typer.Option(metavar="DATE", help="In force from then on (UTC), 2026-11-01.")],
    valid_until: Annotated[str, typer.Option(metavar="DATE", help="… to the end of that day.")],
    document: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The signed document; its SHA-256 is declared.")
    ] = None,
    approved_by: Annotated[str | None, typer.Option(metavar="TEXT", help="The second person.")] = None,
    config: ConfigOption = None,
) -> None:
    """Check an authorization and print it as the configuration declares it. Nothing is written: you put it there."""
    import hashlib

    import yaml

    from monitor.config import parse
    from monitor.errors import ConfigError, InputError

    settings = read_config(config)
    record: dict[str, str] = {"reference": reference, "basis": basis, "granted_by": granted_by}
    if document is not None:
        try:
            record["document_sha256"] = hashlib.sha256(document.read_bytes()).hexdigest()
        except OSError as e:
            raise InputError(f"{document}: cannot be read ({e.strerror})") from e
    if approved_by is not None:
        record["approved_by"] = approved_by
    entry = {
        "username": username,
        "authorization": record | {"valid_from": valid_from, "valid_until": valid_until},
    }
    text = yaml.safe_dump({"channels": [entry]}, sort_keys=False, allow_unicode=True)
    try:
        (declared,) = parse(text, settings.path).channels
    except ConfigError as e:
        # Where it would stand means nothing here: the key and what is wrong with it do.
        raise InputError(str(e).split(": ", 1)[-1].replace("channels.0.", "")) from e
    before = next((c for c in settings.channels if c.username == declared.username), None)
    typer.echo(text, nl=False)
    if before is None:
        what = "put it under channels: in"
    elif before.authorization is not None and before.authorization.reference == reference:
        what = "a revocation holds until another reference is declared; else replace its authorization in"
    else:
        what = "replace its authorization in"
    typer.echo(f"next: {what} {settings.path}, then run: monitor reload", err=True)


@command
def revoke(
    username: Annotated[str, typer.Argument(metavar="USERNAME", help="The channel's public name.")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept with who and when.")],
    acting: OperatorOption = None,
    config: ConfigOption = None,
) -> None:
    """End a channel's authorization now. It holds until one under another reference is declared."""
    import asyncio

    from monitor.clock import now
    from monitor.errors import InputError
    from monitor.model import Role
    from monitor.store import channels, open_store

    settings = read_config(config)
    who, name = operator(settings, acting, Role.ADMIN), username.removeprefix("@")
    if not 0 < len(reason.strip()) <= LONGEST_REASON:
        raise InputError(f"--reason: takes 1 to {LONGEST_REASON} characters")
    if not settings.database.exists():
        raise InputError(
            f"{settings.database}: there is no store yet; take the channel out of the configuration"
        )

    async def revoked() -> bool:
        async with open_store(settings.database) as store:
            return await store.run(channels.revoke, name, explanation=reason.strip(), operator=who, at=now())

    if asyncio.run(revoked()):
        typer.echo(f"{name}: revoked; a running daemon stops within half a minute")
    else:
        typer.echo(f"{name}: was revoked already")
