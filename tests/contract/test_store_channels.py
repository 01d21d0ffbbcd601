"""The contract of ports.Store: accounts, channels, lists, events."""

import dataclasses
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.errors import ChannelRefused, ConfigError
from monitor.model import (
    Algorithm,
    ChannelId,
    ChannelState,
    ChatKind,
    Declaration,
    EventType,
    Refusal,
    SessionState,
    Totals,
    UpdateState,
)
from tests.contract.conftest import Factory, Opened
from tests.contract.making import (
    AUTHORIZATION,
    CHANNEL,
    OTHER,
    START,
    batch,
    cursor,
    declared,
    hash_list,
    later,
    message,
    profile,
    span,
)

RENEWED = dataclasses.replace(AUTHORIZATION, reference="IRB-2")
SESSION = SessionState(
    account="main",
    dc=2,
    host="127.0.0.1",
    port=10443,
    auth_key=bytes(range(256)),
    user_id=4_200_000_000,
    updates=UpdateState(pts=5, qts=6, date=START, seq=7),
    peers={CHANNEL: -(2**63), OTHER: 2**63 - 1},
)


# -- accounts


async def test_a_session_comes_back_as_it_was_saved(opened: Opened) -> None:
    assert await opened.store.session("main") is None
    await opened.store.save_session(SESSION)
    assert await opened.store.session("main") == SESSION


async def test_saving_replaces_a_session_and_its_peers(opened: Opened) -> None:
    await opened.store.save_session(SESSION)
    smaller = dataclasses.replace(SESSION, dc=4, updates=None, peers={OTHER: 1})
    await opened.store.save_session(smaller)
    assert await opened.store.session("main") == smaller


async def test_forgetting_a_session_leaves_other_accounts(opened: Opened) -> None:
    second = dataclasses.replace(SESSION, account="second", bot=True)
    await opened.store.save_session(SESSION)
    await opened.store.save_session(second)
    await opened.store.forget_session("main")
    await opened.store.forget_session("nobody")
    assert await opened.store.session("main") is None
    assert await opened.store.session("second") == second


# -- declarations


async def test_a_new_channel_is_declared_with_its_authorization(opened: Opened) -> None:
    await opened.store.declare([declared(account="main", includes=frozenset(ChatKind))], START)
    (channel,) = await opened.store.channels()
    assert channel.username == "example_one"
    assert channel.state is ChannelState.DECLARED
    assert channel.authorization == AUTHORIZATION
    assert (channel.reason, channel.profile, channel.cursor) == (None, None, 0)
    assert (channel.account, channel.includes) == ("main", frozenset(ChatKind))
    (event,) = await opened.events()
    assert (event.seq, event.at, event.type) == (0, START, EventType.AUTHORIZATION_DECLARED)
    assert event.body["username"] == "example_one"
    assert event.body["reference"] == "IRB-1"
    assert event.body["document_sha256"] == bytes(range(32)).hex()
    assert event.body["includes"] == "broadcast group"


async def test_declaring_the_same_again_writes_nothing(opened: Opened) -> None:
    both = [declared("b_second"), declared("a_first", authorization=None)]
    await opened.store.declare(both, START)
    before = await opened.store.channels()
    await opened.store.declare(both[::-1], later(60))
    assert await opened.store.channels() == before
    assert [channel.username for channel in before] == ["a_first", "b_second"]
    assert len(await opened.events()) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"reference": "IRB-2"},
        {"granted_by": "Another Board"},
        {"valid_from": START + timedelta(seconds=1)},
        {"valid_until": START + timedelta(days=1, microseconds=1)},
        {"document_sha256": None},
        {"approved_by": None},
        {"terms": "other terms"},
    ],
    ids=lambda changes: next(iter(changes)),
)
async def test_each_changed_field_is_a_further_record_with_its_event(
    opened: Opened, changes: dict[str, object]
) -> None:
    changed = dataclasses.replace(AUTHORIZATION, **changes)  # type: ignore[arg-type] # one field of many
    await opened.store.declare([declared()], START)
    await opened.store.declare([declared(authorization=changed)], later(60))
    (channel,) = await opened.store.channels()
    assert channel.authorization == changed
    first, second = await opened.events(EventType.AUTHORIZATION_DECLARED)
    assert first.body != second.body


async def test_a_wider_scope_is_a_further_record(opened: Opened) -> None:
    await opened.store.declare([declared()], START)
    await opened.store.declare([declared(includes=frozenset(ChatKind))], later(60))
    assert len(await opened.events(EventType.AUTHORIZATION_DECLARED)) == 2


async def test_usernames_are_compared_without_regard_to_case(opened: Opened) -> None:
    await opened.store.declare([declared("Example_One")], START)
    await opened.store.declare([declared("example_ONE")], later(1))
    await opened.store.joined("EXAMPLE_one", profile(), "main", later(2))
    (channel,) = await opened.store.channels()
    assert (channel.username, channel.state) == ("Example_One", ChannelState.COLLECTING)
    with pytest.raises(ConfigError, match="declared twice"):
        await opened.store.declare([declared("Same_Name"), declared("same_name")], START)


