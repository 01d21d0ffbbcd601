"""What an account may ask, over restarts, crashes, reboots and steps of every clock."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from monitor.errors import AccountFrozen, BudgetSpent, FloodWait
from monitor.model import AccountReason, AccountState, Budget
from monitor.store import SqlStore, open_store
from monitor.telegram.politeness import JOIN, PATIENCE, Politeness, budget_of
from monitor.telegram.windows import DAY, HOUR, LIFE

RESOLVE, HISTORY, FETCH = "contacts.resolveUsername", "messages.getHistory", "upload.getFile"
PLATFORM = 1_800_000_000.0
TEN_YEARS = 10 * 365 * DAY


class Machine:
    """A machine whose clocks a test moves, and one account's politeness on it, started anew at will."""

    def __init__(self, store: SqlStore, limits: dict[Budget, int]) -> None:
        self.store = store
        self.limits = limits
        self.platform = PLATFORM
        self.elapsed = 1_000.0
        self.boot = 1
        self.chance = random.Random(7)

    async def start(self) -> Politeness:
        """A process that has begun, and not yet heard of the platform."""
        return Politeness(
            await self.store.conduct("main"),
            self.limits,
            self.store,
            elapsed=lambda: self.elapsed,
            boot=f"boot-{self.boot}",
            chance=self.chance.random,
        )

    async def connect(self) -> Politeness:
        """A process whose connection has been made."""
        politeness = await self.start()
        await politeness.connecting()
        politeness.heard(int(self.platform))
        return politeness

    def wait(self, seconds: float) -> None:
        self.platform += seconds
        self.elapsed += seconds

    def reboot(self, seconds: float = 0.0) -> None:
        self.platform += seconds
        self.elapsed = 5.0
        self.boot += 1


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    async with open_store(tmp_path / "store.sqlite3") as store:
        yield Machine(store, {Budget.JOINS: 3, Budget.RESOLVES: 50, Budget.PAGES: 1000, Budget.FILE_PARTS: 7})


async def spend_all(politeness: Politeness, method: str) -> int:
    """Ask until there is no more; how many there were."""
    number = 0
    while True:
        try:
            await politeness.permit(method)
        except BudgetSpent:
            return number
        number += 1


@pytest.mark.parametrize(("method", "limit"), [(JOIN, 3), (RESOLVE, 50), (HISTORY, 1000), (FETCH, 7)])
async def test_a_budget_is_used_to_its_end_and_no_further(machine: Machine, method: str, limit: int) -> None:
    politeness = await machine.connect()
    assert await spend_all(politeness, method) == limit
    assert await spend_all(politeness, method) == 0
    assert await spend_all(await machine.connect(), method) == 0


async def test_budgets_are_apart(machine: Machine) -> None:
    politeness = await machine.connect()
    await spend_all(politeness, JOIN)
    await politeness.permit(RESOLVE)
    await politeness.permit(HISTORY)
    await politeness.permit("channels.getChannels")
    with pytest.raises(BudgetSpent):
        politeness.ready(JOIN)
    politeness.ready(RESOLVE)


async def test_a_budget_of_nothing_forbids(machine: Machine) -> None:
    machine.limits[Budget.JOINS] = 0
    politeness = await machine.connect()
    with pytest.raises(BudgetSpent) as caught:
        await politeness.permit(JOIN)
    assert caught.value.seconds == DAY
    machine.limits[Budget.JOINS] = 1
    await politeness.permit(JOIN)


async def test_leaving_is_always_possible(machine: Machine) -> None:
    machine.limits |= dict.fromkeys(Budget, 0)
    await (await machine.connect()).permit("channels.leaveChannel")
    assert budget_of("messages.searchSomething") is Budget.PAGES, "what is not known counts"


async def test_what_is_spent_is_on_record_before_the_request_leaves(machine: Machine) -> None:
    politeness = await machine.connect()
    await politeness.permit(JOIN)
    (spent,) = (await machine.store.conduct("main")).spent
    assert (spent.budget, spent.count) == (Budget.JOINS, 1)
    for number in range(1, 100):
        await politeness.permit(HISTORY)
        assert sum(s.count for s in (await machine.store.conduct("main")).spent) >= 1 + number


