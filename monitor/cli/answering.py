"""`monitor report approve`, `sent`, `hand-over`, `failed`, `acknowledge`, `outcome` and `correct`."""

from typing import Annotated

import typer

from monitor.cli.casework import ReferenceOption, ReportArgument, WhyOption, act_on_report, parse
from monitor.cli.frame import ConfigOption, OperatorOption, command


@command
def approve(report: ReportArgument, acting: OperatorOption = None, config: ConfigOption = None) -> None:
    """Let a report go out."""
    from monitor.reporting import reports

    act_on_report(
        config, acting, report, lambda who, settings: reports.approve(who, settings.reporting.value())
    )
    typer.echo(f"report {report}: approved")


@command
def sent(
    report: ReportArgument,
    reference: ReferenceOption = None,
    acting: OperatorOption = None,
    config: ConfigOption = None,
) -> None:
    """Record that an approved report was sent."""
    from monitor.reporting import reports

    act_on_report(
        config,
        acting,
        report,
        lambda who, settings: reports.sent(who, settings.reporting.value(), reference=reference),
    )
    typer.echo(f"report {report}: sent")


@command
def hand_over(
    report: ReportArgument,
    reference: ReferenceOption = None,
    acting: OperatorOption = None,
    config: ConfigOption = None,
) -> None:
    """Record that an approved report was entered into a form, or handed to somebody."""
    from monitor.reporting import reports

    act_on_report(
        config,
        acting,
        report,
        lambda who, settings: reports.handed_over(who, settings.reporting.value(), reference=reference),
    )
    typer.echo(f"report {report}: handed over")


@command
def failed(
    report: ReportArgument,
    explanation: WhyOption = None,
    acting: OperatorOption = None,
    config: ConfigOption = None,
) -> None:
    """Record that an approved report could not be sent; it stays open until it is."""
    from monitor.reporting import reports
    from monitor.reporting.acting import needed

    why = needed(explanation, "--explanation", "say what went wrong")
    act_on_report(
        config, acting, report, lambda who, _: reports.failed(who, "not_delivered", explanation=why)
    )
    typer.echo(f"report {report}: failed, and open until it is sent")


@command
def acknowledge(
    report: ReportArgument,
    reference: ReferenceOption = None,
    acting: OperatorOption = None,
    config: ConfigOption = None,
) -> None:
    """Record that the recipient has it, under their reference."""
    from monitor.reporting import reports

    act_on_report(config, acting, report, lambda who, _: reports.acknowledge(who, reference))
    typer.echo(f"report {report}: acknowledged")


@command
def outcome(
    report: ReportArgument,
    result: Annotated[
        str,
        typer.Argument(
            metavar="OUTCOME",
            help="actioned, already_gone, not_illegal, duplicate, needs_more or no_answer.",
        ),
    ],
    reference: ReferenceOption = None,
    acting: OperatorOption = None,
    config: ConfigOption = None,
) -> None:
    """Record what the recipient did."""
    from monitor.model import ReportOutcome
    from monitor.reporting import reports

    what = parse(result, "outcome", ReportOutcome)
    act_on_report(config, acting, report, lambda who, _: reports.came_out(who, what, reference=reference))
    typer.echo(f"report {report}: {what}")


@command
def correct(
    report: ReportArgument,
    explanation: WhyOption = None,
    acting: OperatorOption = None,
    config: ConfigOption = None,
) -> None:
    """Record that the recipient was told that a report no longer stands."""
    from monitor.reporting import reports

    act_on_report(config, acting, report, lambda who, _: reports.correct(who, explanation))
    typer.echo(f"report {report}: corrected")
