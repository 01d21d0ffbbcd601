"""What one account may ask now: budgets of its own, and pauses that the platform asked for.

Both are on record before they matter: what is spent, before the request leaves; a pause, as soon as it was asked
for. So they hold through restarts and crashes. Times are the platform's (monitor.telegram.timeline).
"""

import asyncio
import logging
import math
import random
from collections.abc import Callable, Mapping

from monitor.errors import AccountFrozen, BudgetSpent, FloodWait
from monitor.model import AccountReason, AccountState, Budget, Conduct, Moment, Spent
from monitor.ports import Store
from monitor.telegram.timeline import Timeline, boot, to_datetime, to_seconds
from monitor.telegram.windows import DAY, HOUR, Block, Window

log = logging.getLogger(__name__)

PATIENCE = 60
"""Pauses up to this many seconds are waited out in place; longer ones are the caller's to plan."""
JITTER, JITTER_SHARE, LONGEST_JITTER = 1.0, 0.01, 60.0
"""Seconds at most, and their share of the pause, that are added after its end, so that many who wait do not
strike at once."""
FROZEN_INTERVAL = DAY
"""Seconds before a frozen account is tried again."""
PEER_FLOOD_PAUSE = int(DAY)
"""Seconds without a join after PEER_FLOOD, which names no end."""

SECONDS: Mapping[Budget, float] = {
    Budget.JOINS: DAY,
    Budget.RESOLVES: DAY,
    Budget.PAGES: HOUR,
    Budget.FILE_PARTS: HOUR,
    Budget.REPORTS: DAY,
}
"""The window of each budget."""
JOIN = "channels.joinChannel"
_BUDGETS = {
    JOIN: Budget.JOINS,
    "contacts.resolveUsername": Budget.RESOLVES,
    "upload.getFile": Budget.FILE_PARTS,
}
CONNECTING = ("help.getConfig", "users.getUsers", "updates.getState", "updates.getDifference")
"""What the library asks by itself at each connection, each of them once or twice."""
FETCHING = ("auth.exportAuthorization", "auth.importAuthorization")
"""What is asked before the first file of each other data centre, once a connection."""
_FREE = frozenset({"channels.leaveChannel", "messages.report", *CONNECTING, *FETCHING})


def budget_of(method: str) -> Budget | None:
    """The budget that a request counts for; None for one that must always be possible.

    Whatever is not named reads something: it counts as a page.
    """
    return None if method in _FREE else _BUDGETS.get(method, Budget.PAGES)


