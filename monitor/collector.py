"""Accounts at work: join, catch up, follow live, look for what is missing, examine media; again after each break."""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from monitor.clock import now
from monitor.errors import (
    AccountFrozen,
    FloodWait,
    MonitorError,
    RetryableError,
    SessionRevoked,
    SourceUnavailable,
    leading,
)
from monitor.fetching import Fetching, Limits
from monitor.matching import ListMatcher
from monitor.model import Budget, Category, ChannelId, Declaration, EntryStanding, Source
from monitor.pipeline import Examiner
from monitor.ports import Hasher, Matcher, Progress, Store
from monitor.prepare import Prepared, film_rule
from monitor.recording import Recorder
from monitor.telegram.access import Credentials, Endpoint
from monitor.telegram.catchup import CatchUp
from monitor.telegram.client import connect
from monitor.telegram.connection import Connection
from monitor.telegram.convert import Ages, Context
from monitor.telegram.errands import Errands
from monitor.telegram.live import Live
from monitor.telegram.locations import References
from monitor.telegram.looks import Looks
from monitor.telegram.media import Downloads
from monitor.telegram.membership import Membership
from monitor.telegram.politeness import Politeness
from monitor.telegram.sealing import seal, unseal
from monitor.telegram.session import StoredSession
from monitor.telegram.turns import Turn, Turns

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
"""Seconds between two attempts at connecting: doubled each time, up to the longest."""
STEADY = 30.0
"""Seconds after which a connection counts as good, and the pause begins anew."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What every account's collector shares. Without `hasher` no media is fetched."""

    store: Store
    recorder: Recorder
    fetching: Fetching
    clock: Callable[[], datetime]
    pseudonym: Callable[[int], str]
    matcher: Matcher
    hasher: Hasher | None = None
    sealing_key: bytes | None = field(default=None, repr=False)
    progress: Progress = lambda username, done, total: None
    look_again: Ages = ()
    reconcile_every: float = 300.0
    chance: random.Random = field(default_factory=random.Random)
    budgets: Mapping[Budget, int] = field(default_factory=dict)


