"""What `monitor status` says of accounts."""

import asyncio
import json
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitor.cli import app
from monitor.model import AccountReason, AccountState, Budget, Moment, Spent
from monitor.store import SqlStore, open_store
from monitor.telegram.timeline import boot, to_datetime

NOW = 1_800_000_000.0


def moment(ago: float) -> Moment:
    return Moment(to_datetime(NOW - ago), int((time.monotonic() - ago) * 1e6), boot())


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(
        "accounts:\n"
        "  - {name: main, api_id: 1, api_hash: {file: api_hash}}\n"
        "  - {name: second, api_id: 1, api_hash: {file: api_hash}}\n"
        "telegram: {budgets: {joins_per_day: 5}}\n"
    )

    async def behave(store: SqlStore) -> None:
        for ago in (100_000, 3_000, 2_000):
            at = to_datetime(NOW - ago)
            await store.spend("main", Spent(Budget.JOINS, at, 1), moment(ago), to_datetime(0))
        await store.spend(
            "main", Spent(Budget.PAGES, to_datetime(NOW - 60), 1234), moment(60), to_datetime(0)
        )
        await store.flood_wait("main", "messages.getHistory", 30, moment(50))
        await store.flood_wait("main", "channels.joinChannel", 72_000, moment(10))
        await store.account_state("second", AccountState.FROZEN, AccountReason.BANNED, moment(10))

    async def make() -> None:
        async with open_store(tmp_path / "state" / "monitor.db") as store:
            await behave(store)

    asyncio.run(make())
    return path


def status(config: Path, *more: str) -> str:
    result = CliRunner().invoke(app, ["status", "--config", str(config), *more])
    assert result.exit_code == 0, result.output
    return result.output


def test_budgets_pauses_and_state_of_each_account_as_json(config: Path) -> None:
    main, second = json.loads(status(config, "--json"))["accounts"]
    assert (main["account"], main["state"], main["reason"]) == ("main", "active", None)
    assert main["budgets"]["joins"] == {"used": 2, "limit": 5, "seconds": 86_400}
    assert main["budgets"]["resolves"] == {"used": 0, "limit": 50, "seconds": 86_400}
    assert main["budgets"]["pages"]["used"] == 1234
    (wait,) = main["waits"]
    assert wait["method"] == "channels.joinChannel"
    assert 71_900 <= wait["left"] <= 71_990
    assert main["flood_waits"] == {
        "channels.joinChannel": {"count": 1, "seconds": 72_000},
        "messages.getHistory": {"count": 1, "seconds": 30},
    }
    assert (second["state"], second["reason"]) == ("frozen", "banned")
    assert second["since"] == "2027-01-15T07:59:50Z"


def test_the_same_for_people(config: Path) -> None:
    shown = status(config)
    assert "2 of 5" in shown
    assert "1,234 of 3,600" in shown
    assert "frozen (banned)" in shown
    assert "main: no channels.joinChannel for 71," in shown
    assert "1 before messages.getHistory, 30 s" in shown
