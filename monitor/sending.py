"""A report in the app from request to result: through the daemon at work, or else through a connection of its own.

The request is a row, whoever serves it. This process asks the platform for the menu of one message alone, takes no
updates and fetches no message, so that it sees no content even where it speaks to the platform itself.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from monitor import reloading
from monitor.clock import now
from monitor.config import Config
from monitor.errors import InputError, NoNetwork, SessionRevoked, SourceUnavailable
from monitor.model import (
    Approval,
    ChannelId,
    ErrandFailure,
    ErrandState,
    InAppReport,
    MessageId,
)
from monitor.pair import any_of
from monitor.prepare import credentials, endpoint
from monitor.state import running, sole
from monitor.store import SqlStore, open_store
from monitor.store.errands import Check
from monitor.telegram.client import connect
from monitor.telegram.errands import Errands
from monitor.telegram.politeness import Politeness
from monitor.telegram.sealing import seal, unseal
from monitor.telegram.session import StoredSession

LOOK = 0.2
"""Seconds between two looks at how far it has come."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One message to report, through the account that collects its channel.

    `path` are the texts to choose in the menu, from its top. `comment` is None where a person is to be asked whether
    there is one, empty for none. `explanation` says why it is reported again, where it was before. `may_leave`
    is asked about the case of report `report_id`, in the request's transaction, and raises when it may not.
    """

    channel_id: ChannelId
    message_id: MessageId
    approval: Approval
    operator: str
    path: tuple[str, ...] = ()
    comment: str | None = ""
    explanation: str | None = None
    report_id: int | None = None
    may_leave: Check | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person says to a menu, or to the wish for a comment."""

    choice: str | None = None
    comment: str | None = None


Ask = Callable[[InAppReport], Awaitable[Answer | None]]
"""Asks a person how an errand is to go on; None takes it back."""


async def report_in_app(
    config: Config, wanted: Wanted, stop: asyncio.Event, ask: Ask | None = None
) -> InAppReport:
    """Have a message reported; how far that has come.

    SENT, FAILED or UNKNOWN are final. WAITING with `until` must pause first: a daemon goes on then. WAITING without
    it: `stop` was set, and a daemon goes on. Without `ask` a menu that wants more than `wanted` says is a failure.
    Raises what `SqlStore.report_in_app` does, InputError for a bot's account; NoNetwork, SessionRevoked, FloodWait and
    AccountFrozen where there is no daemon and the account cannot be used: the errand waits on record then.
    """
    async with open_store(config.database) as store:
        number = await leave_on_record(store, wanted)
        work = _Work(config, store, number, wanted.operator, stop, ask)
        while True:
            if _at_work(config):
                report = await work.follow(lambda: not _at_work(config))
            else:
                with sole(config.state):
                    report = await work.serve()
            if work.over(report):
                return report


async def leave_on_record(store: SqlStore, wanted: Wanted) -> int:
    """Ask for a message to be reported, for whoever serves the account; the errand's number. Raises as the store's."""
    return await store.report_in_app(
        wanted.channel_id,
        wanted.message_id,
        path=wanted.path,
        comment=wanted.comment,
        approval=wanted.approval,
        operator=wanted.operator,
        explanation=wanted.explanation,
        report_id=wanted.report_id,
        may_leave=wanted.may_leave,
        at=now(),
    )


def _at_work(config: Config) -> bool:
    return reloading.noticed(config.state) is not None and running(config.state)


@dataclass(slots=True)
class _Work:
    """One errand, watched until there is something to say of it."""

    config: Config
    store: SqlStore
    number: int
    operator: str
    stop: asyncio.Event
    ask: Ask | None

    def over(self, report: InAppReport) -> bool:
        """Whether whoever asked is to be told."""
        return report.state.settled or report.until is not None or self.stop.is_set()

    async def follow(self, ended: Callable[[], bool]) -> InAppReport:
        """Look until it is over, or whoever serves it has ended; a person is asked for what the menu wants."""
        while True:
            last = ended()
            report = await self.store.reader.in_app_report(self.number)
            if report.state is ErrandState.ASKING:
                await self._answer(report)
                continue
            if last or self.over(report):
                return report
            await any_of(self.stop, seconds=LOOK)

    async def _answer(self, report: InAppReport) -> None:
        answer = await self.ask(report) if self.ask is not None else None
        if answer is not None:
            await self.store.answer_errand(self.number, choice=answer.choice, comment=answer.comment)
            return
        failure = ErrandFailure.WITHDRAWN
        if self.ask is None:
            wants_comment = report.comment_optional is not None
            failure = ErrandFailure.COMMENT_NEEDED if wants_comment else ErrandFailure.MORE_CHOICES
        await self.store.withdraw_errand(self.number, failure=failure, operator=self.operator, at=now())

    async def serve(self) -> InAppReport:
        """Do it here, with the state directory's lock held."""
        config, store = self.config, self.store
        name = (await store.reader.in_app_report(self.number)).account
        await store.errands_lost(name, now())
        report = await store.reader.in_app_report(self.number)
        if self.over(report):
            return report
        account = config.account(name)
        if account.kind == "bot":
            await store.withdraw_errand(self.number, operator=self.operator, at=now())
            raise InputError(f"account {name}: is a bot; only a user's account can report in the app")
        saved, sealing = await store.session(name), config.sealing_key()
        if saved is None:
            raise SessionRevoked(f"account {name} is not signed in; run: monitor login {name}")
        session = StoredSession(name, unseal(saved, sealing))
        politeness = await Politeness.load(name, config.telegram.budgets.limits(), store)
        try:
            async with connect(
                session, credentials(config, name), endpoint(config), politeness=politeness
            ) as connection:
                errands = Errands(name, connection, store, now, random.Random(), asyncio.Event())  # noqa: S311 — paces
                report = await self._served(errands)
        except SourceUnavailable as e:
            raise NoNetwork(
                f"the platform cannot be reached; errand {self.number} waits for a daemon, or this command again ({e})"
            ) from e
        if session.changed.is_set() and (state := session.state()) is not None:
            await store.save_session(seal(state, sealing))
        return report

    async def _served(self, errands: Errands) -> InAppReport:
        working = asyncio.create_task(errands.run(), name="errands")
        try:
            return await self._followed(errands, working)
        finally:
            working.cancel()
            await asyncio.wait({working})
            if not working.cancelled():
                working.result()

    async def _followed(self, errands: Errands, working: "asyncio.Task[None]") -> InAppReport:
        while True:
            errands.wanted.set()
            report = await self.follow(lambda: True)
            if self.over(report) or working.done():
                return report
            await any_of(self.stop, seconds=LOOK)
