"""Any sequence of batches and outcomes leaves the rows that a plain model of the contract leaves."""

import asyncio
import tempfile
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.model import (
    Batch,
    Counters,
    Examined,
    MediaId,
    MediaOutcome,
    MessageId,
    MessageRecord,
    Source,
)
from tests.contract.conftest import Factory
from tests.contract.making import CHANNEL, OTHER, PDQ, cursor, later, message, picture, span

Key = tuple[int, int]
RETRIED = (MediaOutcome.GONE, MediaOutcome.FAILED, MediaOutcome.EMPTY, MediaOutcome.INCOMPLETE)


@dataclass
class Row:
    newest: MessageRecord
    first: MessageRecord
    deleted: datetime | None = None


@dataclass
class Plain:
    """The contract, one message after another, in dictionaries."""

    rows: dict[Key, Row] = field(default_factory=dict)
    absent: dict[Key, datetime | None] = field(default_factory=dict)
    """Deleted before they were recorded; the time when the platform said so."""
    tops: dict[int, int] = field(default_factory=dict)
    media: dict[int, MediaOutcome] = field(default_factory=dict)
    flags: set[tuple[int, int, int]] = field(default_factory=set)
    lost: set[int] = field(default_factory=set)

    def record(self, batches: list[Batch]) -> tuple[int, int]:
        new, flags = 0, len(self.flags)
        self.lost.clear()
        for batch in batches:
            came = {m.message_id for m in batch.messages}
            for m in batch.messages:
                new += self.upsert(m)
                told = self.absent.pop((batch.channel_id, m.message_id), None)
                if told is not None:
                    self.rows[batch.channel_id, m.message_id].deleted = told
                    self.loses(self.rows[batch.channel_id, m.message_id])
            for number in batch.deleted:
                self.delete((batch.channel_id, number), batch.seen_at, batch.seen_at)
            span = range(batch.span.after + 1, batch.span.upto + 1) if batch.span else range(0)
            for number in span:
                if number not in came:
                    self.delete((batch.channel_id, number), batch.seen_at, None)
            top = max(self.tops.get(batch.channel_id, 0), batch.top, *came, *batch.deleted, *span, 0, 0)
            self.tops[batch.channel_id] = top
        for item, outcome in self.media.items():
            carried = bool(self.carriers(item))
            if outcome is MediaOutcome.PENDING and not carried:
                self.media[item] = MediaOutcome.GONE
            elif outcome is MediaOutcome.GONE and carried and item in self.lost:
                self.media[item] = MediaOutcome.PENDING
        return new, len(self.flags) - flags

    def delete(self, key: Key, at: datetime | None, told: datetime | None) -> None:
        row = self.rows.get(key)
        if row is None:
            self.absent[key] = self.absent.get(key) or told
        elif row.deleted is None:
            row.deleted = at
            self.loses(row)

    def cursor(self, channel: int) -> int:
        number = 0
        while (channel, number + 1) in self.rows or (channel, number + 1) in self.absent:
            number += 1
        return number

    def carriers(self, item: int) -> set[Key]:
        return {
            key
            for key, row in self.rows.items()
            if row.newest.media and row.newest.media.media_id == item and row.deleted is None
        }

    def loses(self, row: Row) -> None:
        if row.newest.media and row.newest.media.media_id is not None:
            self.lost.add(row.newest.media.media_id)

    def upsert(self, m: MessageRecord) -> int:
        key = (m.channel_id, m.message_id)
        row = self.rows.get(key)
        if row and self.stale(row.newest, m):
            return 0
        if m.media and m.media.media_id is not None:
            outcome = self.media.get(m.media.media_id, MediaOutcome.GONE)
            if outcome is MediaOutcome.MATCH:
                self.flags.add((*key, m.media.media_id))
            elif outcome in RETRIED:
                self.media[m.media.media_id] = MediaOutcome.PENDING
        if row:
            if row.newest.media != m.media:
                self.loses(row)
            row.newest = replace(m, edited_at=m.edited_at or row.newest.edited_at)
            if row.deleted:
                self.loses(row)
            return 0
        self.rows[key] = Row(m, m)
        return 1

    def stale(self, known: MessageRecord, m: MessageRecord) -> bool:
        if known.as_of and m.as_of:
            return m.as_of < known.as_of
        return known.edited_at is not None and (m.edited_at is None or m.edited_at < known.edited_at)

    def examined(self, outcome: Examined) -> int:
        if self.media.get(outcome.media_id, MediaOutcome.MATCH) is MediaOutcome.MATCH:
            return 0
        asked, carriers = (outcome.channel_id, outcome.message_id), self.carriers(outcome.media_id)
        if outcome.outcome is MediaOutcome.GONE and outcome.message_id and carriers and asked not in carriers:
            return 0
        self.media[outcome.media_id] = outcome.outcome
        if outcome.outcome is not MediaOutcome.MATCH:
            return 0
        flagged = {
            (*key, outcome.media_id)
            for key, row in self.rows.items()
            if row.newest.media and row.newest.media.media_id == outcome.media_id
        }
        new = len(flagged - self.flags)
        self.flags |= flagged
        return new


