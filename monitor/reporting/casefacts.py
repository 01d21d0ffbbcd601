"""What can stand of a case: the values that the fold gives, and that rules and commands read."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from monitor.model import CaseState, Category, ReportOutcome, ReportState, Route

SENDABLE = (ReportState.APPROVED, ReportState.FAILED)
"""States of a report that is to be sent."""


class FlagState(enum.StrEnum):
    """How a sighting stands. SUPPRESSED: its entry is on the negative list, and nobody is asked about it."""

    OPEN = "open"
    ACCEPTED = "accepted"
    NOT_RELIED_ON = "not_relied_on"
    SECOND_OPINION = "second_opinion"
    SUPPRESSED = "suppressed"


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided: on the case, or on one sighting (`flag_id`). `seq` is its event."""

    seq: int
    at: datetime
    operator: str
    state: CaseState
    reason: str | None = None
    flag_id: int | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing is prepared or sent until then, or until it is ended. `reference` is what tells holds apart."""

    reference: str
    asked_by: str
    until: datetime
    operator: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Correction:
    """What was reported must be put right. `cause` is the decision that it came with; None for a withdrawn entry."""

    since: datetime
    cause: int | None
    done_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """One report on one route. `again`: somebody said why what was reported before is once more. `sent_at` is when it
    was sent or handed over, or an item of it that may have arrived while others did not."""

    report_id: int
    route: Route
    recipient: str | None
    category: Category
    flags: frozenset[int]
    prepared_by: str
    prepared_at: datetime
    again: bool = False
    state: ReportState = ReportState.PREPARED
    approved_by: str | None = None
    approved_at: datetime | None = None
    sent_at: datetime | None = None
    reference: str | None = None
    outcome: ReportOutcome | None = None
    outcome_by: str | None = None
    failure: str | None = None
    correction: Correction | None = None
    escalated_at: datetime | None = None

    @property
    def out(self) -> bool:
        """Whether it has left this house."""
        return self.sent_at is not None

    @property
    def correction_since(self) -> datetime | None:
        """Since when a correction is open; None when there is none to be made."""
        return self.correction.since if self.correction and self.correction.done_at is None else None


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What stands of a case at one moment.

    `state` is the decision about the case as a whole: one that is not relied on is open again when a sighting came
    later. `standing` is the last decision about it (`general`), whatever came later; `own` are those about single
    sightings. `decisions` are in force or were replaced; those undone are left out. `settled` is the event up to
    which no sighting waits for a decision. `holds` are in force; `negative_until` is when the entry's place on the
    negative list ends by itself, or ended.
    """

    at: datetime
    state: CaseState
    standing: CaseState
    settled: int | None
    flags: Mapping[int, FlagState]
    decisions: tuple[Decision, ...]
    general: Decision | None
    own: Mapping[int, Decision]
    assigned_to: str | None
    holds: tuple[Hold, ...]
    expired_holds: tuple[Hold, ...]
    held_until: datetime | None
    negative_until: datetime | None
    withdrawn_at: datetime | None
    quarantined: bool
    reports: Mapping[int, Report]

    def governing(self, flag_id: int | None) -> Decision | None:
        """The decision that holds for a sighting: its own, else the case's; for the case as a whole, the case's."""
        return self.general if flag_id is None else self.own.get(flag_id, self.general)

    def sendable(self, report: Report) -> bool:
        """Whether items of a report may leave, as far as decisions, holds and its list say; what it takes besides is
        for `reports.check_may_leave`."""
        return (
            report.state in SENDABLE
            and not (self.holds or self.quarantined or self.withdrawn_at)
            and all(self.flags.get(flag) is FlagState.ACCEPTED for flag in report.flags)
        )

    @property
    def negative(self) -> bool:
        """Whether the entry is on the negative list."""
        return self.negative_until is not None and self.at < self.negative_until

    @property
    def waiting(self) -> tuple[int, ...]:
        """Sightings that wait for somebody to decide."""
        wait = (FlagState.OPEN, FlagState.SECOND_OPINION)
        return tuple(flag for flag, state in self.flags.items() if state in wait)
