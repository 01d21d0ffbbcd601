"""What has been kept long enough goes; what belongs to a case stays; and no hole appears where a row was."""

import random
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from monitor.model import Counters, EventType, Forward, MediaOutcome, MessageId, MessageKind, Purpose, Source
from monitor.reporting.begun import _ENDS
from monitor.reporting.casework import _TAKES
from monitor.reporting.closing import over
from monitor.store import SqlStore, open_store
from monitor.store.retention import FORGETTABLE, Due, due, retain
from tests.contract.making import (
    CHANNEL,
    OTHER,
    START,
    batch,
    declared,
    gone,
    matched,
    message,
    picture,
    profile,
    settled,
    span,
)

DAY = timedelta(days=1)
NOW = START + 100 * DAY
MONTH = {Purpose.MESSAGES: 30 * DAY}


def seen(days: float) -> datetime:
    """So many days before now."""
    return NOW - days * DAY


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with open_store(tmp_path / "store.sqlite3") as store:
        await store.declare([declared("one_channel"), declared("two_channel")], START)
        await store.joined("one_channel", profile(), "main", START)
        await store.joined("two_channel", profile(OTHER), "main", START)
        yield store


async def run(store: SqlStore, policy: dict[Purpose, timedelta]) -> dict[Purpose, int]:
    return await retain(store, policy, operator="root", at=NOW, over=over)


async def on_record(store: SqlStore) -> list[int]:
    return [row["message_id"] async for row in store.reader.message_rows()]


async def test_nothing_goes_for_which_no_time_is_laid_down(store: SqlStore) -> None:
    await store.record([batch(*(message(n, first_seen_at=seen(90), sender="p-1") for n in range(1, 5)))])
    assert await run(store, {}) == {}
    assert await on_record(store) == [1, 2, 3, 4]


async def test_messages_go_by_when_they_were_recorded(store: SqlStore) -> None:
    for number, days in enumerate((90, 31, 30, 29, 1), 1):
        await store.record([batch(message(number, posted_at=seen(300), first_seen_at=seen(days)))])
    before = seen(30)
    assert await store.reader.run(due, MONTH, NOW, over) == [Due(Purpose.MESSAGES, before, 2)]
    assert await on_record(store) == [1, 2, 3, 4, 5], "to look removes nothing"
    assert await run(store, MONTH) == {Purpose.MESSAGES: 2}
    assert await on_record(store) == [3, 4, 5]
    assert await run(store, MONTH) == {Purpose.MESSAGES: 0}


async def test_a_run_is_two_events_what_was_to_go_and_what_went(store: SqlStore) -> None:
    await store.record([batch(message(1, first_seen_at=seen(90)))])
    first = await store.reader.next_event()
    await run(store, MONTH | {Purpose.COUNTERS: 10 * DAY})
    begun, done = [e async for e in store.reader.events(first)]
    assert begun.type is done.type is EventType.RETENTION_RUN
    assert begun.body == {
        "operator": "root",
        "messages_before": seen(30).isoformat(),
        "counters_before": seen(10).isoformat(),
    }
    assert done.body == {"operator": "root", "begun": first, "messages": 1, "counters": 0}


async def test_what_belongs_to_a_case_stays_whatever_its_age(store: SqlStore) -> None:
    old = {"first_seen_at": seen(90), "sender": "p-1", "counters": Counters(views=1)}
    await store.record([batch(message(1, media=picture(7), **old), message(2, media=picture(8), **old))])
    await store.examined(matched(7))
    await store.record([gone(1, 2, at=seen(80))])
    first = await store.reader.next_event()
    policy = dict.fromkeys(Purpose, DAY)
    assert await run(store, policy) == {
        Purpose.CASES: 0,
        Purpose.MESSAGES: 1,
        Purpose.DELETED_MESSAGES: 0,
        Purpose.SENDERS: 0,
        Purpose.COUNTERS: 0,
        Purpose.EVENT_BODIES: first - 1,
    }
    (row,) = [row async for row in store.reader.message_rows()]
    assert (row["message_id"], row["sender"], row["views"]) == (1, "p-1", 1)
    assert [f["flag_id"] async for f in store.reader.flag_rows()] == [1]
    (flag,) = [e async for e in store.reader.events() if e.type is EventType.FLAG_RAISED]
    assert flag.body["message_id"] == 1


