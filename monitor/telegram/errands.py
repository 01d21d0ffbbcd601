"""What people ask an account to do: reports in the app, one after the other, each told of at once.

Before a request leaves that may bring a report to its end, that is on record; so whoever comes after a crash knows
which reports may have arrived, and nothing is reported twice.
"""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from monitor.errors import AccountFrozen, FloodWait, SessionRevoked
from monitor.model import Budget, Errand, ErrandFailure, ErrandState, Told
from monitor.ports import Store
from monitor.telegram.connection import Connection
from monitor.telegram.reporting import Refused, Unheard, Walk

log = logging.getLogger(__name__)

SPACING = (1.0, 3.0)
"""Seconds between two reports, drawn anew each time."""
GRACE = 5.0
"""Seconds that a report on its way gets to its answer when everything else ends."""
MOST_WALKS = 20
"""Menus that are kept open for people who choose; the oldest is closed for a further one, and begun anew."""


class _TakenBack(Exception):
    """A person took the errand back at the last moment."""


@dataclass(slots=True)
class Errands:
    """Serves one account's errands through one connection."""

    account: str
    connection: Connection
    store: Store
    clock: Callable[[], datetime]
    chance: random.Random
    wanted: asyncio.Event
    """Set when there may be something to do."""
    _walks: dict[int, Walk] = field(default_factory=dict)

    async def run(self) -> None:
        """Work until cancelled. Raises what ends the connection: SourceUnavailable, SessionRevoked."""
        if lost := await self.store.errands_lost(self.account, self.clock()):
            log.error(
                "reports were on their way when the process before ended; whether they arrived is unknown",
                extra={"account": self.account, "count": lost},
            )
        while True:
            self.wanted.clear()
            errands = await self.store.errands(self.account, self.clock())
            for errand in errands:
                if await self._whole(errand) is ErrandState.SENT:
                    await asyncio.sleep(self.chance.uniform(*SPACING))
            if not errands:
                await self.wanted.wait()

    async def _whole(self, errand: Errand) -> ErrandState:
        """Serve an errand; a report that is on its way when this is cancelled is waited for."""
        serving = asyncio.create_task(self._serve(errand), name=f"errand:{errand.errand_id}")
        try:
            return await asyncio.shield(serving)
        except asyncio.CancelledError:
            await asyncio.wait({serving}, timeout=GRACE)
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
            raise

    async def _serve(self, errand: Errand) -> ErrandState:
        """Serve an errand, and tell what has come of it. Raises what ends the connection."""
        try:
            told = await self._told(errand)
        except FloodWait as e:
            # Not sent, and not given up: it leaves when it may.
            log.warning("reports are paused", extra={"account": self.account, "seconds": e.seconds})
            until = self.clock() + timedelta(seconds=e.seconds)
            told = self._about(errand, ErrandState.WAITING, until=until)
        except (SessionRevoked, AccountFrozen):
            # The platform refused the account: nothing was reported, and it waits for the account's return.
            await self.store.errand_told(self._about(errand, ErrandState.WAITING))
            raise
        except _TakenBack:
            self._walks.pop(errand.errand_id, None)
            return ErrandState.FAILED
        if told.state.settled:
            self._walks.pop(errand.errand_id, None)
        await self.store.errand_told(told)
        if told.state is ErrandState.SENT:
            log.info("reported in the app", extra={"account": self.account, "channel": errand.channel_id})
        return told.state

    async def _told(self, errand: Errand) -> Told:
        """What has come of an errand. Raises FloodWait, and what ends the connection."""

        async def leaves() -> None:
            if not await self.store.errand_leaves(errand.errand_id, self.clock()):
                raise _TakenBack

        try:
            walk = await self._walk(errand)
            state = await walk.go(errand.path, errand.comment, leaves)
        except Refused as e:
            log.error("a report in the app failed: %s", e.failure.value, extra={"account": self.account})
            return self._about(errand, ErrandState.FAILED, failure=e.failure)
        except Unheard:
            log.error(
                "a report in the app left and no answer was heard; whether it arrived is unknown",
                extra={"account": self.account},
            )
            return self._about(errand, ErrandState.UNKNOWN)
        return self._about(errand, state)

    async def _walk(self, errand: Errand) -> Walk:
        """The errand's way through the menu, as far as it has come."""
        if not errand.permitted:
            raise Refused(ErrandFailure.NOT_COLLECTED)
        if (known := self._walks.get(errand.errand_id)) is not None:
            return known
        access = self.connection.session.peers.get(errand.channel_id)
        if access is None:
            raise Refused(ErrandFailure.CHANNEL_GONE)
        await self.connection.politeness.begin(Budget.REPORTS)
        while len(self._walks) >= MOST_WALKS:
            del self._walks[next(iter(self._walks))]
        walk = Walk(self.connection, errand.channel_id, access, errand.message_id)
        self._walks[errand.errand_id] = walk
        return walk

    def _about(self, errand: Errand, state: ErrandState, **more: Any) -> Told:
        walk = self._walks.get(errand.errand_id)
        if walk is not None:
            more |= {"steps": walk.steps, "commented": walk.commented}
            shown = state is ErrandState.ASKING or more.get("failure") is ErrandFailure.NOT_OFFERED
            if shown:
                more |= {
                    "menu": walk.menu,
                    "hidden": walk.hidden,
                    "comment_optional": walk.comment_optional,
                }
        return Told(errand.errand_id, state, self.clock(), **more)
