"""What a report in the app comes to, by what came of its items: a person or the daemon had each of them sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.model import (
    AUTOMATIC,
    ChannelId,
    ErrandFailure,
    ErrandState,
    EventType,
    InAppReport,
    MessageId,
    ReportOutcome,
    ReportState,
    Route,
    Scalar,
)
from monitor.reporting import reports
from monitor.reporting.acting import Case, act_on_report, look, step
from monitor.reporting.casefacts import SENDABLE, Report
from monitor.reporting.reports import ReportRule
from monitor.store import Reader, SqlStore
from monitor.store.cases import case_of
from monitor.store.report_book import sendable
from monitor.store.sightings import sightings

GONE = (ErrandFailure.MESSAGE_GONE, ErrandFailure.CHANNEL_GONE)
QUIET = timedelta(minutes=1)
"""After the last answer: a command that goes on with the next item does so earlier."""


@dataclass(frozen=True, slots=True)
class Item:
    """One message of a report, with its errands in this report, oldest first. `deleted`: its message is known to be.
    `elsewhere`: another report of it has arrived, and nobody said that this one is to go out as well."""

    channel_id: ChannelId
    message_id: MessageId
    deleted: bool
    elsewhere: bool
    errands: tuple[InAppReport, ...]

    @property
    def last(self) -> InAppReport | None:
        """Its last errand that nobody took back."""
        tried = [e for e in self.errands if e.failure is not ErrandFailure.WITHDRAWN]
        return tried[-1] if tried else None

    @property
    def arrived(self) -> InAppReport | None:
        """The last of its errands that has arrived."""
        return next((e for e in reversed(self.errands) if e.state is ErrandState.SENT), None)

    @property
    def unheard(self) -> bool:
        """Whether its last errand may have arrived."""
        return bool(self.errands) and self.errands[-1].state is ErrandState.UNKNOWN

    @property
    def left_at_that(self) -> bool:
        """Whether a person took note of how it ended, and wants no more of it."""
        last = self.errands[-1] if self.errands else None
        return last is not None and last.seen_by is not None and last.failure is not ErrandFailure.WITHDRAWN

    @property
    def gone(self) -> bool:
        """Whether there is nothing to remove: as is known, or as the platform said and a person took note of."""
        return self.deleted or (self.left_at_that and self.errands[-1].failure in GONE)

    @property
    def wrong(self) -> str | None:
        """Why it failed, or that it may have; None where it did not, where a person left it at that, or it is gone."""
        last = self.last
        if last is None or self.arrived or self.left_at_that:
            return None
        if last.state is ErrandState.FAILED and not self.gone and last.failure is not None:
            return last.failure.value
        return last.state.value if last.state is ErrandState.UNKNOWN else None

    @property
    def done(self) -> bool:
        """Whether nothing more is to come of it by itself, and nothing of it is left to be sent."""
        if self.errands and not self.errands[-1].state.settled:
            return False
        return bool(self.arrived or self.wrong or self.left_at_that or self.gone or self.elsewhere)


async def items_of(reader: Reader, case: Case, report: Report) -> list[Item]:
    """The messages of a report, by flag; one that carries several flags is one item."""
    gone = {item.flag_id for item in case.record.items if item.deleted_seen_at is not None}
    errands = await reader.in_app_reports(items_of=report.report_id)
    found = {}
    for sighting in await reader.run(sightings, case.record.case_id, report.report_id):
        key = sighting.channel_id, sighting.message_id
        here = [e for e in errands if (e.channel_id, e.message_id) == key]
        own = tuple(e for e in here if e.report_id == report.report_id)
        others = [e for e in here if e.report_id != report.report_id and e.state is ErrandState.SENT]
        elsewhere = bool(others) and not own and not report.again
        found[key] = Item(*key, sighting.flag_id in gone, elsewhere, own)
    return list(found.values())


def end(report: Report, items: Sequence[Item], operator: str) -> ReportRule | None:
    """The step that a report takes once each of its items is done; None while one is not, or where none follows.

    It has failed when an item has, or may have; else it is sent when an item arrived; else there was nothing to send,
    and the outcome says why. What a person left at that, and nothing else of which arrived, stays as it is.
    """
    if report.state not in SENDABLE or not items or not all(item.done for item in items):
        return None
    wrong = [item.wrong for item in items if item.wrong]
    if wrong:
        return reports.failed(operator, wrong[0]) if report.state is ReportState.APPROVED else None
    if any(item.arrived for item in items):
        return reports.arrived(operator)
    if not all(item.gone or item.elsewhere for item in items):
        return None
    told = any(item.elsewhere and not item.gone for item in items)
    body: dict[str, Scalar] = {
        "report_id": report.report_id,
        "outcome": (ReportOutcome.DUPLICATE if told else ReportOutcome.ALREADY_GONE).value,
    }
    return lambda case, report: [step(EventType.REPORT_OUTCOME, operator, body)]


async def take_ends(store: SqlStore, at: datetime) -> list[tuple[int, EventType, int]]:
    """End the reports in the app whose last item has its answer: case, event, number. Doing it again adds nothing."""
    ended = []
    for number in await store.reader.run(sendable, Route.TELEGRAM):
        case = await look(store.reader, await store.reader.run(case_of, number), at)
        report = case.report(number)
        items = await items_of(store.reader, case, report)
        fresh = any(e.told_at is not None and e.told_at > at - QUIET for item in items for e in item.errands)
        rule = None if fresh else end(report, items, AUTOMATIC)
        if rule is not None:
            done = await act_on_report(store, number, _while_sendable(rule), at)
            ended.append((case.record.case_id, done.record.events[-1].type, number))
    return ended


def _while_sendable(rule: ReportRule) -> ReportRule:
    """The rule, unless somebody was faster."""
    return lambda case, report: rule(case, report) if report.state in SENDABLE else []