class Politeness:
    """One account's budgets and pauses, for one connection after another.

    `limits` may be replaced at any time; a budget that is not in it has no limit. Without a `store` nothing
    is on record: for a command that asks for little and is over soon.
    """

    def __init__(
        self,
        conduct: Conduct,
        limits: Mapping[Budget, int],
        store: Store | None = None,
        *,
        elapsed: Callable[[], float] | None = None,
        boot: str | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.account = conduct.account
        self.limits = limits
        self.state = conduct.state
        self._since = 0.0 if conduct.since is None else to_seconds(conduct.since)
        self._store = store
        self._chance = chance
        self._elapsed = elapsed or asyncio.get_running_loop().time
        self._time = Timeline.after(conduct.last, self._elapsed(), boot)
        self._blocks: dict[Budget, list[Block]] = {budget: [] for budget in Budget}
        for spent in conduct.spent:
            # What was reserved before a restart counts in full, and is not used any more.
            block = Block(to_seconds(spent.at), spent.count, spent.count, open=False)
            self._blocks[spent.budget].append(block)
        self._waits = {waits.method: to_seconds(waits.until) for waits in conduct.waits}
        if conduct.joins_paused_until is not None:
            self._pause(JOIN, to_seconds(conduct.joins_paused_until))
        self._heard = math.inf
        self._jitter = {budget: chance() for budget in Budget}
        self._reserving = {budget: asyncio.Lock() for budget in Budget}

    @classmethod
    async def load(cls, account: str, limits: Mapping[Budget, int], store: Store) -> "Politeness":
        """With what is on record of the account."""
        return cls(await store.conduct(account), limits, store, boot=boot())

    # -- before a request

    def ready(self, method: str) -> None:
        """Raise what `permit` would raise. For what makes sense only if another request may follow."""
        pause = self.wait(method)
        if pause > PATIENCE:
            raise FloodWait(math.ceil(self._drawn_out(pause)))
        budget = budget_of(method)
        if budget is not None and (pause := self._shortage(budget)) > PATIENCE:
            raise _spent(pause)

    async def permit(self, method: str) -> None:
        """Return when a request may leave, which then counts as made.

        Waits for up to PATIENCE seconds. Raises FloodWait when the platform's pause before `method` is longer,
        BudgetSpent when the account's own budget is closed for longer.
        """
        budget = budget_of(method)
        while True:
            await self._wait_out(method)
            if budget is None or budget not in self.limits:
                return
            block = await self._take(budget)
            if self.wait(method) <= 0:
                return
            block.left -= 1  # a pause was asked for meanwhile; what was taken serves another

    async def begin(self, budget: Budget) -> None:
        """Return when something may begin that takes several requests and counts once. Raises BudgetSpent."""
        if budget in self.limits:
            await self._take(budget)

    def wait(self, method: str) -> float:
        """Seconds for which the platform wants no such request; 0 or less when it may come."""
        return self._waits.get(method, 0.0) - self._now()

    async def connecting(self) -> None:
        """Return when a connection may be made. Raises FloodWait, and AccountFrozen for an account that was
        frozen less than FROZEN_INTERVAL ago."""
        if self.state is AccountState.FROZEN and self._now() < self._since + FROZEN_INTERVAL:
            raise AccountFrozen(
                f"the platform froze or banned account {self.account}; it is tried again a day after that,"
                f" or once you run: monitor login {self.account}"
            )
        for method in CONNECTING:
            await self._wait_out(method)

    # -- what the platform says

    def heard(self, platform: float, late: float = 0.0) -> None:
        """The platform's clock, in Unix seconds, as it stood at most `late` seconds ago."""
        missed = self._time.heard(platform, self._elapsed(), late)
        if missed > 0:
            # The machine slept: what was spent since the last answer may have been spent after that.
            for blocks in self._blocks.values():
                for block in blocks:
                    if block.at >= self._heard:
                        block.at += missed
        self._heard = self._now()

    async def flooded(self, method: str, seconds: int) -> None:
        """The platform asks for a pause, which begins now: the request is answered, and not when it left."""
        self._pause(method, self._now() + seconds)
        log.warning(
            "the platform asks for a pause",
            extra={"account": self.account, "request": method, "seconds": seconds},
        )
        if self._store is not None:
            await self._store.flood_wait(self.account, method, seconds, self._moment())

    async def peer_flood(self) -> None:
        """The platform finds that the account asks too much of others: no joins for a day."""
        until = self._now() + PEER_FLOOD_PAUSE
        self._pause(JOIN, until)
        log.warning("the platform asks for a pause in joining", extra={"account": self.account})
        if self._store is not None:
            await self._store.pause_joins(self.account, to_datetime(until), self._moment())

    async def became(self, state: AccountState, reason: AccountReason | None = None) -> None:
        """The account can work, or cannot any more."""
        self.state, self._since = state, self._now()
        if self._store is not None:
            await self._store.account_state(self.account, state, reason, self._moment())

    # -- inside

    def _now(self) -> float:
        return self._time.now(self._elapsed())

    def _moment(self) -> Moment:
        return self._time.moment(self._elapsed())

    def _pause(self, method: str, until: float) -> None:
        self._waits[method] = max(self._waits.get(method, 0.0), until)

    def _drawn_out(self, pause: float) -> float:
        """A pause with its jitter: longer, never shorter."""
        return pause + self._chance() * min(JITTER + JITTER_SHARE * pause, LONGEST_JITTER)

    async def _wait_out(self, method: str) -> None:
        while (pause := self.wait(method)) > 0:
            if pause > PATIENCE:
                raise FloodWait(math.ceil(self._drawn_out(pause)))
            await asyncio.sleep(self._drawn_out(pause))

    def _window(self, budget: Budget) -> Window:
        return Window(self.limits[budget], SECONDS[budget])

    def _shortage(self, budget: Budget) -> float:
        """Seconds until a request of the budget may leave."""
        blocks, now = self._blocks[budget], self._now()
        if budget not in self.limits or (blocks and blocks[-1].usable(now)):
            return 0.0
        return self._window(budget).pause(blocks, now, self._jitter[budget])

    async def _take(self, budget: Budget) -> Block:
        """One request of the budget, waited for within PATIENCE: the block that it was taken from."""
        blocks = self._blocks[budget]
        while True:
            if blocks and blocks[-1].usable(self._now()):
                blocks[-1].left += 1
                return blocks[-1]
            async with self._reserving[budget]:
                pause = self._shortage(budget)
                if pause <= 0:
                    await self._reserve(budget)
                    continue
            if pause > PATIENCE:
                raise _spent(pause)
            await asyncio.sleep(pause)

    async def _reserve(self, budget: Budget) -> None:
        """Put a further block on record, and only then let it be used. Where one is usable already, nothing."""
        blocks, now, window = self._blocks[budget], self._now(), self._window(budget)
        if blocks and blocks[-1].usable(now):
            return
        # Twice what the last one was good for: few requests now and then do not eat up an hour's budget.
        wanted = min(window.largest, max(2 * blocks[-1].left, 1) if blocks else 1)
        if blocks:
            blocks[-1].close()
        block = Block(now, min(wanted, window.room(blocks, now)), open=False)
        # It counts from now on, whatever becomes of the writing.
        blocks[:] = [*(b for b in blocks if b.at > now - window.memory), block]
        self._jitter[budget] = self._chance()
        if self._store is not None:
            spent = Spent(budget, to_datetime(now), block.count)
            keep_since = to_datetime(max(now - window.memory, 0.0))
            await self._store.spend(self.account, spent, self._moment(), keep_since)
        block.open = True


def _spent(pause: float) -> BudgetSpent:
    # A budget of nothing opens when the configuration changes: looked at once a day.
    return BudgetSpent(math.ceil(min(pause, DAY)))
