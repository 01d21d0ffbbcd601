"""Whose turn it is to be caught up with: channels in line, a few at a time, in slices so that none waits for long."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

from monitor.errors import ChannelError, FloodWait
from monitor.model import ChannelId, Declaration
from monitor.ports import Progress
from monitor.telegram.catchup import CatchUp
from monitor.telegram.history import Newest

log = logging.getLogger(__name__)

READERS = 4
"""Channels that are caught up with at the same time."""
STUBBORN = 3
"""Catching up in vain so often leaves a hole that is worth a warning."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn at catching up; see `CatchUp.run`."""

    newest: Newest | None = None
    ask: bool = True


@dataclass(slots=True)
class Turns:
    """The line of one connection's channels. `collected` are the channels that may be asked about at all."""

    catch_up: CatchUp
    collected: Mapping[ChannelId, Declaration]
    refused: Callable[[Declaration], Awaitable[None]]
    """Told when the platform refuses a channel's history: what it says of the channel itself tells why."""
    progress: Progress
    unfinished: dict[ChannelId, int] = field(default_factory=dict)
    """Channels of which something is missing, and how often it was asked for in vain."""
    _due: dict[ChannelId, Turn] = field(default_factory=dict)
    _reading: set[ChannelId] = field(default_factory=set)
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    def want(self, channels: Iterable[ChannelId], turn: Turn = Turn()) -> None:
        """Put channels in line; those that are not collected are left out."""
        for channel in channels:
            if channel not in self.collected:
                continue
            before = self._due.get(channel)
            # A turn that asks for changes is not replaced by one that does not.
            if before is None or turn.ask:
                self._due[channel] = turn
            self._more.set()

    async def run(self) -> None:
        """Give each its turn until cancelled. Raises what ends the connection: SourceUnavailable, SessionRevoked."""
        async with asyncio.TaskGroup() as tasks:
            for number in range(READERS):
                tasks.create_task(self._work(), name=f"history:{number}")

    async def _work(self) -> None:
        while True:
            channel = next((c for c in self._due if c not in self._reading), None)
            if channel is None:
                self._more.clear()
                await self._more.wait()
                continue
            turn, declaration = self._due.pop(channel), self.collected.get(channel)
            if declaration is None:
                continue
            self._reading.add(channel)
            try:
                await self._take(channel, declaration, turn)
            except FloodWait as e:
                log.warning("history is paused by the platform", extra={"seconds": e.seconds})
                await asyncio.sleep(e.seconds)
                self.want([channel])
            except ChannelError as e:
                log.warning("history refused: %s", e, extra={"channel": channel})
                await self.refused(declaration)
            finally:
                self._reading.discard(channel)
                self._more.set()

    async def _take(self, channel: ChannelId, declaration: Declaration, turn: Turn) -> None:
        name = declaration.username
        reached = await self.catch_up.run(
            channel,
            turn.newest,
            backfill=declaration.backfill,
            ask=turn.ask,
            progress=lambda done, total: self.progress(name, done, total),
            others_wait=lambda: any(other not in self._reading for other in self._due),
        )
        if reached.complete:
            self.unfinished.pop(channel, None)
        elif reached.more:
            self.unfinished[channel] = 0
            self.want([channel], Turn(ask=False))
        else:
            # Nothing came of it; the next reconciliation tries again.
            vain = self.unfinished[channel] = self.unfinished.get(channel, 0) + 1
            if vain == STUBBORN:
                log.warning("a hole stays open", extra={"channel": name, "count": vain})
