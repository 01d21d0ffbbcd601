"""The suite's own eyes: each thing that a run could get wrong is seen when it is planted."""

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from telethon.extensions import BinaryReader

from monitor.model import (
    Algorithm,
    Batch,
    ChannelId,
    Examined,
    Match,
    MediaId,
    MediaOutcome,
    MessageId,
    Source,
    Span,
)
from monitor.store import open_store
from monitor.telegram.convert import Context, message
from monitor.testdc import Cluster, Document, Entry, Photo, World
from tests.faults.wire import virtual
from tests.faults.wire.manners import too_early, unasked
from tests.faults.wire.people import People
from tests.faults.wire.script import FAULTS, script
from tests.faults.wire.trouble import Flood
from tests.faults.wire.truth import differences, outcome
from tests.faults.wire.virtual import Clock

MESSAGES = {
    "a row is missing": "DELETE FROM messages WHERE message_id = (SELECT max(message_id) FROM messages)",
    "a row is there twice": "UPDATE messages SET message_id = 9999 WHERE message_id = 3",
    "a living post is taken for deleted": "UPDATE messages SET deleted_seen_at = 1 WHERE message_id = 3",
    "a deletion is not seen": "UPDATE messages SET deleted_seen_at = NULL",
    "an edit is not seen": "UPDATE messages SET edited_at = NULL",
    "an edit's time is wrong": "UPDATE messages SET edited_at = edited_at + 1000000",
    "media is another": "UPDATE messages SET media_id = (SELECT max(media_id) FROM media)",
    "media still waits": "UPDATE media SET outcome = 'pending' WHERE outcome = 'no_match'",
    "media has failed": "UPDATE media SET outcome = 'failed' WHERE outcome = 'no_match'",
    "a listed item is missed": "UPDATE media SET outcome = 'no_match' WHERE outcome = 'match'",
    "an item is found that is not listed": "UPDATE media SET outcome = 'match' WHERE outcome = 'no_match'",
    "an album falls apart": "UPDATE messages SET grouped_id = grouped_id + 1",
    "a forward's origin is lost": "UPDATE messages SET forward_message_id = NULL",
    "a post's time is wrong": "UPDATE messages SET posted_at = posted_at + 1000000",
    "a reply goes elsewhere": "UPDATE messages SET reply_to_id = ifnull(reply_to_id, 0) + 1",
    "the ledger begins later": "UPDATE coverage SET start = 2",
    "the ledger ends earlier": "UPDATE coverage SET top = top - 1",
    "something is to be read again": "UPDATE coverage SET stale_after = 0, stale_upto = 3",
    "the ledger forgets a deletion": "DELETE FROM absences",
    "another channel is recorded": "UPDATE messages SET channel_id = 1 WHERE message_id = 7",
}


def test_rows_that_are_the_servers_show_no_difference(tmp_path: Path) -> None:
    assert virtual.run(lambda clock: _recorded(tmp_path, clock)) == []


@pytest.mark.parametrize("planted", MESSAGES)
def test_a_planted_difference_is_found(planted: str, tmp_path: Path) -> None:
    def plant(database: Path) -> None:
        with closing(sqlite3.connect(database)) as connection:
            assert connection.execute(MESSAGES[planted]).rowcount > 0
            connection.commit()

    assert virtual.run(lambda clock: _recorded(tmp_path, clock, plant)) != []


async def _recorded(
    folder: Path, clock: Clock, plant: Callable[[Path], None] = lambda database: None
) -> list[str]:
    """What differs after everything that is in a small world was recorded by hand."""
    world, chance = World(clock=clock.true), random.Random(7)
    world.user(phone="15550001")
    people = People(world, [world.channel("place_0")], world.channel("elsewhere"), lambda line: None)
    (channel,) = people.channels
    for act in (people.post, people.post_media, people.album, people.forward, people.edit, people.edit_media):
        for _ in range(6):
            act(chance)
    channel.delete(channel.alive[3])
    cluster, posts = Cluster(world, clock=clock.true), channel.posts
    gone = channel.alive[5]
    async with open_store(folder / "monitor.db") as store:
        await store.begin(ChannelId(channel.id), MessageId(1), MessageId(channel.top), channel.pts)
        context = Context("main", Source.BACKFILL, clock.utc(), str)
        records = []
        for post in posts:
            with BinaryReader(cluster.renderer.post(post).data) as reader:
                record = message(reader.tgread_object(), context)
            if record is not None:
                records.append(record)
        span = Span(MessageId(0), MessageId(channel.top))
        await store.record([Batch(ChannelId(channel.id), tuple(records), span, seen_at=clock.utc())])
        channel.delete(gone)
        deleted = Batch(ChannelId(channel.id), deleted=(MessageId(gone),), seen_at=clock.utc())
        await store.record([deleted])
        for item in {post.media for post in posts if isinstance(post.media, Photo | Document)}:
            await store.examined(_examined(item, clock))
    plant(folder / "monitor.db")
    return await differences(folder / "monitor.db", people)


def _examined(item: Photo | Document, clock: Clock) -> Examined:
    expected = outcome(item)
    matches = (Match("l", "1-0", "e", Algorithm.SHA256, 0, 0),) if expected is MediaOutcome.MATCH else ()
    return Examined(MediaId(item.id), expected, clock.utc(), matches=matches)


FLOOD = Flood(100.0, 160.0, "messages.getHistory", None)


@pytest.mark.parametrize(("at", "seen"), [(99.0, 0), (100.0, 0), (100.5, 1), (159.5, 1), (160.0, 0)])
def test_a_request_before_a_flood_waits_end_is_seen(at: float, seen: int) -> None:
    journal = [Entry(at, 1, None, 1, "messages.getHistory", {})]
    assert len(list(too_early(journal, [FLOOD], []))) == seen


def test_a_flood_wait_holds_for_its_kind_and_where_it_was_heard() -> None:
    other = [Entry(120.0, 1, None, 1, "messages.getDialogs", {})]
    same = [Entry(120.0, 1, None, 1, "messages.getHistory", {})]
    assert not list(too_early(other, [FLOOD], []))
    assert not list(too_early(same, [FLOOD], [(99.0, 101.0)]))


def test_a_request_about_a_channel_without_authorization_is_seen() -> None:
    world = World()
    ours, other = world.channel("ours"), world.channel("other")
    for name, parameters in (
        ("messages.getHistory", {"peer": other.id}),
        ("channels.getChannels", {"id": [ours.id, other.id]}),
        ("contacts.resolveUsername", {"username": "other"}),
    ):
        assert list(unasked([Entry(1.0, 1, None, 1, name, parameters)], [ours], [other]))
    entry = Entry(1.0, 1, None, 1, "channels.getChannels", {"id": [ours.id]})
    assert not list(unasked([entry], [ours], [other]))


def test_a_seed_is_one_script_and_every_fault_has_its_turn_with_and_without_a_restart() -> None:
    assert script(3) == script(3) != script(4)
    first = [{step.name for step in script(seed).steps} for seed in range(2 * len(FAULTS))]
    for number, fault in enumerate(FAULTS):
        assert fault in first[number] and fault in first[number + len(FAULTS)]
        assert "restart" in first[number + len(FAULTS)]
