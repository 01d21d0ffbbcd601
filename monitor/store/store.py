"""The store: whole transactions over one writing connection, reads on connections of their own."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from monitor import __version__
from monitor.model import (
    AccountReason,
    AccountState,
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
    media,
    messages,
    telling,
)
from monitor.store.errands import Check
from monitor.store.events import Salt
from monitor.store.reader import Reader
from monitor.store.settling import Outcomes
from monitor.store.writing import Writer

P = ParamSpec("P")
T = TypeVar("T")


class SqlStore:
    """`ports.Store` over SQLAlchemy. `reader` sees what is committed."""

    def __init__(self, path: Path, writer: Writer, reader: Reader, salt: Salt, flood_guard: int) -> None:
        self.reader = reader
        self._path = path
        self._writer = writer
        self._salt = salt
        self._version = __version__

        def settle(conn: Connection, outcomes: Sequence[Examined]) -> list[int]:
            return media.settle(conn, salt, flood_guard, outcomes)

        self._outcomes = Outcomes(writer, settle)

    async def session(self, account: str) -> SessionState | None:
        return await self.reader.session(account)

    async def save_session(self, state: SessionState) -> None:
        await self._writer.run(accounts.save, state)

    async def forget_session(self, account: str) -> None:
        await self._writer.run(accounts.forget, account)

    async def conduct(self, account: str) -> Conduct:
        return await self.reader.run(budgets.conduct, account)

    async def spend(self, account: str, spent: Spent, now: Moment, keep_since: datetime) -> None:
        await self._writer.run(budgets.spend, account, spent, now, keep_since)

    async def flood_wait(self, account: str, method: str, seconds: int, now: Moment) -> None:
        await self._writer.run(budgets.flood_wait, account, method, seconds, now)

    async def pause_joins(self, account: str, until: datetime, now: Moment) -> None:
        await self._writer.run(budgets.pause_joins, account, until, now)

    async def account_state(
        self, account: str, state: AccountState, reason: AccountReason | None, now: Moment
    ) -> None:
        await self._writer.run(budgets.account_state, account, state, reason, now)

    async def declare(self, declarations: Sequence[Declaration], at: datetime) -> None:
        await self._writer.run(channels.declare, self._salt, declarations, at)

    async def channels(self) -> list[Channel]:
        return await self.reader.channels()

    async def joined(self, username: str, profile: Profile, account: str, at: datetime) -> None:
        await self._writer.run(channels.joined, self._salt, username, profile, account, at)

    async def refused(self, username: str, reason: Refusal, at: datetime) -> None:
        await self._writer.run(channels.refused, self._salt, username, reason, at)

    async def record(self, batches: Sequence[Batch]) -> Recorded:
        return await self._writer.run(messages.record, self._salt, self._version, batches)

    async def begin(self, channel_id: ChannelId, start: MessageId, top: MessageId, position: int) -> None:
        await self._writer.run(ledger.begin, channel_id, start, top, position)

    async def coverage(self, channel_id: ChannelId) -> Coverage | None:
        return await self.reader.run(ledger.read, channel_id)

    async def due_looks(self, channels: Sequence[ChannelId], at: datetime, limit: int) -> list[Look]:
        return await self.reader.run(messages.due_looks, channels, at, limit)

    async def pending_media(self, channels: Sequence[ChannelId], limit: int) -> list[PendingMedia]:
        return await self.reader.run(media.pending, channels, limit)

    async def examined(self, outcome: Examined) -> int:
        media.check(outcome)
        return await self._outcomes.add(outcome)

    async def errands(self, account: str, at: datetime) -> list[Errand]:
        return await self.reader.run(telling.due, account, at)

    async def errand_leaves(self, errand_id: int, at: datetime) -> bool:
        return await self._writer.run(telling.leaves, errand_id, at)

    async def errand_told(self, told: Told) -> None:
        await self._writer.run(telling.told, self._salt, told)

    async def errands_lost(self, account: str, at: datetime) -> int:
        return await self._writer.run(telling.lost, self._salt, account, at)

    async def list_loaded(self, version: ListVersion, at: datetime) -> None:
        await self._writer.run(lists.loaded, self._salt, version, at)

    async def entries(self, hash_list: str) -> list[str]:
        return await self.reader.run(cases.entries, hash_list)

    async def entries_stand(self, hash_list: str, standings: Sequence[EntryStanding], at: datetime) -> int:
        return await self._writer.run(media.entries_stand, self._salt, hash_list, standings, at)

    async def append(self, kind: EventType, body: Mapping[str, Scalar], at: datetime) -> int:
        return await self._writer.run(events.handed_in, self._salt, kind, body, at)

    async def totals(self) -> Totals:
        return await self.reader.totals()

    # -- what people ask for. Not in the port: a collector has no such call, and no frame for their words

    async def run(
        self, work: Callable[Concatenate[Connection, Salt, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What `work` makes of one transaction, whole or not at all; it gets the connection and the salt of events."""
        return await self._writer.run(work, self._salt, *args, **kwargs)

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
        return await self._writer.run(
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
        await self._writer.run(errands.answer, errand_id, choice, comment)

    async def withdraw_errand(
        self,
        errand_id: int,
        *,
        failure: ErrandFailure = ErrandFailure.WITHDRAWN,
        operator: str,
        at: datetime,
    ) -> None:
        """Take an errand back, with an event. Raises InputError for one that has left, or may have."""
        await self._writer.run(errand_rows.withdraw, self._salt, errand_id, failure, operator, at)

    async def note_errand(self, errand_id: int, *, explanation: str, operator: str, at: datetime) -> None:
        """A person takes note of an errand that failed, or of which nobody knows whether it arrived, and leaves it at
        that; one that has not left is taken back. With an event. Raises InputError for one that arrived."""
        await self._writer.run(errands.note, self._salt, errand_id, operator, explanation, at)

    async def act(
        self, case_id: int, rule: cases.Rule, projection: cases.Projection, at: datetime
    ) -> cases.CaseRecord:
        """Append what the rule gives for a case and bring its rows in line; what is on record then. Raises what it
        raises, and InputError for a case that there is not."""
        return await self._writer.run(cases.act, self._salt, case_id, rule, projection, at)

    async def finish(self) -> None:
        """Wait for transactions whose callers have been cancelled."""
        await self._writer.tasks.finish()
