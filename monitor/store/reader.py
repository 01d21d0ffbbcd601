"""Reading what is committed: streams for exports, counts for status. Nothing here can write."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from sqlalchemy import Connection, Select, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from monitor.errors import StoreUnavailable
from monitor.model import (
    Channel,
    ChannelId,
    ChannelState,
    Conduct,
    Event,
    EventType,
    InAppReport,
    MediaOutcome,
    MessageId,
    MessageKind,
    Refusal,
    SessionState,
    Span,
    Totals,
)
from monitor.store import accounts, budgets, engine, errand_rows, migrate, queries, rescans, sums, telling
from monitor.store.channels import all_channels
from monitor.store.events import body_of, following
from monitor.store.filters import Filters, on_record
from monitor.store.rescans import Rescanned
from monitor.store.schema import (
    cases,
    channels,
    coverage,
    events,
    flag_matches,
    flags,
    media,
    media_matches,
    messages,
)
from monitor.store.sums import Sums
from monitor.store.whole import Whole

P = ParamSpec("P")
T = TypeVar("T")

Row = Mapping[Any, Any]
"""A row of a stream by column name: integers, texts, truth values and aware UTC datetimes; None is absent."""

_ROWS_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class ChannelStatus:
    """How far one channel has come. `top`, the highest message id on record, is above `cursor`
    while there is a gap.
    """

    username: str
    channel_id: ChannelId | None
    state: ChannelState
    reason: Refusal | None
    messages: int
    cursor: MessageId
    top: MessageId
    last_posted_at: datetime | None


@asynccontextmanager
async def reading(path: Path, busy_timeout: float) -> AsyncIterator["Reader"]:
    """A reader over connections of its own, closed at the end."""
    connections = engine.reader(path, busy_timeout)
    reader = Reader(path, connections)
    try:
        yield reader
    finally:
        await reader.tasks.finish()
        await connections.dispose()


class Quarantined(NamedTuple):
    """An entry of a list whose flags are held back, since when, and how many media items it has matched."""

    hash_list: str
    entry: str
    since: datetime
    items: int


class Reader:
    """Each call, and each stream from its first row to its last, sees one state of the store."""

    def __init__(self, path: Path, connections: AsyncEngine) -> None:
        self.tasks = Whole()
        self._path = path
        self._engine = connections

    async def check(self) -> None:
        """Raises StoreUnavailable unless there is a store of this version's schema."""
        revision = await self.run(migrate.check, self._path)
        if revision is None:
            raise StoreUnavailable(f"{self._path}: holds no store yet; it is made when the daemon first runs")
        if revision != migrate.REVISIONS[-1]:
            raise StoreUnavailable(
                f"{self._path}: has the schema of an older version; run: monitor db upgrade"
            )

    # -- streams, in a fixed order; close those that are not read to their end (contextlib.aclosing)

    def message_rows(self) -> AsyncGenerator[Row, None]:
        """Every message, by channel and message id: the columns of the table but for what is only ours,
        with `media_outcome` and `restriction` ("platform:reason", joined by blanks)."""
        return self._stream(queries.MESSAGES.rows())

    def flag_rows(self) -> AsyncGenerator[Row, None]:
        """One row a flag and case, with the flag's best match in that case, by flag and case.

        Exact matches come before perceptual ones, then the least distance. With the message's address.
        """
        return self._stream(queries.FLAGS.rows())

    async def pages(
        self, what: str, names: Sequence[str], filters: Filters, rows: int
    ) -> AsyncGenerator[Sequence[Sequence[Any]], None]:
        """Rows of one of `queries.SOURCES` with these columns, some `rows` at a time, in that source's order.

        Values are as they are stored: times in microseconds since 1970 in UTC, truth values as 0 and 1. Raises
        InputError for a filter that has no meaning there, or that names what is not on record.
        """
        query = queries.SOURCES[what].narrowed(what, names, filters)
        with engine.mapped(self._path):
            async with self._engine.begin() as conn:
                await conn.run_sync(on_record, filters)
                result = await conn.stream(query)
                async for page in result.partitions(rows):
                    yield page

    async def count(self, what: str, filters: Filters) -> int:
        """How many rows `pages` gives. Raises InputError as that does."""
        source = queries.SOURCES[what]
        query = source.narrowed(what, list(source.columns)[:1], filters).order_by(None).subquery()
        [(number,)] = await self.run(_all, select(func.count()).select_from(query))
        return int(number)

    async def entries(self) -> set[tuple[str, str]]:
        """List and entry of every case."""
        return {(row[0], row[1]) for row in await self.run(_all, select(cases.c.hash_list, cases.c.entry))}

    async def events(self, first: int = 0) -> AsyncGenerator[Event, None]:
        """Events from sequence number `first` on, in order."""
        query = select(events).where(events.c.seq >= first).order_by(events.c.seq)
        async with aclosing(self._stream(query)) as rows:
            async for row in rows:
                yield Event(row["seq"], row["at"], EventType(row["type"]), body_of(row["body"]))

    def leaves(self, first: int = 0) -> AsyncGenerator[Row, None]:
        """The same as the report log takes them, and what can be opened of them: seq, at, type, commitment (32
        bytes), salt and body (bytes; both None where they were erased)."""
        return self._stream(select(events).where(events.c.seq >= first).order_by(events.c.seq))

    async def opened(self, wanted: Sequence[int]) -> AsyncGenerator[Row, None]:
        """Those of these sequence numbers that are on record, in order, as `leaves` has them."""
        ordered = sorted(set(wanted))
        for at in range(0, len(ordered), _ROWS_AT_ONCE):
            some = events.c.seq.in_(ordered[at : at + _ROWS_AT_ONCE])
            async with aclosing(self._stream(select(events).where(some).order_by(events.c.seq))) as rows:
                async for row in rows:
                    yield row

    async def next_event(self) -> int:
        """The sequence number that the next event will have."""
        return await self.run(following)

    async def rescanned(self, request: int) -> Rescanned:
        """What has come of a rescan so far. `request` is its event."""
        return await self.run(rescans.progress, request)

    # -- reports in the app

    async def errands_due(self, at: datetime) -> bool:
        """Whether any account has something to report now."""
        return await self.run(telling.any_due, at)

    async def in_app_report(self, errand_id: int) -> InAppReport:
        """One report in the app. Raises InputError for a number that is not on record."""
        return await self.run(errand_rows.one, errand_id)

    async def in_app_reports(
        self, *, troubled: bool = False, items_of: int | None = None
    ) -> list[InAppReport]:
        """Reports in the app, oldest first; or only those that are open: the last try of a message has not arrived, or
        may not have, and nobody has taken note of that. With `items_of` those of the messages of that
        report, whichever report they belong to."""
        return await self.run(errand_rows.all_of, troubled=troubled, items_of=items_of)

    # -- what the store also answers

    async def session(self, account: str) -> SessionState | None:
        """The account's saved session, or None."""
        return await self.run(accounts.load, account)

    async def channels(self) -> list[Channel]:
        """All channels ever declared, by username."""
        return await self.run(all_channels)

    async def conduct(self, account: str) -> Conduct:
        """What is on record of how the account behaved."""
        return await self.run(budgets.conduct, account)

    # -- counts

    async def totals(self) -> Totals:
        """Counts over everything."""
        return await self.run(_totals)

    async def channel_status(self) -> list[ChannelStatus]:
        """How far each channel has come, by username."""
        return await self.run(_channel_status)

    async def coverage(self, channels: Sequence[ChannelId] | None = None) -> list[Sums]:
        """The ledgers of these channels, or of all that are covered, by channel id."""
        return await self.run(sums.sums, channels)

    async def holes(self, channel_id: ChannelId, limit: int = 20) -> list[Span]:
        """The first runs of ids of which nothing is known, ascending."""
        return await self.run(sums.holes, channel_id, limit)

    async def media_outcomes(self) -> dict[MediaOutcome, int]:
        """Media items by outcome; outcomes that do not occur are left out."""
        query = select(media.c.outcome, func.count()).group_by(media.c.outcome)
        return {MediaOutcome(outcome): n for outcome, n in await self.run(_all, query)}

    async def announced_bytes(self) -> int:
        """Bytes that the items which were fetched have in full, as the platform says."""
        sizes = (
            select(func.max(messages.c.size).label("size"))
            .join(media, media.c.media_id == messages.c.media_id)
            .where(media.c.fetched > 0)
            .group_by(messages.c.media_id)
            .subquery()
        )
        [(total,)] = await self.run(_all, select(func.coalesce(func.sum(sizes.c.size), 0)))
        return int(total)

    async def flags_by_list(self) -> dict[str, int]:
        """Flags by the list that they match; a flag that matches two lists counts for both."""
        query = (
            select(cases.c.hash_list, func.count(flag_matches.c.flag_id.distinct()))
            .join(flag_matches, flag_matches.c.case_id == cases.c.case_id)
            .group_by(cases.c.hash_list)
            .order_by(cases.c.hash_list)
        )
        return dict(await self.run(_all, query))

    async def quarantined(self) -> list[Quarantined]:
        """Entries whose flags are held back, oldest first."""
        items = func.count(media_matches.c.media_id.distinct())
        query = (
            select(cases.c.hash_list, cases.c.entry, cases.c.quarantined_at, items)
            .join(media_matches, media_matches.c.case_id == cases.c.case_id)
            .where(cases.c.quarantined_at.is_not(None))
            .group_by(cases.c.case_id)
            .order_by(cases.c.quarantined_at, cases.c.case_id)
        )
        return [Quarantined(*row) for row in await self.run(_all, query)]

    async def run(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What `work` reads in one transaction. A caller that is cancelled leaves at once."""

        async def read() -> T:
            with engine.mapped(self._path):
                async with self._engine.begin() as conn:
                    return await conn.run_sync(work, *args, **kwargs)

        return await asyncio.shield(self.tasks.start(read(), name="store:read"))

    async def _stream(self, query: Select[*tuple[Any, ...]]) -> AsyncGenerator[Row, None]:
        with engine.mapped(self._path):
            async with self._engine.begin() as conn:
                result = await conn.stream(query)
                async for rows in result.mappings().partitions(_ROWS_AT_ONCE):
                    for row in rows:
                        yield row


def _all(conn: Connection, query: Select[*tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in conn.execute(query)]


def _totals(conn: Connection) -> Totals:
    def count(query: Select[*tuple[Any, ...]]) -> int:
        return int(conn.execute(query).scalar_one())

    by_kind = dict(_all(conn, select(messages.c.kind, func.count()).group_by(messages.c.kind)))
    number = select(func.count())
    return Totals(
        messages=sum(by_kind.values()),
        service=by_kind.get(MessageKind.SERVICE, 0),
        media=count(number.select_from(media)),
        media_pending=count(number.where(media.c.outcome == MediaOutcome.PENDING.value)),
        media_fetched=count(number.where(media.c.fetched > 0)),
        fetched_bytes=count(select(func.coalesce(func.sum(media.c.fetched), 0))),
        flags=count(number.select_from(flags)),
        events=count(number.select_from(events)),
    )


def _channel_status(conn: Connection) -> list[ChannelStatus]:
    counted = (
        select(messages.c.channel_id, func.count().label("n"), func.max(messages.c.posted_at).label("last"))
        .group_by(messages.c.channel_id)
        .subquery()
    )
    query = (
        select(channels, counted.c.n, counted.c.last, coverage.c.cursor, coverage.c.top)
        .outerjoin(counted, counted.c.channel_id == channels.c.channel_id)
        .outerjoin(coverage, coverage.c.channel_id == channels.c.channel_id)
        .order_by(channels.c.username)
    )
    return [
        ChannelStatus(
            username=row["username"],
            channel_id=row["channel_id"],
            state=ChannelState(row["state"]),
            reason=None if row["reason"] is None else Refusal(row["reason"]),
            messages=row["n"] or 0,
            cursor=MessageId(row["cursor"] or 0),
            top=MessageId(row["top"] or 0),
            last_posted_at=row["last"],
        )
        for row in conn.execute(query).mappings()
    ]
