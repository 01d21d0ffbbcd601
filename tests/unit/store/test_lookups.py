"""Look-ups of hashes: on record without the hashes, and so many an hour."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from monitor.errors import InputError
from monitor.model import Algorithm, EventType
from monitor.store import SqlStore, lookups, open_store
from tests.contract.making import START, later


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with open_store(tmp_path / "store.sqlite3") as store:
        yield store


async def ask(
    store: SqlStore, hashes: int, at: datetime, operator: str = "analyst-1", limit: int = 10
) -> None:
    await store.run(
        lookups.looked_up,
        operator,
        [Algorithm.SHA256, Algorithm.PDQ],
        hashes=hashes,
        matched=1,
        limit=limit,
        at=at,
    )


async def test_a_look_up_is_an_event_of_counts(store: SqlStore) -> None:
    await ask(store, 3, START)
    (event,) = [event async for event in store.reader.events()]
    assert event.type is EventType.LIST_LOOKED_UP
    assert event.body == {"operator": "analyst-1", "algorithm": "pdq+sha256", "hashes": 3, "matched": 1}


async def test_beyond_the_budget_it_is_refused_with_its_end_and_nothing_is_noted(store: SqlStore) -> None:
    await ask(store, 6, START)
    await ask(store, 4, later(600))
    with pytest.raises(
        InputError, match=r"analyst-1 may look up 10 hashes an hour .*; 5 can be looked up after"
    ) as e:
        await ask(store, 5, later(700))
    assert f"{START + timedelta(hours=1):%Y-%m-%d %H:%M:%S} UTC" in str(e.value)
    with pytest.raises(InputError, match=f"{later(600) + timedelta(hours=1):%H:%M:%S} UTC"):
        await ask(store, 7, later(700))
    assert (await store.totals()).events == 2
    await ask(store, 5, START + timedelta(hours=1))


async def test_each_operator_has_an_own_budget_that_outlives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    async with open_store(path) as store:
        await ask(store, 10, START)
    async with open_store(path) as store:
        with pytest.raises(InputError):
            await ask(store, 1, later(1))
        await ask(store, 10, later(1), operator="analyst-2")


async def test_looked_up_at_the_same_time_counts_twice(store: SqlStore) -> None:
    await ask(store, 5, START)
    await ask(store, 5, START)
    with pytest.raises(InputError):
        await ask(store, 1, START)


async def test_more_than_an_hour_allows_is_never_allowed(store: SqlStore) -> None:
    with pytest.raises(InputError, match="ask for fewer at a time"):
        await ask(store, 11, START)
    with pytest.raises(InputError, match="may look up 0 hashes"):
        await ask(store, 1, START, limit=0)
