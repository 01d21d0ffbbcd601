"""A report by mail: what is on record when it is cut short, or reversed while it leaves."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from monitor.cli.concerns import of_reports
from monitor.errors import InputError, MailUnavailable
from monitor.model import EventType, ReasonCode, ReportState, Route
from monitor.reporting import mailing, reports
from monitor.reporting.begun import left, unended
from monitor.reporting.notices import MailServer, Templates, load_register
from monitor.reporting.noticing import Office, prepare
from monitor.store.report_book import Tasks, list_reports
from monitor.store.sightings import sightings
from tests.unit.reporting.desk import ANNA, EXACT, Desk, desk
from tests.unit.reporting.reported import DETAILS

OFFICE = Office(DETAILS, load_register(), Templates())


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Desk]:
    """A desk with report 1, approved, by mail to the platform."""
    async with desk(tmp_path) as opened:
        await opened.see(EXACT)
        await opened.accept(1)
        opened.wait(minutes=2)
        found = await opened.store.reader.run(sightings, 1)
        await opened.does(1, prepare(ANNA, Route.TELEGRAM_MAIL, opened.policy, OFFICE, found))
        await opened.on_report(1, reports.approve(ANNA, opened.policy))
        yield opened


async def state(at: Desk) -> ReportState:
    (line,) = await at.store.reader.run(list_reports)
    return line.state


async def mail(at: Desk, port: int) -> None:
    server = MailServer("127.0.0.1", port, timeout=1)
    await mailing.mail(at.store, 1, OFFICE, server, at.policy, operator=ANNA, clock=lambda: at.at)


@contextlib.asynccontextmanager
async def silent() -> AsyncIterator[tuple[int, asyncio.Event]]:
    """A server that takes a connection, and says nothing; its port, and that somebody came."""
    came = asyncio.Event()
    writers = []

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        came.set()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], came
    finally:
        for writer in writers:
            writer.close()
        server.close()


async def test_a_mail_that_was_cut_short_is_not_begun_again_before_somebody_asked(at: Desk) -> None:
    async with silent() as (port, came):
        sending = asyncio.create_task(mail(at, port), name="sending")
        await asyncio.wait_for(came.wait(), 30)
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sending
        (open_,) = await unended(at.store.reader, at.at)
        assert (open_.report_id, open_.at) == (1, at.at)
        (said,) = of_reports(Tasks(0, 0, 0), [open_])
        assert said.startswith(
            "report 1: a mail of it was begun at 2026-11-02 12:02 (UTC), has no end on record"
        )
        assert said.endswith("then: monitor report sent 1, or monitor report failed 1 --explanation")
        at.wait(hours=1)
        with pytest.raises(InputError, match="may have arrived; ask the recipient"):
            await mail(at, port)
        assert await state(at) is ReportState.APPROVED
        await at.on_report(1, reports.failed(ANNA, "not_delivered", explanation="they have none"))
        assert await unended(at.store.reader, at.at) == []
        with pytest.raises(MailUnavailable):
            await mail(at, port)
    assert len(await at.events(EventType.MAIL_BEGUN)) == 2


async def test_what_was_not_sent_can_be_begun_again_at_once(at: Desk) -> None:
    async with silent() as (port, _):
        for _ in range(2):
            with pytest.raises(MailUnavailable):
                await mail(at, port)
    assert len(await at.events(EventType.MAIL_PUT_OFF)) == 2
    assert await unended(at.store.reader, at.at) == []
    assert await state(at) is ReportState.APPROVED


async def test_a_decision_that_is_reversed_while_the_mail_leaves_opens_a_correction(at: Desk) -> None:
    await at.reject(1, reason=ReasonCode.KNOWN_FALSE_POSITIVE)
    assert await state(at) is ReportState.SUPERSEDED
    await at.on_report(1, lambda case, report: left(report, ANNA, "<1@example.org>"))
    (line,) = await at.store.reader.run(list_reports, corrections=True)
    assert (line.report_id, line.state) == (1, ReportState.SENT)


@pytest.mark.parametrize("arrived", [True, False])
async def test_a_mail_that_was_cut_short_is_asked_about_though_its_report_has_fallen(
    at: Desk, arrived: bool
) -> None:
    async with silent() as (port, came):
        sending = asyncio.create_task(mail(at, port), name="sending")
        await asyncio.wait_for(came.wait(), 30)
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sending
    await at.reject(1, reason=ReasonCode.KNOWN_FALSE_POSITIVE)
    assert [one.report_id for one in await unended(at.store.reader, at.at)] == [1]
    if arrived:
        await at.on_report(1, reports.sent(ANNA, at.policy, reference="K-7"))
    else:
        await at.on_report(1, reports.failed(ANNA, "not_delivered", explanation="they have none"))
    assert await unended(at.store.reader, at.at) == []
    corrections = await at.store.reader.run(list_reports, corrections=True)
    assert [(line.report_id, line.state) for line in corrections] == [(1, ReportState.SENT)] * arrived
    with pytest.raises(InputError, match="cannot be sent"):
        await at.on_report(1, reports.failed(ANNA, "not_delivered"))
