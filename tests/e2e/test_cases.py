"""A reviewer's day through the command line: list, decide, report, be answered, be wrong and correct it."""

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import pytest

from monitor.model import Category, EntryStanding, Role
from monitor.store import open_store, operators
from tests.contract.making import START, batch, declared, hash_list, later, matched, message, picture, profile
from tests.e2e.site import Site, lines
from tests.unit.reporting.desk import CHILD, EXACT, NEAR, UNMAPPED

DETAILS = {"organisation": "Example Institute", "email": "reports@example.org"}
PURPOSE = "comparing links with the mail of the hotline"


async def fill(database: Path) -> None:
    """Three people who may do everything. Five cases: a child's, an exact one seen twice, a near one, one without a
    category, another exact one."""
    async with open_store(database) as store:
        for name in ("anna", "bert", "cara"):
            await store.run(operators.add, name, Role, operator="anna", at=START)
        await store.declare([declared()], START)
        await store.joined("example_one", profile(), "main", START)
        await store.list_loaded(hash_list(), START)
        seen = [CHILD, EXACT, EXACT, NEAR, UNMAPPED, dataclasses.replace(EXACT, entry="e6")]
        posts = [message(n, media=picture(n)) for n in range(1, len(seen) + 1)]
        await store.record([batch(*posts)])
        for number, match in enumerate(seen, 1):
            await store.examined(matched(number, match, at=later(number)))


@pytest.fixture
def place(tmp_path: Path) -> Site:
    found = Site(tmp_path)
    found.write(operator="anna", reporting={"undo_seconds": 0}, operator_details=DETAILS)
    asyncio.run(fill(found.database))
    return found