async def test_many_requests_are_few_transactions(machine: Machine) -> None:
    politeness = await machine.connect()
    for _ in range(500):
        await politeness.permit(HISTORY)
    assert len((await machine.store.conduct("main")).spent) <= 60


async def test_a_request_now_and_then_does_not_eat_up_an_hour(machine: Machine) -> None:
    politeness = await machine.connect()
    for _ in range(59):
        await politeness.permit(HISTORY)
        machine.wait(HOUR / 60)
    assert await spend_all(await machine.connect(), HISTORY) >= 1000 - 2 * 59


async def test_what_was_reserved_and_not_needed_is_there_for_later(machine: Machine) -> None:
    politeness = await machine.connect()
    for _ in range(20):
        for _ in range(25):
            await politeness.permit(HISTORY)
        machine.wait(LIFE + 1)
    assert await spend_all(politeness, HISTORY) == 1000 - 20 * 25


async def test_a_crash_costs_the_rest_of_a_block_and_no_more(machine: Machine) -> None:
    used = crashes = 0
    while crashes < 30:
        politeness = await machine.connect()
        for _ in range(20):
            try:
                await politeness.permit(HISTORY)
            except BudgetSpent:
                break
            used += 1
        crashes += 1
    assert used <= 1000
    assert used >= 30 * 20 - 10, "nothing is lost but what was reserved"


async def test_those_who_ask_at_once_share_a_budget(machine: Machine) -> None:
    politeness = await machine.connect()
    answers = await asyncio.gather(*(politeness.permit(FETCH) for _ in range(20)), return_exceptions=True)
    assert sum(answer is None for answer in answers) == 7
    assert sum(isinstance(answer, BudgetSpent) for answer in answers) == 13


async def test_the_window_opens_when_it_has_passed_and_not_before(machine: Machine) -> None:
    politeness = await machine.connect()
    await spend_all(politeness, JOIN)
    machine.wait(DAY - 1)
    with pytest.raises(BudgetSpent):
        await politeness.permit(JOIN)
    machine.wait(1 + LIFE)
    await politeness.permit(JOIN)
    with pytest.raises(BudgetSpent) as caught:
        await politeness.permit(JOIN)
    assert DAY / 3 / 2 <= caught.value.seconds <= DAY / 3 + 1, "the others follow at a distance"


@pytest.mark.parametrize("away", [0.0, 60.0, DAY / 2])
async def test_a_restart_and_a_reboot_unlock_nothing(machine: Machine, away: float) -> None:
    await spend_all(await machine.connect(), JOIN)
    machine.wait(away)
    assert await spend_all(await machine.connect(), JOIN) == 0
    machine.reboot(away / 2)
    assert await spend_all(await machine.connect(), JOIN) == 0
    machine.reboot(DAY)
    assert await spend_all(await machine.start(), JOIN) == 0, "nobody has said yet how long it was"
    machine.wait(2 * LIFE)
    assert await spend_all(await machine.connect(), JOIN) >= 1


