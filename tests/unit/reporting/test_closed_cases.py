"""What goes with a case and what stays: cases beside it, the log, and that its media is known."""

import json
import random
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.errors import InputError, NotAuthorized
from monitor.model import (
    CaseState,
    EntryStanding,
    ErrandState,
    EventType,
    Match,
    Purpose,
    ReportOutcome,
    Route,
)
from monitor.reporting import decisions, negatives, reports
from monitor.reporting.acting import Case
from monitor.reporting.bundle import Handover, LogAccess
from monitor.reporting.bundle_export import BUNDLED, export_bundle
from monitor.reporting.closing import over
from monitor.reporting.entries import EntryNames
from monitor.reporting.exports import export
from monitor.reportlog import project
from monitor.reportlog.bundles import verify_bundle
from monitor.reportlog.verifying import verify_events, verify_log
from monitor.store import Filters, backup, open_store
from monitor.store.casebook import case_numbers, list_cases
from monitor.store.cases import CaseRecord
from monitor.store.report_book import list_reports
from monitor.store.retention import Due, due, retain
from tests.contract.making import batch, matched, message, picture
from tests.unit.reporting.desk import ANNA, BERT, EXACT, NEAR, Desk, desk
from tests.unit.reporting.test_casework import ACTIONS, tried
from tests.unit.reporting.test_closing import answered, ends, errand
from tests.unit.reportlog.making import SIGNER
from tests.unit.store.test_erasure import everything
from tests.unit.store.test_sqlite import sql

POLICY = {Purpose.CASES: timedelta(days=100)}
MARKER = "Xylophone-7f3a91"


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(tmp_path) as opened:
        yield opened


async def run(at: Desk, more: dict[Purpose, timedelta] | None = None) -> int:
    """How many cases went, 150 days on."""
    at.wait(days=150)
    gone = await retain(at.store, POLICY | (more or {}), operator="root", at=at.at, over=over)
    return gone[Purpose.CASES]


async def again(at: Desk, number: int, media_id: int) -> None:
    """Another message with a picture that was seen before."""
    post = message(number, media=picture(media_id), first_seen_at=at.at)
    await at.store.record([batch(post, seen_at=at.at)])


def counted(path: Path) -> dict[str, int]:
    tables = (
        *("flags", "flag_matches", "case_events", "reports", "report_items", "negative_list", "errands"),
        *("cases", "media_matches", "media"),
    )
    return {table: int(str(sql(path, f"SELECT count(*) FROM {table}")[0][0])) for table in tables}  # noqa: S608 # ours


async def full(at: Desk) -> None:
    """A case with all that one can have, decided, answered, corrected, and past the negative list."""
    await at.see(NEAR)
    await at.accept(1, explanation=f"{MARKER} accepted https://t.me/{MARKER}/101")
    at.wait(minutes=2)
    await at.send(1)
    number = await at.prepare(1, Route.TELEGRAM)
    await at.on_report(number, reports.approve(ANNA, at.policy))
    await ends(at, await errand(at, number), ErrandState.SENT)
    await at.on_report(number, reports.sent(ANNA, at.policy, reference=f"{MARKER}@example.org"))
    for report in (1, 2):
        await at.on_report(report, reports.came_out(ANNA, ReportOutcome.NOT_ILLEGAL, reference=MARKER))
    await at.reject(1)
    at.wait(minutes=2)
    await at.does(1, negatives.add(BERT, at.policy, days=30, explanation=f"see {MARKER}"))
    await at.does(1, negatives.end(BERT, f"not {MARKER} any more"))
    for report in (1, 2):
        await at.on_report(report, reports.correct(ANNA, f"told {MARKER}"))


# -- what goes


