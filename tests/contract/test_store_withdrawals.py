"""What a list withdraws raises no further flag, and is on record; what comes back raises what was missed."""

from monitor.model import EntryStanding, EventType, Examined, MediaId, MediaOutcome
from tests.contract.conftest import Opened
from tests.contract.making import MD5, PDQ, batch, later, message, picture

GONE, BACK = ([EntryStanding("e1", listed), EntryStanding("e2", listed)] for listed in (False, True))


async def seen(opened: Opened) -> None:
    """Two matched items of one entry, and one of another."""
    store = opened.store
    await store.record([batch(*(message(n, media=picture(n)) for n in (1, 2)))])
    for number, match in ((1, PDQ), (2, MD5)):
        outcome = Examined(MediaId(number), MediaOutcome.MATCH, later(number), matches=(match,))
        assert await store.examined(outcome) == 1


async def test_the_entries_that_something_has_matched(opened: Opened) -> None:
    assert await opened.store.entries("partner-a") == []
    await seen(opened)
    assert await opened.store.entries("partner-a") == ["e1"]
    assert await opened.store.entries("partner-b") == []


async def test_a_withdrawn_entry_is_an_event_once(opened: Opened) -> None:
    await seen(opened)
    for at in (100, 200):
        assert await opened.store.entries_stand("partner-a", GONE, later(at)) == 0
    (event,) = await opened.events(EventType.ENTRY_WITHDRAWN)
    assert (event.at, event.body["hash_list"], event.body["entry"]) == (later(100), "partner-a", "e1")


async def test_what_is_listed_still_is_no_event(opened: Opened) -> None:
    await seen(opened)
    await opened.store.entries_stand("partner-a", BACK, later(100))
    await opened.store.entries_stand("partner-b", GONE, later(100))
    assert await opened.events(EventType.ENTRY_WITHDRAWN) == []


async def test_further_messages_with_a_withdrawn_match_raise_no_flag(opened: Opened) -> None:
    await seen(opened)
    await opened.store.entries_stand("partner-a", GONE, later(100))
    again = await opened.store.record([batch(message(3, media=picture(1)))])
    assert (again.flags, len(await opened.flags())) == (0, 2)


async def test_an_entry_that_comes_back_raises_what_was_seen_meanwhile(opened: Opened) -> None:
    await seen(opened)
    await opened.store.entries_stand("partner-a", GONE, later(100))
    await opened.store.record([batch(message(3, media=picture(1)))])
    assert await opened.store.entries_stand("partner-a", BACK, later(200)) == 1
    assert {row["message_id"] for row in await opened.flags()} == {1, 2, 3}
    (event,) = await opened.events(EventType.ENTRY_RESTORED)
    assert event.at == later(200)
