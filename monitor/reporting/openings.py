"""Which events a bundle opens: those of what it exports, and without addresses none that may lead to an item."""

import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from monitor.model import EventType, Scalar
from monitor.store import Reader
from monitor.store.casebook import covered, event_numbers

NO_PLACE = frozenset(
    {
        *("case_id", "flag_id", "flags", "report_id", "hash_list", "entry", "media", "category"),
        *("decision", "reason", "outcome", "undoes", "cause", "again", "bulk"),
        *("operator", "assignee", "approved_by", "asked_by", "until", "reference", "explanation"),
        *("route", "recipient"),
    }
)
"""What a body may say of where an item is: nothing. A body with any other key may, and stays shut; so a new kind of
event gives nothing away before somebody has thought about it."""
_LEADS = re.compile(r"t\.me|telegram\.|tg:|://|@", re.IGNORECASE)
_JOINING = (EventType.FLAG_RAISED.value, EventType.FLAG_COMPLETED.value)


def leads_to_an_item(body: Mapping[str, Scalar]) -> bool:
    """Whether a body says where an item is, or may: by a key that is not known not to, or in an operator's words."""
    return not body.keys() <= NO_PLACE or any(
        isinstance(value, str) and _LEADS.search(value) for value in body.values()
    )


@dataclass(slots=True)
class Exported:
    """What an export holds, as told by its rows; `before` is the first event that came after it was begun."""

    what: str
    before: int
    numbers: dict[str, set[int]] = field(default_factory=dict)

    def see(self, stored: Mapping[str, Sequence[Any]]) -> None:
        """Some of its rows."""
        for name in ("case_id", "flag_id", "report_id", "seq"):
            self.numbers.setdefault(name, set()).update(stored.get(name, ()))

    def of(self, name: str) -> set[int]:
        """The numbers of that kind in its rows."""
        return self.numbers.get(name, set())


async def openings(reader: Reader, exported: Exported, *, addresses: bool) -> list[int]:
    """The sequence numbers of the events to open, in order.

    Of flags, cases and reports: the events of their cases; of these, how an item joined the case only for the flags
    exported (of a case all, of a report those that it covers), and of reports only the exported ones where it is
    reports that are. Of the log: the events exported. An event that was erased is among them, and counted as such.
    """
    wanted = sorted(exported.of("seq")) or await reader.run(event_numbers, exported.of("case_id"))
    flags = exported.of("flag_id")
    if exported.what == "reports":
        flags = await reader.run(covered, exported.of("report_id"))
    found = []
    async for seq, kind, body in _bodies(reader, [seq for seq in wanted if seq < exported.before]):
        if exported.what != "log":
            if kind in _JOINING and exported.what != "cases" and body.get("flag_id") not in flags:
                continue
            report = body.get("report_id")
            if exported.what == "reports" and report is not None and report not in exported.of("report_id"):
                continue
        if addresses or not leads_to_an_item(body):
            found.append(seq)
    return found


async def _bodies(reader: Reader, seqs: Sequence[int]) -> AsyncIterator[tuple[int, str, Mapping[str, Any]]]:
    async with aclosing(reader.opened(seqs)) as rows:
        async for row in rows:
            yield row["seq"], row["type"], {} if row["body"] is None else json.loads(row["body"])
