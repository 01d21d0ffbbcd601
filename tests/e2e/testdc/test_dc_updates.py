"""What the test data centre tells its clients: live, and what they missed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from telethon import errors, events
from telethon.tl import functions, types

from monitor.testdc import Channel, Cluster, User, World
from tests.e2e.testdc.heard import Heard


@pytest.fixture
async def client(open_client: Any, alice: User, news: Channel) -> Any:
    """Alice, signed in after she joined the news."""
    return await open_client(alice)


async def test_a_live_post_arrives_with_its_pts(client: Any, news: Channel) -> None:
    heard = Heard(client)
    post = news.post("hello")
    update = await heard.next()
    assert isinstance(update, types.UpdateNewChannelMessage)
    assert (update.message.id, update.message.message) == (post.id, "hello")
    assert (update.pts, update.pts_count) == (news.pts, 1)


async def test_live_edits_and_deletes_arrive(client: Any, news: Channel) -> None:
    heard = Heard(client)
    first, second, third = (news.post(str(n)) for n in range(3))
    for _ in range(3):
        await heard.next()
    news.edit(first.id, "changed")
    news.react(first.id, {"👍": 2})
    news.delete(second.id, third.id, 999)
    edit, reaction, delete = [await heard.next() for _ in range(3)]
    assert isinstance(edit, types.UpdateEditChannelMessage)
    assert (edit.message.message, edit.message.edit_hide) == ("changed", False)
    assert reaction.message.edit_hide and reaction.message.reactions.results[0].count == 2
    assert isinstance(delete, types.UpdateDeleteChannelMessages)
    assert (delete.messages, delete.pts_count, delete.pts) == ([second.id, third.id], 2, news.pts)


async def test_events_of_the_client_library_work(client: Any, news: Channel) -> None:
    heard = Heard(client, events.NewMessage(chats="example_news"))
    news.post("hello")
    event = await heard.next()
    assert (event.message.message, event.chat.username) == ("hello", "example_news")


async def test_who_has_not_joined_hears_nothing(
    client: Any, cluster: Cluster, world: World, alice: User
) -> None:
    other = world.channel("other_news")
    heard = Heard(client)
    other.post("hello")
    assert await heard.nothing()
    other.join(alice)
    assert isinstance(await heard.next(), types.UpdateChannel)
    other.post("hello again")
    assert (await heard.next()).message.message == "hello again"
    other.leave(alice)
    assert isinstance(await heard.next(), types.UpdateChannel)
    other.post("and again")
    assert await heard.nothing()


async def test_a_client_without_updates_hears_nothing(
    open_client: Any, cluster: Cluster, news: Channel, alice: User
) -> None:
    client = await open_client(alice, receive_updates=False)
    heard = Heard(client)
    await client.get_me()
    assert cluster.listening(alice) == 0
    news.post("hello")
    assert await heard.nothing()


async def test_nobody_hears_before_sign_in(open_client: Any, cluster: Cluster, alice: User) -> None:
    await open_client()
    assert cluster.listening(alice) == 0


async def test_many_live_posts_arrive_all_and_in_order(client: Any, news: Channel) -> None:
    heard = Heard(client)
    sent = [news.post(f"post {n}").id for n in range(500)]
    assert [(await heard.next()).message.id for _ in sent] == sent


# What was missed


async def test_after_a_cut_catching_up_brings_what_was_missed(
    client: Any, cluster: Cluster, news: Channel, alice: User
) -> None:
    heard = Heard(client)
    news.post("before")
    await heard.next()
    # What happens while nobody is connected is pushed to nobody.
    assert cluster.cut(account=alice) == 1
    missed = [news.post(f"missed {n}").id for n in range(3)]
    news.edit(missed[0], "edited")
    news.delete(missed[2])
    await client.catch_up()
    got = [await heard.next() for _ in missed[:2]]
    assert [update.message.id for update in got] == missed[:2]
    assert got[0].message.message == "edited"
    # Telethon takes the difference's pts first and then drops the edits and deletes in it as old ones.
    assert await heard.nothing()


async def difference(client: Any, pts: int, limit: int = 100) -> Any:
    peer = await client.get_input_entity("example_news")
    channel = types.InputChannel(peer.channel_id, peer.access_hash)
    request = functions.updates.GetChannelDifferenceRequest(
        channel, types.ChannelMessagesFilterEmpty(), pts, limit
    )
    return await client(request)


async def test_a_channel_difference_is_what_changed_since(client: Any, news: Channel) -> None:
    since = news.pts
    assert isinstance(await difference(client, since), types.updates.ChannelDifferenceEmpty)
    kept, gone = news.post("kept"), news.post("gone")
    news.edit(kept.id, "kept and edited")
    news.delete(gone.id)
    answer = await difference(client, since)
    assert answer.final and answer.pts == news.pts == since + 4
    assert [m.message for m in answer.new_messages] == ["kept and edited"]
    assert [type(u).__name__ for u in answer.other_updates] == [
        "UpdateEditChannelMessage",
        "UpdateDeleteChannelMessages",
    ]


async def test_a_channel_difference_beyond_its_limit_is_too_long(client: Any, news: Channel) -> None:
    since = news.pts
    for number in range(11):
        news.post(str(number))
    assert isinstance(await difference(client, since, limit=11), types.updates.ChannelDifference)
    answer = await difference(client, since, limit=10)
    assert isinstance(answer, types.updates.ChannelDifferenceTooLong)
    assert (answer.dialog.pts, answer.dialog.top_message) == (news.pts, news.top)
    assert [m.id for m in answer.messages] == list(range(news.top, news.top - 10, -1))


async def test_a_long_channel_difference_comes_in_slices(client: Any, news: Channel) -> None:
    since = news.pts
    sent = [news.post(str(number)).id for number in range(230)]
    got: list[int] = []
    final = False
    while not final:
        answer = await difference(client, since, limit=1000)
        got += [message.id for message in answer.new_messages]
        since, final = answer.pts, answer.final
    assert got == sent


async def test_a_pts_that_cannot_be_is_refused(client: Any, news: Channel) -> None:
    with pytest.raises(errors.PersistentTimestampInvalidError):
        await difference(client, news.pts + 1)
    with pytest.raises(errors.PersistentTimestampEmptyError):
        await difference(client, 0)


async def test_the_account_difference_names_channels_that_moved(client: Any, news: Channel) -> None:
    state = await client(functions.updates.GetStateRequest())
    later = datetime.fromtimestamp(state.date.timestamp() + 1000, UTC)
    request = functions.updates.GetDifferenceRequest(state.pts, later, 0)
    assert isinstance(await client(request), types.updates.DifferenceEmpty)
    earlier = datetime.fromtimestamp(state.date.timestamp() - 1000, UTC)
    news.post("hello")
    answer = await client(functions.updates.GetDifferenceRequest(state.pts, earlier, 0))
    moved = {update.channel_id: update.pts for update in answer.other_updates}
    assert moved[news.id] == news.pts


async def test_notices_arrive_live_and_in_the_difference(client: Any, world: World, alice: User) -> None:
    state = await client(functions.updates.GetStateRequest())
    heard = Heard(client)
    world.notify(alice, "New sign-in")
    update = await heard.next()
    assert isinstance(update, types.UpdateNewMessage) and update.pts == state.pts + 1
    request = functions.updates.GetDifferenceRequest(state.pts, state.date, 0)
    assert [m.message for m in (await client(request)).new_messages] == ["New sign-in"]


async def test_an_account_difference_may_be_too_long(client: Any, world: World, alice: User) -> None:
    state = await client(functions.updates.GetStateRequest())
    for number in range(6):
        world.notify(alice, str(number))
    request = functions.updates.GetDifferenceRequest(state.pts, state.date, 0, pts_total_limit=5)
    answer = await client(request)
    assert isinstance(answer, types.updates.DifferenceTooLong) and answer.pts == state.pts + 6
