"""The contract of ports.Store: the ledger of ids, positions, and when to look again."""

from monitor.model import Batch, Coverage, Look, MediaOutcome, MessageId, MessageKind, Source
from tests.contract.conftest import Opened
from tests.contract.making import CHANNEL, OTHER, batch, gone, later, message, picture, span


async def begin(opened: Opened, top: int, start: int = 1, position: int = 0) -> None:
    await opened.store.begin(CHANNEL, MessageId(start), MessageId(top), position)


async def sums(opened: Opened) -> tuple[int, int, int, int, int]:
    (found,) = await opened.reader.coverage([CHANNEL])
    return found.expected, found.recorded, found.service, found.deleted, found.holes


async def deleted(opened: Opened) -> dict[int, object]:
    return {row["message_id"]: row["deleted_seen_at"] for row in await opened.messages()}


async def test_before_anything_nothing_is_covered(opened: Opened) -> None:
    assert await opened.store.coverage(CHANNEL) is None
    await opened.store.record([Batch(CHANNEL)])
    assert await opened.store.coverage(CHANNEL) is None
    assert await opened.reader.coverage() == []


async def test_what_is_known_to_exist_is_a_hole_until_it_comes(opened: Opened) -> None:
    await begin(opened, top=10, position=44)
    assert await opened.store.coverage(CHANNEL) == Coverage(
        top=MessageId(10), past=MessageId(10), position=44
    )
    assert await sums(opened) == (10, 0, 0, 0, 10)
    assert await opened.reader.holes(CHANNEL) == [span(0, 10)]
    service = message(3, kind=MessageKind.SERVICE)
    await opened.store.record([batch(message(1), service, message(7), span=span(0, 7))])
    assert await sums(opened) == (10, 2, 1, 4, 3)
    assert await opened.reader.holes(CHANNEL) == [span(7, 10)]


async def test_coverage_counts_from_its_start(opened: Opened) -> None:
    await begin(opened, top=10, start=6)
    await opened.store.record([batch(message(3), message(8), span=span(5, 10)), gone(2, at=later(1))])
    assert await sums(opened) == (5, 1, 0, 4, 0)
    await begin(opened, top=10, start=2)
    found = await opened.store.coverage(CHANNEL)
    assert found is not None and (found.start, found.cursor) == (2, 1)
    await opened.store.record([batch(span=span(1, 2))])
    found = await opened.store.coverage(CHANNEL)
    assert found is not None and found.cursor == 3
    assert await opened.reader.holes(CHANNEL) == [span(3, 5)]
    await begin(opened, top=10, start=4)
    found = await opened.store.coverage(CHANNEL)
    assert found is not None and (found.start, found.cursor) == (2, 3)


async def test_what_did_not_come_when_asked_for_is_deleted(opened: Opened) -> None:
    await opened.store.record([batch(message(1, media=picture(5)), message(2), message(3), span=span(0, 3))])
    again = batch(message(2), span=span(0, 4), seen_at=later(20_000), source=Source.RECONCILE)
    await opened.store.record([again])
    assert await deleted(opened) == {1: later(20_000), 2: None, 3: later(20_000)}
    assert await opened.reader.media_outcomes() == {MediaOutcome.GONE: 1}
    assert await sums(opened) == (4, 3, 0, 1, 0)
    await opened.store.record([batch(span=span(0, 4), seen_at=later(30_000))])
    assert await deleted(opened) == {1: later(20_000), 2: later(30_000), 3: later(20_000)}


async def test_the_news_of_a_deletion_may_overtake_the_message(opened: Opened) -> None:
    await opened.store.record([gone(2, at=later(5))])
    assert await sums(opened) == (2, 0, 0, 1, 1)
    await opened.store.record([batch(message(1), message(2), span=span(0, 2))])
    assert await deleted(opened) == {1: None, 2: later(5)}
    assert await sums(opened) == (2, 2, 0, 0, 0)


