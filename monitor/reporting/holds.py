"""Holds: somebody who investigates asks that nothing is prepared or sent for a while."""

from collections.abc import Sequence
from datetime import datetime

from monitor.model import AUTOMATIC, EventType
from monitor.reporting.acting import Case, Rule, needed, step, words
from monitor.store.cases import Step


def hold(operator: str, *, asked_by: str, until: datetime, reference: str) -> Rule:
    """Hold a case until then. Several may ask; the same reference again moves the end of that hold."""

    def rule(case: Case) -> Sequence[Step]:
        if until <= case.at:
            raise case.refuse("--until: lies in the past")
        body = {
            "asked_by": words(asked_by, "--asked-by"),
            "reference": words(reference, "--reference"),
            "until": until.isoformat(),
        }
        return [step(EventType.CASE_HELD, operator, body)]

    return rule


def end_hold(operator: str, *, explanation: str | None, reference: str | None = None) -> Rule:
    """End a hold before its time; by its reference where there are several."""

    def rule(case: Case) -> Sequence[Step]:
        known = [hold.reference for hold in case.facts.holds]
        if not known:
            raise case.refuse("is not held")
        if reference is None and len(known) > 1:
            raise case.refuse(f"is held {len(known)} times; name one with --reference: {'; '.join(known)}")
        ended = known[0] if reference is None else reference.strip()
        if ended not in known:
            raise case.refuse(f"is not held under that reference; it is under: {'; '.join(known)}")
        why = needed(explanation, "--explanation", "say who agreed to the end of the hold")
        return [step(EventType.CASE_HOLD_ENDED, operator, {"reference": ended, "explanation": why})]

    return rule


def run_out(case: Case) -> list[Step]:
    """The end of holds whose time is over."""
    return [
        step(EventType.CASE_HOLD_ENDED, AUTOMATIC, {"reference": hold.reference, "reason": "run_out"})
        for hold in case.facts.expired_holds
    ]


def check_not_held(case: Case) -> None:
    """Raises InputError while the case is held."""
    for hold in case.facts.holds:
        raise case.refuse(
            f"is held until {hold.until:%Y-%m-%d %H:%M} (UTC): {hold.asked_by} asked for it ({hold.reference});"
            " nothing is prepared or sent"
        )
