"""Any sequence of batches and outcomes leaves the rows that a plain model of the contract leaves."""

import asyncio
import tempfile
from dataclasses import dataclass, field
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
from tests.contract.making import CHANNEL, OTHER, PDQ, later, message, picture, span

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
    cursors: dict[int, int] = field(default_factory=dict)
    media: dict[int, MediaOutcome] = field(default_factory=dict)
    flags: set[tuple[int, int, int]] = field(default_factory=set)
    lost: set[int] = field(default_factory=set)

    def record(self, batches: list[Batch]) -> tuple[int, int]:
        new, flags = 0, len(self.flags)
        self.lost.clear()
        for batch in batches:
            for m in batch.messages:
                new += self.upsert(m)
            for number in batch.deleted:
                row = self.rows.get((batch.channel_id, number))
                if row and row.deleted is None:
                    row.deleted = batch.seen_at
                    self.loses(row)
            cursor = self.cursors.get(batch.channel_id, 0)
            if batch.span and cursor >= batch.span.after:
                self.cursors[batch.channel_id] = max(cursor, batch.span.upto)
        for item, outcome in self.media.items():
            carried = bool(self.carriers(item))
            if outcome is MediaOutcome.PENDING and not carried:
                self.media[item] = MediaOutcome.GONE
            elif outcome is MediaOutcome.GONE and carried and item in self.lost:
                self.media[item] = MediaOutcome.PENDING
        return new, len(self.flags) - flags

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
        if row and row.newest.edited_at and (m.edited_at is None or m.edited_at < row.newest.edited_at):
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
            row.newest = m
            if row.deleted:
                self.loses(row)
            return 0
        self.rows[key] = Row(m, m)
        return 1

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
                cursor = plain.cursors.get(channel, 0)
                gap = any(key[0] == channel and key[1] > cursor for key in plain.rows)
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
            assert await opened.store.cursor(channel) == plain.cursors.get(channel, 0)
        flags = {(r["channel_id"], r["message_id"], r["media_id"]) for r in await opened.flags()}
        assert flags == plain.flags
        assert len(await opened.flags()) == len(await opened.events()) == len(plain.flags)
        waiting = {item.media_id for item in await opened.store.pending_media([CHANNEL, OTHER], 100)}
        assert waiting == {item for item, outcome in plain.media.items() if outcome is MediaOutcome.PENDING}
