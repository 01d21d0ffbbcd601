"""The contract of ports.Store: messages, media, flags."""

import asyncio
import dataclasses

import pytest

from monitor.model import (
    Algorithm,
    Batch,
    Counters,
    EventType,
    Examined,
    Forward,
    Match,
    MediaId,
    MediaKind,
    MediaOutcome,
    MediaRef,
    MessageId,
    MessageKind,
    MessageRecord,
    Recorded,
    Restriction,
    Source,
)
from tests.contract.conftest import Opened
from tests.contract.making import (
    CHANNEL,
    MD5,
    OTHER,
    PDQ,
    START,
    batch,
    cursor,
    gone,
    later,
    matched,
    message,
    picture,
    settled,
    span,
)

FULL = message(
    7,
    kind=MessageKind.SERVICE,
    action="PinMessage",
    edited_at=later(50),
    source=Source.LIVE,
    grouped_id=-(2**63),
    sender="k1:0123abcd",
    silent=True,
    pinned=True,
    noforwards=True,
    ttl=60,
    reply_to_id=MessageId(3),
    topic_id=MessageId(1),
    via_bot_id=99,
    forward=Forward(later(-5), OTHER, MessageId(12), "k1:ffff"),
    counters=Counters(1, 2, 3, 4),
    media=picture(2**63 - 1, duration=8),
    spoiler=True,
    price=250,
    restrictions=(Restriction("ios", "porn"), Restriction("all", "copyright")),
)


async def test_every_field_of_a_message_comes_back(opened: Opened) -> None:
    await opened.store.record([batch(FULL)])
    (row,) = await opened.messages()
    for name in (
        "channel_id", "message_id", "kind", "action", "posted_at", "edited_at", "first_seen_at", "source",
        "account", "grouped_id", "sender", "post", "silent", "pinned", "noforwards", "ttl", "reply_to_id",
        "topic_id", "via_bot_id", "spoiler", "price",
    ):  # fmt: skip
        assert row[name] == getattr(FULL, name), name
    assert FULL.forward is not None and FULL.media is not None
    assert row["forward_date"] == FULL.forward.date
    assert row["forward_channel_id"] == FULL.forward.channel_id
    assert row["forward_message_id"] == FULL.forward.message_id
    assert row["forward_sender"] == FULL.forward.sender
    assert [row[name] for name in ("views", "forwards", "replies", "reactions")] == [1, 2, 3, 4]
    assert row["media_kind"] == FULL.media.kind
    for name in ("media_id", "mime", "size", "width", "height", "duration"):
        assert row[name] == getattr(FULL.media, name), name
    assert row["media_outcome"] == "pending"
    assert row["restriction"] == "all:copyright ios:porn"
    assert row["deleted_seen_at"] is None


async def test_what_is_absent_comes_back_absent(opened: Opened) -> None:
    await opened.store.record([batch(message(1))])
    (row,) = await opened.messages()
    for name in ("edited_at", "forward_date", "views", "media_kind", "media_id", "restriction", "sender"):
        assert row[name] is None, name
    assert (row["silent"], row["pinned"]) == (0, 0)


@pytest.mark.parametrize("others", [(), (dataclasses.replace(FULL, message_id=MessageId(8)),)])
async def test_what_a_further_record_lacks_is_gone_whatever_comes_with_it(
    opened: Opened, others: tuple[MessageRecord, ...]
) -> None:
    await opened.store.record([batch(FULL)])
    await opened.store.record([batch(dataclasses.replace(message(7), edited_at=later(60)), *others)])
    row, *rest = await opened.messages()
    for name in ("action", "sender", "ttl", "forward_date", "views", "reactions", "media_kind", "media_id"):
        assert row[name] is None, name
    assert [other["views"] for other in rest] == [1 for _ in others]


async def test_recording_counts_what_is_new_once(opened: Opened) -> None:
    assert (await opened.store.record([batch(message(1), message(2), message(1))])).new == 2
    assert (await opened.store.record([batch(message(2), message(3)), batch(message(3))])).new == 1
    assert [row["message_id"] for row in await opened.messages()] == [1, 2, 3]
    assert (await opened.store.record([])) == Recorded()


async def test_the_same_id_in_two_channels_is_two_messages(opened: Opened) -> None:
    recorded = await opened.store.record([batch(message(1)), batch(message(1, OTHER), channel=OTHER)])
    assert recorded.new == 2


