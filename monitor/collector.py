"""Accounts at work: join, read history up to now, follow live, examine media; again after each break."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime

from monitor.errors import ChannelError, FloodWait, MonitorError, RetryableError, SourceUnavailable, leading
from monitor.matching import ListMatcher
from monitor.model import ChannelId, Declaration, MessageId, Refusal, Source
from monitor.pipeline import Examiner, Limits, Recorder
from monitor.ports import Hasher, Matcher, Store
from monitor.prepare import Prepared, now
from monitor.telegram.client import Connection, Credentials, Endpoint, connect
from monitor.telegram.history import pages
from monitor.telegram.joining import refusal, stand
from monitor.telegram.live import Live
from monitor.telegram.media import Downloads, References
from monitor.telegram.sealing import seal, unseal
from monitor.telegram.session import StoredSession

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
"""Seconds between two attempts at connecting: doubled each time, up to the longest."""
STEADY = 30.0
"""Seconds after which a connection counts as good, and the pause begins anew."""
READERS = 4
"""Channels whose history is read at the same time."""
UNWRITTEN = 20
"""Pages of one history that may wait for the store while the next are fetched; they share a transaction."""
AUTHORIZATION_INTERVAL = 30.0
"""Seconds between two looks at whether authorizations are still in force."""

Progress = Callable[[str, int, int], None]
"""Told of a channel's history: username, messages read so far, messages in all (0 before that is known)."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What every account's collector shares. Without `hasher` no media is fetched."""

    store: Store
    recorder: Recorder
    limits: Limits
    clock: Callable[[], datetime]
    pseudonym: Callable[[int], str]
    matcher: Matcher
    hasher: Hasher | None = None
    sealing_key: bytes | None = field(default=None, repr=False)
    progress: Progress = lambda username, done, total: None


@dataclass(slots=True)
class Collector:
    """Collects the declared channels through one account, for as long as `run` runs."""

    account: str
    credentials: Credentials
    endpoint: Endpoint | None
    declarations: Sequence[Declaration]
    tools: Tools
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    _names: dict[ChannelId, Declaration] = field(default_factory=dict)
    _due: dict[ChannelId, None] = field(default_factory=dict)
    _reading: set[ChannelId] = field(default_factory=set)
    _more: asyncio.Event = field(default_factory=asyncio.Event)
    _refusals: dict[str, Refusal] = field(default_factory=dict)

    async def run(self) -> None:
        """Work until cancelled. Raises FatalError when the account cannot go on."""
        pause = FIRST_PAUSE
        while True:
            started, asked = asyncio.get_running_loop().time(), 0
            try:
                await self._session()
            except* RetryableError as group:
                error = leading(group)
                asked = error.seconds if isinstance(error, FloodWait) else 0
                log.warning("connection ended: %s", error, extra={"account": self.account})
            if asyncio.get_running_loop().time() - started > STEADY:
                pause = FIRST_PAUSE
            await asyncio.sleep(max(pause, asked))
            pause = min(pause * 2, LONGEST_PAUSE)

    def lags(self, channels: Sequence[ChannelId] | frozenset[ChannelId]) -> None:
        """Read these channels' histories again from their cursors; those of other accounts are left out."""
        self._due.update((channel, None) for channel in channels if channel in self._names)
        self._more.set()

    async def _session(self) -> None:
        tools = self.tools
        saved = await tools.store.session(self.account)
        session = StoredSession(self.account, saved and unseal(saved, tools.sealing_key))
        references = References()
        live = Live(self.account, tools.clock, tools.pseudonym, references)
        self._names.clear()
        self._due.clear()
        self._reading.clear()
        async with connect(session, self.credentials, self.endpoint, sink=live) as connection:
            await self._save(session)
            try:
                async with asyncio.TaskGroup() as tasks:
                    for coroutine, name in (
                        (self._until_lost(connection), "lost"),
                        (self._keep(session), "session"),
                        (self._follow(live), "live"),
                        (self._gaps(live), "gaps"),
                        (self._watch(live), "authorizations"),
                        (self._changes(connection, live), "changes"),
                        (self._join_all(connection, live), "join"),
                        *((self._read(connection, live, references), f"history:{n}") for n in range(READERS)),
                    ):
                        tasks.create_task(coroutine, name=f"{self.account}:{name}")
                    if tools.hasher is not None:
                        examiner = Examiner(
                            tools.store,
                            Downloads(connection, references),
                            tools.hasher,
                            tools.matcher,
                            tools.limits,
                            tools.clock,
                            self.wake,
                            lambda: list(self._names),
                        )
                        tasks.create_task(examiner.run(), name=f"{self.account}:media")
            finally:
                await self._save(session)

    # -- tasks of one session

    async def _until_lost(self, connection: Connection) -> None:
        await connection.lost
        raise SourceUnavailable("the platform closed the connection")

    async def _keep(self, session: StoredSession) -> None:
        while True:
            await session.changed.wait()
            await self._save(session)

    async def _save(self, session: StoredSession) -> None:
        if session.changed.is_set() and (state := session.state()) is not None:
            await self.tools.store.save_session(seal(state, self.tools.sealing_key))

    async def _follow(self, live: Live) -> None:
        while True:
            await self.tools.recorder.record(await live.batches.get())

    async def _gaps(self, live: Live) -> None:
        while True:
            channel = await live.lagging.get()
            self.lags(list(self._names) if channel is None else [channel])

    async def _watch(self, live: Live) -> None:
        while True:
            await asyncio.sleep(AUTHORIZATION_INTERVAL)
            known = {channel.username: channel for channel in await self.tools.store.channels()}
            for channel_id, declaration in list(self._names.items()):
                reason = refusal(declaration, known.get(declaration.username), self.tools.clock())
                if reason is not None:
                    await self._stop(live, channel_id, declaration.username, reason)

    async def _changes(self, connection: Connection, live: Live) -> None:
        while True:
            channel_id = await live.touched.get()
            if (declaration := self._names.get(channel_id)) is not None:
                await self._stand(connection, live, declaration)

    async def _join_all(self, connection: Connection, live: Live) -> None:
        for declaration in self.declarations:
            await self._stand(connection, live, declaration)

    async def _stand(self, connection: Connection, live: Live, declaration: Declaration) -> None:
        store, name = self.tools.store, declaration.username
        known = next((c for c in await store.channels() if c.username == name), None)
        while True:
            try:
                standing = await stand(connection, declaration, known, self.tools.clock())
                break
            except FloodWait as e:
                log.warning(
                    "joining is paused by the platform", extra={"channel": name, "seconds": e.seconds}
                )
                await asyncio.sleep(e.seconds)
        if standing.profile is None:
            reason = standing.reason or Refusal.UNEXPECTED
            channel_id = next((i for i, d in self._names.items() if d.username == name), None)
            await self._stop(live, channel_id, name, reason)
            return
        channel_id = standing.profile.channel_id
        await self._save(connection.session)
        await store.joined(name, standing.profile, self.account, self.tools.clock())
        if channel_id not in self._names:
            log.info("channel joined", extra={"channel": name})
            self._refusals.pop(name, None)
            self._names[channel_id] = declaration
            live.channels.add(channel_id)
            self.lags([channel_id])
            self.wake.set()

    async def _stop(self, live: Live, channel_id: ChannelId | None, name: str, reason: Refusal) -> None:
        if channel_id is not None:
            self._names.pop(channel_id, None)
            live.channels.discard(channel_id)
        log.warning(
            "channel refused: %s", reason.explanation, extra={"channel": name, "reason": reason.value}
        )
        await self.tools.store.refused(name, reason, self.tools.clock())

    async def _read(self, connection: Connection, live: Live, references: References) -> None:
        while True:
            ready = next((c for c in self._due if c not in self._reading), None)
            if ready is None:
                self._more.clear()
                await self._more.wait()
                continue
            del self._due[ready]
            self._reading.add(ready)
            try:
                await self._history(connection, ready, references)
            except FloodWait as e:
                log.warning("history is paused by the platform", extra={"seconds": e.seconds})
                await asyncio.sleep(e.seconds)
                self.lags([ready])
            except ChannelError as e:
                log.warning("history refused: %s", e, extra={"channel": ready})
                if (declaration := self._names.get(ready)) is not None:
                    # What the platform says of the channel itself tells why, and what to do.
                    await self._stand(connection, live, declaration)
            finally:
                self._reading.discard(ready)
                self._more.set()

    async def _history(self, connection: Connection, channel_id: ChannelId, references: References) -> None:
        tools = self.tools
        declaration = self._names.get(channel_id)
        if declaration is None:
            return
        cursor = MessageId(await tools.store.cursor(channel_id))
        unwritten: deque[asyncio.Future[None]] = deque()
        done = 0
        reading = pages(
            connection,
            channel_id,
            cursor,
            account=self.account,
            source=Source.RECONCILE if cursor else Source.BACKFILL,
            clock=tools.clock,
            pseudonym=tools.pseudonym,
            references=references,
        )
        async with aclosing(reading):
            async for page in reading:
                if channel_id not in self._names:
                    return
                if len(unwritten) >= UNWRITTEN:
                    await unwritten.popleft()
                unwritten.append(await tools.recorder.record(page.batch))
                done += len(page.batch.messages)
                # What the channel holds in all says how much is left only when it is read from its beginning.
                tools.progress(declaration.username, done, 0 if cursor else max(page.total, done + 1))
        for written in unwritten:
            await written
        if done:
            tools.progress(declaration.username, done, done)