@pytest.mark.parametrize("now", [[], [declared(authorization=None)]], ids=["undeclared", "without one"])
async def test_a_channel_that_is_not_authorized_any_more_is_stopped(
    opened: Opened, now: list[Declaration]
) -> None:
    await opened.store.declare([declared()], START)
    await opened.store.joined("example_one", profile(), "main", START)
    for at in (later(1), later(2)):
        await opened.store.declare(now, at)
    (channel,) = await opened.store.channels()
    assert (channel.state, channel.reason) == (ChannelState.STOPPED, Refusal.NO_AUTHORIZATION)
    assert channel.authorization is None
    (event,) = await opened.events(EventType.CHANNEL_STOPPED)
    assert (event.at, event.body["reference"]) == (later(1), "IRB-1")
    with pytest.raises(ChannelRefused) as refusal:
        await opened.store.joined("example_one", profile(), "main", later(3))
    assert refusal.value.reason is Refusal.NO_AUTHORIZATION


async def test_a_channel_declared_again_may_be_tried_again(opened: Opened) -> None:
    await opened.store.declare([declared()], START)
    await opened.store.declare([], later(1))
    await opened.store.declare([declared()], later(2))
    (channel,) = await opened.store.channels()
    assert (channel.state, channel.authorization) == (ChannelState.DECLARED, AUTHORIZATION)
    assert len(await opened.events(EventType.AUTHORIZATION_DECLARED)) == 2


async def test_a_new_authorization_lets_a_refused_channel_be_tried_again(opened: Opened) -> None:
    await opened.store.declare([declared()], START)
    await opened.store.refused("example_one", Refusal.EXPIRED, later(1))
    await opened.store.declare([declared(authorization=RENEWED)], later(2))
    (channel,) = await opened.store.channels()
    assert (channel.state, channel.reason) == (ChannelState.DECLARED, None)


async def test_a_revocation_holds_until_another_reference_is_declared(opened: Opened) -> None:
    await opened.store.declare([declared()], START)
    await opened.store.joined("example_one", profile(), "main", START)
    await opened.store.refused("example_one", Refusal.REVOKED, later(1))
    longer = dataclasses.replace(AUTHORIZATION, valid_until=later(10**8))
    for declarations in ([declared(authorization=longer)], [], [declared()]):
        await opened.store.declare(declarations, later(2))
        (channel,) = await opened.store.channels()
        assert (channel.state, channel.reason) == (ChannelState.STOPPED, Refusal.REVOKED)
        with pytest.raises(ChannelRefused) as refusal:
            await opened.store.joined("example_one", profile(), "main", later(3))
        assert refusal.value.reason is Refusal.REVOKED
    await opened.store.declare([declared(authorization=RENEWED)], later(4))
    (channel,) = await opened.store.channels()
    assert (channel.state, channel.reason) == (ChannelState.DECLARED, None)


# -- joining and refusing


async def test_joining_records_profile_and_account_and_one_event(opened: Opened) -> None:
    await opened.store.declare([declared()], START)
    await opened.store.joined("example_one", profile(verified=True), "main", later(1))
    await opened.store.joined("example_one", profile(participants=8), "main", later(2))
    (channel,) = await opened.store.channels()
    assert channel.state is ChannelState.COLLECTING
    assert (channel.profile, channel.account) == (profile(participants=8), "main")
    (event,) = await opened.events(EventType.CHANNEL_JOINED)
    assert event.at == later(1)
    assert event.body == {
        "username": "example_one",
        "channel_id": CHANNEL,
        "account": "main",
        "reference": "IRB-1",
    }


async def test_joining_after_a_refusal_is_an_event_again(opened: Opened) -> None:
    await opened.store.declare([declared()], START)
    await opened.store.joined("example_one", profile(), "main", START)
    await opened.store.refused("example_one", Refusal.PRIVATE, START)
    await opened.store.joined("example_one", profile(), "main", START)
    (channel,) = await opened.store.channels()
    assert (channel.state, channel.reason) == (ChannelState.COLLECTING, None)
    assert len(await opened.events(EventType.CHANNEL_JOINED)) == 2


async def test_a_name_that_moved_to_another_channel_is_refused(opened: Opened) -> None:
    await opened.store.declare([declared()], START)
    await opened.store.joined("example_one", profile(), "main", START)
    with pytest.raises(ChannelRefused) as refusal:
        await opened.store.joined("example_one", profile(OTHER), "main", START)
    assert refusal.value.reason is Refusal.NAME_MOVED
    (channel,) = await opened.store.channels()
    assert channel.profile == profile()
    await opened.store.refused("example_one", Refusal.NAME_MOVED, START)
    await opened.store.declare([declared(authorization=RENEWED)], START)
    await opened.store.joined("example_one", profile(OTHER), "main", START)


