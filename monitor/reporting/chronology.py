"""A case's events as sentences: who did what and why, in order. No sentence leads to an item."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

from monitor.model import ErrandState, Event, EventType, Scalar

Body = Mapping[str, Scalar]

ADDRESSES = frozenset({"channel_id", "message_id", "media_id", "username", "link"})
"""Keys of a body that lead to an item."""


class Told(NamedTuple):
    """One event for people. `operator` is None where nobody acted."""

    seq: int
    at: datetime
    operator: str | None
    what: str


def told(event: Event) -> Told:
    """The event as a sentence, with what the operator declared."""
    if not event.body:
        return Told(event.seq, event.at, None, f"{event.type.replace('_', ' ')} (erased)")
    sentence_of = _SENTENCES.get(event.type)
    sentence = event.type.replace("_", " ") if sentence_of is None else sentence_of(event.body)
    because = [str(event.body[key]) for key in ("explanation", "purpose") if event.body.get(key)]
    operator = event.body.get("operator")
    return Told(
        event.seq, event.at, None if operator is None else str(operator), ": ".join([sentence, *because])
    )


def without_addresses(body: Body) -> dict[str, Scalar]:
    """A body without what leads to an item."""
    return {key: value for key, value in body.items() if key not in ADDRESSES}


def _of(body: Body) -> str:
    flag = body.get("flag_id")
    return "the case" if flag is None else f"flag {flag}"


def _reference(body: Body) -> str:
    reference = body.get("reference")
    return "" if reference is None else f" ({reference})"


def _decided(body: Body) -> str:
    words = {"accepted": "match accepted", "not_relied_on": "match not relied on"}
    return f"{words[str(body['decision'])]}, {_of(body)}: {body.get('reason')}{_reference(body)}"


def _sightings(body: Body) -> str:
    count = len(str(body.get("flags", "")).split())
    return f"{count:,} sighting{'' if count == 1 else 's'}"


def _item(body: Body) -> str:
    report = body.get("report_id")
    return (
        f"item (errand {body['errand']})"
        if report is None
        else f"report {report}, errand {body['errand']}: item"
    )


def _not_reported(body: Body) -> str:
    if body.get("noted"):
        return f"{_item(body)} left at that"
    if body.get("state") == ErrandState.UNKNOWN:
        return f"{_item(body)} left, no answer was heard"
    return f"{_item(body)} not reported ({body.get('failure')})"


def _until(body: Body) -> str:
    return f"{datetime.fromisoformat(str(body['until'])):%Y-%m-%d %H:%M}"


_SENTENCES: Mapping[EventType, Callable[[Body], str]] = {
    EventType.FLAG_RAISED: lambda b: f"flag {b['flag_id']} raised ({b['media_kind']})",
    EventType.FLAG_COMPLETED: lambda b: f"flag {b['flag_id']} joined",
    EventType.ENTRY_QUARANTINED: lambda b: f"entry in quarantine after {b['media']} items",
    EventType.ENTRY_RELEASED: lambda b: "entry released from quarantine",
    EventType.ENTRY_WITHDRAWN: lambda b: "the list holds the entry no more",
    EventType.ENTRY_RESTORED: lambda b: "the list holds the entry again",
    EventType.CASE_DECIDED: _decided,
    EventType.CASE_UNDONE: lambda b: f"decision on {_of(b)} undone (event {b['undoes']})",
    EventType.SECOND_OPINION_ASKED: lambda b: f"second opinion asked, {_of(b)}",
    EventType.CASE_ASSIGNED: lambda b: f"assigned to {b.get('assignee', 'nobody')}",
    EventType.CASE_HELD: lambda b: f"held until {_until(b)} as {b['asked_by']} asked{_reference(b)}",
    EventType.CASE_HOLD_ENDED: lambda b: f"hold ended{_reference(b)}",
    EventType.NEGATIVE_ADDED: lambda b: f"entry on the negative list until {_until(b)} ({b['reason']})",
    EventType.NEGATIVE_ENDED: lambda b: f"entry off the negative list ({b['reason']})",
    EventType.REPORT_PREPARED: lambda b: (
        f"report {b['report_id']} prepared: {b['route']}, {b.get('recipient', 'no recipient named')},"
        f" {b['category']}, {_sightings(b)}"
    ),
    EventType.REPORT_APPROVED: lambda b: f"report {b['report_id']} approved",
    EventType.NOTICE_MADE: lambda b: f"notice of report {b['report_id']} made ({b['format']})",
    EventType.MAIL_BEGUN: lambda b: f"mail of report {b['report_id']} begun",
    EventType.MAIL_PUT_OFF: lambda b: f"mail of report {b['report_id']} not sent: {b['reason']}",
    EventType.REPORT_SENT: lambda b: f"report {b['report_id']} sent{_reference(b)}",
    EventType.REPORT_HANDED_OVER: lambda b: f"report {b['report_id']} handed over{_reference(b)}",
    EventType.REPORT_FAILED: lambda b: f"report {b['report_id']} could not be sent: {b['reason']}",
    EventType.ITEM_REPORTED: lambda b: f"{_item(b)} reported in the app",
    EventType.ITEM_NOT_REPORTED: _not_reported,
    EventType.REPORT_ACKNOWLEDGED: lambda b: f"report {b['report_id']} acknowledged{_reference(b)}",
    EventType.REPORT_OUTCOME: lambda b: f"report {b['report_id']}: {b['outcome']}{_reference(b)}",
    EventType.CORRECTION_OPENED: lambda b: f"report {b['report_id']} must be corrected ({b['reason']})",
    EventType.CORRECTION_DONE: lambda b: f"correction of report {b['report_id']} done ({b['reason']})",
    EventType.ESCALATION_OPENED: lambda b: f"report {b['report_id']}: {_sightings(b)} still to be seen",
    EventType.EXPORT_MADE: lambda b: f"addresses shown ({b['rows']} sightings)",
}
