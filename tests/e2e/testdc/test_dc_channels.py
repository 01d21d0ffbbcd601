"""Channels at the test data centre: names, joining, access."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from telethon import errors
from telethon.tl import functions, types

from monitor.testdc import Cluster, User, World


async def join(client: Any, channel: Any) -> Any:
    return await client(functions.channels.JoinChannelRequest(channel))


def heard(client: Any, kind: type) -> Any:
    """Waits for an update of a kind; listening begins at once."""
    queue: asyncio.Queue[Any] = asyncio.Queue()

    async def handler(update: Any) -> None:
        if isinstance(update, kind):
            queue.put_nowait(update)

    client.add_event_handler(handler)
    return lambda: asyncio.wait_for(queue.get(), 5)


async def test_a_name_leads_to_its_channel(client: Any, world: World) -> None:
    news = world.channel("example_news", title="News", verified=True, participants=7, created=1_600_000_000)
    entity = await client.get_entity("Example_News")
    assert (entity.id, entity.title, entity.username) == (news.id, "News", "example_news")
    assert entity.broadcast and entity.left and entity.verified and not entity.megagroup
    assert entity.participants_count == 7
    assert entity.date.timestamp() == 1_600_000_000


async def test_names_that_lead_nowhere(client: Any, world: World) -> None:
    with pytest.raises(errors.UsernameNotOccupiedError):
        await client(functions.contacts.ResolveUsernameRequest("nobody_here"))
    with pytest.raises(errors.UsernameInvalidError):
        await client(functions.contacts.ResolveUsernameRequest("no"))
    renamed = world.channel("old_name")
    renamed.rename("new_name")
    with pytest.raises(errors.UsernameNotOccupiedError):
        await client(functions.contacts.ResolveUsernameRequest("old_name"))
    assert (await client.get_entity("new_name")).id == renamed.id


async def test_access_hashes_differ_between_accounts(client: Any, open_client: Any, world: World) -> None:
    news = world.channel("example_news")
    mine = await client.get_entity("example_news")
    bob = await open_client(world.user(phone="15550009", code="99999"))
    theirs = await bob.get_entity("example_news")
    assert mine.access_hash != theirs.access_hash
    with pytest.raises(errors.ChannelInvalidError):
        await bob(functions.channels.GetFullChannelRequest(types.InputChannel(news.id, mine.access_hash)))


async def test_joining_a_public_channel(client: Any, cluster: Cluster, world: World, alice: User) -> None:
    news = world.channel("example_news", participants=5)
    answer = await join(client, await client.get_entity("example_news"))
    [chat] = answer.updates.chats
    assert (chat.id, chat.left, chat.participants_count) == (news.id, False, 6)
    assert isinstance(answer.updates.updates[0], types.UpdateChannel)
    assert alice.id in news.members
    participant = await client(functions.channels.GetParticipantRequest(chat, "me"))
    assert isinstance(participant.participant, types.ChannelParticipantSelf)
    [entry] = cluster.requests("channels.joinChannel")
    assert (entry.account, entry.parameters) == ("15550001", {"channel": news.id})


async def test_joining_tells_the_other_sessions(
    client: Any, open_client: Any, world: World, alice: User
) -> None:
    world.channel("example_news")
    other = await open_client(alice)
    told = heard(other, types.UpdateChannel)
    await join(client, await client.get_entity("example_news"))
    assert (await told()).channel_id


async def test_a_join_request_is_only_sent(client: Any, world: World, alice: User) -> None:
    asked = world.channel("ask_first", access="request")
    entity = await client.get_entity("ask_first")
    assert entity.join_request
    with pytest.raises(errors.InviteRequestSentError):
        await join(client, entity)
    assert alice.id not in asked.members


async def test_a_private_channel_is_closed_to_strangers(client: Any, world: World) -> None:
    news = world.channel("example_news")
    entity = await client.get_entity("example_news")
    news.make_private()
    with pytest.raises(errors.ChannelPrivateError):
        await join(client, entity)
    with pytest.raises(errors.ChannelPrivateError):
        await client.get_messages(entity, 5)
    with pytest.raises(errors.UsernameNotOccupiedError):
        await client(functions.contacts.ResolveUsernameRequest("example_news"))
    [chat] = (await client(functions.channels.GetChannelsRequest([entity]))).chats
    assert isinstance(chat, types.ChannelForbidden)


async def test_members_keep_a_channel_that_turned_private(client: Any, world: World) -> None:
    news = world.channel("example_news")
    entity = await client.get_entity("example_news")
    await join(client, entity)
    news.make_private()
    assert len(await client.get_messages(entity, 5)) == 1
    assert (await client.get_entity(entity)).username is None


async def test_who_is_banned_is_out(client: Any, world: World, alice: User) -> None:
    news = world.channel("example_news")
    entity = await client.get_entity("example_news")
    await join(client, entity)
    told = heard(client, types.UpdateChannel)
    news.ban(alice)
    assert (await told()).channel_id == news.id
    with pytest.raises(errors.ChannelPrivateError):
        await client.get_messages(entity, 5)
    with pytest.raises(errors.ChannelPrivateError):
        await join(client, entity)


async def test_a_public_channel_is_read_without_joining(client: Any, world: World) -> None:
    world.channel("example_news").post("hello")
    assert [m.message for m in await client.get_messages("example_news", 1)] == ["hello"]


async def test_what_is_no_channel_has_no_history(client: Any) -> None:
    with pytest.raises(errors.PeerIdInvalidError):
        await client.get_messages("me", 1)


async def test_leaving(client: Any, world: World) -> None:
    news = world.channel("example_news", participants=5)
    entity = await client.get_entity("example_news")
    await join(client, entity)
    await client(functions.channels.LeaveChannelRequest(entity))
    assert (news.members, news.participants) == ({}, 5)
    with pytest.raises(errors.UserNotParticipantError):
        await client(functions.channels.GetParticipantRequest(entity, "me"))
    with pytest.raises(errors.UserNotParticipantError):
        await client(functions.channels.LeaveChannelRequest(entity))


async def test_full_channel_names_its_discussion_group(client: Any, world: World) -> None:
    group = world.channel("example_talk", kind="group")
    news = world.channel("example_news", linked=group, about="About it")
    full = await client(functions.channels.GetFullChannelRequest("example_news"))
    assert (full.full_chat.linked_chat_id, full.full_chat.about) == (group.id, "About it")
    assert full.full_chat.pts == news.pts
    assert {chat.id: chat.megagroup for chat in full.chats} == {news.id: False, group.id: True}


async def test_a_restriction_shows_its_platform_and_reason(client: Any, world: World) -> None:
    world.channel("example_news").restrict("all", "terms", "Not here")
    entity = await client.get_entity("example_news")
    assert entity.restricted
    [reason] = entity.restriction_reason
    assert (reason.platform, reason.reason) == ("all", "terms")


async def test_an_invite_is_answered_and_on_record(client: Any, cluster: Cluster, world: World) -> None:
    private = world.channel(title="Behind doors", access="private")
    answer = await client(functions.messages.CheckChatInviteRequest(private.invite))
    assert isinstance(answer, types.ChatInvite) and answer.title == "Behind doors"
    with pytest.raises(errors.InviteHashExpiredError):
        await client(functions.messages.CheckChatInviteRequest("other"))
    assert [e.parameters["hash"] for e in cluster.requests("messages.checkChatInvite")] == [
        private.invite,
        "other",
    ]


async def test_dialogs_come_in_pages_newest_first(client: Any, world: World, alice: User) -> None:
    now = world.seconds(None)
    channels = [world.channel(f"channel_{n}", created=now - 1000 - n) for n in range(25)]
    for channel in channels:
        channel.join(alice)
    channels[20].post("new")
    first = await client(functions.messages.GetDialogsRequest(None, 0, types.InputPeerEmpty(), 10, 0))
    assert isinstance(first, types.messages.DialogsSlice) and first.count == 25
    last = first.messages[-1]
    peer = types.InputPeerChannel(last.peer_id.channel_id, 0)
    second = await client(functions.messages.GetDialogsRequest(last.date, last.id, peer, 10, 0))
    ids = [d.peer.channel_id for d in first.dialogs + second.dialogs]
    expected = [channels[20], *(c for c in channels if c is not channels[20])]
    assert ids == [channel.id for channel in expected[:20]]
    assert {d.peer.channel_id: d.pts for d in first.dialogs}[channels[20].id] == channels[20].pts
    everything = await client.get_dialogs()
    assert [dialog.entity.id for dialog in everything] == [channel.id for channel in expected]
    some = await client(functions.messages.GetPeerDialogsRequest([everything[3].input_entity]))
    assert some.dialogs[0].top_message == 1


async def test_a_report_goes_through_the_menu(
    client: Any, cluster: Cluster, world: World, alice: User
) -> None:
    news = world.channel("example_news")
    post = news.post("bad")

    async def ask(option: bytes, comment: str = "") -> Any:
        return await client(functions.messages.ReportRequest("example_news", [post.id], option, comment))

    menu = await ask(b"")
    option = {o.text: o.option for o in menu.options}["Child abuse"]
    menu = await ask(option)
    option = {o.text: o.option for o in menu.options}["Child sexual abuse"]
    assert isinstance(await ask(option), types.ReportResultAddComment)
    assert world.reports == []
    assert isinstance(await ask(option, "seen by hash"), types.ReportResultReported)
    [report] = world.reports
    assert (report.user, report.channel_id, report.ids) == (alice, news.id, (post.id,))
    assert report.path == ("Child abuse", "Child sexual abuse")
    assert report.comment == "seen by hash"
    with pytest.raises(errors.OptionInvalidError):
        await ask(b"noise")
    assert "seen by hash" not in str(cluster.journal)
