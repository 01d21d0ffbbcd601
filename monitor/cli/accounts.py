"""What `monitor status` says of accounts: whether they work, what they spent, what they must wait for."""

from typing import TYPE_CHECKING, Any

from monitor.cli.frame import moment

if TYPE_CHECKING:
    from rich.console import Console

    from monitor.config import Config
    from monitor.model import Conduct


def described(config: "Config", conduct: "Conduct") -> dict[str, Any]:
    """One account as --json has it; times by the platform's clock, `left` in seconds from now."""
    import math
    import time

    from monitor.telegram.politeness import SECONDS
    from monitor.telegram.timeline import Timeline, boot, to_seconds
    from monitor.telegram.windows import Block, Window

    elapsed = time.monotonic()
    now = Timeline.after(conduct.last, elapsed, boot()).now(elapsed)
    budgets = {}
    for budget, limit in config.telegram.budgets.limits().items():
        window = Window(limit, SECONDS[budget])
        blocks = [
            Block(to_seconds(s.at), s.count, s.count, open=False) for s in conduct.spent if s.budget is budget
        ]
        budgets[budget.value] = {
            "used": window.used(blocks, now),
            "limit": limit,
            "seconds": int(window.seconds),
        }
    waits = [(w.method, w.until) for w in conduct.waits]
    if conduct.joins_paused_until is not None:
        waits.append(("channels.joinChannel", conduct.joins_paused_until))
    return {
        "account": conduct.account,
        "state": conduct.state.value,
        "reason": conduct.reason.value if conduct.reason else None,
        "since": moment(conduct.since) if conduct.since else None,
        "budgets": budgets,
        "waits": [
            {"method": method, "until": moment(until), "left": math.ceil(to_seconds(until) - now)}
            for method, until in waits
            if to_seconds(until) > now
        ],
        "flood_waits": {w.method: {"count": w.count, "seconds": w.seconds} for w in conduct.waits},
    }


def show(console: "Console", accounts: list[dict[str, Any]]) -> None:
    """The same for people."""
    from rich.table import Table

    table = Table("account", "state", box=None, header_style="bold", pad_edge=False)
    for title in ("joins, 24 h", "resolves, 24 h", "pages, 1 h", "file parts, 1 h", "reports, 24 h"):
        table.add_column(title, justify="right")
    for account in accounts:
        reason = f" ({account['reason']})" if account["reason"] else ""
        used = [f"{b['used']:,} of {b['limit']:,}" for b in account["budgets"].values()]
        table.add_row(account["account"], account["state"] + reason, *used)
    console.print(table)
    for account in accounts:
        for wait in account["waits"]:
            console.print(
                f"{account['account']}: no {wait['method']} for {wait['left']:,} s, until {wait['until']}",
                soft_wrap=True,
            )
    counted = [
        f"{account['account']}: {waits['count']:,} before {method}, {waits['seconds']:,} s"
        for account in accounts
        for method, waits in account["flood_waits"].items()
    ]
    if counted:
        console.print("pauses that the platform asked for: " + "; ".join(counted), soft_wrap=True)