async def test_a_case_goes_whole_and_leaves_that_its_entry_matched(at: Desk, tmp_path: Path) -> None:
    await full(at)
    path = tmp_path / "store.sqlite3"
    assert min(counted(path).values()) > 0
    (looked,) = await at.store.reader.run(due, POLICY, at.at + timedelta(days=150), over)
    assert looked == Due(Purpose.CASES, at.at + timedelta(days=50), 1)
    assert await run(at) == 1
    left = {table: count for table, count in counted(path).items() if count}
    assert left == {"cases": 1, "media_matches": 1, "media": 1}
    row = sql(path, "SELECT case_id, opened_at, state, settled, assigned_to, held_until FROM cases")
    assert row == [(2, None, "open", None, None, None)]
    assert sql(path, "PRAGMA foreign_key_check") == []
    with pytest.raises(InputError, match="case 1: there is none"):
        await at.case(1)
    with pytest.raises(InputError, match="case 2: there is none"):
        await at.case(2)
    assert await at.cases() == [] == await at.store.reader.run(list_reports)
    assert await at.store.reader.run(case_numbers, "partner-a", [NEAR.entry]) == {}
    assert await at.store.reader.in_app_reports() == []
    bodies = {event.type: bool(event.body) for event in await at.events()}
    assert not any(told for kind, told in bodies.items() if kind.startswith(("flag_", "case_", "report_")))
    assert bodies[EventType.LIST_LOADED], "what is of no case stays"
    begun, done = await at.events(EventType.RETENTION_RUN)
    assert done.body == {"operator": "root", "begun": begun.seq, "cases": 1}


async def test_bytes_of_a_removed_case_are_in_no_file(at: Desk, tmp_path: Path) -> None:
    await full(at)
    path = tmp_path / "store.sqlite3"
    place = [b'"channel_id":1500000001', b'"message_id":101', MARKER.encode(), b"t.me/"]
    assert all(everything(path).count(trace) for trace in place), "or the search finds nothing by mistake"
    assert await run(at) == 1
    assert [trace for trace in place if trace in everything(path)] == [b'"channel_id":1500000001']
    kinds = [event.type for event in await at.events() if "channel_id" in event.body]
    assert kinds == [EventType.CHANNEL_JOINED]


async def test_what_it_held_goes_with_the_other_purposes_in_the_same_run(at: Desk) -> None:
    await answered(at)
    assert await run(at, {Purpose.MESSAGES: timedelta(days=30)}) == 1
    assert [row async for row in at.store.reader.message_rows()] == []
    assert (await at.store.totals()).media == 1, "what has matched is remembered"


async def test_what_another_case_holds_stays_until_that_goes_too(at: Desk, tmp_path: Path) -> None:
    await at.see(EXACT, NEAR)
    await at.see(EXACT)
    await at.accept(1)
    at.wait(minutes=2)
    number = await at.prepare(1, Route.TELEGRAM)
    await at.on_report(number, reports.approve(ANNA, at.policy))
    await ends(at, await errand(at, number), ErrandState.SENT)
    await at.on_report(number, reports.sent(ANNA, at.policy))
    await at.on_report(number, reports.came_out(ANNA, ReportOutcome.ACTIONED))
    at.wait(days=150)
    before = (await at.case(2)).facts
    assert await run(at) == 1
    after = await at.case(2)
    assert replace(after.facts, at=before.at) == before
    assert list(after.facts.flags) == [1]
    flagged = [(row["flag_id"], row["entry"]) async for row in at.store.reader.flag_rows()]
    assert flagged == [(1, NEAR.entry)]
    assert len(await at.store.reader.in_app_reports()) == 1, "the message is not reported once more"
    await at.does(2, decisions.accept(BERT))
    assert await run(at) == 1
    assert await at.store.reader.in_app_reports() == []
    assert sql(tmp_path / "store.sqlite3", "SELECT count(*) FROM flags") == [(0,)]
    left = [e for e in await at.events(EventType.FLAG_RAISED, EventType.ITEM_REPORTED) if e.body]
    assert left == []


async def test_interrupted_it_has_removed_less_and_only_whole_cases(at: Desk, tmp_path: Path) -> None:
    for match in (EXACT, NEAR):
        await at.see(match)
    for case_id in (1, 2):
        await at.accept(case_id)
    asked: list[int] = []

    def cut_short(record: CaseRecord, now: datetime) -> bool:
        asked.append(record.case_id)
        if len(asked) == 4:
            raise KeyError("the machine is switched off")
        return True

    at.wait(days=150)
    with pytest.raises(KeyError):
        await retain(at.store, POLICY, operator="root", at=at.at, over=cut_short)
    assert asked == [1, 2, 1, 2], "each is asked about once more when it goes"
    (left,) = await at.cases()
    assert (left.record.case_id, left.facts.state, list(left.facts.flags)) == (2, CaseState.ACCEPTED, [2])
    assert await run(at) == 1


async def test_a_case_that_comes_to_life_before_its_turn_stays(at: Desk) -> None:
    await at.see(EXACT)
    await at.accept(1)
    answers = [False, True]
    at.wait(days=150)
    args: dict[str, Any] = {"operator": "root", "at": at.at, "over": lambda record, now: answers.pop()}
    assert await retain(at.store, POLICY, **args) == {Purpose.CASES: 0}
    assert [case.record.case_id for case in await at.cases()] == [1]