ids = st.integers(1, 9)
media_ids = st.integers(1, 5)
channels = st.sampled_from([CHANNEL, OTHER])
times = st.integers(1, 5).map(later)


@st.composite
def records(draw: st.DrawFn) -> tuple[int, dict[str, object]]:
    item = draw(st.none() | media_ids)
    return draw(ids), {
        "edited_at": draw(st.none() | times),
        "first_seen_at": draw(times),
        "source": draw(st.sampled_from(Source)),
        "counters": Counters(draw(st.none() | st.integers(0, 3))),
        "media": None if item is None else picture(item),
        "topic_id": draw(st.none() | ids),
        "as_of": draw(st.integers(0, 3)),
    }


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    channel = draw(channels)
    after = draw(st.integers(0, 8))
    return Batch(
        channel,
        tuple(message(number, channel, **fields) for number, fields in draw(st.lists(records(), max_size=5))),
        draw(st.none() | st.just(span(after, after + draw(st.integers(1, 4))))),
        tuple(MessageId(number) for number in draw(st.lists(ids, max_size=2))),
        draw(times),
        draw(st.sampled_from(Source)),
        MessageId(draw(st.integers(0, 12))),
    )


@st.composite
def outcomes(draw: st.DrawFn) -> Examined:
    outcome = draw(st.sampled_from([o for o in MediaOutcome if o is not MediaOutcome.PENDING]))
    matches = (PDQ,) if outcome is MediaOutcome.MATCH else ()
    asked = draw(st.none() | ids.map(MessageId))
    at, item, channel = draw(times), MediaId(draw(media_ids)), draw(channels)
    return Examined(item, outcome, at, 10, "x", matches, channel if asked else None, asked)


steps = st.lists(st.lists(batches(), max_size=3) | outcomes(), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_the_store_does_what_a_plain_model_does(
    factory: Factory, steps: list[list[Batch] | Examined]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run_both(factory, Path(folder), steps))


async def run_both(factory: Factory, folder: Path, steps: list[list[Batch] | Examined]) -> None:
    plain = Plain()
    async with factory(folder) as opened:
        for step in steps:
            if isinstance(step, Examined):
                assert await opened.store.examined(step) == plain.examined(step)
                continue
            recorded = await opened.store.record(step)
            assert (recorded.new, recorded.flags) == plain.record(step)
            for channel in {batch.channel_id for batch in step}:
                gap = plain.tops[channel] > plain.cursor(channel)
                assert (channel in recorded.lagging) is gap
        seen = {}
        for row in await opened.messages():
            seen[row["channel_id"], row["message_id"]] = row
            expected = plain.rows[row["channel_id"], row["message_id"]]
            newest, first = expected.newest, expected.first
            assert row["edited_at"] == newest.edited_at
            assert row["topic_id"] == newest.topic_id
            assert row["views"] == newest.counters.views
            assert row["media_id"] == (newest.media.media_id if newest.media else None)
            assert (row["first_seen_at"], row["source"]) == (first.first_seen_at, first.source)
            assert row["deleted_seen_at"] == expected.deleted
            assert row["media_outcome"] == (plain.media[newest.media.media_id] if newest.media else None)
        assert seen.keys() == plain.rows.keys()
        for channel in (CHANNEL, OTHER):
            assert await cursor(opened.store, channel) == plain.cursor(channel)
            (sums,) = [c for c in await opened.reader.coverage([channel])] or [None]
            if sums is not None:
                recorded = sum(key[0] == channel for key in plain.rows)
                absent = sum(key[0] == channel for key in plain.absent)
                assert (sums.recorded + sums.service, sums.deleted) == (recorded, absent)
                assert (sums.top, sums.expected) == (plain.tops[channel], plain.tops[channel])
                assert sums.holes == plain.tops[channel] - recorded - absent
        flags = {(r["channel_id"], r["message_id"], r["media_id"]) for r in await opened.flags()}
        assert flags == plain.flags
        assert len(await opened.flags()) == len(await opened.events()) == len(plain.flags)
        waiting = {item.media_id for item in await opened.store.pending_media([CHANNEL, OTHER], 100)}
        assert waiting == {item for item, outcome in plain.media.items() if outcome is MediaOutcome.PENDING}
