"""`monitor cases accept`, `reject`, `second-opinion`, `undo`, `assign`, `hold` and `release-hold`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.casework import (
    CaseArgument,
    FlagOption,
    ReferenceOption,
    WhyOption,
    act_on_case,
    parse,
    write,
)
from monitor.cli.frame import ConfigOption, OperatorOption, command, minute, operator, read_config, time_of

if TYPE_CHECKING:
    from monitor.reporting.acting import Case
    from monitor.store import SqlStore


@command
def accept(
    case: Annotated[int | None, typer.Argument(metavar="[CASE]", help="Its number.")] = None,
    flag: FlagOption = None,
    hash_list: Annotated[
        str | None, typer.Option("--list", metavar="NAME", help="Several cases: of this list.")
    ] = None,
    entries: Annotated[
        list[str] | None,
        typer.Option(
            "--entry", metavar="E", help="… and these entries; may be given again. Exact matches alone."
        ),
    ] = None,
    all_exact: Annotated[
        bool,
        typer.Option("--all-exact", help="All open cases, of --list if named, with exact matches alone."),
    ] = False,
    explanation: WhyOption = None,
    acting: OperatorOption = None,
    config: ConfigOption = None,
) -> None:
    """Rely on the match: of a case with what is yet to come, of one sighting, or of many cases with exact matches."""
    from monitor.errors import InputError
    from monitor.reporting import decisions

    many = all_exact or bool(entries)
    if many == (case is not None) or (all_exact and entries):
        raise InputError("accept: takes a case, or --list NAME --entry E …, or --all-exact")
    if many and flag is not None:
        raise InputError("--flag: belongs to one case; name it")
    if case is None:
        _accept_many(config, acting, hash_list, entries or [])
        return
    done = act_on_case(
        config,
        acting,
        case,
        lambda who, _: decisions.accept(who, flag_id=flag, explanation=explanation),
    )
    _say(done, flag, "accepted", read_config(config).reporting.undo_seconds)


@command
def reject(
    case: CaseArgument,
    reason: Annotated[
        str,
        typer.Option(
            metavar="CODE",
            help="distance_too_large, low_quality, known_false_positive, wrong_category, list_error, source_withdrawn,"
            " other_documented (with --reference).",
        ),
    ],
    flag: FlagOption = None,
    reference: ReferenceOption = None,
    explanation: WhyOption = None,
    acting: OperatorOption = None,
    config: ConfigOption = None,
) -> None:
    """Do not rely on the match, for a reason. What was reported on it is to be corrected."""
    from monitor.model import ReasonCode
    from monitor.reporting import decisions

    code = parse(reason, "--reason", ReasonCode)
    done = act_on_case(
        config,
        acting,
        case,
        lambda who, _: decisions.reject(
            who, code, flag_id=flag, reference=reference, explanation=explanation
        ),
    )
    _say(done, flag, "not relied on", read_config(config).reporting.undo_seconds)
    for report in done.facts.reports.values():
        if report.correction_since is not None:
            typer.echo(f"report {report.report_id} ({report.route}) was sent and is to be corrected")


@command
def second_opinion(
    case: CaseArgument,
    flag: FlagOption = None,
    explanation: WhyOption = None,
    acting: OperatorOption = None,
    config: ConfigOption = None,
) -> None:
    """Leave the decision to another person."""
    from monitor.reporting import decisions

    done = act_on_case(
        config,
        acting,
        case,
        lambda who, _: decisions.ask_second_opinion(who, explanation, flag_id=flag),
    )
    _say(done, flag, "waits for a second opinion", read_config(config).reporting.undo_seconds)


@command
def undo(case: CaseArgument, acting: OperatorOption = None, config: ConfigOption = None) -> None:
    """Take back your last decision on a case, within reporting.undo_seconds."""
    from monitor.reporting import decisions

    done = act_on_case(
        config,
        acting,
        case,
        lambda who, settings: decisions.undo(who, settings.reporting.value()),
    )
    typer.echo(f"case {case}: undone; it is {done.facts.state.replace('_', ' ')}")


@command
def assign(
    case: CaseArgument,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Whose it is.")] = None,
    nobody: Annotated[bool, typer.Option("--nobody", help="Nobody's.")] = False,
    acting: OperatorOption = None,
    config: ConfigOption = None,
) -> None:
    """Say whose case it is. Others may decide on it all the same."""
    from monitor.errors import InputError
    from monitor.model import IDENTIFIER
    from monitor.reporting import decisions

    if (name is None) != nobody:
        raise InputError("assign: takes a name, or --nobody")
    if name is not None and not IDENTIFIER.fullmatch(name):
        raise InputError("assign: a name takes letters, digits, '.', '_', ':' and '-', 64 at most")
    act_on_case(config, acting, case, lambda who, _: decisions.assign(who, name))
    typer.echo(f"case {case}: assigned to {name or 'nobody'}")


@command
def hold(
    case: CaseArgument,
    asked_by: Annotated[str, typer.Option("--asked-by", metavar="TEXT", help="Who asked.")],
    until: Annotated[str, typer.Option(metavar="DATE", help="To the end of that day, or a time (UTC).")],
    reference: Annotated[str, typer.Option(metavar="TEXT", help="Of the request.")],
    acting: OperatorOption = None,
    config: ConfigOption = None,
) -> None:
    """Prepare and send nothing on a case for a while, as somebody has asked."""
    from monitor.reporting import holds

    end = time_of("--until", until, end_of_day=True)
    act_on_case(
        config,
        acting,
        case,
        lambda who, _: holds.hold(who, asked_by=asked_by, until=end, reference=reference),
    )
    typer.echo(f"case {case}: held until {minute(end)} (UTC)")


@command
def release_hold(
    case: CaseArgument,
    explanation: WhyOption = None,
    reference: ReferenceOption = None,
    acting: OperatorOption = None,
    config: ConfigOption = None,
) -> None:
    """End a hold before its time."""
    from monitor.reporting import holds

    act_on_case(
        config,
        acting,
        case,
        lambda who, _: holds.end_hold(who, explanation=explanation, reference=reference),
    )
    typer.echo(f"case {case}: hold ended")


def _say(done: "Case", flag: int | None, what: str, seconds: int) -> None:
    about = f"case {done.record.case_id}" + ("" if flag is None else f", flag {flag}")
    undoing = f"; can be undone for {seconds} s: monitor cases undo {done.record.case_id}" if seconds else ""
    typer.echo(f"{about}: {what}{undoing}")


def _accept_many(config: Path | None, acting: str | None, hash_list: str | None, entries: list[str]) -> None:
    """Accept cases with exact matches alone: those of the entries, of which each must be such, or all that are."""
    from monitor.model import Role

    settings = read_config(config)
    who = operator(settings, acting, Role.REVIEWER)
    accepted = write(settings, lambda store: _accepted(store, who, hash_list, entries))
    typer.echo(f"{len(accepted):,} case{'' if len(accepted) == 1 else 's'} accepted")


async def _accepted(store: "SqlStore", who: str, hash_list: str | None, entries: list[str]) -> list[int]:
    from monitor.clock import now
    from monitor.errors import InputError
    from monitor.model import CaseState
    from monitor.reporting import decisions
    from monitor.reporting.acting import act, look
    from monitor.store import casebook

    at = now()
    if not entries:
        lines = await store.reader.run(casebook.list_cases, at, state=CaseState.OPEN, hash_list=hash_list)
        cases = [await look(store.reader, line.case_id, at) for line in lines if line.exact]
        numbers = [c.record.case_id for c in cases if decisions.not_in_bulk(c) is None]
    else:
        if hash_list is None:
            raise InputError("--entry: needs --list NAME")
        known = await store.reader.run(casebook.case_numbers, hash_list, entries)
        if missing := [entry for entry in entries if entry not in known]:
            raise InputError(
                f"{hash_list}/{missing[0]}: has no case; monitor cases list shows those that there are"
            )
        numbers = sorted(known.values())
        for number in numbers:
            case = await look(store.reader, number, at)
            if why := decisions.not_in_bulk(case):
                raise InputError(
                    f"{hash_list}/{case.record.entry}: {why}; nothing was accepted. Decide on it alone:"
                    f" monitor cases accept {number}"
                )
    for number in numbers:
        await act(store, number, decisions.accept_exact(who), at)
    return numbers
