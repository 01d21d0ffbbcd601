"""Counters as a time series: posts are read again at the ages that the configuration names."""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from monitor.errors import ChannelError, FloodWait
from monitor.model import ChannelId, Declaration, Look
from monitor.ports import Store
from monitor.telegram.catchup import CatchUp

log = logging.getLogger(__name__)

INTERVAL = 900.0
"""Seconds between two rounds: posts that came due meanwhile share requests."""
AT_ONCE = 100
"""Messages that one request reads again; the platform takes no more."""


@dataclass(frozen=True, slots=True)
class Looks:
    """Reads counters again through one connection."""

    store: Store
    catch_up: CatchUp
    collected: Mapping[ChannelId, Declaration]
    clock: Callable[[], datetime]
    chance: random.Random

    async def run(self) -> None:
        """Work until cancelled. Raises what ends the connection: SourceUnavailable, SessionRevoked."""
        while True:
            await asyncio.sleep(INTERVAL * self.chance.uniform(0.9, 1.1))
            before: list[Look] = []
            while looks := await self.store.due_looks(list(self.collected), self.clock(), 10 * AT_ONCE):
                if looks == before:
                    break  # refused; the next round tries again
                before = looks
                for look in looks:
                    await self._look(look)

    async def _look(self, look: Look) -> None:
        for first in range(0, len(look.message_ids), AT_ONCE):
            try:
                await self.catch_up.look(look.channel_id, look.message_ids[first : first + AT_ONCE])
            except FloodWait as e:
                log.warning("counters are paused by the platform", extra={"seconds": e.seconds})
                await asyncio.sleep(e.seconds)
            except ChannelError as e:
                log.warning("counters refused: %s", e, extra={"channel": look.channel_id})
                return
