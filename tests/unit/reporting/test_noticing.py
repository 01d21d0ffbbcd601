"""The notice of a report as a file: on record when it is there, and only then."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from monitor.errors import InputError
from monitor.model import EventType, Route
from monitor.reporting import reports
from monitor.reporting.notices import Templates, load_register
from monitor.reporting.noticing import Office, prepare, write
from monitor.store.sightings import sightings
from tests.unit.reporting.desk import ANNA, EXACT, Desk, desk
from tests.unit.reporting.exports.taking import names
from tests.unit.reporting.reported import DETAILS

OFFICE = Office(DETAILS, load_register(), Templates())


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Desk]:
    """A desk with report 1, approved, to the platform."""
    async with desk(tmp_path) as opened:
        await opened.see(EXACT)
        await opened.accept(1)
        opened.wait(minutes=2)
        found = await opened.store.reader.run(sightings, 1)
        await opened.does(1, prepare(ANNA, Route.TELEGRAM_MAIL, opened.policy, OFFICE, found))
        await opened.on_report(1, reports.approve(ANNA, opened.policy))
        yield opened


async def make(at: Desk, path: Path) -> bytes:
    _, data = await write(at.store, 1, OFFICE, operator=ANNA, kind="text", at=at.at, path=path)
    return data


async def test_a_notice_is_a_private_file_and_an_event(at: Desk, tmp_path: Path) -> None:
    path = tmp_path / "notice.txt"
    path.write_text("what was there before")
    assert path.read_bytes() != await make(at, path) == path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(await at.events(EventType.NOTICE_MADE)) == 1


@pytest.mark.parametrize("name", ["no/notice.txt", "folder"])
async def test_a_notice_that_cannot_be_written_was_not_made(at: Desk, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=name):
        await make(at, tmp_path / name)
    assert await at.events(EventType.NOTICE_MADE) == []


async def test_a_notice_that_may_not_be_made_leaves_no_file(at: Desk, tmp_path: Path) -> None:
    path = tmp_path / "notice.txt"
    path.write_text("what was there before")
    await at.reject(1)
    before = names(tmp_path)
    with pytest.raises(InputError, match="superseded"):
        await make(at, path)
    assert path.read_text() == "what was there before"
    assert names(tmp_path) == before
