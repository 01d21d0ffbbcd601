"""A report of a case in the app: each of its items in turn, and what that comes to for the report."""

import asyncio
import contextlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from monitor.clock import now
from monitor.config import Config
from monitor.errors import InputError, NotAuthorized
from monitor.model import (
    Approval,
    ErrandFailure,
    ErrandState,
    InAppReport,
    ReportOutcome,
    ReportState,
    Route,
)
from monitor.pair import any_of
from monitor.reporting import reports
from monitor.reporting.acting import Case, act_on_report, look
from monitor.reporting.casefacts import Report
from monitor.reporting.in_app import Item, end, items_of
from monitor.sending import Ask, Wanted, leave_on_record, report_in_app
from monitor.state import running
from monitor.store import SqlStore, open_store
from monitor.store.cases import Step, case_of
from monitor.telegram.errands import SPACING

ITS_OWN = (ErrandFailure.MESSAGE_GONE, ErrandFailure.CHANNEL_GONE, ErrandFailure.NOT_COLLECTED)
"""Failures that say nothing of the other items."""


@dataclass(frozen=True, slots=True)
class Words:
    """What a person says of a report: `path` are the texts to choose and `comment` what goes with it, empty and None
    for what is remembered; `explanation` as in `Wanted`."""

    path: tuple[str, ...] = ()
    comment: str | None = None
    explanation: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """What has come of it: the items taken up now, and whether the report as a whole is on record as sent; or its
    outcome where nothing of it was left to send."""

    items: tuple[InAppReport, ...]
    complete: bool
    outcome: ReportOutcome | None = None


async def send_report(
    config: Config, report_id: int, operator: str, words: Words, stop: asyncio.Event, ask: Ask | None = None
) -> Sent:
    """Send what is missing of an approved report on route telegram, one item after the other; see `report_in_app`.

    Passed over are items that have arrived, whose message is known to be gone, that another report has told of, or
    that were left at that; the latter two not if `words` say why another report is needed. Texts and comment of the
    first are those of the others, and of a later run. When the account must pause, all of them wait on record, for a
    daemon. When nothing is missing any more, the report is sent; when an item failed or is unknown, the report has
    failed, and is open; when there was nothing to send, its outcome says so. Raises what `report_in_app` does, and
    InputError with the reason when nothing may leave.
    """
    async with open_store(config.database) as store:
        case, report = await _report(config, store, report_id)
        items = await items_of(store.reader, case, report)
        words = _remembered(config, report, items, words)
        approval = Approval(report.approved_by or operator, report.approved_at or now())
        missing = [
            item
            for item in items
            if item.arrived is None
            and not item.deleted
            and (words.explanation is not None or not (item.left_at_that or item.elsewhere))
        ]
        done: list[InAppReport] = []
        # Once the account must pause, what is left waits on record like the item that was to leave.
        paused = False
        # What may have arrived needs a person's word: it must not stand in the way of the others.
        for item in sorted(missing, key=lambda item: item.unheard):
            if paused and item.unheard and words.explanation is None:
                break
            wanted = Wanted(
                item.channel_id,
                item.message_id,
                approval,
                operator,
                words.path,
                "" if words.comment is None and ask is None else words.comment,
                words.explanation,
                report_id,
                reports.gate(report_id, config.reporting.value(), now()),
            )
            try:
                if paused:
                    await leave_on_record(store, wanted)
                    continue
                errand = await report_in_app(config, wanted, stop, ask)
            except NotAuthorized:
                await _failed(store, report_id, operator, ErrandFailure.NOT_COLLECTED.value)
                raise
            done.append(errand)
            words = _repeated(words, errand)
            paused = errand.until is not None and not errand.state.settled and _complete_words(words, ask)
            if paused:
                continue
            if stop.is_set() or (errand.state is not ErrandState.SENT and errand.failure not in ITS_OWN):
                break
            if len(done) < len(missing) and not running(config.state):
                # A daemon spaces them itself.
                await any_of(stop, seconds=random.uniform(*SPACING))  # noqa: S311 — paces
        if done and done[-1].failure is ErrandFailure.WITHDRAWN:
            await _report(
                config, store, report_id
            )  # raises if something stopped the report, and no person the item
            return Sent(tuple(done), complete=False)
        wrong = [e for e in done if e.state in (ErrandState.FAILED, ErrandState.UNKNOWN)]
        if wrong:
            reason = wrong[0].failure or ErrandState.UNKNOWN
            await _failed(store, report_id, operator, reason.value)
            return Sent(tuple(done), complete=False)
        if len(done) < len(missing) or not all(e.state is ErrandState.SENT for e in done):
            return Sent(tuple(done), complete=False)
        if not done and not any(item.arrived for item in items):
            closing = end(report, items, operator)
            if closing is None:
                raise InputError(
                    f"report {report_id}: nothing of it is left to send: its messages are gone, or were left at that"
                )
            case = await act_on_report(store, report_id, closing, now())
            return Sent((), complete=False, outcome=case.report(report_id).outcome)
        await _complete(store, report_id, operator)
        return Sent(tuple(done), complete=True)


def _complete_words(words: Words, ask: Ask | None) -> bool:
    """Whether nobody has to be asked for a further item, as far as is known here."""
    return bool(words.path) and (words.comment is not None or ask is None)


async def _report(config: Config, store: SqlStore, report_id: int) -> tuple[Case, Report]:
    """A report that may be sent in the app now, and its case. Raises InputError with the reason when it may not."""
    case = await look(store.reader, await store.reader.run(case_of, report_id), now())
    report = case.report(report_id)
    if report.route is not Route.TELEGRAM:
        raise InputError(
            f"report {report_id}: goes by {report.route}; this command sends those on route telegram"
        )
    reports.check_may_send(case, report, config.reporting.value())
    return case, report


def _remembered(config: Config, report: Report, items: Sequence[Item], words: Words) -> Words:
    """What was chosen for an item of this report before; else what the configuration chooses for its category."""
    arrived = max((i.arrived for i in items if i.arrived), key=lambda e: e.errand_id, default=None)
    path = words.path
    if arrived is not None:
        words = _repeated(words, arrived)
    elif not path:
        path = config.telegram.report_menu.get(report.category, ())
    return replace(words, path=path or words.path)


def _repeated(words: Words, errand: InAppReport) -> Words:
    if errand.state is not ErrandState.SENT:
        return words
    return replace(
        words,
        path=errand.path[: errand.steps],
        comment=errand.comment if words.comment is None else words.comment,
    )


async def _failed(store: SqlStore, report_id: int, operator: str, reason: str) -> None:
    # A report that fell meanwhile cannot fail any more; what became of its item is on record.
    with contextlib.suppress(InputError):
        await act_on_report(store, report_id, reports.failed(operator, reason), now())


async def _complete(store: SqlStore, report_id: int, operator: str) -> None:
    def rule(case: Case, report: Report) -> Sequence[Step]:
        # The daemon may have seen that all has arrived before this command did.
        return [] if report.state is ReportState.SENT else reports.arrived(operator)(case, report)

    case = await act_on_report(store, report_id, rule, now())
    if case.report(report_id).correction_since is not None:
        raise InputError(
            f"report {report_id}: fell while it was being sent, and arrived; see: monitor report corrections"
        )
