"""What people ask of the store beside a daemon: revocations and rescans."""

import dataclasses
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.errors import ChannelRefused, InputError, NotAuthorized
from monitor.model import ChannelState, EventType, MediaOutcome, MessageRecord, Refusal
from monitor.store import Rescanned, SqlStore, channels, open_store, rescans
from tests.contract.making import (
    AUTHORIZATION,
    CHANNEL,
    OTHER,
    START,
    batch,
    declared,
    gone,
    hash_list,
    later,
    matched,
    message,
    picture,
    profile,
    settled,
)

EXTENDED = dataclasses.replace(AUTHORIZATION, valid_until=AUTHORIZATION.valid_until + timedelta(days=90))
RENEWED = dataclasses.replace(AUTHORIZATION, reference="IRB-2")
ALWAYS = START - timedelta(days=1)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    async with open_store(tmp_path / "store.sqlite3") as store:
        await store.declare([declared("one_channel"), declared("two_channel")], START)
        await store.joined("one_channel", profile(), "main", START)
        await store.joined("two_channel", profile(OTHER), "main", START)
        yield store


async def revoke(store: SqlStore, username: str = "one_channel") -> bool:
    return await store.run(
        channels.revoke, username, explanation="the owner asked", operator="analyst-1", at=later(1)
    )


async def standing(store: SqlStore, username: str = "one_channel") -> tuple[str, str | None]:
    (found,) = [c for c in await store.channels() if c.username == username]
    return found.state, found.reason


# -- revocations


async def test_a_revocation_stops_the_channel_and_says_who_and_why(store: SqlStore) -> None:
    assert await revoke(store, "One_Channel")
    assert not await revoke(store)
    assert await standing(store) == (ChannelState.STOPPED, Refusal.REVOKED)
    assert await standing(store, "two_channel") == (ChannelState.COLLECTING, None)
    events = [e async for e in store.reader.events() if e.at == later(1)]
    assert [e.type for e in events] == [EventType.AUTHORIZATION_REVOKED, EventType.CHANNEL_STOPPED]
    assert events[0].body == {
        "username": "one_channel",
        "channel_id": CHANNEL,
        "reference": "IRB-1",
        "operator": "analyst-1",
        "explanation": "the owner asked",
    }


async def test_nothing_but_another_reference_lifts_a_revocation(store: SqlStore) -> None:
    await revoke(store)
    both = [declared("two_channel"), declared("one_channel")]
    for reason in (Refusal.EXPIRED, Refusal.PRIVATE, Refusal.GONE):
        await store.refused("one_channel", reason, later(2))
    with pytest.raises(ChannelRefused) as caught:
        await store.joined("one_channel", profile(), "main", later(2))
    assert caught.value.reason is Refusal.REVOKED
    for one in ([], [declared("one_channel")], [declared("one_channel", authorization=EXTENDED)]):
        await store.declare([both[0], *one], later(3))
        assert await standing(store) == (ChannelState.STOPPED, Refusal.REVOKED)
    await store.declare([both[0], declared("one_channel", authorization=RENEWED)], later(4))
    assert await standing(store) == (ChannelState.DECLARED, None)


async def test_what_was_never_joined_can_be_revoked_and_is_not_joined(store: SqlStore) -> None:
    await store.declare([declared("one_channel"), declared("two_channel"), declared("third_one")], START)
    assert await revoke(store, "third_one")
    assert await standing(store, "third_one") == (ChannelState.STOPPED, Refusal.REVOKED)


async def test_what_is_not_on_record_or_not_authorized_cannot_be_revoked(store: SqlStore) -> None:
    with pytest.raises(InputError, match="not on record"):
        await revoke(store, "nobody_one")
    await store.declare([declared("one_channel", authorization=None)], START)
    with pytest.raises(NotAuthorized, match="no authorization"):
        await revoke(store)


async def test_whether_a_channel_is_to_be_left_follows_the_configuration(store: SqlStore) -> None:
    for wanted in (True, True, False):
        await store.declare([declared("one_channel", leave_when_ended=wanted)], START)
        assert next(c.leave_when_ended for c in await store.channels()) is wanted
    await store.declare([declared("one_channel", leave_when_ended=True)], START)
    await store.declare([], START)
    # Of what is not declared any more, the last word counts.
    assert [c.leave_when_ended for c in await store.channels()] == [True, False]


# -- rescans


async def media(store: SqlStore, *records: MessageRecord) -> None:
    for record in records:
        await store.record([batch(record, channel=record.channel_id)])


async def rescan(store: SqlStore, **options: object) -> Rescanned:
    usual: dict[str, object] = {"operator": "analyst-1", "since": ALWAYS, "at": later(9_000)}
    number = await store.run(rescans.request, **(usual | options))  # type: ignore[arg-type]  # spelled out at each call
    return await store.reader.rescanned(number)


