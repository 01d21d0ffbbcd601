"""Reports, and what became of cases and flags, as exports have them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from monitor.model import Category, EntryStanding, ReasonCode, ReportOutcome, Route
from monitor.reporting import decisions, holds, negatives, reports
from monitor.reporting.exports import ALL
from monitor.store import Filters
from tests.unit.reporting.desk import ANNA, BERT, CHILD, EXACT, NEAR, Desk, desk
from tests.unit.reporting.exports.taking import objects, take


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(tmp_path) as opened:
        yield opened


async def rows(at: Desk, folder: Path, what: str, filters: Filters = ALL) -> list[dict[str, Any]]:
    path = folder / "out.jsonl"
    assert await take(at.store, folder / "store.sqlite3", what, "jsonl", path, filters=filters) == (
        await at.store.reader.count(what, filters)
    )
    return objects(path)


async def test_a_report_has_a_row_with_all_that_became_of_it(at: Desk, tmp_path: Path) -> None:
    await at.see(EXACT)
    await at.see(EXACT)
    await at.accept(1)
    at.wait(minutes=2)
    await at.prepare(1, recipient="telegram-abuse")
    prepared = {
        "report_id": 1,
        "case_id": 1,
        "route": "telegram_mail",
        "recipient": "telegram-abuse",
        "category": "adult_filmed",
        "state": "prepared",
        "prepared_at": "2026-11-02T12:02:00Z",
        "approved_at": None,
        "sent_at": None,
        "outcome": None,
        "items": 2,
        "correction_since": None,
        "escalated_at": None,
    }
    assert await rows(at, tmp_path, "reports") == [prepared]
    at.wait(minutes=1)
    await at.on_report(1, reports.approve(ANNA, at.policy))
    at.wait(minutes=1)
    await at.on_report(1, reports.sent(ANNA, at.policy))
    await at.on_report(1, reports.came_out(ANNA, ReportOutcome.NEEDS_MORE))
    await at.on_report(1, reports.came_out(ANNA, ReportOutcome.ACTIONED))
    at.wait(minutes=1)
    await at.reject(1)
    assert await rows(at, tmp_path, "reports") == [
        prepared
        | {
            "state": "outcome",
            "approved_at": "2026-11-02T12:03:00Z",
            "sent_at": "2026-11-02T12:04:00Z",
            "outcome": "actioned",
            "correction_since": "2026-11-02T12:05:00Z",
        }
    ]


async def test_reports_can_be_narrowed(at: Desk, tmp_path: Path) -> None:
    await at.sent(EXACT)
    first = at.at
    at.wait(hours=1)
    await at.sent(CHILD, Route.HOTLINE)
    await at.prepare(2, Route.KR_POLICE)

    async def numbers(**filters: Any) -> list[int]:
        return [row["report_id"] for row in await rows(at, tmp_path, "reports", Filters(**filters))]

    assert await numbers() == [1, 2, 3]
    assert await numbers(until=first) == [1]
    assert await numbers(since=at.at) == [2, 3]
    assert await numbers(state="sent") == [1, 2]
    assert await numbers(category=Category.CHILD, state="prepared") == [3]
    assert await numbers(cases=(1,)) == [1]
    assert await numbers(hash_list="partner-a") == [1, 2, 3]
    assert await numbers(hash_list="partner-b") == []


async def test_a_report_keeps_the_category_that_it_was_made_with(at: Desk, tmp_path: Path) -> None:
    await at.sent(EXACT)
    now = EntryStanding("e1", listed=True, category=Category.TERRORISM)
    await at.store.entries_stand("partner-a", [now], at.at)
    [case] = await rows(at, tmp_path, "cases")
    [report] = await rows(at, tmp_path, "reports", Filters(category=Category.ADULT_FILMED))
    assert (case["category"], report["category"]) == ("terrorism", "adult_filmed")


async def test_cases_say_whose_they_are_and_what_holds_them(at: Desk, tmp_path: Path) -> None:
    await at.see(NEAR)
    [case] = await rows(at, tmp_path, "cases")
    told = ("category", "assigned_to", "held_until", "withdrawn_at")
    assert [case[name] for name in told] == ["adult_filmed", None, None, None]
    await at.does(1, decisions.assign(ANNA, BERT))
    until = at.at.replace(day=20)
    await at.does(1, holds.hold(ANNA, asked_by="Police", until=until, reference="K-1"))
    await at.store.entries_stand("partner-a", [EntryStanding("e2", listed=False)], at.at)
    [case] = await rows(at, tmp_path, "cases")
    assert [case[name] for name in told] == [
        "adult_filmed",
        "bert",
        "2026-11-20T12:00:00Z",
        "2026-11-02T12:00:00Z",
    ]


async def test_flags_are_suppressed_while_their_entry_is_on_the_negative_list(
    at: Desk, tmp_path: Path
) -> None:
    # In the present, as a query goes by the clock.
    at.at = datetime.now(UTC)
    await at.see(EXACT)
    await at.see(NEAR)
    await at.store.entries_stand("partner-a", [EntryStanding("e2", listed=False)], at.at)
    await at.reject(2, reason=ReasonCode.SOURCE_WITHDRAWN)

    async def states(**filters: Any) -> list[str]:
        return [row["state"] for row in await rows(at, tmp_path, "flags", Filters(**filters))]

    assert await states() == ["open", "not_relied_on"]
    at.wait(minutes=2)
    await at.does(2, negatives.add(ANNA, at.policy, explanation="see the mail"))
    assert await states() == ["open", "suppressed"]
    assert await states(state="suppressed") == ["suppressed"]
    assert await states(state="not_relied_on") == []
    await at.does(2, negatives.end(ANNA, "listed again"))
    assert await states() == ["open", "not_relied_on"]