async def test_a_declared_channel_id_must_be_the_one_that_is_found(opened: Opened) -> None:
    await opened.store.declare([declared(channel_id=CHANNEL)], START)
    with pytest.raises(ChannelRefused) as refusal:
        await opened.store.joined("example_one", profile(OTHER), "main", START)
    assert refusal.value.reason is Refusal.NAME_MOVED
    await opened.store.joined("example_one", profile(), "main", START)


async def test_nothing_is_joined_or_refused_that_was_never_declared(opened: Opened) -> None:
    with pytest.raises(ChannelRefused):
        await opened.store.joined("example_one", profile(), "main", START)
    with pytest.raises(ChannelRefused):
        await opened.store.refused("example_one", Refusal.GONE, START)
    assert await opened.store.channels() == []
    assert await opened.events() == []


async def test_a_refusal_is_an_event_when_its_reason_is_new(opened: Opened) -> None:
    await opened.store.declare([declared()], START)
    for reason in (Refusal.NOT_FOUND, Refusal.NOT_FOUND, Refusal.PRIVATE):
        await opened.store.refused("example_one", reason, START)
    (channel,) = await opened.store.channels()
    assert (channel.state, channel.reason) == (ChannelState.REFUSED, Refusal.PRIVATE)
    reasons = [event.body["reason"] for event in await opened.events(EventType.CHANNEL_REFUSED)]
    assert reasons == ["not_found", "private"]


async def test_a_channel_that_was_collected_is_stopped(opened: Opened) -> None:
    await opened.store.declare([declared()], START)
    await opened.store.joined("example_one", profile(), "main", START)
    for reason in (Refusal.PRIVATE, Refusal.GONE):
        await opened.store.refused("example_one", reason, START)
        (channel,) = await opened.store.channels()
        assert (channel.state, channel.reason) == (ChannelState.STOPPED, reason)
    assert len(await opened.events(EventType.CHANNEL_STOPPED)) == 2
    assert await opened.events(EventType.CHANNEL_REFUSED) == []


@pytest.mark.parametrize("reason", list(Refusal))
async def test_every_reason_can_be_kept(opened: Opened, reason: Refusal) -> None:
    await opened.store.declare([declared()], START)
    await opened.store.refused("example_one", reason, START)
    (channel,) = await opened.store.channels()
    assert channel.reason is reason


async def test_a_channel_shows_its_cursor(opened: Opened) -> None:
    await opened.store.declare([declared()], START)
    await opened.store.joined("example_one", profile(), "main", START)
    await opened.store.record([batch(message(3), span=span(0, 5))])
    (channel,) = await opened.store.channels()
    assert channel.cursor == 5


# -- lists and events


async def test_a_list_is_an_event_when_anything_of_it_differs(opened: Opened) -> None:
    versions = [
        hash_list(),
        hash_list(),
        hash_list(4),
        hash_list(),
        hash_list(max_distance=20),
        hash_list(max_distance=20, name="partner-b"),
        hash_list(max_distance=20),
        # Another algorithm of the same file is a list beside it.
        hash_list(max_distance=0, algorithm=Algorithm.MD5),
        hash_list(max_distance=20),
    ]
    for version in versions:
        await opened.store.list_loaded(version, START)
    seen = [
        (event.body["name"], event.body["version"], event.body["max_distance"])
        for event in await opened.events(EventType.LIST_LOADED)
    ]
    three, four = hash_list().version, hash_list(4).version
    assert seen == [
        ("partner-a", three, 31),
        ("partner-a", four, 31),
        ("partner-a", three, 31),
        ("partner-a", three, 20),
        ("partner-b", three, 20),
        ("partner-a", three, 0),
    ]


async def test_appended_events_are_numbered_from_zero_without_gaps(opened: Opened) -> None:
    body = {"operator": "analyst-1", "purpose": "Prüfung – 검토", "rows": 3, "addresses": False, "none": None}
    numbers = [await opened.store.append(EventType.EXPORT_MADE, body, later(n)) for n in range(3)]
    assert numbers == [0, 1, 2]
    events = await opened.events()
    assert [event.seq for event in events] == numbers
    assert [event.at for event in events] == [later(n) for n in range(3)]
    assert all(event.body == body for event in events)


async def test_everything_is_there_after_opening_again(factory: Factory, tmp_path: Path) -> None:
    async with factory(tmp_path) as opened:
        await opened.store.declare([declared()], START)
        await opened.store.save_session(SESSION)
        await opened.store.record([batch(message(1), span=span(0, 1))])
    async with factory(tmp_path) as opened:
        assert await opened.store.session("main") == SESSION
        assert len(await opened.store.channels()) == 1
        assert await cursor(opened.store, CHANNEL) == 1
        assert await cursor(opened.store, ChannelId(5)) == 0
        assert await opened.store.totals() == Totals(
            messages=1,
            service=0,
            media=0,
            media_pending=0,
            media_fetched=0,
            fetched_bytes=0,
            flags=0,
            events=1,
        )