async def test_a_message_that_comes_after_all_is_absent_no_more(opened: Opened) -> None:
    await opened.store.record([batch(span=span(0, 9))])
    await opened.store.record([batch(message(4), message(9))])
    assert await deleted(opened) == {4: None, 9: None}
    assert await sums(opened) == (9, 2, 0, 7, 0)


async def test_ids_are_absent_once_however_often_they_are_missed(opened: Opened) -> None:
    await opened.store.record([gone(3, 5, at=later(1)), batch(span=span(1, 4)), batch(span=span(0, 9))])
    await opened.store.record([gone(3, 4, 9, at=later(2)), batch(span=span(2, 8))])
    assert await sums(opened) == (9, 0, 0, 9, 0)


async def test_the_cursor_crosses_whatever_order_filled_the_gap(opened: Opened) -> None:
    for number in (1, 5, 3, 4):
        await opened.store.record([batch(message(number))])
    recorded = await opened.store.record([gone(2, at=later(1))])
    assert recorded.lagging == frozenset()
    found = await opened.store.coverage(CHANNEL)
    assert found is not None and found.cursor == 5


async def test_the_position_never_falls(opened: Opened) -> None:
    await begin(opened, top=3, position=10)
    for position, expected in ((12, 12), (11, 12), (0, 12), (15, 15)):
        await opened.store.record([batch(position=position)])
        found = await opened.store.coverage(CHANNEL)
        assert found is not None and found.position == expected
    await begin(opened, top=2, position=99)
    found = await opened.store.coverage(CHANNEL)
    assert found is not None and (found.position, found.top) == (15, 3)


async def test_what_is_stale_is_fresh_when_it_has_been_asked_for_again(opened: Opened) -> None:
    async def stale() -> object:
        found = await opened.store.coverage(CHANNEL)
        assert found is not None
        return found.stale

    await opened.store.record([batch(span=span(0, 9)), batch(stale=span(2, 9))])
    assert await stale() == span(2, 9)
    await opened.store.record([batch(span=span(4, 6))])
    assert await stale() == span(2, 9)
    await opened.store.record([batch(span=span(1, 6))])
    assert await stale() == span(6, 9)
    await opened.store.record([batch(stale=span(5, 7))])
    assert await stale() == span(5, 9)
    await opened.store.record([batch(span=span(5, 9))])
    assert await stale() is None
    await opened.store.record([batch(stale=span(0, 9))])
    await opened.store.record([batch(fresh=True)])
    assert await stale() is None


async def test_a_record_as_of_an_earlier_position_changes_nothing(opened: Opened) -> None:
    newest = message(1, as_of=20, topic_id=MessageId(2), edited_at=later(3))
    await opened.store.record([batch(newest)])
    await opened.store.record([batch(message(1, as_of=19, topic_id=MessageId(9), edited_at=later(9)))])
    await opened.store.record([batch(message(1, as_of=21, topic_id=MessageId(3)))])
    (row,) = await opened.messages()
    assert (row["topic_id"], row["edited_at"]) == (3, later(3))


async def test_counters_are_due_by_their_own_schedule(opened: Opened) -> None:
    soon, late = message(1, look_at=later(60)), message(2, look_at=later(600))
    other = message(1, OTHER, look_at=later(50))
    await opened.store.record([batch(soon, late, message(3)), batch(other, channel=OTHER)])
    looks = await opened.store.due_looks([CHANNEL, OTHER], later(60), 10)
    assert looks == [Look(OTHER, (MessageId(1),)), Look(CHANNEL, (MessageId(1),))]
    assert await opened.store.due_looks([CHANNEL], later(600), 1) == [Look(CHANNEL, (MessageId(1),))]
    await opened.store.record([batch(message(1, look_at=None)), gone(2, at=later(61))])
    assert await opened.store.due_looks([CHANNEL], later(9_000), 10) == []
