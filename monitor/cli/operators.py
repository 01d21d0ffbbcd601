"""`monitor operators …`: the people who act, and in which roles."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.frame import (
    ConfigOption,
    JsonOption,
    OperatorOption,
    command,
    minute,
    moment,
    operator,
    out,
    print_json,
    read_config,
)

if TYPE_CHECKING:
    from monitor.model import Role

app = typer.Typer(no_args_is_help=True, help="The people who act, and in which roles.")

RolesOption = Annotated[
    list[str],
    typer.Option("--role", metavar="ROLE", help="viewer, reviewer, exporter, admin; more than once."),
]


@app.command()
@command
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As commands take it: --as NAME.")],
    role: RolesOption,
    acting: OperatorOption = None,
    config: ConfigOption = None,
) -> None:
    """Add a person. The first has to be an admin; until then the configuration's operator has every role."""
    import asyncio

    from monitor.clock import now
    from monitor.model import Role
    from monitor.store import open_store, operators

    settings = read_config(config)
    roles, who = _roles(role), operator(settings, acting, Role.ADMIN)

    async def added() -> None:
        async with open_store(settings.database) as store:
            await store.run(operators.add, name, roles, operator=who, at=now())

    asyncio.run(added())
    typer.echo(f"{name}: added as {', '.join(sorted(roles))}")


@app.command("list")
@command
def list_operators(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Everybody who was ever added, with their roles."""
    import asyncio

    from monitor.store import open_reader
    from monitor.store.operators import Operator, everybody

    settings = read_config(config)

    async def read() -> list[Operator]:
        async with open_reader(settings.database) as reader:
            return await reader.run(everybody)

    known = asyncio.run(read()) if settings.database.exists() else []
    if json:
        print_json(
            {
                "name": one.name,
                "roles": sorted(one.roles),
                "password": one.password,
                "created_at": moment(one.created_at),
                "disabled_at": moment(one.disabled_at) if one.disabled_at else None,
            }
            for one in known
        )
        return
    if not known:
        typer.echo(f"none yet: {settings.operator}, whom the configuration names, has every role")
        return
    from rich.table import Table

    table = Table("name", "roles", "password", "added (UTC)", "disabled (UTC)", box=None, pad_edge=False)
    for one in known:
        disabled = minute(one.disabled_at) if one.disabled_at else ""
        password = "yes" if one.password else ""
        table.add_row(one.name, ", ".join(sorted(one.roles)), password, minute(one.created_at), disabled)
    out().print(table)


@app.command()
@command
def change(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As operators list shows it.")],
    role: RolesOption,
    acting: OperatorOption = None,
    config: ConfigOption = None,
) -> None:
    """Give a person other roles, in place of those they have; one who was disabled may act again."""
    roles = _roles(role)
    changed = _change(name, config, acting, roles, disabled=False)
    typer.echo(f"{name}: {'is now' if changed else 'was already'} {', '.join(sorted(roles))}")


@app.command()
@command
def disable(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As operators list shows it.")],
    acting: OperatorOption = None,
    config: ConfigOption = None,
) -> None:
    """Let a person act no more. Nobody is removed: the record says who did what."""
    changed = _change(name, config, acting, None, disabled=True)
    typer.echo(f"{name}: {'disabled' if changed else 'was disabled already'}")


@app.command()
@command
def password(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As operators list shows it.")],
    source: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="FILE", help="Read it there (a private file, or - for standard input)."
        ),
    ] = None,
    acting: OperatorOption = None,
    config: ConfigOption = None,
) -> None:
    """Set the password that the console asks for. Commands ask for none: whoever has this shell is trusted."""
    import asyncio

    from monitor.clock import now
    from monitor.model import Role
    from monitor.store import open_store, operators

    settings = read_config(config)
    who = operator(settings, acting, Role.ADMIN)
    chosen = _password(source)

    async def kept() -> None:
        async with open_store(settings.database) as store:
            await operators.set_password(store, name, chosen, operator=who, at=now())

    asyncio.run(kept())
    typer.echo(f"{name}: password set")


def _roles(named: list[str]) -> "frozenset[Role]":
    from monitor.errors import InputError
    from monitor.model import Role

    try:
        return frozenset(map(Role, named))
    except ValueError:
        raise InputError(f"--role: takes {', '.join(Role)}") from None


def _change(
    name: str, config: Path | None, acting: str | None, roles: "frozenset[Role] | None", *, disabled: bool
) -> bool:
    import asyncio

    from monitor.clock import now
    from monitor.model import Role
    from monitor.store import open_store, operators

    settings = read_config(config)
    who = operator(settings, acting, Role.ADMIN)

    async def changed() -> bool:
        async with open_store(settings.database) as store:
            return await store.run(
                operators.change, name, roles=roles, disabled=disabled, operator=who, at=now()
            )

    return asyncio.run(changed())


def _password(source: Path | None) -> str:
    import sys

    from monitor.errors import InputError
    from monitor.secrets import read_private

    if source is None:
        if not sys.stdin.isatty():
            raise InputError("there is no terminal to ask at; give it with --from FILE, or --from -")
        return str(typer.prompt("password", hide_input=True, confirmation_prompt=True, err=True))
    try:
        text = sys.stdin.read() if str(source) == "-" else read_private(source, "--from").decode()
    except UnicodeDecodeError:
        raise InputError(f"{source}: is not UTF-8 text") from None
    return text.removesuffix("\n").removesuffix("\r")