async def test_no_step_of_the_machines_wall_clock_matters(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    await spend_all(await machine.connect(), JOIN)
    real = time.time
    for step in (-3600.0, 3600.0, TEN_YEARS, -TEN_YEARS):
        monkeypatch.setattr(time, "time", lambda step=step: real() + step)
        assert await spend_all(await machine.connect(), JOIN) == 0
        machine.reboot()
        assert await spend_all(await machine.connect(), JOIN) == 0
    machine.wait(DAY + 3 * LIFE)
    assert await spend_all(await machine.connect(), JOIN) >= 1


async def test_a_platform_clock_that_was_ahead_once_locks_nobody_out_for_years(machine: Machine) -> None:
    machine.platform += TEN_YEARS
    await spend_all(await machine.connect(), JOIN)
    machine.platform -= TEN_YEARS
    for _ in range(3):
        machine.wait(DAY / 2 + LIFE)
        politeness = await machine.connect()
    assert await spend_all(politeness, JOIN) >= 1


async def test_a_machine_that_slept_counts_what_it_spent_after_waking(machine: Machine) -> None:
    politeness = await machine.connect()
    machine.platform += DAY / 2  # asleep: the monotonic clock stood still
    await spend_all(politeness, JOIN)
    politeness.heard(machine.platform)
    machine.wait(DAY / 2 + 2 * LIFE)
    assert await spend_all(politeness, JOIN) == 0


# -- pauses that the platform asks for


async def test_no_such_request_leaves_before_the_end_of_a_pause_nor_after_a_restart(machine: Machine) -> None:
    politeness = await machine.connect()
    await politeness.flooded(HISTORY, 1000)
    await politeness.permit("channels.getMessages")
    for passed in (0, 500, 1000 - PATIENCE - 1):
        machine.wait(PLATFORM + passed - machine.platform)
        for again in (politeness, await machine.connect()):
            with pytest.raises(FloodWait) as caught:
                await again.permit(HISTORY)
            assert not isinstance(caught.value, BudgetSpent)
            assert 1000 - passed <= caught.value.seconds <= 1000 - passed + 13
    machine.wait(PATIENCE + 1)
    await (await machine.connect()).permit(HISTORY)


async def test_a_reboot_ends_no_pause(machine: Machine) -> None:
    await (await machine.connect()).flooded(JOIN, 72_000)
    machine.reboot(36_000)
    with pytest.raises(FloodWait) as caught:
        await (await machine.start()).permit(JOIN)
    assert caught.value.seconds >= 72_000
    with pytest.raises(FloodWait) as caught:
        await (await machine.connect()).permit(JOIN)
    assert 36_000 <= caught.value.seconds <= 36_000 + 72


async def test_a_shorter_pause_does_not_end_a_longer_one(machine: Machine) -> None:
    politeness = await machine.connect()
    await politeness.flooded(HISTORY, 1000)
    await politeness.flooded(HISTORY, 5)
    assert politeness.wait(HISTORY) == pytest.approx(1000)
    assert (await machine.connect()).wait(HISTORY) == pytest.approx(1000)


async def test_those_who_wait_do_not_strike_at_once(machine: Machine) -> None:
    politeness = await machine.connect()
    await politeness.flooded(FETCH, 3600)
    seconds = set()
    for _ in range(20):
        with pytest.raises(FloodWait) as caught:
            await politeness.permit(FETCH)
        assert caught.value.seconds >= 3600
        seconds.add(caught.value.seconds)
    assert len(seconds) > 5


async def test_no_connection_is_made_before_the_end_of_a_pause(machine: Machine) -> None:
    await (await machine.connect()).flooded("help.getConfig", 1000)
    with pytest.raises(FloodWait):
        await machine.connect()
    machine.wait(1000)
    await machine.connect()


async def test_peer_flood_ends_joining_for_a_day(machine: Machine) -> None:
    await (await machine.connect()).peer_flood()
    machine.wait(DAY - PATIENCE - 1)
    with pytest.raises(FloodWait):
        await (await machine.connect()).permit(JOIN)
    await (await machine.connect()).permit(RESOLVE)
    machine.wait(PATIENCE + 1)
    await (await machine.connect()).permit(JOIN)


async def test_a_frozen_account_is_tried_once_a_day(machine: Machine) -> None:
    await (await machine.connect()).became(AccountState.FROZEN, AccountReason.FROZEN)
    for _ in range(2):
        machine.wait(DAY / 2 - 1)
        with pytest.raises(AccountFrozen, match="monitor login main"):
            await machine.connect()
    machine.wait(2)
    await machine.connect()


async def test_without_a_store_pauses_are_obeyed_all_the_same(machine: Machine) -> None:
    politeness = Politeness(await machine.store.conduct("main"), {})
    politeness.heard(PLATFORM)
    await politeness.permit(JOIN)
    await politeness.flooded(JOIN, 1000)
    with pytest.raises(FloodWait):
        await politeness.permit(JOIN)