async def test_a_further_record_keeps_who_saw_it_first_and_how(opened: Opened) -> None:
    await opened.store.record([batch(message(1))])
    again = message(
        1, first_seen_at=later(20_000), source=Source.LIVE, account="second", pinned=True, edited_at=later(9)
    )
    await opened.store.record([batch(again)])
    (row,) = await opened.messages()
    assert (row["first_seen_at"], row["source"], row["account"]) == (later(10_000), "backfill", "main")
    assert (row["pinned"], row["edited_at"]) == (1, later(9))


async def test_a_record_edited_earlier_changes_nothing(opened: Opened) -> None:
    newest = message(1, edited_at=later(30), counters=Counters(views=9), media=picture(5))
    await opened.store.record([batch(newest)])
    before = await opened.messages()
    for edited_at in (None, later(29)):
        stale = message(1, edited_at=edited_at, counters=Counters(views=1), media=picture(6), pinned=True)
        stale = dataclasses.replace(stale, restrictions=(Restriction("all", "terms"),))
        assert await opened.store.record([batch(stale)]) == Recorded()
    assert await opened.messages() == before
    assert (await opened.store.totals()).media == 1


async def test_edits_in_one_batch_leave_the_newest(opened: Opened) -> None:
    edits = [message(1, edited_at=later(n) if n else None, topic_id=MessageId(n + 1)) for n in (0, 20, 10)]
    await opened.store.record([batch(*edits)])
    (row,) = await opened.messages()
    assert (row["edited_at"], row["topic_id"]) == (later(20), 21)


async def test_restrictions_are_those_of_the_newest_record(opened: Opened) -> None:
    hidden = (Restriction("ios", "porn"), Restriction("ios", "porn"))
    await opened.store.record([batch(message(1, restrictions=hidden))])
    assert (await opened.messages())[0]["restriction"] == "ios:porn"
    await opened.store.record([batch(message(1, restrictions=(Restriction("android", "terms"),)))])
    assert (await opened.messages())[0]["restriction"] == "android:terms"
    await opened.store.record([batch(message(1))])
    assert (await opened.messages())[0]["restriction"] is None


async def test_a_deletion_is_seen_once_on_rows_that_exist(opened: Opened) -> None:
    await opened.store.record([batch(message(1), message(2))])
    await opened.store.record([gone(1, 77, at=later(1))])
    await opened.store.record([gone(1, at=later(2)), batch(message(1, edited_at=later(3)))])
    rows = {row["message_id"]: row["deleted_seen_at"] for row in await opened.messages()}
    assert rows == {1: later(1), 2: None}


async def test_a_message_and_its_deletion_can_come_together(opened: Opened) -> None:
    together = Batch(CHANNEL, (message(1),), deleted=(MessageId(1),), seen_at=later(5))
    await opened.store.record([together])
    assert [row["deleted_seen_at"] for row in await opened.messages()] == [later(5)]


async def test_a_batch_that_contradicts_itself_is_refused_whole(opened: Opened) -> None:
    for wrong in (batch(message(2, OTHER)), Batch(CHANNEL, deleted=(MessageId(1),))):
        with pytest.raises(ValueError):
            await opened.store.record([batch(message(1), span=span(0, 1)), wrong])
    assert await opened.messages() == []
    assert await cursor(opened.store, CHANNEL) == 0


# -- cursors


async def test_the_cursor_moves_over_the_ground_that_is_covered(opened: Opened) -> None:
    for covered, reached in [((0, 10), 10), ((10, 12), 12), ((5, 20), 20), ((0, 15), 20), ((20, 25), 25)]:
        await opened.store.record([batch(span=span(*covered))])
        assert await cursor(opened.store, CHANNEL) == reached


async def test_a_live_message_beyond_a_gap_is_recorded_and_leaves_it_open(opened: Opened) -> None:
    await opened.store.record([batch(message(1), span=span(0, 1))])
    live = await opened.store.record([batch(message(5), span=span(4, 5))])
    assert (live.new, live.lagging) == (1, frozenset({CHANNEL}))
    assert await cursor(opened.store, CHANNEL) == 1
    filled = await opened.store.record([batch(message(3), message(5), span=span(1, 5))])
    assert (filled.new, filled.lagging) == (1, frozenset())
    assert await cursor(opened.store, CHANNEL) == 5


