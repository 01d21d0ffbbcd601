"""Acting on a case: a rule sees what stands of it, and gives what follows or says why nothing may."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.errors import InputError
from monitor.model import Event, EventType, Scalar
from monitor.reporting.casefacts import CaseFacts, Report
from monitor.reporting.casework import fold
from monitor.store import Reader, SqlStore
from monitor.store.cases import CaseRecord, ReportStanding, Standing, Step, case_of, read

LONGEST_WORDS = 500
"""Characters of an operator's own words."""


@dataclass(frozen=True, slots=True)
class Case:
    """A case: what is on record of it, and what that comes to at one moment."""

    record: CaseRecord
    facts: CaseFacts

    @property
    def at(self) -> datetime:
        """The moment at which it is looked at."""
        return self.facts.at

    def refuse(self, what: str) -> InputError:
        """The error that says why something may not be done."""
        return InputError(f"case {self.record.case_id}: {what}")

    def report(self, report_id: int) -> Report:
        """One of its reports. Raises InputError when it was erased."""
        if report_id not in self.facts.reports:
            raise self.refuse(f"report {report_id} was erased")
        return self.facts.reports[report_id]


Rule = Callable[[Case], Sequence[Step]]


async def act(store: SqlStore, case_id: int, rule: Rule, at: datetime) -> Case:
    """Have a rule act on a case in one transaction; the case as it stands then. Raises what the rule raises."""

    def asked(record: CaseRecord) -> Sequence[Step]:
        return rule(taken_up(record, at))

    record = await store.act(case_id, asked, standing, at)
    return taken_up(record, at)


async def act_on_report(
    store: SqlStore, report_id: int, rule: Callable[[Case, Report], Sequence[Step]], at: datetime
) -> Case:
    """Have a rule act on a report, through its case. Raises InputError for a report that there is not."""
    case_id = await store.reader.run(case_of, report_id)
    return await act(store, case_id, lambda case: rule(case, case.report(report_id)), at)


async def look(reader: Reader, case_id: int, at: datetime) -> Case:
    """A case as it stands. Raises InputError when there is none of that number."""
    record = await reader.run(read, case_id)
    return taken_up(record, at)


def taken_up(record: CaseRecord, at: datetime) -> Case:
    """A case of which this is on record, as it stands at `at`."""
    return Case(record, fold(record.events, at))


def standing(events: Sequence[Event]) -> Standing:
    """What queries find of a case with these events. Nothing in it depends on the time at which it is asked."""
    facts = fold(events, events[-1].at)
    return Standing(
        state=facts.standing,
        settled=facts.settled,
        assigned_to=facts.assigned_to,
        held_until=facts.held_until,
        negative_until=facts.negative_until,
        reports={
            report.report_id: ReportStanding(
                report.state,
                facts.sendable(report),
                report.sent_at,
                report.correction_since,
                report.escalated_at,
            )
            for report in facts.reports.values()
        },
    )


def step(
    kind: EventType, operator: str, body: Mapping[str, Scalar] | None = None, flags: Sequence[int] = ()
) -> Step:
    """An event by somebody; what is absent is left out of its body."""
    told = {key: value for key, value in (body or {}).items() if value is not None}
    return Step(kind, {"operator": operator, **told}, tuple(sorted(flags)))


def words(value: str | None, option: str) -> str | None:
    """What an operator declares, without blanks around it. Raises InputError for more than fits, or nothing."""
    if value is None:
        return None
    if not 0 < len(value.strip()) <= LONGEST_WORDS:
        raise InputError(f"{option}: takes 1 to {LONGEST_WORDS} characters")
    return value.strip()


def needed(value: str | None, option: str, why: str) -> str:
    """What an operator has to declare. Raises InputError when it is absent."""
    found = words(value, option)
    if found is None:
        raise InputError(f"{option}: is missing; {why}")
    return found
