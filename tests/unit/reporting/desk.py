"""A reviewer's desk: a store with sightings, people who act on it, and a clock that they share."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from monitor.model import (
    ROUTES,
    Algorithm,
    Category,
    Event,
    EventType,
    ListAction,
    Match,
    ReasonCode,
    ReportingPolicy,
    Route,
)
from monitor.reporting import decisions, reports
from monitor.reporting.acting import Case, Rule, act, act_on_report, look
from monitor.reporting.reports import ReportRule
from monitor.store import SqlStore, open_store
from tests.contract.making import START, batch, declared, gone, hash_list, matched, message, picture, profile

ANNA, BERT, CARA = "anna", "bert", "cara"
EXACT = Match("partner-a", "3-030303030303", "e1", Algorithm.SHA256, 0, 0, category=Category.ADULT_FILMED)
NEAR = Match("partner-a", "3-030303030303", "e2", Algorithm.PDQ, 12, 31, 88, category=Category.ADULT_FILMED)
CHILD = Match("partner-a", "3-030303030303", "e3", Algorithm.PDQ, 4, 31, 90, category=Category.CHILD)
UNMAPPED = Match("partner-a", "3-030303030303", "e4", Algorithm.PDQ, 6, 31, 90)
REVIEWED = Match(
    "partner-b", "3-030303030303", "e5", Algorithm.PDQ, 20, 31, 90, category=Category.ADULT_SYNTHETIC
)


@dataclass
class Desk:
    """Acts at `at`, which `wait` moves on."""

    store: SqlStore
    policy: ReportingPolicy = field(default_factory=ReportingPolicy)
    at: datetime = START + timedelta(days=1)
    _media: int = 100

    def wait(self, **more: float) -> None:
        self.at += timedelta(**more)

    async def see(self, *matches: Match, views: int = 0, channel: int | None = None) -> int:
        """A new message with a picture that matches so; its flag."""
        from monitor.model import ChannelId, Counters

        self._media += 1
        where = {} if channel is None else {"channel": ChannelId(channel)}
        post = message(self._media, media=picture(self._media), counters=Counters(views=views), **where)
        await self.store.record([batch(post, **where)])
        await self.store.examined(matched(self._media, *matches, at=self.at))
        return max(flag for case in await self.cases() for flag in case.facts.flags)

    async def delete(self, message_id: int) -> None:
        await self.store.record([gone(message_id, at=self.at)])

    async def cases(self) -> list[Case]:
        from monitor.store.casebook import list_cases

        lines = await self.store.reader.run(list_cases, self.at)
        return [await look(self.store.reader, line.case_id, self.at) for line in lines]

    async def case(self, case_id: int) -> Case:
        return await look(self.store.reader, case_id, self.at)

    async def does(self, case_id: int, rule: Rule) -> Case:
        return await act(self.store, case_id, rule, self.at)

    async def on_report(self, report_id: int, rule: ReportRule) -> Case:
        return await act_on_report(self.store, report_id, rule, self.at)

    async def accept(self, case_id: int, who: str = ANNA, **more: Any) -> Case:
        return await self.does(case_id, decisions.accept(who, **more))

    async def reject(
        self, case_id: int, who: str = ANNA, reason: ReasonCode = ReasonCode.LOW_QUALITY, **more: Any
    ) -> Case:
        return await self.does(case_id, decisions.reject(who, reason, **more))

    async def prepare(
        self, case_id: int, route: Route = Route.TELEGRAM_MAIL, who: str = ANNA, **more: Any
    ) -> int:
        """Prepare a report; its number."""
        done = await self.does(case_id, reports.prepare(who, route, self.policy, **more))
        return max(done.facts.reports)

    async def send(self, case_id: int, route: Route = Route.TELEGRAM_MAIL, who: str = ANNA) -> int:
        """Prepare, approve and send a report; its number."""
        number = await self.prepare(case_id, route, who)
        await self.on_report(number, reports.approve(who, self.policy))
        await self.on_report(number, reports.sent(who, self.policy))
        return number

    async def sent(self, match: Match = EXACT, route: Route = Route.TELEGRAM_MAIL) -> tuple[int, int]:
        """A sighting that was accepted and reported; case and report."""
        await self.see(match)
        case_id = (await self.of(match)).record.case_id
        await self.accept(case_id)
        self.wait(minutes=2)
        return case_id, await self.send(case_id, route)

    async def of(self, match: Match) -> Case:
        """The case of a match's entry."""
        found = [
            c
            for c in await self.cases()
            if (c.record.hash_list, c.record.entry) == (match.hash_list, match.entry)
        ]
        return found[0]

    async def events(self, *kinds: EventType) -> list[Event]:
        return [event async for event in self.store.reader.events() if not kinds or event.type in kinds]


@asynccontextmanager
async def desk(
    folder: Path, routes: Mapping[Category, tuple[Route, ...]] = ROUTES, **policy: Any
) -> AsyncIterator[Desk]:
    """A desk over a fresh store with two lists: partner-a flags, partner-b asks for a review."""
    async with open_store(folder / "store.sqlite3") as store:
        await store.declare([declared()], START)
        await store.joined("example_one", profile(), "main", START)
        await store.list_loaded(hash_list(), START)
        await store.list_loaded(hash_list(name="partner-b", action=ListAction.REVIEW), START)
        yield Desk(store, ReportingPolicy(routes=routes, **policy))