async def test_a_message_above_the_cursor_without_ground_is_a_gap(opened: Opened) -> None:
    both = [batch(message(4)), batch(message(1, OTHER), channel=OTHER, span=span(0, 1))]
    assert (await opened.store.record(both)).lagging == frozenset({CHANNEL})
    assert (await opened.store.record([batch(span=span(0, 2))])).lagging == frozenset({CHANNEL})
    assert (await opened.store.record([batch(span=span(2, 3))])).lagging == frozenset()
    assert await cursor(opened.store, CHANNEL) == 4


async def test_batches_of_one_call_move_the_cursor_one_after_another(opened: Opened) -> None:
    await opened.store.record([batch(span=span(0, 3)), batch(span=span(3, 6)), batch(span=span(9, 12))])
    assert await cursor(opened.store, CHANNEL) == 6


# -- media


async def test_new_media_waits_oldest_first_and_up_to_the_limit(opened: Opened) -> None:
    for seen, number in enumerate((3, 1, 2)):
        carrier = message(number, media=picture(number), first_seen_at=later(seen))
        assert (await opened.store.record([batch(carrier)])).media_pending
    waiting = await opened.store.pending_media([CHANNEL], 10)
    assert [item.media_id for item in waiting] == [3, 1, 2]
    assert [item.media_id for item in await opened.store.pending_media([CHANNEL], 2)] == [3, 1]
    assert waiting[0].media == picture(3)
    assert (waiting[0].channel_id, waiting[0].message_id) == (CHANNEL, 3)


async def test_media_waits_for_the_channels_that_are_asked_about(opened: Opened) -> None:
    shared = batch(message(1, OTHER, media=picture(8)), channel=OTHER)
    await opened.store.record([batch(message(1, media=picture(7)), message(2, media=picture(8))), shared])
    assert [i.media_id for i in await opened.store.pending_media([OTHER], 10)] == [8]
    assert [i.channel_id for i in await opened.store.pending_media([OTHER], 10)] == [OTHER]
    assert [i.media_id for i in await opened.store.pending_media([CHANNEL, OTHER], 10)] == [7, 8]
    assert await opened.store.pending_media([], 10) == []


async def test_media_is_fetched_through_the_newest_message_that_is_still_there(opened: Opened) -> None:
    carriers = [message(number, media=picture(5)) for number in (1, 2, 3)]
    await opened.store.record([batch(*carriers)])
    assert [i.message_id for i in await opened.store.pending_media([CHANNEL], 10)] == [3]
    await opened.store.record([gone(3, at=later(1))])
    assert [i.message_id for i in await opened.store.pending_media([CHANNEL], 10)] == [2]
    assert (await opened.store.totals()).media == 1


async def test_media_that_no_message_carries_any_more_is_gone(opened: Opened) -> None:
    carriers = [message(1, media=picture(5)), message(2, media=picture(5)), message(3, media=picture(6))]
    await opened.store.record([batch(*carriers)])
    await opened.store.record([gone(1, 3, at=later(1))])
    assert await opened.reader.media_outcomes() == {MediaOutcome.PENDING: 1, MediaOutcome.GONE: 1}
    await opened.store.record([batch(message(2, edited_at=later(2), media=picture(9)))])
    assert [i.media_id for i in await opened.store.pending_media([CHANNEL], 10)] == [9]
    assert (await opened.store.totals()).media_pending == 1


async def test_media_gone_from_one_message_is_asked_for_through_another(opened: Opened) -> None:
    await opened.store.record([batch(*(message(number, media=picture(5)) for number in (1, 2, 3)))])
    await opened.store.examined(through(3))
    assert await opened.store.pending_media([CHANNEL], 10) == []
    # The platform was ahead of the news that the message is no more.
    assert (await opened.store.record([gone(3, at=later(1))])).media_pending
    assert [i.message_id for i in await opened.store.pending_media([CHANNEL], 10)] == [2]
    # The news came while the platform was asked.
    await opened.store.record([gone(2, at=later(2))])
    await opened.store.examined(through(2))
    assert [i.message_id for i in await opened.store.pending_media([CHANNEL], 10)] == [1]
    await opened.store.examined(through(1))
    assert await opened.store.pending_media([CHANNEL], 10) == []
    await opened.store.record([gone(1, at=later(3))])
    assert await opened.reader.media_outcomes() == {MediaOutcome.GONE: 1}


