"""A large file in several pieces at a time, against one piece after the other, when each answer takes a while.

Both read the same file from a data centre in this process, in turns; only reading is timed.
"""

import asyncio
import random
import statistics
import time
from contextlib import aclosing

from benchmarks.table import Row
from monitor.model import ChannelId, MediaId, MediaKind, MediaRef, MessageId, PendingMedia
from monitor.telegram.access import Credentials, Endpoint
from monitor.telegram.client import connect
from monitor.telegram.locations import CHUNK, References
from monitor.telegram.media import Downloads
from monitor.telegram.session import StoredSession
from monitor.telegram.signin import by_phone, sign_in
from monitor.testdc import Cluster, Delay, World

PIECES = 20
ANSWER_SECONDS = 0.1
ROUNDS = 5
TARGET = 2.0


def measure() -> Row:
    """Medians of alternating runs of both."""
    one, several = asyncio.run(_medians())
    return Row(
        f"a file of {PIECES * CHUNK >> 20} MiB in several pieces at a time, against one, "
        f"{ANSWER_SECONDS * 1000:.0f} ms an answer",
        f"{several:.2f} s against {one:.2f} s",
        one / several,
        f"at least {TARGET} ×",
        one / several >= TARGET,
    )


async def _medians() -> tuple[float, float]:
    world = World(seed=7)
    user = world.user(phone="15550001", code="22222")
    news = world.channel("news_one")
    news.join(user)
    file = world.document(random.Random(7).randbytes(PIECES * CHUNK))
    post = news.post(media=file)
    item = MediaId(file.id)
    pending = PendingMedia(MediaRef(MediaKind.DOCUMENT, item), item, ChannelId(news.id), MessageId(post.id))
    times: tuple[list[float], list[float]] = ([], [])
    async with Cluster(world) as cluster:
        answers = iter(("+15550001", "22222"))
        session = StoredSession("main")
        endpoint = Endpoint(1, cluster.host, cluster.port(1), cluster.public_key.encode())
        async with connect(session, Credentials(1, "0" * 32), endpoint, signed_in=False) as connection:
            await sign_in(connection, by_phone(lambda question, secret: next(answers)))
            session.remember({ChannelId(news.id): world.access_hash(user, news.id)})
            cluster.faults.add("upload.getFile", Delay(ANSWER_SECONDS), count=None)
            both = (
                Downloads(connection, References(), at_once=1),
                Downloads(connection, References()),
            )
            for _ in range(ROUNDS):
                for downloads, taken in zip(both, times, strict=True):
                    taken.append(await _seconds(downloads, pending))
    return statistics.median(times[0]), statistics.median(times[1])


async def _seconds(downloads: Downloads, pending: PendingMedia) -> float:
    download = await downloads.locate(pending)
    started, got = time.perf_counter(), 0
    async with aclosing(download.chunks()) as chunks:
        async for chunk in chunks:
            got += len(chunk)
    if got != download.size:
        raise RuntimeError(f"{got} of {download.size} bytes")
    return time.perf_counter() - started