async def collect(
    prepared: Prepared,
    store: Store,
    hasher: Hasher | None,
    stop: asyncio.Event,
    progress: Progress,
    *,
    clock: Callable[[], datetime] = now,
) -> None:
    """Every account of a configuration at work on a store, until `stop` is set; then intake ends, and what was
    taken in is written. Without a `hasher` only metadata is recorded. Raises FatalError."""
    config = prepared.config
    at = clock()
    await store.declare(config.declarations(), at)
    for loaded in prepared.lists:
        await store.list_loaded(loaded.version, at)
    recorder = Recorder(store)
    tools = Tools(
        store=store,
        recorder=recorder,
        limits=Limits(
            config.media.max_bytes,
            config.media.max_bytes_in_flight,
            min_quality=config.matching.pdq.min_quality,
        ),
        clock=clock,
        pseudonym=prepared.pseudonyms,
        hasher=hasher,
        sealing_key=prepared.sealing_key,
        matcher=ListMatcher(prepared.lists),
        progress=progress,
    )
    collectors = [
        Collector(
            account.name,
            prepared.credentials[account.name],
            prepared.endpoint,
            [d for d in config.declarations() if d.account == account.name],
            tools,
        )
        for account in config.accounts
    ]

    def lagging(channels: frozenset[ChannelId]) -> None:
        for collector in collectors:
            collector.lags(channels)

    def media() -> None:
        for collector in collectors:
            collector.wake.set()

    recorder.lagging, recorder.media = lagging, media
    try:
        async with asyncio.TaskGroup() as tasks:
            writer = tasks.create_task(recorder.run(), name="recorder")
            collecting = [tasks.create_task(c.run(), name=f"collector:{c.account}") for c in collectors]
            await stop.wait()
            for task in collecting:
                task.cancel()
            await asyncio.wait(collecting)
            await recorder.close()
            await writer
    except BaseExceptionGroup as group:
        error = leading(group)
        if isinstance(error, MonitorError):
            raise error from group
        raise