def through(number: int) -> Examined:
    """The outcome of item 5, which the message turned out not to carry."""
    return Examined(MediaId(5), MediaOutcome.GONE, later(9), channel_id=CHANNEL, message_id=MessageId(number))


async def test_media_without_bytes_does_not_wait(opened: Opened) -> None:
    poll = message(1, media=MediaRef(MediaKind.POLL))
    assert not (await opened.store.record([batch(poll)])).media_pending
    assert (await opened.messages())[0]["media_kind"] == "poll"
    assert await opened.store.pending_media([CHANNEL], 10) == []


@pytest.mark.parametrize("outcome", [o for o in MediaOutcome if o is not MediaOutcome.PENDING])
async def test_settled_media_does_not_wait_any_more(opened: Opened, outcome: MediaOutcome) -> None:
    await opened.store.record([batch(message(1, media=picture(5)))])
    matches = (PDQ,) if outcome is MediaOutcome.MATCH else ()
    await opened.store.examined(dataclasses.replace(settled(5, outcome), matches=matches))
    assert await opened.store.pending_media([CHANNEL], 10) == []
    assert (await opened.messages())[0]["media_outcome"] == outcome


@pytest.mark.parametrize("outcome", [o for o in MediaOutcome if o is not MediaOutcome.PENDING])
async def test_another_sighting_brings_back_what_could_not_be_fetched(
    opened: Opened, outcome: MediaOutcome
) -> None:
    await opened.store.record([batch(message(1, media=picture(5)))])
    matches = (PDQ,) if outcome is MediaOutcome.MATCH else ()
    await opened.store.examined(dataclasses.replace(settled(5, outcome), matches=matches))
    recorded = await opened.store.record([batch(message(2, media=picture(5)))])
    retried = outcome.value in ("gone", "failed", "empty", "incomplete")
    assert recorded.media_pending is retried
    assert [i.message_id for i in await opened.store.pending_media([CHANNEL], 10)] == ([2] if retried else [])


async def test_fetched_bytes_add_up(opened: Opened) -> None:
    await opened.store.record([batch(message(1, media=picture(5)), message(2, media=picture(6)))])
    for outcome in (MediaOutcome.FAILED, MediaOutcome.NO_MATCH):
        await opened.store.examined(settled(5, outcome))
    totals = await opened.store.totals()
    assert (totals.media, totals.media_fetched, totals.fetched_bytes) == (2, 1, 18_000)


# -- flags


async def test_a_match_flags_every_message_that_carries_the_item(opened: Opened) -> None:
    there = batch(message(9, OTHER, media=picture(5)), channel=OTHER)
    carriers = batch(message(1, media=picture(5)), message(2, media=picture(5)), message(3, media=picture(6)))
    await opened.store.record([carriers, there])
    assert await opened.store.examined(matched(5, PDQ, at=later(99))) == 3
    rows = await opened.flags()
    assert [(row["channel_id"], row["message_id"]) for row in rows] == [
        (CHANNEL, 1),
        (CHANNEL, 2),
        (OTHER, 9),
    ]
    row = rows[0]
    assert (row["media_id"], row["raised_at"], row["media_kind"], row["rendition"]) == (
        5,
        later(99),
        "photo",
        "x",
    )
    assert row["posted_at"] == later(1)
    assert Match(
        row["hash_list"],
        row["list_version"],
        row["entry"],
        Algorithm(row["algorithm"]),
        row["distance"],
        row["threshold"],
        row["quality"],
        row["error_bound"],
    ) == PDQ  # fmt: skip
    events = await opened.events(EventType.FLAG_RAISED)
    assert [event.body["flag_id"] for event in events] == [row["flag_id"] for row in rows]
    assert events[0].body["matches"] == "partner-a/3-0123456789ab/e1/pdq/12/31/88/-/-/-"
    assert events[0].body["message_id"] == 1


async def test_examining_again_adds_no_flag(opened: Opened) -> None:
    await opened.store.record([batch(message(1, media=picture(5)))])
    assert [await opened.store.examined(matched(5)) for _ in range(3)] == [1, 0, 0]
    assert await opened.store.examined(settled(5, MediaOutcome.NO_MATCH)) == 0
    assert (await opened.messages())[0]["media_outcome"] == "match"
    assert len(await opened.events(EventType.FLAG_RAISED)) == 1
    assert len(await opened.flags()) == 1