def ok(place: Site, *arguments: str) -> str:
    done = place.monitor(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def fails(place: Site, code: int, *arguments: str) -> str:
    done = place.monitor(*arguments)
    assert done.returncode == code, (done.stdout, done.stderr)
    assert done.stderr.count("\n") == 1, "one clear line"
    return done.stderr


def cases(place: Site, *options: str) -> dict[str, dict[str, Any]]:
    return {row["entry"]: row for row in lines(ok(place, "cases", "list", "--json", *options))}


def test_cases_are_listed_the_most_pressing_first_and_decided(place: Site) -> None:
    rows = lines(ok(place, "cases", "list", "--json"))
    assert [row["entry"] for row in rows] == ["e3", "e1", "e6", "e2", "e4"]
    assert (rows[0]["category"], rows[0]["priority"], rows[0]["state"]) == ("child", 1, "open")
    table = ok(place, "cases", "list")
    assert table.splitlines()[0].split()[:6] == ["case", "pri", "list", "entry", "category", "state"]
    assert len({line.index("open") for line in table.splitlines()[1:]}) == 1, "columns line up"

    near = str(rows[3]["case_id"])
    ok(place, "cases", "accept", near)
    assert "is accepted since" in fails(place, 2, "cases", "accept", near)
    assert "other_documented" in fails(place, 2, "cases", "reject", near, "--reason", "because")
    ok(place, "cases", "reject", near, "--reason", "low_quality", "--as", "bert")
    assert cases(place, "--state", "not_relied_on").keys() == {"e2"}
    assert "older than 0 s" in fails(place, 2, "cases", "undo", near, "--as", "bert")


def test_exact_matches_are_accepted_together_and_near_ones_are_not(place: Site) -> None:
    said = fails(place, 2, "cases", "accept", "--list", "partner-a", "--entry", "e1", "--entry", "e2")
    assert "partner-a/e2: 1 of 1 sightings are near matches (12 bits)" in said
    assert "nothing was accepted" in said
    assert cases(place, "--state", "accepted") == {}
    assert "2 cases accepted" in ok(place, "cases", "accept", "--all-exact")
    assert cases(place, "--state", "accepted").keys() == {"e1", "e6"}
    assert "takes a case, or" in fails(place, 2, "cases", "accept")


@pytest.mark.prove
def test_a_second_opinion_holds_and_assignments(place: Site) -> None:
    ok(place, "cases", "second-opinion", "3", "--explanation", "near [the] threshold")
    assert "another person" in fails(place, 5, "cases", "accept", "3")
    ok(place, "cases", "assign", "3", "bert")
    ok(place, "cases", "accept", "3", "--as", "bert")
    ok(place, "cases", "hold", "3", "--asked-by", "Cyber Unit", "--until", "2099-01-01", "--reference", "K-1")
    assert "Cyber Unit asked" in fails(place, 2, "report", "prepare", "3", "--route", "dsa")
    shown = ok(place, "cases", "show", "3")
    assert "near [the] threshold" in shown, "brackets are an operator's own"
    assert "held until 2099-01-01 23:59 as Cyber Unit asked (K-1)" in shown
    ok(place, "cases", "release-hold", "3", "--explanation", "they agreed")
    assert "report 1: prepared to telegram-dsa, 1 sighting" in ok(
        place, "report", "prepare", "3", "--route", "dsa"
    )
    (case,) = lines(ok(place, "cases", "show", "3", "--json"))
    assert (case["state"], case["assigned_to"], case["holds"]) == ("accepted", "bert", [])
    assert [event["type"] for event in case["events"]] == [
        "flag_raised",
        "second_opinion_asked",
        "case_assigned",
        "case_decided",
        "case_held",
        "case_hold_ended",
        "report_prepared",
    ]


@pytest.mark.prove
def test_a_report_from_the_hotline_to_its_correction(place: Site) -> None:
    ok(place, "cases", "accept", "1")
    assert "a hotline or the police comes first" in fails(
        place, 2, "report", "prepare", "1", "--route", "telegram"
    )
    ok(place, "report", "prepare", "1", "--route", "hotline", "--recipient", "iwf")
    assert "first: monitor report approve" in fails(place, 2, "report", "hand-over", "1")
    ok(place, "report", "approve", "1")
    ok(place, "report", "failed", "1", "--explanation", "their form was down")
    (status,) = lines(ok(place, "status", "--json"))
    assert "reports: 1 could not be sent" in status["warnings"][0]
    ok(place, "report", "hand-over", "1", "--reference", "form 12")
    ok(place, "report", "acknowledge", "1", "--reference", "H-9")
    ok(place, "report", "outcome", "1", "actioned", "--reference", "H-9")
    ok(place, "report", "prepare", "1", "--route", "telegram")
    said = ok(place, "cases", "reject", "1", "--reason", "known_false_positive")
    assert "report 1 (hotline) was sent and is to be corrected" in said
    rows = lines(ok(place, "report", "list", "--json", "--case", "1"))
    assert [row["state"] for row in rows] == ["outcome", "superseded"]
    assert "1  " in ok(place, "report", "corrections").splitlines()[1]
    ok(place, "report", "correct", "1", "--explanation", "mailed the hotline")
    assert ok(place, "report", "corrections") == "no correction is to be made\n"
    assert ok(place, "cases", "due") == "nothing is due\n"
    (told,) = lines(ok(place, "report", "show", "1", "--json"))
    assert (told["route"], told["recipient"], told["outcome"]) == ("hotline", "iwf", "actioned")
    assert "correction of report 1 done (made): mailed the hotline" in ok(place, "report", "show", "1")


def test_without_a_mapping_there_is_no_route(place: Site) -> None:
    ok(place, "cases", "accept", "4")
    assert "has no category" in fails(place, 2, "report", "prepare", "4", "--route", "dsa")


@pytest.mark.prove
def test_addresses_are_shown_for_a_purpose_alone_and_leave_an_event(place: Site) -> None:
    ok(place, "cases", "accept", "2")
    ok(place, "report", "prepare", "2", "--route", "dsa")
    for command in (("cases", "show", "2"), ("report", "show", "1"), ("cases", "list"), ("report", "list")):
        for form in ((), ("--json",)):
            said = ok(place, *command, *form)
            assert "t.me" not in said
            assert "example_one" not in said
            assert "message_id" not in said
    assert "--purpose: is missing" in fails(place, 2, "cases", "show", "2", "--with-addresses")
    for command in (("cases", "show", "2"), ("report", "show", "1")):
        said = ok(place, *command, "--with-addresses", "--purpose", PURPOSE)
        assert "https://t.me/example_one/2" in said
        assert "https://t.me/example_one/3" in said
        assert "https://t.me/example_one/1" not in said
    (seen,) = lines(ok(place, "cases", "show", "2", "--json", "--with-addresses", "--purpose", PURPOSE))
    assert [s["link"] for s in seen["sightings"]] == [
        "https://t.me/example_one/2",
        "https://t.me/example_one/3",
    ]
    shown = [event for event in seen["events"] if event["type"] == "export_made"]
    assert [(event["purpose"], event["operator"], event["rows"]) for event in shown] == [
        (PURPOSE, "anna", 2)
    ] * 3


def test_an_entry_that_its_source_withdrew_goes_on_the_negative_list(place: Site) -> None:
    said = fails(place, 2, "cases", "negative", "add", "3", "--explanation", "x")
    assert "the match is not rejected" in said

    async def withdraw() -> None:
        async with open_store(place.database) as store:
            gone = [EntryStanding("e2", listed=False, category=Category.ADULT_FILMED)]
            await store.entries_stand("partner-a", gone, later(99))

    asyncio.run(withdraw())
    ok(place, "cases", "reject", "3", "--reason", "source_withdrawn")
    ok(place, "cases", "negative", "add", "3", "--days", "30", "--explanation", "their mail of today")
    (row,) = lines(ok(place, "cases", "negative", "list", "--json"))
    assert (row["entry"], row["hash_list"]) == ("e2", "partner-a")
    ok(place, "cases", "negative", "end", "3", "--explanation", "restored")
    assert ok(place, "cases", "negative", "list") == "no entry is on the negative list\n"


def test_a_command_on_no_store_says_so(tmp_path: Path) -> None:
    empty = Site(tmp_path)
    empty.write(operator="anna")
    for command in (("cases", "list"), ("cases", "accept", "1"), ("report", "list")):
        assert "there is no store yet" in fails(empty, 2, *command)
