"""The store: whole transactions over one writing connection, reads on connections of their own."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from monitor import __version__
from monitor.model import (
    AccountReason,
    AccountState,
    Algorithm,
    Approval,
    Batch,
    Channel,
    ChannelId,
    Conduct,
    Coverage,
    Declaration,
    EntryStanding,
    Errand,
    ErrandFailure,
    EventType,
    Examined,
    ListVersion,
    Look,
    MessageId,
    Moment,
    PendingMedia,
    Profile,
    Recorded,
    Refusal,
    Scalar,
    SessionState,
    Spent,
    Told,
    Totals,
)
from monitor.store import (
    accounts,
    budgets,
    cases,
    channels,
    engine,
    errand_rows,
    errands,
    events,
    ledger,
    lists,
    lookups,
    media,
    messages,
    migrate,
    rescans,
    telling,
)
from monitor.store.errands import Check
from monitor.store.events import Salt
from monitor.store.reader import Reader, reading

P = ParamSpec("P")
T = TypeVar("T")

GATHER = 0.01
"""Seconds in which further outcomes may join the first one's transaction."""
BUSY_TIMEOUT = 10.0
"""Seconds to wait for another process that writes."""
FLOOD_GUARD = 100
"""Media items that one entry may match within an hour."""


@asynccontextmanager
async def open_store(
    path: str | os.PathLike[str],
    *,
    busy_timeout: float = BUSY_TIMEOUT,
    salt: Salt = os.urandom,
    flood_guard: int = FLOOD_GUARD,
) -> AsyncIterator["SqlStore"]:
    """The store in the SQLite database at `path`, created (0600, its folders 0700) or upgraded if needed.

    `busy_timeout` in seconds; `salt` gives the random bytes of events; `flood_guard` is the number of media items
    that one entry may match within an hour before its flags are held back. Raises StoreBusy, StoreCorrupt (also
    for a database of a newer version), StoreUnavailable.
    """
    path = Path(path)
    engine.create_private(path, busy_timeout)
    writing = engine.writer(path, busy_timeout)
    try:
        with engine.mapped(path):
            async with writing.begin() as conn:
                await conn.run_sync(migrate.upgrade, path)
        async with reading(path, busy_timeout) as reader:
            store = SqlStore(path, writing, reader, salt, flood_guard)
            try:
                yield store
            finally:
                await store.finish()
    finally:
        await writing.dispose()


async def upgraded(
    path: str | os.PathLike[str], *, busy_timeout: float = BUSY_TIMEOUT
) -> tuple[str | None, str]:
    """Bring the store at `path` to the newest schema: its revision before (None of an empty one) and after.

    Raises as `open_store` does, and StoreUnavailable when there is none.
    """
    path = Path(path)
    engine.check_file(path)
    async with reading(path, busy_timeout) as reader:
        before = await reader.run(migrate.check, path)
    async with open_store(path, busy_timeout=busy_timeout):
        return before, migrate.REVISIONS[-1]


@asynccontextmanager
async def open_reader(
    path: str | os.PathLike[str], *, busy_timeout: float = BUSY_TIMEOUT
) -> AsyncIterator[Reader]:
    """What is in the store at `path`, for status and exports; also while a daemon writes to it.

    Raises StoreUnavailable when there is none, StoreCorrupt when its schema is not this version's.
    """
    path = Path(path)
    engine.check_file(path)
    async with reading(path, busy_timeout) as reader:
        await reader.check()
        yield reader