async def test_an_item_that_no_message_carried_is_not_kept(opened: Opened) -> None:
    assert await opened.store.examined(matched(5)) == 0
    assert (await opened.store.totals()).media == 0


async def test_a_match_that_names_no_entry_is_refused(opened: Opened) -> None:
    await opened.store.record([batch(message(1, media=picture(5)))])
    with pytest.raises(ValueError):
        await opened.store.examined(settled(5, MediaOutcome.MATCH))
    assert len(await opened.store.pending_media([CHANNEL], 10)) == 1


async def test_matched_media_raises_its_flag_on_each_further_message_at_once(opened: Opened) -> None:
    await opened.store.record([batch(message(1, media=picture(5)))])
    await opened.store.examined(matched(5))
    again = batch(message(1, media=picture(5)), message(2, media=picture(5), first_seen_at=later(70)))
    recorded = await opened.store.record([again])
    assert (recorded.flags, recorded.media_pending) == (1, False)
    assert (await opened.store.record([again])).flags == 0
    assert [row["message_id"] for row in await opened.flags()] == [1, 2]
    assert [event.at for event in await opened.events(EventType.FLAG_RAISED)] == [START, later(70)]


async def test_a_flag_has_a_row_for_each_entry_with_its_best_match(opened: Opened) -> None:
    near = dataclasses.replace(PDQ, distance=2)
    elsewhere = dataclasses.replace(PDQ, hash_list="partner-b", distance=30)
    await opened.store.record([batch(message(1, media=picture(5)), message(2, media=picture(6)))])
    await opened.store.examined(matched(5, PDQ, near, MD5, elsewhere))
    await opened.store.examined(matched(6, dataclasses.replace(PDQ, list_version="4-ba9876543210"), near))
    best = [(r["flag_id"], r["hash_list"], r["algorithm"], r["distance"]) for r in await opened.flags()]
    assert best == [(1, "partner-a", "md5", 0), (1, "partner-b", "pdq", 30), (2, "partner-a", "pdq", 2)]
    cases = {(row["hash_list"], row["entry"], row["case_id"]) for row in await opened.flags()}
    assert len(cases) == 2, "flags of one entry share its case"
    assert await opened.reader.flags_by_list() == {"partner-a": 2, "partner-b": 1}


async def test_totals_count_everything(opened: Opened) -> None:
    notice = message(2, kind=MessageKind.SERVICE, action="ChatCreate")
    await opened.store.record([batch(message(1, media=picture(5)), notice, message(3, media=picture(6)))])
    await opened.store.examined(matched(5))
    totals = await opened.store.totals()
    assert (totals.messages, totals.service) == (3, 1)
    assert (totals.media, totals.media_pending, totals.media_fetched) == (2, 1, 1)
    assert (totals.flags, totals.events) == (1, 1)


# -- whole transactions


async def test_calls_that_come_together_are_each_whole(opened: Opened) -> None:
    numbers = range(1, 41)
    await asyncio.gather(
        *(opened.store.record([batch(message(n, media=picture(n)), span=span(n - 1, n))]) for n in numbers),
        *(opened.store.append(EventType.SIGNED_IN, {"account": "main"}, START) for _ in numbers),
    )
    assert [event.seq for event in await opened.events()] == list(range(40))
    assert len(await opened.messages()) == 40
    assert await cursor(opened.store, CHANNEL) == 40


async def test_a_cancelled_call_is_done_or_not_done_but_never_half(opened: Opened) -> None:
    calls = [
        asyncio.create_task(
            opened.store.record([batch(*(message(n * 10 + i, media=picture(n * 10 + i)) for i in range(10)))])
        )
        for n in range(1, 21)
    ]
    await asyncio.sleep(0.005)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    await opened.store.append(EventType.SIGNED_IN, {"account": "main"}, START)
    rows = await opened.messages()
    assert len(rows) % 10 == 0
    assert (await opened.store.totals()).media == len(rows)


async def test_media_ids_are_those_of_the_wire(opened: Opened) -> None:
    for media_id in (1, 2**63 - 1, -(2**63), -5):
        await opened.store.record([batch(message(abs(media_id) % 1000 + 1, media=picture(media_id)))])
    assert {i.media_id for i in await opened.store.pending_media([CHANNEL], 10)} == {
        MediaId(1),
        MediaId(2**63 - 1),
        MediaId(-(2**63)),
        MediaId(-5),
    }
