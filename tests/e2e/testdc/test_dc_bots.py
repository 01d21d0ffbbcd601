"""Bots at the test data centre: what they may ask, and what they hear."""

from __future__ import annotations

from typing import Any

import pytest
from telethon import errors
from telethon.tl import functions, types

from monitor.testdc import Channel, Cluster, User, World
from tests.e2e.testdc.heard import Heard

CREDENTIAL = "1000:bot-token"


@pytest.fixture
def bot(world: World, news: Channel) -> User:
    """A bot that the owner of the news has added."""
    bot = world.bot(CREDENTIAL, "example_bot")
    news.add_bot(bot)
    return bot


@pytest.fixture
async def client(open_client: Any, bot: User) -> Any:
    """The bot, signed in."""
    client = await open_client()
    await client.sign_in(bot_token=CREDENTIAL)
    return client


async def test_a_token_signs_a_bot_in(client: Any, bot: User, cluster: Cluster) -> None:
    me = await client.get_me()
    assert (me.id, me.bot, me.username) == (bot.id, True, "example_bot")
    assert cluster.journal[-1].account == f"bot{bot.id}"
    assert CREDENTIAL not in repr(cluster.journal)


async def test_a_wrong_token_does_not(open_client: Any, bot: User) -> None:
    client = await open_client()
    with pytest.raises(errors.AccessTokenInvalidError):
        await client.sign_in(bot_token="1000:other")
    assert not await client.is_user_authorized()


async def test_a_bot_at_home_elsewhere_migrates(open_client: Any, world: World) -> None:
    world.bot("2000:token", dc=2)
    client = await open_client(dc=1)
    assert (await client.sign_in(bot_token="2000:token")).bot
    assert client.session.dc_id == 2


async def test_a_bot_may_look_but_not_browse(client: Any, news: Channel, world: World) -> None:
    since, post = news.pts, news.post("hello")
    world.channel("other_news")
    entity = await client.get_entity("example_news")
    assert entity.admin_rights and not entity.left
    assert [m.message for m in await client.get_messages(entity, ids=[post.id])] == ["hello"]
    assert (await client(functions.channels.GetFullChannelRequest(entity))).full_chat.pts == news.pts
    assert (await client(functions.channels.GetChannelsRequest([entity]))).chats
    nothing = types.ChannelMessagesFilterEmpty()
    missed = await client(functions.updates.GetChannelDifferenceRequest(entity, nothing, since, 100_000))
    assert [m.id for m in missed.new_messages] == [post.id]
    empty = types.InputPeerEmpty()
    for browsing in (
        functions.messages.GetHistoryRequest(entity, 0, None, 0, 100, 0, 0, 0),
        functions.messages.GetDialogsRequest(None, 0, empty, 100, 0),
        functions.messages.SearchRequest(
            entity, "x", types.InputMessagesFilterEmpty(), None, None, 0, 0, 100, 0, 0, 0
        ),
        functions.messages.GetMessagesViewsRequest(entity, [post.id], False),
        functions.channels.JoinChannelRequest("other_news"),
        functions.messages.ReportRequest(entity, [post.id], b"", ""),
    ):
        with pytest.raises(errors.BotMethodInvalidError):
            await client(browsing)


async def test_a_bot_hears_of_channels_it_was_added_to(client: Any, news: Channel, world: World) -> None:
    heard = Heard(client)
    world.channel("other_news").post("not for it")
    news.post("hello")
    update = await heard.next()
    assert (update.message.message, update.pts) == ("hello", news.pts)
    assert await heard.nothing()


async def test_only_bots_are_added_as_bots(news: Channel, alice: User) -> None:
    with pytest.raises(ValueError, match="no bot"):
        news.add_bot(alice)