async def test_media_goes_with_its_last_message_and_a_match_is_remembered(store: SqlStore) -> None:
    old, new = {"first_seen_at": seen(90)}, {"first_seen_at": seen(1)}
    await store.record(
        [
            batch(message(1, media=picture(7), **old), message(2, media=picture(8), **old)),
            batch(message(3, media=picture(8), **new), message(4, media=picture(9), **old)),
        ]
    )
    for item in (7, 8):
        await store.examined(settled(item, MediaOutcome.NO_MATCH))
    assert await run(store, MONTH) == {Purpose.MESSAGES: 3}
    assert (await store.totals()).media == 1
    assert await store.pending_media([CHANNEL], 9) == []
    # What comes again is examined again.
    await store.record([batch(message(5, media=picture(7), **new))])
    assert [p.media_id for p in await store.pending_media([CHANNEL], 9)] == [7]


async def test_senders_go_and_their_messages_stay(store: SqlStore) -> None:
    forward = Forward(START, sender="p-2")
    await store.record(
        [
            batch(
                message(1, first_seen_at=seen(40), sender="p-1"),
                message(2, first_seen_at=seen(40), forward=forward),
                message(3, first_seen_at=seen(40)),
                message(4, first_seen_at=seen(2), sender="p-1"),
            )
        ]
    )
    assert await run(store, {Purpose.SENDERS: 30 * DAY}) == {Purpose.SENDERS: 2}
    rows = [(r["message_id"], r["sender"], r["forward_sender"]) async for r in store.reader.message_rows()]
    assert rows == [(1, None, None), (2, None, None), (3, None, None), (4, "p-1", None)]


async def test_samples_go_and_the_latest_counts_stay_with_the_message(store: SqlStore) -> None:
    for days, views in ((90, 1), (50, 2), (5, 3)):
        await store.record([batch(message(1, first_seen_at=seen(days), counters=Counters(views=views)))])
    assert await run(store, {Purpose.COUNTERS: 30 * DAY}) == {Purpose.COUNTERS: 2}
    (row,) = [row async for row in store.reader.message_rows()]
    assert row["views"] == 3


async def test_deleted_messages_go_by_when_that_was_seen(store: SqlStore) -> None:
    await store.record([batch(*(message(n, first_seen_at=seen(90)) for n in (1, 2, 3)))])
    await store.record([gone(1, at=seen(31)), gone(2, at=seen(29))])
    assert await run(store, {Purpose.DELETED_MESSAGES: 30 * DAY}) == {Purpose.DELETED_MESSAGES: 1}
    assert await on_record(store) == [2, 3]


async def test_bodies_go_and_what_commits_to_them_stays(store: SqlStore, tmp_path: Path) -> None:
    from tests.unit.store.test_sqlite import sql

    path = tmp_path / "store.sqlite3"
    before = sql(path, "SELECT seq, at, type, commitment FROM events ORDER BY seq")
    assert await run(store, {Purpose.EVENT_BODIES: 30 * DAY}) == {Purpose.EVENT_BODIES: len(before)}
    assert sql(path, "SELECT seq, at, type, commitment FROM events ORDER BY seq")[: len(before)] == before
    assert sql(path, "SELECT count(*) FROM events WHERE salt IS NULL AND body IS NULL") == [(len(before),)]
    events = [e async for e in store.reader.events()]
    assert [e.body for e in events[: len(before)]] == [{}] * len(before)


def test_no_type_of_event_that_cases_rest_on_is_forgotten() -> None:
    assert not {kind for kind in FORGETTABLE if kind.startswith(("flag_", "entry_", "case_", "report_"))}
    assert FORGETTABLE.isdisjoint(_TAKES), "the fold reads these"
    assert FORGETTABLE.isdisjoint(_ENDS) and EventType.MAIL_BEGUN not in FORGETTABLE, "no mail goes twice"


# -- the ledger


async def test_what_was_removed_is_no_hole_and_does_not_come_back(store: SqlStore) -> None:
    old = {"first_seen_at": seen(90), "source": Source.BACKFILL}
    service = message(3, kind=MessageKind.SERVICE, **old)
    await store.begin(CHANNEL, MessageId(1), MessageId(8), 5)
    await store.record(
        [batch(message(1, **old), message(2, **old), service, message(5, **old), span=span(0, 6))]
    )
    before = await store.coverage(CHANNEL)
    assert await run(store, MONTH) == {Purpose.MESSAGES: 4}
    assert await store.coverage(CHANNEL) == before
    (sums,) = await store.reader.coverage()
    assert (sums.expected, sums.recorded, sums.service, sums.deleted) == (8, 0, 0, 2)
    assert (sums.removed, sums.holes, sums.known_at) == (4, 2, seen(90))
    assert sums.sources == {Source.BACKFILL: 4, Source.LIVE: 2}
    # An edit, a deletion and a page of history speak of them once more.
    fresh = {"first_seen_at": NOW, "edited_at": NOW}
    await store.record(
        [
            batch(message(2, **fresh), message(7, **fresh)),
            gone(1, 5, at=NOW),
            batch(message(2, **fresh), message(8, **fresh), span=span(0, 8)),
        ]
    )
    assert await on_record(store) == [7, 8]
    (sums,) = await store.reader.coverage()
    assert (sums.recorded, sums.deleted, sums.removed, sums.holes) == (2, 2, 4, 0)
    found = await store.coverage(CHANNEL)
    assert found is not None
    assert found.cursor == 8