# -- the same media, seen again


async def test_media_seen_again_is_flagged_in_a_case_of_its_own(at: Desk) -> None:
    number = await answered(at)
    assert await run(at) == 1
    await again(at, 500, 101)
    assert await at.store.pending_media([], 9) == [], "and is not fetched again"
    (case,) = await at.cases()
    assert (case.record.case_id, case.record.opened_at, case.facts.state) == (2, at.at, CaseState.OPEN)
    assert list(case.facts.flags) == [2], "no number means another thing than before"
    assert (case.record.category, case.facts.reports) == (EXACT.category, {})
    await at.accept(2)
    at.wait(minutes=2)
    assert await at.send(2) == number + 1


async def test_other_media_of_the_entry_opens_the_new_case_too(at: Desk) -> None:
    await answered(at)
    assert await run(at) == 1
    await at.see(EXACT)
    await again(at, 500, 101)
    (case,) = await at.cases()
    assert (case.record.case_id, list(case.facts.flags)) == (2, [2, 3])


async def test_a_withdrawn_entry_stays_withdrawn_and_flags_again_when_it_is_back(at: Desk) -> None:
    await at.see(EXACT)
    await at.reject(1)
    await at.store.entries_stand("partner-a", [EntryStanding("e1", listed=False)], at.at)
    assert await run(at) == 1
    await again(at, 500, 101)
    assert await at.cases() == []
    assert await at.store.entries("partner-a") == ["e1"]
    await at.store.entries_stand("partner-a", [EntryStanding("e1", listed=True)], at.at)
    (case,) = await at.cases()
    assert (len(case.facts.flags), case.facts.withdrawn_at) == (2, None)


async def test_a_flood_of_an_entry_whose_case_was_removed_is_a_case_to_look_at(tmp_path: Path) -> None:
    async with open_store(tmp_path / "store.sqlite3", flood_guard=1) as store:
        at = Desk(store)
        await at.store.record([batch(*(message(n, media=picture(n)) for n in (1, 2, 3)))])
        await store.examined(matched(1, NEAR, at=at.at))
        await at.accept(1)
        assert await run(at) == 1
        for number in (2, 3):
            await store.examined(matched(number, NEAR, at=at.at))
        case = await at.case(2)
        assert case.facts.quarantined and len(case.facts.flags) == 1


# -- what is beside it, and outside


@pytest.mark.parametrize("logged", [True, False], ids=["after it was logged", "before it was logged"])
async def test_the_log_verifies_and_exports_go_on(at: Desk, tmp_path: Path, logged: bool) -> None:
    log, database = tmp_path / "log", tmp_path / "store.sqlite3"
    await answered(at)
    await at.see(NEAR)
    usual: dict[str, Any] = {"at": at.at, "names": EntryNames(b"k" * 32)}
    access, to = LogAccess(log, SIGNER), Handover("root", "Police", "request")
    if logged:
        old = tmp_path / "old.zip"
        await export_bundle(at.store, database, access, "cases", old, to, **usual)
    assert await run(at) == 1
    for what in BUNDLED:
        made = await export_bundle(at.store, database, access, what, tmp_path / f"{what}.zip", to, **usual)
        assert verify_bundle(made.bundle.path, pinned=SIGNER.key).opened == made.bundle.opened
        await export(at.store, database, what, "jsonl", tmp_path / f"{what}.jsonl", operator="root", **usual)
    rows = {what: (tmp_path / f"{what}.jsonl").read_text().splitlines() for what in BUNDLED}
    assert [json.loads(line)["case_id"] for line in rows["cases"]] == [2], "nobody sees what waits"
    assert (len(rows["flags"]), len(rows["reports"])) == (1, 0)
    for number in (1, 3):  # what it was called, and what waits
        with pytest.raises(InputError, match=f"--case {number}: there is none"):
            only: dict[str, Any] = {"filters": Filters(cases=(number,)), "operator": "root"}
            await export(at.store, database, "cases", "jsonl", tmp_path / "none", **only, **usual)
    if logged:
        assert verify_bundle(old, pinned=SIGNER.key).opened, "what was handed out before holds"
    checkpoint = await project(at.store.reader.leaves, log, SIGNER)
    assert checkpoint is not None and verify_log(log).checkpoint == checkpoint
    async with aclosing(at.store.reader.leaves()) as leaves:
        erased, waiting = await verify_events(leaves, log, checkpoint.size)
    assert (erased > 5, waiting) == (True, 0)


