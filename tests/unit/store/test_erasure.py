"""What a person has erased is gone from the rows and from the files; what it leaves says how much, and not what."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from monitor.errors import InputError
from monitor.model import Counters, EventType, Forward, MessageId, Refusal
from monitor.store import SqlStore, engine, open_reader, open_store
from monitor.store.erasure import Erased, erase_channel, erase_events, erase_sender
from tests.contract.making import (
    CHANNEL,
    OTHER,
    START,
    batch,
    declared,
    later,
    matched,
    message,
    picture,
    profile,
)
from tests.unit.store.test_sqlite import sql

WHO: dict[str, Any] = {"explanation": "a request under Article 17", "operator": "root", "at": later(9)}
MARKER = "Xylophone-7f3a91"
PSEUDONYM = "p-0123456789abcdef"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite3"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqlStore]:
    async with open_store(path) as store:
        await store.declare([declared("one_channel"), declared("two_channel")], START)
        await store.joined("one_channel", profile(), "main", START)
        await store.joined("two_channel", profile(OTHER), "main", START)
        yield store


def everything(path: Path) -> bytes:
    """The bytes of the database and of all that lies beside it."""
    return b"".join(file.read_bytes() for file in sorted(path.parent.iterdir()))


async def export_made(store: SqlStore, purpose: str = MARKER) -> int:
    return await store.append(EventType.EXPORT_MADE, {"purpose": purpose, "operator": "ann"}, START)


async def on_record(store: SqlStore) -> list[tuple[int, int]]:
    return [(row["channel_id"], row["message_id"]) async for row in store.reader.message_rows()]


# -- events


async def test_the_commitment_is_of_salt_and_body(store: SqlStore, path: Path) -> None:
    for salt, body, commitment in sql(path, "SELECT salt, body, commitment FROM events"):
        assert commitment == hashlib.sha256(bytes(salt) + bytes(body)).digest()  # type: ignore[call-overload]


async def test_an_erased_body_leaves_type_time_and_commitment(store: SqlStore, path: Path) -> None:
    seq = await export_made(store)
    before = sql(path, "SELECT seq, at, type, commitment FROM events ORDER BY seq")
    assert await erase_events(store, [seq, seq, 0], **WHO) == Erased(events=2)
    assert sql(path, "SELECT seq, at, type, commitment FROM events ORDER BY seq")[:-1] == before
    assert sql(path, "SELECT seq FROM events WHERE salt IS NULL OR body IS NULL") == [(0,), (seq,)]
    event = [e async for e in store.reader.events()][-1]
    assert (event.type, event.at) == (EventType.ERASED, later(9))
    assert event.body == {
        "what": "events",
        "seqs": f"0 {seq}",
        "events": 2,
        "explanation": "a request under Article 17",
        "operator": "root",
    }
    assert await erase_events(store, [seq], **WHO) == Erased(events=0)


async def test_bytes_of_an_erased_body_are_in_no_file(store: SqlStore, path: Path) -> None:
    for _ in range(50):
        await export_made(store)
    seq = await export_made(store, MARKER * 60)  # longer than a page has room for
    assert everything(path).count(MARKER.encode()) > 50, "or the search below finds nothing by mistake"
    done = await erase_events(store, [*range(seq - 50, seq + 1)], **WHO)
    assert done == Erased(events=51, overwritten=True)
    assert MARKER.encode() not in everything(path)


async def test_where_a_reader_holds_older_pages_that_is_said(store: SqlStore, path: Path) -> None:
    seq = await export_made(store)
    assert await store.overwrite()
    async with open_reader(path) as reader:
        rows = reader.events()
        await anext(rows)  # and stays in the middle
        await export_made(store)
        assert not engine.empty_log(path, busy_timeout=0.05)
        await rows.aclose()
    assert await erase_events(store, [seq, seq + 1], **WHO) == Erased(events=2, overwritten=True)
    assert MARKER.encode() not in everything(path)


async def test_an_event_that_a_case_rests_on_is_refused_and_all_stay(store: SqlStore) -> None:
    await store.record([batch(message(1, media=picture(7)))])
    await store.examined(matched(7))
    flag = await store.reader.next_event() - 1
    with pytest.raises(InputError, match="flag_raised"):
        await erase_events(store, [0, flag], **WHO)
    with pytest.raises(InputError, match="event 99: there is none"):
        await erase_events(store, [0, 99], **WHO)
    events = [e async for e in store.reader.events()]
    assert len(events) == flag + 1
    assert all(e.body for e in events)


# -- channels and senders


async def test_a_channels_messages_go_and_flagged_ones_stay(store: SqlStore) -> None:
    counted = {"counters": Counters(views=3)}
    await store.begin(CHANNEL, MessageId(1), MessageId(4), 5)
    await store.record(
        [batch(message(1, **counted), message(2, media=picture(7)), message(3, media=picture(8)))]
    )
    await store.record([batch(message(1, OTHER, **counted), channel=OTHER)])
    await store.examined(matched(7))
    with pytest.raises(InputError, match="being collected"):
        await erase_channel(store, "one_channel", **WHO)
    await store.refused("one_channel", Refusal.EXPIRED, START)
    assert await erase_channel(store, "One_Channel", **WHO) == Erased(messages=2, kept=1)
    assert await on_record(store) == [(CHANNEL, 2), (OTHER, 1)]
    assert (await store.totals()).media == 1
    (sums,) = await store.reader.coverage([CHANNEL])
    assert (sums.recorded, sums.removed, sums.holes) == (1, 2, 1)
    begun, done = [e for e in [e async for e in store.reader.events()] if e.type is EventType.ERASED]
    assert begun.body == {
        "what": "channel",
        "channel_id": CHANNEL,
        "explanation": "a request under Article 17",
        "operator": "root",
    }
    assert done.body == {
        "what": "channel",
        "channel_id": CHANNEL,
        "begun": begun.seq,
        "messages": 2,
        "kept": 1,
        "operator": "root",
    }
    with pytest.raises(InputError, match="never joined"):
        await erase_channel(store, "nobody_one", **WHO)


async def test_a_sender_is_gone_from_rows_files_and_the_event(store: SqlStore, path: Path) -> None:
    theirs: dict[str, Any] = {"sender": PSEUDONYM}
    forwarded: dict[str, Any] = {"forward": Forward(START, sender=PSEUDONYM), "sender": "p-other"}
    await store.record(
        [batch(*(message(n, **theirs) for n in range(1, 300)), message(300, **forwarded), message(301))]
    )
    assert PSEUDONYM.encode() in everything(path)
    assert await erase_sender(store, PSEUDONYM, **WHO) == Erased(messages=299, forwards=1)
    assert PSEUDONYM.encode() not in everything(path)
    assert await on_record(store) == [(CHANNEL, 300), (CHANNEL, 301)]
    bodies = [e.body async for e in store.reader.events() if e.type is EventType.ERASED]
    assert [b.get("messages") for b in bodies] == [None, 299]
    # What the platform says of them again is not taken in.
    await store.record([batch(*(message(n, first_seen_at=later(20_000), **theirs) for n in range(1, 300)))])
    assert await on_record(store) == [(CHANNEL, 300), (CHANNEL, 301)]
    assert PSEUDONYM.encode() not in everything(path)
