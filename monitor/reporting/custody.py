"""The custody sheet of a bundle: who handed what to whom, when and what for."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from monitor import __version__
from monitor.errors import InputError
from monitor.reportlog import Signer
from monitor.reportlog.bundles import CUSTODY, SHEET
from monitor.store.events import LONGEST_DECLARED


@dataclass(frozen=True, slots=True)
class Handover:
    """Who takes what out, for whom and what for. In the operator's own words but for the operator's name."""

    operator: str
    recipient: str
    purpose: str

    def check(self) -> None:
        """Raises InputError unless recipient and purpose are said, in no more words than an event takes."""
        for what, words in (("recipient", self.recipient), ("purpose", self.purpose)):
            if not words.strip():
                raise InputError(f"a bundle names its {what}; say it with --{what}")
            if len(words) > LONGEST_DECLARED:
                raise InputError(f"--{what}: takes {LONGEST_DECLARED:,} characters")


def custody(
    files: Iterable[str],
    handover: Handover,
    signer: Signer,
    at: datetime,
    opened: int,
    erased: int,
    marking: str | None,
) -> dict[str, bytes]:
    """The sheet for programs and for people, by their names in the bundle. `files` are those handed in."""
    moment = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    names = sorted(files)
    known: dict[str, Any] = {
        "at": moment,
        "events_erased": erased,
        "events_opened": opened,
        "files": names,
        "key": str(signer.key),
        "key_fingerprint": signer.key.fingerprint,
        "log": signer.name,
        "marking": marking,
        "operator": handover.operator,
        "purpose": handover.purpose,
        "recipient": handover.recipient,
        "tool": f"channel-monitor {__version__}",
        "v": 1,
        "viewed": False,
    }
    sheet = [
        "CHAIN OF CUSTODY",
        "",
        *((marking.upper(), "") if marking else ()),
        f"Handed over by   {handover.operator}",
        f"To               {handover.recipient}",
        f"For              {handover.purpose}",
        f"At               {moment} (clock of the machine that made it)",
        f"Made with        {known['tool']}",
        f"Log              {signer.name}",
        f"Signed by        {signer.key}",
        f"Fingerprint      SHA-256 {signer.key.fingerprint}",
        f"Events opened    {opened:,}" + (f" ({erased:,} more were erased before)" if erased else ""),
        "",
        "Every match is one of hashes. No person here has viewed any item.",
        "",
        "Files (SHA-256 of each: manifest.json)",
        *(f"  {name}" for name in names),
        "",
        "To verify it: python -I verify.py BUNDLE.zip, or: monitor log verify BUNDLE.zip",
        "Compare the fingerprint with one that the sender gives you by another way: the bundle alone proves that it is",
        "whole and signed by this key, not whose key that is.",
        "",
        "Received by      ______________________________   on ____________________",
        "",
    ]
    return {
        CUSTODY: json.dumps(known, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n",
        SHEET: "\n".join(sheet).encode(),
    }