async def waiting(store: SqlStore) -> list[int]:
    return [item.media_id for item in await store.pending_media([CHANNEL, OTHER], 100)]


async def test_what_was_settled_waits_again_and_what_has_matched_does_not(store: SqlStore) -> None:
    await media(store, *(message(n, media=picture(n)) for n in range(1, 6)))
    for number, outcome in enumerate((MediaOutcome.NO_MATCH, MediaOutcome.GONE, MediaOutcome.UNDECODABLE), 1):
        await store.examined(settled(number, outcome))
    await store.examined(matched(4))
    found = await rescan(store)
    # The fifth waited already; whoever asks waits for it, too.
    assert (found.items, found.left, found.stuck, found.flags, found.outcomes) == (4, 4, 0, 0, {})
    assert await waiting(store) == [1, 2, 3, 5]
    await store.examined(settled(1, MediaOutcome.NO_MATCH))
    await store.examined(matched(2))
    found = await store.reader.rescanned(found.request)
    assert (found.items, found.left, found.flags) == (4, 2, 1)
    assert found.outcomes == {MediaOutcome.NO_MATCH: 1, MediaOutcome.MATCH: 1}


async def test_the_window_is_of_posts_and_both_its_ends_count(store: SqlStore) -> None:
    await media(store, *(message(n, media=picture(n)) for n in range(1, 6)))
    for number in range(1, 6):
        await store.examined(settled(number, MediaOutcome.NO_MATCH))
    assert (await rescan(store, since=later(2), until=later(4))).items == 3
    assert await waiting(store) == [2, 3, 4]


async def test_one_channel_alone(store: SqlStore) -> None:
    await media(store, message(1, media=picture(1)), message(1, OTHER, media=picture(2)))
    for number in (1, 2):
        await store.examined(settled(number, MediaOutcome.NO_MATCH))
    assert (await rescan(store, username="Two_Channel")).items == 1
    assert await waiting(store) == [2]


async def test_for_a_list_only_what_was_settled_before_it_came(store: SqlStore) -> None:
    await media(store, *(message(n, media=picture(n)) for n in (1, 2)))
    await store.list_loaded(hash_list(), later(10))
    await store.examined(settled(1, MediaOutcome.NO_MATCH, later(20)))
    await store.list_loaded(hash_list(4), later(30))
    await store.examined(settled(2, MediaOutcome.NO_MATCH, later(40)))
    assert (await rescan(store, hash_list="partner-a")).items == 1
    assert await waiting(store) == [1]


async def test_what_cannot_be_asked_for_does_not_wait(store: SqlStore) -> None:
    await media(store, *(message(n, media=picture(n)) for n in (1, 2)), message(1, OTHER, media=picture(3)))
    for number in (1, 2, 3):
        await store.examined(settled(number, MediaOutcome.NO_MATCH))
    await store.record([gone(1, at=later(5))])
    await store.refused("two_channel", Refusal.PRIVATE, later(5))
    assert (await rescan(store)).items == 1
    assert await waiting(store) == [2]
    await store.refused("one_channel", Refusal.PRIVATE, later(6))
    found = await store.reader.rescanned(await store.reader.next_event() - 2)
    assert (found.left, found.stuck) == (0, 1)


async def test_a_rescan_is_an_event_also_when_it_finds_nothing(store: SqlStore) -> None:
    await store.list_loaded(hash_list(), START)
    found = await rescan(store, until=later(0), hash_list="partner-a", username="one_channel")
    (event,) = [e async for e in store.reader.events() if e.type is EventType.RESCAN_REQUESTED]
    assert (event.seq, event.at) == (found.request, later(9_000))
    assert event.body == {
        "operator": "analyst-1",
        "since": ALWAYS.isoformat(),
        "until": START.isoformat(),
        "hash_list": "partner-a",
        "version": hash_list().version,
        "username": "one_channel",
        "items": 0,
    }


async def test_an_unknown_list_or_channel_changes_nothing(store: SqlStore) -> None:
    await media(store, message(1, media=picture(1)))
    await store.examined(settled(1, MediaOutcome.NO_MATCH))
    await store.refused("two_channel", Refusal.PRIVATE, START)
    events = await store.reader.next_event()
    with pytest.raises(InputError, match="known are: none"):
        await rescan(store, hash_list="no-such")
    with pytest.raises(InputError, match="not on record"):
        await rescan(store, username="nobody_one")
    with pytest.raises(NotAuthorized, match="it is private"):
        await rescan(store, username="two_channel")
    assert await waiting(store) == []
    assert await store.reader.next_event() == events
