"""Days of following channels, in virtual time: counters again and again, access lost, forwards, two accounts, bots."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from monitor.model import ChannelState, MessageKind, Refusal
from monitor.store import open_reader
from monitor.testdc import Channel, Cluster, Origin, User, World
from tests.faults.wire import virtual
from tests.faults.wire.machine import Machine, served, signed_in
from tests.faults.wire.virtual import Clock

HOUR, DAY = 3_600.0, 86_400.0


@contextlib.asynccontextmanager
async def following(
    folder: Path, clock: Clock, world: World, user: User, *channels: Channel, **settings: Any
) -> AsyncIterator[tuple[Cluster, Machine]]:
    """A daemon that follows these channels through one account."""
    async with Cluster(world, clock=clock.true) as cluster:
        declared = [{"username": channel.username, **settings} for channel in channels]
        machine = Machine(folder, clock.utc, served(cluster), declared, {}, media=False)
        await machine.sign_in(signed_in(cluster, user))
        machine.start()
        try:
            yield cluster, machine
        finally:
            await machine.stop()


async def rows(machine: Machine) -> dict[int, dict[str, Any]]:
    async with open_reader(machine.database) as reader:
        return {row["message_id"]: dict(row) async for row in reader.message_rows()}


async def series(machine: Machine, message_id: int) -> list[tuple[float, int | None, int | None]]:
    """Views and reactions of one message as they were seen, with the hours between the looks."""
    from sqlalchemy import select

    from monitor.store.schema import counters

    c = counters.c
    query = select(c.at, c.views, c.reactions).where(c.message_id == message_id).order_by(c.at)
    async with open_reader(machine.database) as reader:
        found = await reader.run(lambda conn: conn.execute(query).all())
    return [((row.at - found[0].at).total_seconds() / HOUR, row.views, row.reactions) for row in found]


def test_counters_are_read_again_at_ages_that_thin_out_and_views_are_not_raised(tmp_path: Path) -> None:
    async def play(clock: Clock) -> None:
        world = World(clock=clock.true)
        user, news = world.user(phone="15550001", code="22222"), world.channel("news_one")
        async with following(tmp_path, clock, world, user, news) as (cluster, machine):
            await asyncio.sleep(60)
            post = news.post("seen more and more", views=10)
            for hour in range(1, 26):
                await asyncio.sleep(HOUR)
                news.count(post.id, views=10 + hour)
                if hour == 2:
                    news.react(post.id, {"👍": 3})
        looks = await series(machine, post.id)
        hours = [hours for hours, _, _ in looks]
        wanted = [0, 1, 2, 6, 24]
        assert len(hours) == len(wanted), looks
        assert all(0 <= hour - age < 0.6 for hour, age in zip(hours, wanted, strict=True)), looks
        assert [reactions for _, _, reactions in looks][-1] == 3
        assert [views for _, views, _ in looks] == [10 + int(hour) for hour in hours]
        row = (await rows(machine))[post.id]
        assert row["edited_at"] is None, "a reaction is no edit"
        assert (row["views"], row["reactions"]) == (looks[-1][1], 3)
        assert not [e for e in cluster.journal if e.name == "messages.getMessagesViews"]

    virtual.run(play)


def test_each_way_of_losing_access_stops_its_channel_with_its_reason_and_no_other(tmp_path: Path) -> None:
    async def play(clock: Clock) -> None:
        world = World(clock=clock.true)
        user = world.user(phone="15550001", code="22222")
        names = ("stays", "banned_us", "closed_down", "went_private", "moved_on", "hidden_now", "on_ios")
        places = {name: world.channel(name) for name in names}
        async with following(tmp_path, clock, world, user, *places.values()) as (_, machine):
            await asyncio.sleep(60)
            places["banned_us"].ban(user)
            places["closed_down"].ban()
            places["went_private"].make_private()
            places["moved_on"].rename("another_name")
            places["hidden_now"].restrict("all", "terms", "…")
            places["on_ios"].restrict("ios", "porn", "…")
            await asyncio.sleep(45)
            after = {name: place.post("after").id for name, place in places.items() if name != "closed_down"}
            await asyncio.sleep(HOUR)
            async with open_reader(machine.database) as reader:
                found = {c.username: (c.state, c.reason) for c in await reader.channels()}
                kept = {(row["channel_id"], row["message_id"]) async for row in reader.message_rows()}
        stopped = ChannelState.STOPPED
        assert found == {
            "stays": (ChannelState.COLLECTING, None),
            "on_ios": (ChannelState.COLLECTING, None),
            "banned_us": (stopped, Refusal.GONE),
            "closed_down": (stopped, Refusal.GONE),
            "went_private": (stopped, Refusal.PRIVATE),
            "moved_on": (stopped, Refusal.NAME_MOVED),
            "hidden_now": (stopped, Refusal.RESTRICTED),
        }
        recorded = {name for name, post_id in after.items() if (places[name].id, post_id) in kept}
        assert recorded == {"stays", "on_ios"}

    virtual.run(play)


def test_a_forward_from_elsewhere_is_an_id_and_nobody_goes_there(tmp_path: Path) -> None:
    async def play(clock: Clock) -> None:
        world = World(clock=clock.true)
        user, news = world.user(phone="15550001", code="22222"), world.channel("news_one")
        elsewhere = world.channel("not_ours")
        origin = elsewhere.post("first said here")
        async with following(tmp_path, clock, world, user, news) as (cluster, machine):
            await asyncio.sleep(60)
            copy = news.post(forward=origin)
            named = news.post("by somebody", forward=Origin(1_700_000_000, name="a name that is not kept"))
            await asyncio.sleep(HOUR)
        row = (await rows(machine))[copy.id]
        assert (row["forward_channel_id"], row["forward_message_id"]) == (elsewhere.id, origin.id)
        assert (await rows(machine))[named.id]["forward_channel_id"] is None
        assert not [e for e in cluster.journal if str(elsewhere.id) in str(e.parameters)]
        assert user.id not in elsewhere.members

    virtual.run(play)


def test_a_bounded_past_begins_where_it_is_told_and_all_of_it_can_follow(tmp_path: Path) -> None:
    async def play(clock: Clock) -> None:
        world = World(clock=clock.true)
        user, news = world.user(phone="15550001", code="22222"), world.channel("news_one")
        for _ in range(300):
            news.post("old")
        news.delete(200, 260)
        async with following(tmp_path, clock, world, user, news, backfill={"messages": 100}) as (_, machine):
            await asyncio.sleep(60)
            found = await rows(machine)
            assert sorted(found) == [i for i in range(202, 302) if i != 260]
            async with open_reader(machine.database) as reader:
                (sums,) = await reader.coverage()
            assert (sums.start, sums.expected, sums.holes, sums.deleted) == (202, 100, 0, 1)
        async with following(tmp_path, clock, world, user, news) as (_, machine):
            await asyncio.sleep(60)
            async with open_reader(machine.database) as reader:
                (sums,) = await reader.coverage()
            assert (sums.start, sums.expected, sums.holes, sums.deleted) == (1, 301, 0, 2)

    virtual.run(play)


def test_a_bot_follows_what_its_owner_added_it_to(tmp_path: Path) -> None:
    async def play(clock: Clock) -> None:
        world = World(clock=clock.true)
        bot = world.bot("1:token", "watch_bot")
        ours, other = world.channel("news_one"), world.channel("not_added")
        for _ in range(250):
            ours.post("old")
        ours.delete(7)
        ours.add_bot(bot)
        async with following(tmp_path, clock, world, bot, ours, other) as (cluster, machine):
            await asyncio.sleep(60)
            assert sorted(await rows(machine)) == [i for i in range(1, 252) if i != 7]
            ours.edit(100, "changed")
            live = ours.post("live")
            await asyncio.sleep(60)
            cluster.cut()
            missed = ours.post("while the line was down")
            ours.delete(live.id)
            await asyncio.sleep(HOUR)
            found = await rows(machine)
            async with open_reader(machine.database) as reader:
                states = {c.username: c.reason for c in await reader.channels()}
                (sums,) = await reader.coverage()
        assert found[100]["edited_at"] is not None
        assert found[live.id]["deleted_seen_at"] is not None
        assert found[missed.id]["kind"] == MessageKind.MESSAGE
        assert states == {"news_one": None, "not_added": Refusal.NOT_ADDED}
        assert (sums.holes, sums.deleted) == (0, 1)
        refused = ("messages.getHistory", "messages.getDialogs", "channels.joinChannel")
        assert not [e for e in cluster.journal if e.name in refused]

    virtual.run(play)
