"""`monitor report notice` and `mail`: the notice of a report, written for a person or sent."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.casework import ReportArgument, reviewer_or_exporter, write
from monitor.cli.frame import ConfigOption, OperatorOption, command, operator, read_config

if TYPE_CHECKING:
    from monitor.config import Config
    from monitor.reporting.notices import Recipient
    from monitor.reporting.noticing import Office


@command
def notice(
    report: ReportArgument,
    kind: Annotated[
        str, typer.Option("--format", metavar="F", help="text, eml or html (to print).")
    ] = "text",
    file: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The file to write (private).")
    ] = None,
    acting: OperatorOption = None,
    config: ConfigOption = None,
) -> None:
    """Write the notice of a prepared or approved report. It holds addresses, and leaves an event."""
    from monitor.clock import now
    from monitor.errors import InputError
    from monitor.reporting import noticing

    settings = read_config(config)
    who = reviewer_or_exporter(settings, acting)
    if kind not in noticing.FORMATS:
        raise InputError(f"--format: {kind[:20]} is none of {', '.join(noticing.FORMATS)}")
    tools = office(settings)
    made, data = write(
        settings,
        lambda store: noticing.write(store, report, tools, operator=who, kind=kind, at=now(), path=file),
    )
    told(data, made.title, file)
    warn(settings, made.recipient)


@command
def mail(report: ReportArgument, acting: OperatorOption = None, config: ConfigOption = None) -> None:
    """Send an approved report to its recipient by mail, once."""
    from monitor.clock import now
    from monitor.model import Role
    from monitor.prepare import mail_server
    from monitor.reporting import mailing

    settings = read_config(config)
    who = operator(settings, acting, Role.REVIEWER)
    server, tools, policy = mail_server(settings), office(settings), settings.reporting.value()
    sent = write(
        settings,
        lambda store: mailing.mail(store, report, tools, server, policy, operator=who, clock=now),
    )
    typer.echo(f"report {report}: sent to {sent.to}, {sent.message_id}")


def office(settings: "Config") -> "Office":
    """What the notices of a configuration are made with. Raises InputError for a register that is broken."""
    from monitor.reporting.notices import Templates, load_register
    from monitor.reporting.noticing import Office

    def own(path: Path | None) -> Path | None:
        return settings.resolve(path) if path else None

    return Office(
        settings.operator_details.value() if settings.operator_details else None,
        load_register(own(settings.notices.recipients)),
        Templates(own(settings.notices.templates)),
    )


def warn(settings: "Config", recipient: "Recipient | None") -> None:
    """Say on standard error that a recipient's entry is old, if it is."""
    from monitor.clock import now
    from monitor.reporting.notices import stale

    if recipient is None or recipient not in stale(office(settings).register, now().date()):
        return
    when = f" since {recipient.checked_on}" if recipient.checked_on else ""
    typer.echo(
        f"monitor: {recipient.id}: nobody has compared its entry with what it publishes{when}; do so before you use"
        f" it: monitor notice show {recipient.id}",
        err=True,
    )


def written(data: bytes, title: str, file: Path | None) -> None:
    """A notice of no report to a private file, or to standard output."""
    from monitor.reporting.files import writing

    if file is not None:
        with writing(file) as out:
            out.write(data)
            out.close()
            out.keep()
    told(data, title, file)


def told(data: bytes, title: str, file: Path | None) -> None:
    """A notice on standard output; of one that is in a file, where it lies and its digest."""
    import hashlib

    if file is None:
        sys.stdout.write(data.decode())
    else:
        typer.echo(f"{title}\n{file}, SHA-256 {hashlib.sha256(data).hexdigest()}", err=True)
