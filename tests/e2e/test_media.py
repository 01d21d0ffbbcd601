"""Media bytes through the real client, from a data centre in the same process: bit-exact, whatever happens."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from telethon.tl import types

from monitor.errors import MediaGone, MediaOnCdn, MediaUnavailable, SessionRevoked, SourceUnavailable
from monitor.matching import hash_image
from monitor.model import ChannelId, MediaId, MediaKind, MediaOutcome, MediaRef, MessageId, PendingMedia
from monitor.telegram.access import Credentials, Endpoint
from monitor.telegram.client import connect
from monitor.telegram.connection import Connection
from monitor.telegram.locations import CHUNK, References
from monitor.telegram.media import AT_ONCE, PIECES, TRIES, Download, Downloads
from monitor.telegram.session import StoredSession
from monitor.telegram.signin import by_phone, sign_in
from monitor.testdc import Answer, Channel, Cluster, Delay, Document, Drop, Entry, FloodWait, Rpc, World
from monitor.testdc.media import Embedded
from monitor.testdc.pictures import picture
from tests.e2e.test_collecting import Bench

LARGE = random.Random(5).randbytes(10 * CHUNK - 1234)


@dataclass
class Site:
    """A channel, an account signed in, and its downloads."""

    world: World
    news: Channel
    cluster: Cluster
    connection: Connection
    downloads: Downloads

    def document(self, data: bytes = LARGE, dc: int = 1) -> Document:
        """A file on a new post."""
        made = self.world.document(data, dc=dc)
        self.news.post(media=made)
        return made

    def misannounced(self, data: bytes, **wrong: Any) -> Document:
        """A file of which the message says something wrong."""
        made = self.world.document(data, dc=wrong.pop("really_at", 1))

        def build(refer: Any) -> Any:
            tl = made.tl(refer)
            for name, value in wrong.items():
                setattr(tl.document, name, value)
            return tl

        self.news.post(media=Embedded(build))
        return made

    async def locate(
        self, media_id: int, kind: MediaKind = MediaKind.DOCUMENT, *, small: bool = False
    ) -> Download:
        item = MediaId(media_id)
        post = MessageId(self.news.top)
        return await self.downloads.locate(
            PendingMedia(MediaRef(kind, item), item, ChannelId(self.news.id), post), small=small
        )

    @property
    def asked(self) -> list[Entry]:
        """Requests for pieces so far."""
        return self.cluster.requests("upload.getFile")

    def offsets(self, dc: int | None = None) -> list[int]:
        return sorted(entry.parameters["offset"] for entry in self.asked if dc in (None, entry.dc))


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    world = World(seed=7)
    user = world.user(phone="15550001", code="22222")
    news = world.channel("news_one")
    news.join(user)
    async with Cluster(world) as cluster:
        answers = iter(("+1 555 0001", "22222"))
        session = StoredSession("main")
        endpoint = Endpoint(1, cluster.host, cluster.port(1), cluster.public_key.encode())
        async with connect(session, Credentials(1, "0" * 32), endpoint, signed_in=False) as connection:
            await sign_in(connection, by_phone(lambda question, secret: next(answers)))
            session.remember({ChannelId(news.id): world.access_hash(user, news.id)})
            yield Site(world, news, cluster, connection, Downloads(connection, References()))


async def whole(download: Download) -> bytes:
    async with asyncio.timeout(60), aclosing(download.chunks()) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def asked_for(site: Site, count: int) -> None:
    """Wait until so many pieces were asked for, and a moment longer."""
    async with asyncio.timeout(30):
        while len(site.asked) < count:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)


async def test_a_large_file_arrives_in_order_however_its_answers_come(site: Site) -> None:
    made = site.document()
    site.cluster.faults.add("upload.getFile", Delay(0.3), count=None, fraction=0.4)
    site.cluster.faults.add("upload.getFile", Delay(0.1), count=None, fraction=0.4)
    assert await whole(await site.locate(made.id)) == LARGE
    assert site.offsets() == list(range(0, len(LARGE), CHUNK))


async def test_several_pieces_are_on_their_way_and_no_more_than_are_allowed_in_memory(site: Site) -> None:
    made = site.document()
    async with aclosing((await site.locate(made.id)).chunks()) as chunks:
        first = await anext(chunks)
        assert len(site.asked) == 1  # alone, to see whether reference and data centre are right
        site.cluster.faults.add("upload.getFile", Delay(60), count=1)
        second = asyncio.ensure_future(anext(chunks))
        await asked_for(site, 1 + PIECES)
        # The later pieces have arrived, and wait for the one before them.
        assert len(site.asked) == 1 + PIECES
        second.cancel()
        await asyncio.wait({second})
    assert first == LARGE[:CHUNK]


async def test_all_files_together_leave_the_platform_room(site: Site) -> None:
    downloads = [await site.locate(site.document().id) for _ in range(4)]
    site.cluster.faults.add("upload.getFile", Delay(60), count=None, after=len(downloads))
    tasks = [asyncio.ensure_future(whole(download)) for download in downloads]
    await asked_for(site, len(downloads) + AT_ONCE)
    assert len(site.asked) == len(downloads) + AT_ONCE
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


@pytest.mark.parametrize("size", [1, CHUNK - 1, CHUNK])
async def test_a_small_file_takes_one_request(site: Site, size: int) -> None:
    made = site.document(LARGE[:size])
    assert await whole(await site.locate(made.id)) == LARGE[:size]
    assert len(site.asked) == 1


async def test_a_file_of_full_pieces_alone(site: Site) -> None:
    made = site.document(LARGE[: 4 * CHUNK])
    assert await whole(await site.locate(made.id)) == LARGE[: 4 * CHUNK]
    assert len(site.asked) == 4


async def test_an_empty_file_takes_no_request(site: Site) -> None:
    made = site.document(b"")
    assert await whole(await site.locate(made.id)) == b""
    assert not site.asked


async def test_references_that_expire_in_the_middle_are_renewed_once(site: Site) -> None:
    made = site.document()
    got = []
    async with aclosing((await site.locate(made.id)).chunks()) as chunks:
        async for chunk in chunks:
            got.append(chunk)
            if len(got) in (1, 6):
                site.world.references.expire_all()
    assert b"".join(got) == LARGE
    assert len(site.cluster.requests("channels.getMessages")) == 1 + 2


async def test_a_message_that_carries_something_else_by_now_has_lost_the_item(site: Site) -> None:
    made = site.document()
    async with aclosing((await site.locate(made.id)).chunks()) as chunks:
        await anext(chunks)
        site.news.edit(site.news.top, media=site.world.document(b"other" * 1000))
        site.world.references.expire_all()
        with pytest.raises(MediaGone):
            async for _ in chunks:
                pass


async def test_a_reference_that_stays_expired_is_not_renewed_for_ever(site: Site) -> None:
    made = site.document()
    site.cluster.faults.add("upload.getFile", Rpc(400, "FILE_REFERENCE_EXPIRED"), count=None)
    with pytest.raises(MediaUnavailable):
        await whole(await site.locate(made.id))
    assert len(site.asked) == TRIES


@pytest.mark.parametrize("fault", [FloodWait(3), Rpc(420, "FLOOD_PREMIUM_WAIT_3")], ids=["flood", "premium"])
async def test_a_pause_in_the_middle_is_obeyed_and_reading_goes_on_where_it_was(
    site: Site, fault: Rpc
) -> None:
    made = site.document()
    got = []
    async with aclosing((await site.locate(made.id)).chunks()) as chunks:
        got.append(await anext(chunks))
        before = len(site.asked)
        site.cluster.faults.add("upload.getFile", fault)
        got += [chunk async for chunk in chunks]
    assert b"".join(got) == LARGE
    refused = site.asked[before]
    # What had left together with the refused request was on its way already.
    together = site.asked[before : before + PIECES]
    later = site.asked[before + PIECES :]
    assert together[-1].at - refused.at < 1.5
    assert min(entry.at for entry in later) - refused.at >= 3
    # That one piece twice, and every other once.
    assert len(site.asked) == len(LARGE) // CHUNK + 1 + 1


async def test_asked_to_slow_down_fewer_requests_leave_together(site: Site) -> None:
    made = site.document()
    site.cluster.faults.add("upload.getFile", Rpc(420, "FLOOD_PREMIUM_WAIT_1"), count=PIECES, after=1)
    assert await whole(await site.locate(made.id)) == LARGE
    # Those that left together were refused together: that is once, not four times.
    assert (site.downloads.pace.slowed, site.downloads.pace.limit) == (1, AT_ONCE // 2)


async def test_a_file_that_moved_is_followed(site: Site) -> None:
    made = site.misannounced(LARGE, dc_id=1, really_at=2)
    assert await whole(await site.locate(made.id)) == LARGE
    assert (site.offsets(1), site.offsets(2)) == ([0], list(range(0, len(LARGE), CHUNK)))
    assert len(site.cluster.requests("auth.exportAuthorization")) == 1


async def test_files_at_another_data_centre_share_one_link(site: Site) -> None:
    downloads = [await site.locate(site.document(LARGE[number:], dc=2).id) for number in range(3)]
    assert await asyncio.gather(*map(whole, downloads)) == [LARGE[number:] for number in range(3)]
    assert len(site.cluster.requests("auth.importAuthorization")) == 1


@pytest.mark.parametrize("trouble", ["cut", "signed out"])
async def test_a_link_to_another_data_centre_that_breaks_is_opened_anew(site: Site, trouble: str) -> None:
    made = site.document(dc=2)
    got = []
    async with aclosing((await site.locate(made.id)).chunks()) as chunks:
        got.append(await anext(chunks))
        if trouble == "cut":
            site.cluster.faults.add("upload.getFile", Drop("before"))
        else:
            site.cluster.faults.add("upload.getFile", Rpc(401, "AUTH_KEY_UNREGISTERED"))
        got += [chunk async for chunk in chunks]
    assert b"".join(got) == LARGE
    assert len(site.cluster.requests("auth.importAuthorization")) == 2
    assert not site.connection.lost.done()


async def test_an_account_that_is_signed_out_at_home_is_signed_out(site: Site) -> None:
    made = site.document()
    site.cluster.faults.add("upload.getFile", Rpc(401, "AUTH_KEY_UNREGISTERED"), after=1)
    with pytest.raises(SessionRevoked):
        await whole(await site.locate(made.id))


async def test_the_connection_cut_in_the_middle_ends_the_download(site: Site) -> None:
    made = site.document()
    async with aclosing((await site.locate(made.id)).chunks()) as chunks:
        await anext(chunks)
        site.cluster.cut()
        with pytest.raises(SourceUnavailable):
            async for _ in chunks:
                pass


async def test_an_error_of_the_platforms_own_is_tried_again(site: Site) -> None:
    made = site.document()
    site.cluster.faults.add("upload.getFile", Rpc(500, "INTERNAL_SERVER_ERROR"), after=3)
    site.cluster.faults.add("upload.getFile", Rpc(-503, "Timeout"), after=5)
    assert await whole(await site.locate(made.id)) == LARGE


async def test_a_file_shorter_than_announced_ends_where_it_ends(site: Site) -> None:
    data = LARGE[: 3 * CHUNK + 100]
    made = site.misannounced(data, size=len(data) + 5 * CHUNK)
    assert await whole(await site.locate(made.id)) == data


async def test_an_answer_cut_short_once_is_asked_for_again(site: Site) -> None:
    made = site.document()
    cut_short = types.upload.File(types.storage.FileUnknown(), 0, LARGE[CHUNK : CHUNK + 4096])
    site.cluster.faults.add("upload.getFile", Answer(cut_short), after=1)
    assert await whole(await site.locate(made.id)) == LARGE


@pytest.mark.parametrize("announced", [1, CHUNK - 1, 2 * CHUNK + 7])
async def test_a_file_longer_than_announced_is_read_to_its_end(site: Site, announced: int) -> None:
    data = LARGE[: 5 * CHUNK + 100]
    made = site.misannounced(data, size=announced)
    assert await whole(await site.locate(made.id)) == data


async def test_a_file_refused_is_gone(site: Site) -> None:
    made = site.document()
    site.cluster.faults.add("upload.getFile", Rpc(400, "LOCATION_INVALID"), after=2)
    with pytest.raises(MediaGone):
        await whole(await site.locate(made.id))


async def test_a_file_given_out_elsewhere_only_is_said_to_be_so(site: Site) -> None:
    made = site.document()
    redirect = types.upload.FileCdnRedirect(203, b"token", b"k" * 32, b"i" * 32, [])
    site.cluster.faults.add("upload.getFile", Answer(redirect))
    with pytest.raises(MediaOnCdn):
        await whole(await site.locate(made.id))


async def test_a_photo_comes_in_its_largest_size(site: Site) -> None:
    photo = site.world.photo(picture(3, 1000, 700), dc=2)
    site.news.post(media=photo)
    download = await site.locate(photo.id, MediaKind.PHOTO)
    assert (download.rendition, await whole(download)) == ("y", photo.renditions[-1].data)


async def test_a_photo_comes_in_a_small_size_that_stands_for_its_original(site: Site) -> None:
    photo = site.world.photo(picture(3, 1000, 700), dc=2)
    site.news.post(media=photo)
    small = await site.locate(photo.id, MediaKind.PHOTO, small=True)
    assert (small.rendition, small.original_size) == ("m", (1000, 700))
    assert await whole(small) == photo.renditions[1].data
    full = await site.locate(photo.id, MediaKind.PHOTO)
    assert (full.rendition, full.original_size, await whole(full)) == ("y", None, photo.renditions[-1].data)


async def test_a_photo_that_is_small_itself_and_a_file_come_as_they_are(site: Site) -> None:
    photo = site.world.photo(picture(3, 300, 200))
    site.news.post(media=photo)
    download = await site.locate(photo.id, MediaKind.PHOTO, small=True)
    assert (download.rendition, download.original_size) == ("m", None)
    made = site.document(b"data")
    download = await site.locate(made.id, small=True)
    assert (download.rendition, download.original_size) == ("document", None)


async def test_of_a_progressive_photo_the_first_scans_are_read_where_they_are_less(site: Site) -> None:
    # A strip: its 320 px rendition is too low to tell anything.
    photo = site.world.photo(picture(3, 1200, 400), progressive=True)
    site.news.post(media=photo)
    download = await site.locate(photo.id, MediaKind.PHOTO, small=True)
    largest = photo.renditions[-1]
    assert (download.rendition, download.original_size) == ("y:2", (1200, 400))
    assert await whole(download) == largest.data[: largest.prefixes[1]] + b"\xff\xd9"
    (asked,) = site.asked
    assert asked.parameters["limit"] < 2 * largest.prefixes[1]
    seen, full = (
        hash_image(data, **size)
        for data, size in (
            (
                await whole(await site.locate(photo.id, MediaKind.PHOTO, small=True)),
                {"original_size": (1200, 400)},
            ),
            (largest.data, {}),
        )
    )
    off = np.frombuffer(seen.pdq, np.uint8) ^ np.frombuffer(full.pdq, np.uint8)
    assert np.bitwise_count(off).sum() <= 8


@pytest.mark.parametrize("side", [-70_000, 70_000])
async def test_sizes_that_no_picture_can_have_are_not_passed_on(site: Site, side: int) -> None:
    photo = site.world.photo(picture(3, 1000, 700))

    def build(refer: Any) -> Any:
        tl = photo.tl(refer)
        tl.photo.sizes[-1].w = tl.photo.sizes[-1].h = side
        return tl

    site.news.post(media=Embedded(build))
    download = await site.locate(photo.id, MediaKind.PHOTO, small=True)
    assert (download.rendition, download.original_size) == ("y", None)


async def test_closing_in_the_middle_leaves_nothing_behind(site: Site) -> None:
    made = site.document(dc=2)
    before = asyncio.all_tasks()
    site.cluster.faults.add("upload.getFile", Delay(60), count=None, after=2)
    async with aclosing((await site.locate(made.id)).chunks()) as chunks:
        await anext(chunks)
        await anext(chunks)
        assert any(task.get_name().startswith("piece:") for task in asyncio.all_tasks() - before)
    await asyncio.sleep(0)
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("piece:")]
    with contextlib.suppress(SourceUnavailable):
        await site.connection.close()


async def test_a_download_that_was_cut_is_done_by_the_next_session(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.list_file(LARGE, "e-1")
    bench.news.post(media=bench.world.document(LARGE))
    async with Cluster(bench.world) as cluster:
        cluster.faults.add("upload.getFile", Drop("before"), after=4)
        async with bench.collecting(cluster):
            assert await bench.settled() == {MediaOutcome.MATCH: 1}


async def test_only_the_kinds_that_are_named_are_fetched(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.media = {"kinds": ["photo"]}
    bench.news.post(media=bench.world.document(b"a file"))
    bench.news.post(media=bench.world.document(b"a film", kind="video", duration=3))
    photo = bench.world.photo(picture(2, 320, 240))
    bench.news.post(media=photo)
    async with Cluster(bench.world) as cluster:
        async with bench.collecting(cluster):
            assert await bench.settled() == {MediaOutcome.KIND_OFF: 2, MediaOutcome.NO_MATCH: 1}
        asked = cluster.requests("upload.getFile")
    assert len(asked) == 1
