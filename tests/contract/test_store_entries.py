"""What a loaded list says of entries that have a case, in this process and over the socket."""

import dataclasses

from monitor.model import Category, EntryStanding, EventType
from monitor.store.cases import read
from tests.contract.conftest import Opened
from tests.contract.making import PDQ, batch, later, matched, message, picture


async def seen(opened: Opened) -> None:
    await opened.store.record([batch(message(1, media=picture(51)))])
    await opened.store.examined(matched(51, dataclasses.replace(PDQ, category=Category.ADULT_FILMED)))


async def test_the_category_of_a_match_is_that_of_its_case(opened: Opened) -> None:
    await seen(opened)
    assert (await opened.reader.run(read, 1)).category is Category.ADULT_FILMED


async def test_entries_with_a_case_are_told_and_their_standing_is_taken_down(opened: Opened) -> None:
    await seen(opened)
    assert await opened.store.entries("partner-a") == ["e1"]
    assert await opened.store.entries("partner-b") == []
    await opened.store.entries_stand(
        "partner-a", [EntryStanding("e1", listed=True, category=Category.CHILD)], later(1)
    )
    assert (await opened.reader.run(read, 1)).category is Category.CHILD
    await opened.store.entries_stand("partner-a", [EntryStanding("e1", listed=False)], later(2))
    (event,) = await opened.events(EventType.ENTRY_WITHDRAWN)
    assert (event.at, event.body["entry"]) == (later(2), "e1")