async def test_what_came_back_with_a_backup_goes_when_it_is_run_again(tmp_path: Path) -> None:
    database, copy = tmp_path / "store.sqlite3", tmp_path / "copy"
    async with desk(tmp_path) as at:
        await answered(at)
        await backup.back_up(at.store, database, copy, operator="root", at=at.at)
        assert await run(at) == 1
        now = at.at
    await backup.restore(database, copy, tmp_path / "aside", operator="root", at=now)
    async with open_store(database) as store:
        at = Desk(store, at=now)
        assert [case.record.case_id for case in await at.cases()] == [1]
        assert await run(at) == 1
        assert await at.cases() == []


# -- whatever people did


ENTRIES = [replace(NEAR, entry=f"p{number}") for number in range(5)]


async def people_act(at: Desk, chance: random.Random) -> None:
    """Five cases that share sightings; people try this and that, and mostly what leads on."""

    async def see(*matches: Match) -> None:
        number = 1_000 + int(at.at.timestamp()) % 1_000_000_000
        await at.store.record([batch(message(number, media=picture(number)))])
        await at.store.examined(matched(number, *matches, at=at.at))

    for match in ENTRIES:
        at.wait(seconds=1)
        await see(match, chance.choice(ENTRIES))
    leads = ("accept", "reject", "prepare", "approve", "sent", "outcome", "outcome", "correct")
    for _ in range(120):
        at.wait(seconds=chance.choice((1, 61, 3_600, 86_400)))
        action = chance.choice((*ACTIONS, *leads * 4))
        case = await at.case(chance.randint(1, 5))
        if action == "see":
            await see(*chance.sample(ENTRIES, 2))
        elif action in ("withdraw", "restore"):
            entry = EntryStanding(case.record.entry, listed=action == "restore")
            await at.store.entries_stand("partner-a", [entry], at.at)
        else:
            numbers = [] if action in ("accept", "reject", "second opinion") else [*case.facts.reports]
            who = chance.choice((ANNA, BERT))
            rule = tried(action, who, chance.choice(numbers or [0]), Route.DSA, at.at)
            assert rule is not None
            try:
                await at.does(case.record.case_id, rule)
            except (InputError, NotAuthorized):
                continue


def at_rest(case: Case) -> bool:
    """By hand, and with other words than the rule's."""
    facts = case.facts
    gone_out = [report for report in facts.reports.values() if report.out]
    return (
        facts.state.value in ("accepted", "not_relied_on")
        and {state.value for state in facts.flags.values()} <= {"accepted", "not_relied_on"}
        and facts.holds == ()
        and {report.state.value for report in facts.reports.values()} <= {"outcome", "superseded"}
        and all(r.correction.done_at if r.correction else not facts.withdrawn_at for r in gone_out)
    )


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_people_did_what_is_not_at_rest_stands_as_it_did(
    at: Desk, tmp_path: Path, seed: int
) -> None:
    await people_act(at, random.Random(seed))
    events = await at.events()
    at.wait(days=150)
    before = {case.record.case_id: case for case in await at.cases()}
    lines = await at.store.reader.run(list_cases, at.at)
    of_reports = await at.store.reader.run(list_reports)
    at.wait(days=-150)
    gone = await run(at)
    after = {case.record.case_id: case for case in await at.cases()}
    stay = {number for number, case in before.items() if not at_rest(case)}
    assert after.keys() == stay and len(before) - len(stay) == gone
    for number in stay:
        assert (after[number].facts, after[number].record.items) == (
            before[number].facts,
            before[number].record.items,
        )
    assert await at.store.reader.run(list_cases, at.at) == [x for x in lines if x.case_id in stay]
    assert await at.store.reader.run(list_reports) == [x for x in of_reports if x.case_id in stay]
    held = {flag for case in after.values() for flag in case.facts.flags}
    assert {row["flag_id"] async for row in at.store.reader.flag_rows()} == held
    now = await at.events()
    assert [(e.seq, e.at, e.type) for e in now[: len(events)]] == [(e.seq, e.at, e.type) for e in events]
    assert sql(tmp_path / "store.sqlite3", "PRAGMA foreign_key_check") == []
    assert gone and stay, "or it says nothing: take another seed"
