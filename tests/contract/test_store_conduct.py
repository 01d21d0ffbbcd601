"""The contract of ports.Store: what accounts spent, which pauses they were asked for, whether they work."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from monitor.model import AccountReason, AccountState, Budget, Conduct, Spent, Waits
from tests.contract.conftest import Factory, Opened, sqlite
from tests.contract.making import START, later, moment

FOREVER = START - timedelta(days=1)


async def test_of_an_account_that_did_nothing_nothing_is_on_record(opened: Opened) -> None:
    assert await opened.store.conduct("main") == Conduct("main")
    assert (await opened.store.conduct("main")).state is AccountState.ACTIVE


async def test_what_is_spent_comes_back_by_account_and_time(opened: Opened) -> None:
    for number in (2, 1):
        spent = Spent(Budget.PAGES, later(number), 30 + number)
        await opened.store.spend("main", spent, moment(number), FOREVER)
    await opened.store.spend("main", Spent(Budget.JOINS, later(3), 1), moment(3), FOREVER)
    await opened.store.spend("second", Spent(Budget.JOINS, later(4), 1), moment(4), FOREVER)
    conduct = await opened.store.conduct("main")
    assert conduct.spent == (
        Spent(Budget.PAGES, later(1), 31),
        Spent(Budget.PAGES, later(2), 32),
        Spent(Budget.JOINS, later(3), 1),
    )
    assert conduct.last == moment(3)


async def test_what_is_spent_at_the_same_time_adds_up(opened: Opened) -> None:
    for _ in range(3):
        await opened.store.spend("main", Spent(Budget.RESOLVES, START, 2), moment(0), FOREVER)
    assert (await opened.store.conduct("main")).spent == (Spent(Budget.RESOLVES, START, 6),)


async def test_what_is_too_old_to_matter_is_forgotten(opened: Opened) -> None:
    for number in range(5):
        await opened.store.spend("main", Spent(Budget.PAGES, later(number), 1), moment(number), FOREVER)
    await opened.store.spend("main", Spent(Budget.JOINS, later(0), 1), moment(5), later(5))
    await opened.store.spend("second", Spent(Budget.PAGES, later(0), 1), moment(5), later(5))
    await opened.store.spend("main", Spent(Budget.PAGES, later(9), 1), moment(9), later(3))
    kept = [(spent.budget, spent.at) for spent in (await opened.store.conduct("main")).spent]
    pages = [(Budget.PAGES, later(n)) for n in (3, 4, 9)]
    assert sorted(kept) == sorted([(Budget.JOINS, later(0)), *pages])
    assert len((await opened.store.conduct("second")).spent) == 1


async def test_nothing_is_not_spent(opened: Opened) -> None:
    with pytest.raises(ValueError):
        await opened.store.spend("main", Spent(Budget.JOINS, START, 0), moment(0), FOREVER)
    assert await opened.store.conduct("main") == Conduct("main")


async def test_pauses_are_counted_by_method_and_the_latest_end_holds(opened: Opened) -> None:
    await opened.store.flood_wait("main", "messages.getHistory", 100, moment(0))
    await opened.store.flood_wait("main", "messages.getHistory", 10, moment(20))
    await opened.store.flood_wait("main", "upload.getFile", 5, moment(30))
    await opened.store.flood_wait("second", "upload.getFile", 7, moment(40))
    assert (await opened.store.conduct("main")).waits == (
        Waits("messages.getHistory", later(100), 2, 110),
        Waits("upload.getFile", later(35), 1, 5),
    )


async def test_a_pause_in_joining_is_not_shortened(opened: Opened) -> None:
    for until in (50, 80, 60):
        await opened.store.pause_joins("main", later(until), moment(until / 10))
    conduct = await opened.store.conduct("main")
    assert conduct.joins_paused_until == later(80)
    assert (conduct.state, conduct.last) == (AccountState.ACTIVE, moment(6))


async def test_since_when_an_account_is_as_it_is(opened: Opened) -> None:
    seen = []
    for number, (state, reason) in enumerate(
        [
            (AccountState.ACTIVE, None),
            (AccountState.FROZEN, AccountReason.FROZEN),
            (AccountState.FROZEN, AccountReason.FROZEN),
            (AccountState.FROZEN, AccountReason.BANNED),
            (AccountState.ACTIVE, None),
        ]
    ):
        await opened.store.account_state("main", state, reason, moment(number))
        conduct = await opened.store.conduct("main")
        assert (conduct.state, conduct.reason, conduct.last) == (state, reason, moment(number))
        seen.append(conduct.since)
    assert seen == [later(0), later(1), later(1), later(3), later(4)]


async def test_signing_out_forgives_nothing(opened: Opened) -> None:
    await opened.store.spend("main", Spent(Budget.JOINS, START, 1), moment(0), FOREVER)
    await opened.store.flood_wait("main", "channels.joinChannel", 100, moment(0))
    before = await opened.store.conduct("main")
    await opened.store.forget_session("main")
    assert await opened.store.conduct("main") == before


async def test_conduct_is_there_after_opening_again(factory: Factory, tmp_path: Path) -> None:
    async with factory(tmp_path) as opened:
        await opened.store.spend("main", Spent(Budget.JOINS, START, 1), moment(0), FOREVER)
        await opened.store.flood_wait("main", "channels.joinChannel", 100, moment(1))
        await opened.store.pause_joins("main", later(9), moment(2))
        await opened.store.account_state(
            "main", AccountState.REVOKED, AccountReason.SIGNED_OUT, moment(3, None)
        )
        before = await opened.store.conduct("main")
    async with factory(tmp_path) as opened:
        assert await opened.store.conduct("main") == before
        assert await opened.reader.conduct("main") == before


@pytest.mark.parametrize("method", ["two words", "слово", "line\nline", "nul\0", "x" * 65])
async def test_a_method_is_one_word(tmp_path: Path, method: str) -> None:
    async with sqlite(tmp_path) as opened:
        with pytest.raises(IntegrityError, match="method_word"):
            await opened.store.flood_wait("main", method, 1, moment(0))