class SqlStore:
    """`ports.Store` over SQLAlchemy. `reader` sees what is committed."""

    def __init__(
        self, path: Path, writing: AsyncEngine, reader: Reader, salt: Salt, flood_guard: int = FLOOD_GUARD
    ) -> None:
        self.reader = reader
        self._path = path
        self._writing = writing
        self._salt = salt
        self._flood_guard = flood_guard
        self._version = __version__
        self._one_at_a_time = asyncio.Lock()
        self._running: set[asyncio.Task[Any]] = set()
        self._outcomes: list[tuple[Examined, asyncio.Future[int]]] = []

    async def session(self, account: str) -> SessionState | None:
        return await self.reader.session(account)

    async def save_session(self, state: SessionState) -> None:
        await self._write(accounts.save, state)

    async def forget_session(self, account: str) -> None:
        await self._write(accounts.forget, account)

    async def conduct(self, account: str) -> Conduct:
        return await self.reader.run(budgets.conduct, account)

    async def spend(self, account: str, spent: Spent, now: Moment, keep_since: datetime) -> None:
        await self._write(budgets.spend, account, spent, now, keep_since)

    async def flood_wait(self, account: str, method: str, seconds: int, now: Moment) -> None:
        await self._write(budgets.flood_wait, account, method, seconds, now)

    async def pause_joins(self, account: str, until: datetime, now: Moment) -> None:
        await self._write(budgets.pause_joins, account, until, now)

    async def account_state(
        self, account: str, state: AccountState, reason: AccountReason | None, now: Moment
    ) -> None:
        await self._write(budgets.account_state, account, state, reason, now)

    async def declare(self, declarations: Sequence[Declaration], at: datetime) -> None:
        await self._write(channels.declare, self._salt, declarations, at)

    async def channels(self) -> list[Channel]:
        return await self.reader.channels()

    async def joined(self, username: str, profile: Profile, account: str, at: datetime) -> None:
        await self._write(channels.joined, self._salt, username, profile, account, at)

    async def refused(self, username: str, reason: Refusal, at: datetime) -> None:
        await self._write(channels.refused, self._salt, username, reason, at)

    async def record(self, batches: Sequence[Batch]) -> Recorded:
        return await self._write(messages.record, self._salt, self._version, batches)

    async def begin(self, channel_id: ChannelId, start: MessageId, top: MessageId, position: int) -> None:
        await self._write(ledger.begin, channel_id, start, top, position)

    async def coverage(self, channel_id: ChannelId) -> Coverage | None:
        return await self.reader.run(ledger.read, channel_id)

    async def due_looks(self, channels: Sequence[ChannelId], at: datetime, limit: int) -> list[Look]:
        return await self.reader.run(messages.due_looks, channels, at, limit)

    async def pending_media(self, channels: Sequence[ChannelId], limit: int) -> list[PendingMedia]:
        return await self.reader.run(media.pending, channels, limit)

    async def examined(self, outcome: Examined) -> int:
        media.check(outcome)
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._outcomes.append((outcome, done))
        if len(self._outcomes) == 1:
            self._keep(asyncio.create_task(self._settle(), name="store:examined"))
        return await asyncio.shield(done)

    async def _settle(self) -> None:
        """Settle all items that have come by the time the store is free, in one transaction: most of the cost of
        one is the disk's."""
        group: list[tuple[Examined, asyncio.Future[int]]] = []

        def settle(conn: Connection) -> list[int]:
            group.extend(self._outcomes)
            self._outcomes.clear()
            return media.settle(conn, self._salt, self._flood_guard, [outcome for outcome, _ in group])

        try:
            await asyncio.sleep(GATHER)
            raised = await self._transaction(settle)
        except BaseException as e:
            failed = group or self._outcomes.copy()
            if not group:
                self._outcomes.clear()
            for _, done in failed:
                done.set_exception(e)
                done.exception()  # looked at: the caller that would have got it may be gone
            return
        for (_, done), flags in zip(group, raised, strict=True):
            done.set_result(flags)

    async def release(self, hash_list: str, entry: str, operator: str, at: datetime) -> int:
        """End an entry's quarantine by a person's word and raise the flags that it held back; how many are new.

        Raises InputError when the entry is in none.
        """
        return await self._write(media.released, self._salt, hash_list, entry, operator, at)

    async def errands(self, account: str, at: datetime) -> list[Errand]:
        return await self.reader.run(telling.due, account, at)

    async def errand_leaves(self, errand_id: int, at: datetime) -> bool:
        return await self._write(telling.leaves, errand_id, at)

    async def errand_told(self, told: Told) -> None:
        await self._write(telling.told, self._salt, told)

    async def errands_lost(self, account: str, at: datetime) -> int:
        return await self._write(telling.lost, self._salt, account, at)

    async def list_loaded(self, version: ListVersion, at: datetime) -> None:
        await self._write(lists.loaded, self._salt, version, at)

    async def entries(self, hash_list: str) -> list[str]:
        return await self.reader.run(cases.entries, hash_list)

    async def entries_stand(self, hash_list: str, standings: Sequence[EntryStanding], at: datetime) -> int:
        return await self._write(media.entries_stand, self._salt, hash_list, standings, at)

    async def append(self, kind: EventType, body: Mapping[str, Scalar], at: datetime) -> int:
        return await self._write(events.handed_in, self._salt, kind, body, at)

    async def totals(self) -> Totals:
        return await self.reader.totals()

    # -- what people ask for. Not in the port: a collector has no such call, and no frame for their words

    async def revoke(self, username: str, *, explanation: str, operator: str, at: datetime) -> bool:
        """End a channel's authorization, with an event; False when it was revoked already.

        It is stopped at once as far as the records go, and holds until another reference is declared. Raises
        InputError for a channel that is not on record, NotAuthorized for one without an authorization.
        """
        return await self._write(channels.revoke, self._salt, username, explanation, operator, at)

    async def rescan(
        self,
        *,
        operator: str,
        since: datetime,
        until: datetime | None = None,
        hash_list: str | None = None,
        username: str | None = None,
        at: datetime,
    ) -> int:
        """Let media posted in the window (both ends included) wait again, with an event; returns its number.

        What has matched is left alone, and so is what can no longer be asked for. With `hash_list` only what
        was settled before that list's current version was loaded. Raises InputError for a list or a channel
        that is not on record, NotAuthorized for a channel that is not collected.
        """
        return await self._write(rescans.request, self._salt, operator, since, until, hash_list, username, at)

    async def looked_up(
        self,
        operator: str,
        algorithms: Sequence[Algorithm],
        *,
        hashes: int,
        matched: int,
        limit: int,
        at: datetime,
    ) -> None:
        """Note that an operator looked up so many hashes, of which so many matched, with an event.

        Raises InputError, and notes nothing, when that is more than `limit` within the hour.
        """
        await self._write(
            lookups.looked_up, self._salt, operator, algorithms, hashes, matched, limit=limit, at=at
        )

    async def run(
        self, work: Callable[Concatenate[Connection, Salt, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What `work` makes of one transaction, whole or not at all; it gets the connection and the salt of events."""
        return await self._write(work, self._salt, *args, **kwargs)

    async def overwrite(self) -> bool:
        """See that what was deleted is not in the write-ahead log either; whether that came about.

        The database's own pages are overwritten with zeros as rows go. The log holds older ones until it is emptied,
        which cannot be done while somebody still reads what was there before.
        """
        with engine.mapped(self._path):
            return await asyncio.to_thread(engine.empty_log, self._path)

    async def report_in_app(
        self,
        channel_id: ChannelId,
        message_id: MessageId,
        *,
        path: Sequence[str],
        comment: str | None,
        approval: Approval,
        operator: str,
        explanation: str | None = None,
        report_id: int | None = None,
        may_leave: Check | None = None,
        at: datetime,
    ) -> int:
        """Ask for a message to be reported in the app, through the account that collects its channel; the errand's
        number. See `Errand` for `path` and `comment`.

        An earlier errand of the same message that has not left is taken back. Raises InputError for a message that
        carries no flag or is deleted, and for one that was reported, or may have been, unless `explanation` says why
        another report is needed; NotAuthorized for a channel that is not collected; what `may_leave` raises, which is
        asked within the same transaction about the case of the report `report_id`.
        """
        return await self._write(
            errands.request,
            self._salt,
            *(channel_id, message_id, path, comment, approval, operator, explanation, report_id, may_leave),
            at,
        )

    async def answer_errand(
        self, errand_id: int, *, choice: str | None = None, comment: str | None = None
    ) -> None:
        """What a person chose in the menu, or has to say; the errand goes on. Raises InputError for one that does
        not ask, or a text that is not offered."""
        await self._write(errands.answer, errand_id, choice, comment)

    async def withdraw_errand(
        self,
        errand_id: int,
        *,
        failure: ErrandFailure = ErrandFailure.WITHDRAWN,
        operator: str,
        at: datetime,
    ) -> None:
        """Take an errand back, with an event. Raises InputError for one that has left, or may have."""
        await self._write(errand_rows.withdraw, self._salt, errand_id, failure, operator, at)

    async def note_errand(self, errand_id: int, *, explanation: str, operator: str, at: datetime) -> None:
        """A person takes note of an errand that failed, or of which nobody knows whether it arrived, and leaves it at
        that; one that has not left is taken back. With an event. Raises InputError for one that arrived."""
        await self._write(errands.note, self._salt, errand_id, operator, explanation, at)

    async def act(
        self, case_id: int, rule: cases.Rule, projection: cases.Projection, at: datetime
    ) -> cases.CaseRecord:
        """Append what the rule gives for a case and bring its rows in line; what is on record then. Raises what it
        raises, and InputError for a case that there is not."""
        return await self._write(cases.act, self._salt, case_id, rule, projection, at)

    async def finish(self) -> None:
        """Wait for transactions whose callers have been cancelled."""
        if self._running:
            await asyncio.wait(self._running)

    async def _write(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `work` in a transaction of its own.

        A caller that is cancelled leaves at once; the transaction is the store's own task, and ends whole.
        """
        task = asyncio.create_task(self._transaction(work, *args, **kwargs), name=f"store:{work.__name__}")
        self._keep(task)
        return await asyncio.shield(task)

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._running.add(task)
        task.add_done_callback(self._ended)

    async def _transaction(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        # The pool would let the others wait too, but gives up after half a minute.
        async with self._one_at_a_time:
            with engine.mapped(self._path):
                async with self._writing.begin() as conn:
                    return await conn.run_sync(work, *args, **kwargs)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # looked at: the caller that would have got it may be gone