async def test_a_long_history_that_goes_piece_by_piece_leaves_one_run(
    store: SqlStore, tmp_path: Path
) -> None:
    from tests.unit.store.test_sqlite import sql

    old = [message(n, first_seen_at=seen(90)) for n in range(1, 5_001)]
    await store.record([batch(*old, span=span(0, 5_000))])
    await store.record(
        [batch(*(message(n, OTHER, first_seen_at=seen(90)) for n in (1, 2, 4)), channel=OTHER)]
    )
    assert await run(store, MONTH) == {Purpose.MESSAGES: 5_003}
    rows = sql(tmp_path / "store.sqlite3", "SELECT channel_id, first, last, removed FROM absences")
    assert rows == [(CHANNEL, 1, 5_000, 1), (OTHER, 1, 2, 1), (OTHER, 4, 4, 1)]


async def test_what_lies_before_the_start_of_coverage_does_not_count(store: SqlStore) -> None:
    await store.begin(CHANNEL, MessageId(3), MessageId(4), 5)
    await store.record([batch(*(message(n, first_seen_at=seen(90)) for n in range(1, 5)))])
    assert await run(store, MONTH) == {Purpose.MESSAGES: 4}
    (sums,) = await store.reader.coverage()
    assert (sums.expected, sums.removed, sums.holes) == (2, 2, 0)
    await store.begin(CHANNEL, MessageId(1), MessageId(4), 5)
    (sums,) = await store.reader.coverage()
    assert (sums.expected, sums.removed, sums.holes) == (4, 4, 0)


@pytest.mark.parametrize("seed", range(8))
async def test_the_sums_stay_true_whatever_goes(store: SqlStore, seed: int) -> None:
    """Against a plain account of each id, over random batches, deletions, spans and runs."""
    chance = random.Random(seed)
    truth: dict[int, str] = {}
    top = 0
    for step in range(40):
        at = seen(chance.choice((90, 90, 1)))
        numbers = sorted(chance.sample(range(1, 121), chance.randint(1, 12)))
        match chance.choice(("messages", "span", "gone", "retain")):
            case "messages":
                await store.record([batch(*(message(n, first_seen_at=at) for n in numbers), seen_at=at)])
                for n in numbers:
                    if truth.get(n) not in ("old", "new", "removed"):
                        truth[n] = "old" if at < seen(30) else "new"
                top = max(top, *numbers)
            case "span":
                low, high = numbers[0] - 1, numbers[-1]
                came = batch(
                    *(message(n, first_seen_at=at) for n in numbers), seen_at=at, span=span(low, high)
                )
                await store.record([came])
                for n in range(low + 1, high + 1):
                    if n in numbers and truth.get(n) not in ("old", "new", "removed"):
                        truth[n] = "old" if at < seen(30) else "new"
                    truth.setdefault(n, "absent")
                top = max(top, high)
            case "gone":
                await store.record([gone(*numbers, at=at)])
                for n in numbers:
                    truth.setdefault(n, "absent")
                top = max(top, *numbers)
            case "retain":
                count = sum(state == "old" for state in truth.values())
                assert await run(store, MONTH) == {Purpose.MESSAGES: count}, step
                truth = {n: "removed" if state == "old" else state for n, state in truth.items()}
        found = {s.channel_id: s for s in await store.reader.coverage()}
        if CHANNEL not in found:
            continue
        sums, states = found[CHANNEL], list(truth.values())
        assert sums.top == top
        assert sums.recorded == states.count("old") + states.count("new"), step
        assert (sums.removed, sums.deleted) == (states.count("removed"), states.count("absent")), step
        assert sums.holes == top - len(truth), step
        assert sums.holes == sum(s.upto - s.after for s in await store.reader.holes(CHANNEL, 200)), step
