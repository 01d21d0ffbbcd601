"""How the report log is shown: what a verification found, and how far the log is."""

from typing import TYPE_CHECKING, Any

from monitor.cli.frame import moment, out

if TYPE_CHECKING:
    from monitor.config import Config
    from monitor.reportlog.verifying import Verified


def standing(config: "Config", events: int) -> dict[str, Any]:
    """How far the report log is, for status: its origin (None where there is none), leaves, events behind, and what is
    wrong with its checkpoint."""
    from monitor.errors import VerificationError
    from monitor.reportlog import known_checkpoint

    shown: dict[str, Any] = {"origin": None, "leaves": 0, "behind": 0, "wrong": None}
    if config.report_log is None:
        return shown
    try:
        newest = known_checkpoint(config.log)
    except VerificationError as e:
        return shown | {"origin": config.report_log.origin, "wrong": str(e)}
    leaves = newest.size if newest is not None else 0
    return shown | {"origin": config.report_log.origin, "leaves": leaves, "behind": max(0, events - leaves)}


def facts_of(verified: "Verified") -> dict[str, Any]:
    """What holds, for programs."""
    return {
        "origin": verified.checkpoint.origin,
        "size": verified.checkpoint.size,
        "root": verified.checkpoint.root.hex(),
        "keys": [str(key) for key in verified.keys],
        "fingerprints": [key.fingerprint for key in verified.keys],
        "pinned": verified.pinned,
        "stamps": [
            {"size": s.size, "authority": s.authority, "at": moment(s.at), "trusted": s.trusted}
            for s in verified.stamps
        ],
        "stamps_open": verified.open_stamps,
        "stamps_unchecked": verified.unchecked_stamps,
    }


def show(found: dict[str, Any]) -> None:
    """The same for people."""
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row("verified", f"{found['what']} of {found['origin']}, {found['size']:,} leaves")
    table.add_row("root", found["root"])
    for key, fingerprint in zip(found["keys"], found["fingerprints"], strict=True):
        table.add_row("signed by", key)
        table.add_row("fingerprint", f"SHA-256 {fingerprint}")
    if not found["pinned"]:
        table.add_row("", "not pinned: compare the fingerprint by another way, or give --key")
    for stamp in found["stamps"]:
        by = stamp["authority"] + ("" if stamp["trusted"] else ", not checked: give its --certificates")
        table.add_row("stamped", f"{stamp['size']:,} leaves at {stamp['at']} by {by}")
    if found["stamps_open"]:
        table.add_row("open", f"{found['stamps_open']:,} requests for time stamps; monitor log timestamp")
    if found["stamps_unchecked"]:
        need = "pip install 'channel-monitor\\[timestamp]'"
        table.add_row("not checked", f"{found['stamps_unchecked']:,} time stamps; {need}")
    for name, title in (
        ("export", "event"),
        ("files", "files"),
        ("opened", "opened"),
        ("type", "leaf"),
        ("at", "at"),
        ("operator", "by"),
        ("handed_to", "to"),
        ("purpose", "for"),
        ("erased", "erased"),
        ("waiting", "waiting"),
    ):
        if found.get(name) is not None:
            value = found[name]
            table.add_row(title, f"{value:,}" if isinstance(value, int) else str(value))
    if found.get("removed"):
        table.add_row("removed", f"{found['removed']:,} files that an interrupted writer had left")
    out().print(table, soft_wrap=True)
