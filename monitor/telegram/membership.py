"""Which channels are collected through one connection: authorized, joined, standing as before; and which lag.

Where the platform's list of dialogs says that a channel stands elsewhere than we do, it gets a turn at catching
up; where it says that the channel is not what was authorized, or is said nothing of it, the channel is asked about.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from monitor.errors import FloodWait
from monitor.model import Channel, ChannelId, Declaration, Refusal
from monitor.ports import Store
from monitor.telegram.catchup import complete
from monitor.telegram.connection import Connection
from monitor.telegram.dialogs import Line, dialogs
from monitor.telegram.joining import fits, leave, refusal, stand, to_leave
from monitor.telegram.live import Live
from monitor.telegram.turns import Turn, Turns

log = logging.getLogger(__name__)

AUTHORIZATION_INTERVAL = 30.0
"""Seconds between two looks at whether authorizations are still in force."""
GRACE = 1.0
"""Seconds that a missing update may still come by itself before the platform is asked for it."""
PASSING = (Refusal.NOT_YET_VALID, Refusal.NO_AUTHORIZATION, Refusal.EXPIRED)
"""Reasons that time or a new declaration removes."""


@dataclass(slots=True)
class Membership:
    """Keeps `collected`, the channels by id, in line with declarations, authorizations and the platform."""

    account: str
    declarations: Sequence[Declaration]
    connection: Connection
    store: Store
    live: Live
    collected: dict[ChannelId, Declaration]
    clock: Callable[[], datetime]
    reconcile_every: float
    chance: random.Random
    save_session: Callable[[], Awaitable[None]]
    """Called before a channel counts as joined: its access hash must outlive a crash."""
    changed: Callable[[], None]
    """Told when a channel has been added."""
    turns: Turns = field(init=False)
    _now: asyncio.Event = field(default_factory=asyncio.Event)
    _waiting: list[Declaration] = field(default_factory=list)
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    # -- tasks

    async def reconcile(self) -> None:
        """Compare where the platform stands with where we stand: at the start, every so often, and when asked."""
        declarations: Sequence[Declaration] = self.declarations
        while True:
            for declaration in await self._compare(declarations):
                await self.stand(declaration)
            try:
                async with asyncio.timeout(self.reconcile_every * self.chance.uniform(0.9, 1.1)):
                    await self._now.wait()
            except TimeoutError:
                pass
            self._now.clear()
            declarations = list(self.collected.values())

    async def watch(self) -> None:
        """Stop what is no longer authorized, and begin with what has become so."""
        while True:
            await asyncio.sleep(AUTHORIZATION_INTERVAL)
            known = await self._known()
            for declaration in self.declarations:
                channel = known.get(declaration.username)
                channel_id = self._id(declaration)
                reason = refusal(declaration, channel, self.clock())
                if channel_id is not None and reason is not None:
                    await self._stop(channel_id, declaration.username, reason)
                elif channel_id is None and reason is None and channel and channel.reason in PASSING:
                    await self.stand(declaration)
            await self._leave()

    async def touched(self) -> None:
        """Look at channels of which the platform says that something about them has changed."""
        while True:
            channel_id = await self.live.touched.get()
            if (declaration := self.collected.get(channel_id)) is not None:
                await self.stand(declaration)

    async def gaps(self) -> None:
        """Ask for what is missing in the stream of updates, a moment later: it may still come by itself."""
        pending: set[ChannelId] = set()
        async with asyncio.TaskGroup() as waiting:
            while True:
                channel = await self.live.lagging.get()
                if channel is None:
                    self._now.set()
                elif channel not in pending:
                    pending.add(channel)
                    waiting.create_task(self._after_grace(channel, pending), name=f"gap:{channel}")

    async def _after_grace(self, channel: ChannelId, pending: set[ChannelId]) -> None:
        await asyncio.sleep(GRACE)
        pending.discard(channel)
        if self.live.missing(channel):
            self.turns.want([channel])

    # -- standing

    async def stand(self, declaration: Declaration, line: Line | None = None) -> None:
        """Join the channel, or find out why it cannot be collected any more. `line` spares the question.

        What has to wait for longer than a moment is left to `waiting`.
        """
        try:
            await self._stand(declaration, line)
        except FloodWait:
            if declaration not in self._waiting:
                self._waiting.append(declaration)
                self._more.set()

    async def waiting(self) -> None:
        """Stand for channels that had to wait, as soon as one of them may: a join can have to wait for a day,
        and nothing else waits for it."""
        while True:
            self._more.clear()
            pauses = []
            for declaration in list(self._waiting):
                try:
                    await self._stand(declaration)
                    self._waiting.remove(declaration)
                except FloodWait as e:
                    pauses.append(e.seconds)
            if pauses:
                log.warning("joining waits", extra={"seconds": min(pauses), "count": len(pauses)})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(pauses, default=None)):
                    await self._more.wait()

    async def _stand(self, declaration: Declaration, line: Line | None = None) -> None:
        name = declaration.username
        known = (await self._known()).get(name)
        entity = line.entity if line else None
        standing = await stand(self.connection, declaration, known, self.clock(), entity)
        if standing.profile is None:
            await self._stop(self._id(declaration), name, standing.reason or Refusal.UNEXPECTED)
            return
        channel_id = standing.profile.channel_id
        await self.save_session()
        await self.store.joined(name, standing.profile, self.account, self.clock())
        if channel_id in self.collected:
            return
        log.info("channel joined", extra={"channel": name})
        self.collected[channel_id] = declaration
        coverage = await self.store.coverage(channel_id)
        self.live.follow(channel_id, coverage.position if coverage is not None else 0)
        if coverage is None or not complete(coverage, declaration.backfill):
            self.turns.unfinished[channel_id] = 0
        if line is None:
            self.turns.want([channel_id])
        self.changed()

    async def _stop(self, channel_id: ChannelId | None, name: str, reason: Refusal) -> None:
        if channel_id is not None:
            self.collected.pop(channel_id, None)
            self.live.forget(channel_id)
        log.warning(
            "channel refused: %s", reason.explanation, extra={"channel": name, "reason": reason.value}
        )
        await self.store.refused(name, reason, self.clock())

    async def _leave(self) -> None:
        """Leave channels whose authorization has ended, where the operator wants that."""
        for channel_id in to_leave(await self.store.channels()):
            if channel_id not in self.connection.session.peers:
                continue
            try:
                await leave(self.connection, channel_id)
            except FloodWait:
                return  # the next look tries again

    async def _known(self) -> dict[str, Channel]:
        return {channel.username: channel for channel in await self.store.channels()}

    def _id(self, declaration: Declaration) -> ChannelId | None:
        """The channel's id while it is collected."""
        return next((i for i, d in self.collected.items() if d.username == declaration.username), None)

    # -- comparing

    async def _compare(self, declarations: Sequence[Declaration]) -> list[Declaration]:
        """Give turns to channels that lag; returns those whose standing has to be asked for."""
        known = await self._known()
        lines: dict[ChannelId, Line] = {}
        # A bot is refused the list.
        if not self.connection.session.bot and any(c.profile is not None for c in known.values()):
            lines = await self._dialogs()
        asking = []
        for declaration in declarations:
            channel = known.get(declaration.username)
            channel_id = channel.profile.channel_id if channel is not None and channel.profile else None
            line = lines.get(channel_id) if channel_id is not None else None
            if channel_id is None or (line is None and channel_id not in self.collected):
                asking.append(declaration)
            elif line is None:
                self.turns.want([channel_id])
            elif not fits(line.entity, declaration, channel_id):
                asking.append(declaration)
            else:
                if channel_id not in self.collected:
                    await self.stand(declaration, line)
                self._compare_one(channel_id, line)
        return asking

    def _compare_one(self, channel_id: ChannelId, line: Line) -> None:
        position = line.newest.position
        if position != self.live.position(channel_id) or not position or channel_id in self.turns.unfinished:
            self.turns.want([channel_id], Turn(line.newest))

    async def _dialogs(self) -> dict[ChannelId, Line]:
        while True:
            try:
                return await dialogs(self.connection)
            except FloodWait as e:
                log.warning("reconciling is paused by the platform", extra={"seconds": e.seconds})
                await asyncio.sleep(e.seconds)