@dataclass(slots=True)
class Collector:
    """Collects the declared channels through one account, for as long as `run` runs."""

    account: str
    credentials: Credentials
    endpoint: Endpoint | None
    declarations: Sequence[Declaration]
    tools: Tools
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    errand: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a person may want something done through this account."""
    ending: bool = False
    """Set before `run` is cancelled."""
    _turns: Turns | None = None

    async def run(self) -> None:
        """Work until cancelled. Raises FatalError when the account cannot go on."""
        pause = FIRST_PAUSE
        while True:
            started, asked = asyncio.get_running_loop().time(), 0
            try:
                # A task of its own: before Python 3.13 a group that fails leaves its task half cancelled, and a
                # timeout later in the same task would end it for good.
                await asyncio.create_task(self._session(), name=f"session:{self.account}")
            except* RetryableError as group:
                error = leading(group)
                asked = error.seconds if isinstance(error, FloodWait) else 0
                log.warning("connection ended: %s", error, extra={"account": self.account})
            if self.ending:
                return  # cancelled while the connection was ending by itself: the group's error took its place
            if asyncio.get_running_loop().time() - started > STEADY:
                pause = FIRST_PAUSE
            await asyncio.sleep(max(pause, asked))
            pause = min(pause * 2, LONGEST_PAUSE)

    def lags(self, channels: Iterable[ChannelId]) -> None:
        """Fill the holes that these channels have on record; those of other accounts are left out."""
        if self._turns is not None:
            # Each hole is known already: nobody need be asked what has changed.
            self._turns.want(channels, Turn(ask=False))

    async def _session(self) -> None:
        tools = self.tools
        saved = await tools.store.session(self.account)
        session = StoredSession(self.account, saved and unseal(saved, tools.sealing_key))
        references, collected = References(), dict[ChannelId, Declaration]()
        live = Live(self._context, references, tools.recorder.offer)
        politeness = await Politeness.load(self.account, tools.budgets, tools.store)
        async with connect(
            session, self.credentials, self.endpoint, sink=live, politeness=politeness
        ) as connection:
            await self._save(session)
            catch_up = CatchUp(
                connection, tools.store, live, tools.recorder.record, self._context, references
            )
            membership = Membership(
                account=self.account,
                declarations=self.declarations,
                connection=connection,
                store=tools.store,
                live=live,
                collected=collected,
                clock=tools.clock,
                reconcile_every=tools.reconcile_every,
                chance=tools.chance,
                save_session=lambda: self._save(session),
                changed=self.wake.set,
            )
            turns = membership.turns = self._turns = Turns(
                catch_up, collected, membership.stand, tools.progress
            )
            looks = Looks(tools.store, catch_up, collected, tools.clock, tools.chance)
            errands = Errands(self.account, connection, tools.store, tools.clock, tools.chance, self.errand)
            try:
                async with asyncio.TaskGroup() as tasks:
                    for coroutine, name in (
                        (self._until_lost(connection), "lost"),
                        (self._keep(session), "session"),
                        (membership.reconcile(), "reconcile"),
                        (membership.waiting(), "joins"),
                        (membership.watch(), "authorizations"),
                        (membership.touched(), "changes"),
                        (membership.gaps(), "gaps"),
                        (turns.run(), "history"),
                        (looks.run(), "looks"),
                        (errands.run(), "errands"),
                    ):
                        tasks.create_task(coroutine, name=f"{self.account}:{name}")
                    if tools.hasher is not None:
                        examiner = Examiner(
                            tools.store,
                            Downloads(connection, references),
                            tools.hasher,
                            tools.matcher,
                            tools.fetching,
                            tools.clock,
                            self.wake,
                            lambda: list(collected),
                        )
                        tasks.create_task(examiner.run(), name=f"{self.account}:media")
            finally:
                self._turns = None
                await self._save(session)

    def _context(self, source: Source, position: int) -> Context:
        tools = self.tools
        return Context(self.account, source, tools.clock(), tools.pseudonym, position, tools.look_again)

    async def _until_lost(self, connection: Connection) -> None:
        # Not awaited itself: whoever cancels this would cancel it for all others, who still wait for answers.
        await asyncio.wait({connection.lost})
        raise SourceUnavailable("the platform closed the connection")

    async def _keep(self, session: StoredSession) -> None:
        while True:
            await session.changed.wait()
            await self._save(session)

    async def _save(self, session: StoredSession) -> None:
        if session.changed.is_set() and (state := session.state()) is not None:
            await self.tools.store.save_session(seal(state, self.tools.sealing_key))


async def take_up_lists(store: Store, prepared: Prepared, at: datetime) -> None:
    """Note the versions of the lists that are in force, and which entries they have lost or have again."""
    for loaded in prepared.lists:
        await store.list_loaded(loaded.version, at)
    for name in sorted({loaded.version.name for loaded in prepared.lists}):
        if entries := await store.entries(name):
            held: dict[str, Category | None] = {}
            for loaded in prepared.lists:
                if loaded.version.name == name:
                    held |= loaded.find(entries)
            standings = [EntryStanding(entry, entry in held, held.get(entry)) for entry in entries]
            await store.entries_stand(name, standings, at)


async def collect(
    prepared: Prepared,
    store: Store,
    hasher: Hasher | None,
    stop: asyncio.Event,
    progress: Progress,
    *,
    errand: asyncio.Event | None = None,
    clock: Callable[[], datetime] = now,
) -> None:
    """Every account of a configuration at work on a store, until `stop` is set; then intake ends, and what was
    taken in is written. Without a `hasher` only metadata is recorded. `errand` is set when a person wants something
    done. Raises FatalError."""
    config = prepared.config
    at = clock()
    await store.declare(config.declarations(), at)
    await take_up_lists(store, prepared, at)
    recorder = Recorder(store)
    tools = Tools(
        store=store,
        recorder=recorder,
        fetching=Fetching(
            Limits(
                config.media.max_bytes,
                config.media.max_bytes_in_flight,
                min_quality=config.matching.pdq.min_quality,
                kinds=config.media.kinds,
                screen=config.media.screen_photos,
                fetch_suspected=config.fetch_suspected,
            )
        ),
        clock=clock,
        pseudonym=prepared.pseudonyms,
        hasher=hasher,
        sealing_key=prepared.sealing_key,
        matcher=ListMatcher(prepared.lists, margin=config.matching.screen_margin, film=film_rule(config)),
        progress=progress,
        look_again=config.telegram.look_again,
        reconcile_every=config.telegram.reconcile_every.total_seconds(),
        budgets=config.telegram.budgets.limits(),
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

    async def pass_on(errand: asyncio.Event) -> None:
        while True:
            await errand.wait()
            errand.clear()
            for collector in collectors:
                collector.errand.set()

    recorder.lagging, recorder.media = lagging, media
    try:
        async with asyncio.TaskGroup() as tasks:
            writer = tasks.create_task(recorder.run(), name="recorder")
            collecting = tasks.create_task(_all(collectors), name="collectors")
            passing = tasks.create_task(pass_on(errand or asyncio.Event()), name="errands")
            await stop.wait()
            passing.cancel()
            for collector in collectors:
                collector.ending = True
            collecting.cancel()
            await asyncio.wait({collecting})
            await recorder.close()
            await writer
    except BaseExceptionGroup as group:
        error = leading(group)
        if isinstance(error, MonitorError):
            raise error from group
        raise


async def _all(collectors: Sequence[Collector]) -> None:
    """Every account at work. One that cannot go on stops alone; its state is on record. Raises what the last of
    them ended with."""
    left = len(collectors)

    async def one(collector: Collector) -> None:
        nonlocal left
        try:
            await collector.run()
        except* (SessionRevoked, AccountFrozen) as group:
            left -= 1
            if left == 0:
                raise
            log.error("the account stops: %s", leading(group), extra={"account": collector.account})

    async with asyncio.TaskGroup() as tasks:
        for collector in collectors:
            tasks.create_task(one(collector), name=f"collector:{collector.account}")
