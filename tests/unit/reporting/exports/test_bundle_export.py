"""An export as a bundle: it opens the events of what it exports, and without addresses none that lead to an item."""

import csv
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from monitor.errors import InputError
from monitor.model import EventType, ReasonCode, ReportOutcome, Route
from monitor.reporting import decisions, holds, reports
from monitor.reporting.bundle import LogAccess
from monitor.reporting.bundle_export import BUNDLED, BundledExport, export_bundle
from monitor.reporting.custody import Handover
from monitor.reporting.entries import EntryNames
from monitor.reporting.openings import leads_to_an_item
from monitor.reportlog.bundles import verify_bundle
from monitor.store import Filters
from tests.contract.making import CHANNEL, OTHER
from tests.unit.reporting.desk import ANNA, BERT, EXACT, NEAR, Desk, desk
from tests.unit.reporting.exports.taking import KEY
from tests.unit.reportlog.making import SIGNER

HANDOVER = Handover("analyst-1", "Police, cyber bureau", "request 2026-17")
JOINED = (EventType.FLAG_RAISED, EventType.FLAG_COMPLETED)


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Desk]:
    """Case 1, seen twice, with a report of both sightings and one of the first alone; case 2, rejected."""
    async with desk(tmp_path) as opened:
        await opened.sent(EXACT)
        await opened.see(EXACT, channel=OTHER)
        await opened.send(1, Route.DSA)
        await opened.on_report(1, reports.acknowledge(ANNA, "T-1"))
        await opened.on_report(1, reports.came_out(ANNA, ReportOutcome.ACTIONED))
        await opened.see(NEAR)
        await opened.reject(2)
        yield opened


async def bundled(at: Desk, folder: Path, what: str, name: str = "b.zip", **more: Any) -> BundledExport:
    usual: dict[str, Any] = {"at": at.at, "names": EntryNames(KEY)}
    log = LogAccess(folder / "log", SIGNER)
    database = folder / "store.sqlite3"
    return await export_bundle(at.store, database, log, what, folder / name, HANDOVER, **usual | more)


def member(path: Path, name: str) -> str:
    with zipfile.ZipFile(path) as archive:
        return archive.read(name).decode()


def opened(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in member(path, "openings.jsonl").splitlines()]


async def kinds(at: Desk, path: Path) -> set[EventType]:
    """The types of what a bundle opens."""
    types = [event.type for event in await at.events()]
    return {types[event["seq"]] for event in opened(path)}


def verified_alone(path: Path) -> subprocess.CompletedProcess[str]:
    """What the verifier in a bundle says of it."""
    (path.parent / "verify.py").write_text(member(path, "verify.py"))
    command = [sys.executable, "-I", "verify.py", path.name, "--key", str(SIGNER.key)]
    return subprocess.run(command, cwd=path.parent, capture_output=True, text=True)


def flags_joined(path: Path) -> list[int]:
    return [event["body"]["flag_id"] for event in opened(path) if "matches" in event["body"]]


@pytest.mark.parametrize("addresses", [False, True])
@pytest.mark.parametrize("what", BUNDLED)
async def test_a_bundle_verifies_alone_and_says_what_was_taken_out(
    at: Desk, tmp_path: Path, what: str, addresses: bool
) -> None:
    done = await bundled(at, tmp_path, what, with_addresses=addresses)
    path = done.bundle.path
    verified = verify_bundle(path, pinned=SIGNER.key)
    body = verified.body
    assert (body["what"], body["format"], body["rows"]) == (what, "bundle", done.rows)
    assert (body["addresses"], body["purpose"]) == (addresses, "request 2026-17")
    assert body["handed_to"] == "Police, cyber bureau"
    assert verified.opened == done.bundle.opened > 0
    alone = verified_alone(path)
    assert (alone.returncode, alone.stderr) == (0, "")
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


@pytest.mark.parametrize("what", BUNDLED)
async def test_rows_are_there_twice_with_what_the_columns_mean(at: Desk, tmp_path: Path, what: str) -> None:
    path = (await bundled(at, tmp_path, what)).bundle.path
    table = list(csv.DictReader(io.StringIO(member(path, f"data/{what}.csv"), newline="")))
    rows = [json.loads(line) for line in member(path, f"data/{what}.jsonl").splitlines()]
    schema = json.loads(member(path, f"schema/{what}.json"))
    names = [column["name"] for column in schema["columns"]]
    assert len(table) == len(rows) == schema["rows"] > 0
    assert all(list(row) == names for row in [*table, *rows])
    assert all(column["meaning"] and column["type"] for column in schema["columns"])


@pytest.mark.parametrize("what", BUNDLED)
async def test_without_addresses_nothing_in_a_bundle_leads_to_an_item(
    at: Desk, tmp_path: Path, what: str
) -> None:
    path = (await bundled(at, tmp_path, what)).bundle.path
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            content = archive.read(name).decode()
            assert str(CHANNEL) not in content and str(OTHER) not in content, name
            assert "example_one" not in content and "t.me/" not in content, name
    assert not await kinds(at, path) & {*JOINED, EventType.CHANNEL_JOINED, EventType.AUTHORIZATION_DECLARED}
    assert "CONTAINS" not in member(path, "custody.txt")


