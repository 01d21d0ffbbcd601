"""What a person should look at: the warnings of `monitor status`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from monitor.cli.frame import minute

if TYPE_CHECKING:
    from monitor.model import ChannelId, InAppReport
    from monitor.reporting.begun import Begun
    from monitor.store import ChannelStatus, Quarantined
    from monitor.store.report_book import Tasks
    from monitor.store.sums import Sums


def concerns(
    channels: "Sequence[ChannelStatus]",
    sums: "Mapping[ChannelId, Sums]",
    accounts: Sequence[Mapping[str, Any]],
    quarantined: "Sequence[Quarantined]" = (),
    reports: "Sequence[InAppReport]" = (),
    logged: Mapping[str, Any] | None = None,
) -> list[str]:
    """One sentence for each thing that is not as it should be; none when all is well."""
    from monitor.model import AccountState, ChannelState, ErrandState

    said = []
    for account in accounts:
        if account["state"] != AccountState.ACTIVE:
            said.append(
                f"account {account['account']} is {account['state']} since {account['since']}: "
                "nothing is collected through it"
            )
        spent = [name for name, b in account["budgets"].items() if b["limit"] and b["used"] >= b["limit"]]
        if spent:
            said.append(
                f"account {account['account']} has spent its budget of {', '.join(spent)}; what is due waits"
            )
    for channel in channels:
        found = sums.get(channel.channel_id) if channel.channel_id is not None else None
        if found is not None and found.holes:
            said.append(
                f"{channel.username}: {found.holes:,} ids are missing; monitor channels coverage says which"
            )
        if channel.state is ChannelState.STOPPED and channel.reason is not None:
            said.append(f"{channel.username}: stopped: {channel.reason.explanation}")
    for held in quarantined:
        said.append(
            f"list {held.hash_list}: entry {held.entry} matched {held.items:,} items, and its flags are held back; "
            "look, then: monitor lists release"
        )
    for state, what in (
        (ErrandState.WAITING, "wait to be sent, which a running daemon does when it may"),
        (ErrandState.FAILED, "were not sent and are open"),
        (ErrandState.UNKNOWN, "left without an answer: whether they arrived is unknown"),
        (ErrandState.ASKING, "wait for a choice that nobody made; send them anew"),
    ):
        if count := sum(report.state is state for report in reports):
            said.append(f"{count:,} reports in the app {what}; monitor report errands shows them")
    if logged is not None and logged["origin"] is None:
        said.append("there is no report log that others could verify; add report_log: to the configuration")
    elif logged is not None and logged["wrong"] is not None:
        said.append(f"the report log: {logged['wrong']}")
    elif logged is not None and logged["behind"]:
        said.append(
            f"{logged['behind']:,} events are not in the report log; the next command that writes, or the daemon, "
            "brings it up"
        )
    return said


def of_reports(tasks: "Tasks", mails: "Sequence[Begun]" = ()) -> list[str]:
    """One sentence for each kind of trouble with reports, and each mail without an end: these come first."""
    said = (
        (tasks.failed, "could not be sent; monitor report list --state failed"),
        (tasks.corrections, "no longer stand and are to be corrected; monitor report corrections"),
        (tasks.escalations, "left long ago, and what they report is still to be seen; monitor report list"),
    )
    return [f"reports: {count:,} {what}" for count, what in said if count] + [
        f"report {mail.report_id}: a mail of it was begun at {minute(mail.at)} (UTC), has no end on record and may have"
        f" arrived; ask the recipient, then: monitor report sent {mail.report_id}, or"
        f" monitor report failed {mail.report_id} --explanation"
        for mail in mails
    ]
