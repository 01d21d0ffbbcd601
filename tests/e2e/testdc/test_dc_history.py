"""Reading history from the test data centre."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from telethon import errors
from telethon.tl import functions, types

from monitor.testdc import Cluster, Origin, World
from monitor.testdc.pictures import picture


async def page(client: Any, peer: Any, **parameters: int) -> list[int]:
    defaults = {"offset_id": 0, "add_offset": 0, "limit": 100, "max_id": 0, "min_id": 0}
    request = functions.messages.GetHistoryRequest(
        peer, offset_date=None, hash=0, **{**defaults, **parameters}
    )
    return [message.id for message in (await client(request)).messages]


@pytest.fixture
async def peer(client: Any, world: World) -> Any:
    """A channel with ids 1 (its creation) to 250, of which 100 and 101 are deleted."""
    news = world.channel("example_news")
    for number in range(2, 251):
        news.post(f"post {number}", date=1_700_000_000 + number)
    news.delete(100, 101)
    return await client.get_input_entity("example_news")


async def test_the_first_message_is_the_creation(client: Any, peer: Any) -> None:
    [first] = (await client.get_messages(peer, ids=[1])) or []
    assert isinstance(first.action, types.MessageActionChannelCreate)


async def test_a_page_is_the_newest_first_and_a_hundred_at_most(client: Any, peer: Any) -> None:
    assert await page(client, peer, limit=1000) == list(range(250, 150, -1))
    assert await page(client, peer, limit=3) == [250, 249, 248]
    assert await page(client, peer, limit=0) == []


async def test_an_offset_goes_on_below_it(client: Any, peer: Any) -> None:
    assert await page(client, peer, offset_id=104, limit=4) == [103, 102, 99, 98]
    assert await page(client, peer, offset_id=101, limit=2) == [99, 98]
    assert await page(client, peer, offset_id=1) == []
    assert await page(client, peer, offset_id=9999, limit=1) == [250]


async def test_add_offset_moves_the_page(client: Any, peer: Any) -> None:
    assert await page(client, peer, offset_id=200, add_offset=5, limit=2) == [194, 193]
    assert await page(client, peer, offset_id=200, add_offset=-2, limit=4) == [201, 200, 199, 198]
    assert await page(client, peer, offset_id=200, add_offset=-2, limit=2) == [201, 200]


async def test_a_page_beyond_the_newest_is_cut_not_moved(client: Any, peer: Any) -> None:
    assert await page(client, peer, offset_id=249, add_offset=-10, limit=10) == [250, 249]
    assert await page(client, peer, offset_id=251, add_offset=-10, limit=10) == []
    assert await page(client, peer, add_offset=-10, limit=12) == [250, 249]
    assert await page(client, peer, offset_id=3, add_offset=1, limit=10) == [1]
    assert await page(client, peer, add_offset=1000) == []


async def test_max_and_min_filter_the_page_only(client: Any, peer: Any) -> None:
    assert await page(client, peer, max_id=249, limit=3) == [248]
    assert await page(client, peer, min_id=248, limit=100) == [250, 249]
    assert await page(client, peer, max_id=100, limit=100) == []


async def test_iteration_in_both_directions_meets_every_message_once(client: Any, peer: Any) -> None:
    everything = [i for i in range(1, 251) if i not in (100, 101)]
    down = [m.id async for m in client.iter_messages(peer, wait_time=0)]
    assert down == everything[::-1]
    up = [m.id async for m in client.iter_messages(peer, reverse=True, wait_time=0)]
    assert up == everything
    after = [m.id async for m in client.iter_messages(peer, reverse=True, min_id=120, wait_time=0)]
    assert after == list(range(121, 251))
    before = [m.id async for m in client.iter_messages(peer, max_id=99, limit=3, wait_time=0)]
    assert before == [98, 97, 96]


async def test_an_offset_date_goes_on_before_it(client: Any, peer: Any) -> None:
    when = datetime.fromtimestamp(1_700_000_000 + 150, UTC)
    assert [m.id for m in await client.get_messages(peer, 2, offset_date=when)] == [149, 148]


async def test_a_page_says_how_many_there_are_and_where_it_lies(client: Any, peer: Any) -> None:
    request = functions.messages.GetHistoryRequest(peer, 200, None, 0, 10, 0, 0, 0)
    answer = await client(request)
    assert isinstance(answer, types.messages.ChannelMessages)
    assert (answer.count, answer.offset_id_offset) == (248, 51)
    assert [chat.username for chat in answer.chats] == ["example_news"]


async def test_messages_by_id_keep_the_order_and_show_what_is_gone(client: Any, peer: Any) -> None:
    answer = await client(functions.channels.GetMessagesRequest(peer, [5, 100, 3, 9999]))
    assert [(type(m).__name__, m.id) for m in answer.messages] == [
        ("Message", 5),
        ("MessageEmpty", 100),
        ("Message", 3),
        ("MessageEmpty", 9999),
    ]
    with pytest.raises(errors.MessageIdsEmptyError):
        await client(functions.channels.GetMessagesRequest(peer, []))


async def test_views_grow_only_when_asked(client: Any, cluster: Cluster, world: World) -> None:
    news = world.channel("example_news")
    post = news.post("x", views=40)
    news.count(post.id, forwards=3, replies=2)

    async def views(increment: bool) -> Any:
        request = functions.messages.GetMessagesViewsRequest("example_news", [post.id], increment)
        return (await client(request)).views[0]

    read = await views(False)
    assert (read.views, read.forwards, read.replies.replies) == (40, 3, 2)
    assert (await views(True)).views == 41
    assert (await client.get_messages("example_news", 1))[0].views == 41
    assert [e.parameters["increment"] for e in cluster.requests("messages.getMessagesViews")] == [False, True]


async def test_an_album_shares_its_group(client: Any, world: World) -> None:
    news = world.channel("example_news")
    posts = news.album([world.photo(picture(1)), world.photo(picture(2))], "caption")
    messages = (await client.get_messages("example_news", 2))[::-1]
    assert [m.id for m in messages] == [p.id for p in posts]
    assert [m.message for m in messages] == ["caption", ""]
    assert len({m.grouped_id for m in messages}) == 1 and messages[0].grouped_id


async def test_a_forward_keeps_media_and_names_its_source(client: Any, world: World) -> None:
    source, target = world.channel("source_one", title="Source"), world.channel("target_one")
    photo = world.photo(picture(1))
    original = source.post("see", media=photo, date=1_700_000_000)
    target.post(forward=target.post(forward=original))
    target.post("own words", forward=Origin(date=1_600_000_000, name="Hidden"))
    hidden, twice, once = await client.get_messages("target_one", 3)
    for message in (once, twice):
        assert message.photo.id == photo.id
        assert message.fwd_from.from_id.channel_id == source.id
        assert message.fwd_from.channel_post == original.id
        assert message.fwd_from.date.timestamp() == 1_700_000_000
        assert message.forward.chat.title == "Source"
    assert (hidden.fwd_from.from_id, hidden.fwd_from.from_name) == (None, "Hidden")
    assert (await client.get_messages("source_one", ids=original.id)).forwards == 1


async def test_group_posts_name_their_sender(client: Any, world: World) -> None:
    group = world.channel("example_talk", kind="group")
    bob = world.user(first_name="Bob")
    group.post("hi", sender=bob, reply_to=1)
    group.post("from the desk")
    desk, hi = await client.get_messages("example_talk", 2)
    assert (hi.from_id.user_id, hi.sender.first_name, hi.views, hi.post) == (bob.id, "Bob", None, False)
    assert hi.reply_to.reply_to_msg_id == 1
    assert desk.from_id.channel_id == group.id


async def test_fields_of_a_post_arrive(client: Any, world: World) -> None:
    news = world.channel("example_news", linked=world.channel("example_talk", kind="group"))
    bold = [types.MessageEntityBold(0, 4)]
    post = news.post(
        "bold words",
        silent=True,
        entities=bold,
        views=9,
        replies=4,
        reactions={"👍": 3, "🔥": 1},
        author="Desk",
        via_bot=123,
        noforwards=True,
        restriction=(("ios", "terms", "no"),),
    )
    news.edit(post.id, "bolder words")
    news.service("pin", post.id)
    pin, message = await client.get_messages("example_news", 2)
    assert (message.message, message.silent, message.views, message.noforwards) == (
        "bolder words",
        True,
        9,
        True,
    )
    assert message.edit_date is not None and message.pinned and message.post
    assert message.replies.replies == 4 and message.replies.comments
    assert {r.reaction.emoticon: r.count for r in message.reactions.results} == {"👍": 3, "🔥": 1}
    assert (message.post_author, message.via_bot_id) == ("Desk", 123)
    assert message.restriction_reason[0].platform == "ios"
    assert message.entities == bold
    assert isinstance(pin.action, types.MessageActionPinMessage) and pin.reply_to.reply_to_msg_id == post.id


async def test_media_without_files_arrive(client: Any, world: World) -> None:
    news = world.channel("example_news")
    photo = world.photo(picture(1, 300, 200))
    media = [
        world.poll("Which?", "this", "that"),
        world.web_page("https://example.invalid/x", "Title", "Words", photo),
        world.geo(37.5, 127.0),
        world.contact("15550100", "Carol"),
        world.paid_media(photo, stars=5),
    ]
    for item in media:
        news.post(media=item)
    kinds = [type(m.media).__name__ for m in await client.get_messages("example_news", 5)][::-1]
    assert kinds == [
        "MessageMediaPoll",
        "MessageMediaWebPage",
        "MessageMediaGeo",
        "MessageMediaContact",
        "MessageMediaPaidMedia",
    ]


async def test_a_large_channel_pages_fast(client: Any, world: World) -> None:
    news = world.channel("example_big")
    for number in range(20_000):
        news.post(f"post {number}")
    ids = await page(client, await client.get_input_entity("example_big"), offset_id=10_001)
    assert ids == list(range(10_000, 9_900, -1))