async def test_all_that_people_did_is_opened_without_addresses(at: Desk, tmp_path: Path) -> None:
    """Whatever key is added to such an event has to be thought about once: may it say where an item is?"""
    until = at.at.replace(year=2027)
    await at.does(1, decisions.assign(ANNA, BERT))
    await at.does(1, holds.hold(ANNA, asked_by="Police", until=until, reference="K-1"))
    await at.does(1, holds.end_hold(ANNA, reference="K-1", explanation="done"))
    await at.does(1, decisions.ask_second_opinion(ANNA, "not sure"))
    await at.does(1, decisions.undo(ANNA, at.policy))
    told = [e for e in await at.events() if e.type.startswith(("case_", "report_", "second_", "corr", "neg"))]
    path = (await bundled(at, tmp_path, "cases")).bundle.path
    assert {e.seq for e in told} <= {event["seq"] for event in opened(path)}
    assert len({e.type for e in told}) >= 9


@pytest.mark.parametrize("what", ["flags", "cases", "reports"])
async def test_with_addresses_a_bundle_opens_its_flags_and_says_so(
    at: Desk, tmp_path: Path, what: str
) -> None:
    path = (await bundled(at, tmp_path, what, with_addresses=True, filters=Filters(cases=(1,)))).bundle.path
    assert flags_joined(path) == [1, 2]
    assert CHANNEL in [event["body"].get("channel_id") for event in opened(path)]
    marking = "contains addresses of flagged items; only for: request 2026-17"
    assert marking.upper() in member(path, "custody.txt")
    assert json.loads(member(path, "custody.json"))["marking"] == marking
    assert json.loads(member(path, f"schema/{what}.json"))["marking"] == marking
    rows = [json.loads(line) for line in member(path, f"data/{what}.jsonl").splitlines()]
    assert all(("link" in row) == (what == "flags") for row in rows)


async def test_a_bundle_opens_no_event_of_what_it_does_not_export(at: Desk, tmp_path: Path) -> None:
    async def case_of_each(**filters: Any) -> list[dict[str, Any]]:
        done = await bundled(at, tmp_path, "cases", with_addresses=True, filters=Filters(**filters))
        return [event["body"] for event in opened(done.bundle.path)]

    assert {body["case_id"] for body in await case_of_each(cases=(2,)) if "case_id" in body} == {2}
    assert not [body for body in await case_of_each(cases=(2,)) if "report_id" in body]
    # Flags of one channel: how another channel's flag of the case came about is none of the recipient's business.
    narrowed = Filters(channels=("example_one",), cases=(1,))
    path = (await bundled(at, tmp_path, "flags", with_addresses=True, filters=narrowed)).bundle.path
    assert flags_joined(path) == [1]
    # Of reports those that are exported, and the sightings that they cover.
    path = (
        await bundled(at, tmp_path, "reports", with_addresses=True, filters=Filters(state="outcome"))
    ).bundle.path
    assert flags_joined(path) == [1]
    assert {e["body"]["report_id"] for e in opened(path) if "report_id" in e["body"]} == {1}


async def test_words_that_lead_to_an_item_stay_shut(at: Desk, tmp_path: Path) -> None:
    await at.reject(1, reason=ReasonCode.OTHER_DOCUMENTED, reference="https://t.me/example_one/101")
    path = (await bundled(at, tmp_path, "cases")).bundle.path
    assert "t.me" not in member(path, "openings.jsonl")
    path = (await bundled(at, tmp_path, "cases", with_addresses=True)).bundle.path
    assert "t.me" in member(path, "openings.jsonl")


@pytest.mark.parametrize(
    ("body", "leads"),
    [
        ({"case_id": 1, "decision": "accepted", "operator": "anna"}, False),
        ({"case_id": 1, "message_id": 5}, True),
        ({"case_id": 1, "something_new": None}, True),
        ({"explanation": "ask @someone"}, True),
        ({"reference": "DSA-2026/14"}, False),
    ],
)
def test_what_is_not_known_to_be_harmless_is_not(body: dict[str, Any], leads: bool) -> None:
    assert leads_to_an_item(body) is leads


async def test_the_log_with_addresses_opens_every_event_exported(at: Desk, tmp_path: Path) -> None:
    every = await at.events()
    window = Filters(since=every[-3].at)
    done = await bundled(at, tmp_path, "log", with_addresses=True, filters=window)
    assert [event["seq"] for event in opened(done.bundle.path)] == [
        e.seq for e in every if e.at >= every[-3].at
    ]
    assert done.rows == done.bundle.opened < len(every)


@pytest.mark.parametrize("what", ["messages", "channels", "observations", "people"])
async def test_other_rows_are_in_no_bundle(at: Desk, tmp_path: Path, what: str) -> None:
    before = await at.store.reader.next_event()
    with pytest.raises(InputError, match="format bundle: holds flags, cases, reports, log"):
        await bundled(at, tmp_path, what)
    assert await at.store.reader.next_event() == before
    assert not (tmp_path / "b.zip").exists()


async def test_what_is_wrong_is_said_before_anything_is_written(at: Desk, tmp_path: Path) -> None:
    before = await at.store.reader.next_event()
    for filters in (Filters(cases=(77,)), Filters(state="shut")):
        with pytest.raises(InputError, match=r"77|shut"):
            await bundled(at, tmp_path, "reports", filters=filters)
    with pytest.raises(InputError, match="1,000 characters"):
        Handover("anna", "x" * 1_001, "why").check()
    assert await at.store.reader.next_event() == before
    assert not (tmp_path / "log").exists()
