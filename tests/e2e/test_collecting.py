"""One account at work against a data centre in the same process: what ends up in the store, whatever happens."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor import daemon
from monitor.config import load
from monitor.demo import sign_in_as_scripted
from monitor.model import MediaOutcome
from monitor.prepare import prepare
from monitor.store import Reader, open_reader
from monitor.testdc import Cluster, Delay, Drop, FloodWait, Rpc, World
from monitor.testdc.pictures import picture
from monitor.testdc.showcase import CODE, PHONE
from tests.e2e.site import channel


@dataclass
class Bench:
    """A world with one channel, and a daemon that collects it."""

    folder: Path
    world: World = field(default_factory=lambda: World(seed=7))
    listed: list[tuple[str, str]] = field(default_factory=list)
    media: dict[str, Any] = field(default_factory=dict)
    budgets: dict[str, int] = field(default_factory=dict)
    channels: list[dict[str, Any]] = field(default_factory=lambda: [channel("news_one")])
    reconcile_every: str = "5m"
    more: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.user = self.world.user(phone=PHONE, code=CODE)
        self.news = self.world.channel("news_one")

    @property
    def database(self) -> Path:
        return self.folder / "state" / "monitor.db"

    def list_file(self, data: bytes, entry: str) -> None:
        self.listed.append((hashlib.sha256(data).hexdigest(), entry))

    @contextlib.asynccontextmanager
    async def collecting(self, cluster: Cluster) -> AsyncIterator["asyncio.Task[None]"]:
        """The daemon, until the block ends."""
        for name, text in (
            ("api_hash", "0" * 32),
            ("pseudonym.key", "ab" * 32),
            ("dc.pem", cluster.public_key),
        ):
            (self.folder / name).write_text(text)
            (self.folder / name).chmod(0o600)
        (self.folder / "list.csv").write_text(
            "entry,label,sha256\n" + "".join(f"{e},A1,{h}\n" for h, e in self.listed or [("0" * 64, "none")])
        )
        (self.folder / "list.csv").chmod(0o600)
        terms = {"licensor": "L", "reference": "R", "permitted_uses": ["detect", "report"]}
        settings = {
            "accounts": [{"name": "main", "api_id": 1, "api_hash": {"file": "api_hash"}}],
            "telegram": {
                "server": {"dc": 1, "host": cluster.host, "port": cluster.port(1), "public_key": "dc.pem"},
                "budgets": self.budgets,
                "reconcile_every": self.reconcile_every,
            },
            "channels": self.channels,
            "hash_lists": [{"name": "files", "file": "list.csv", "terms": terms, "labels": {"A1": "child"}}],
            "media": self.media,
        } | self.more
        (self.folder / "config.yaml").write_text(yaml.safe_dump(settings))
        prepared = prepare(load(self.folder / "config.yaml"))
        if not self.database.exists():
            await sign_in_as_scripted(prepared)
        stop = asyncio.Event()
        task = asyncio.create_task(daemon.run(prepared.config, stop))
        try:
            yield task
        finally:
            stop.set()
            await asyncio.wait({task})
        task.result()

    async def rows(self) -> dict[int, dict[str, Any]]:
        """Messages on record, by id."""
        if not self.database.exists():
            return {}
        async with open_reader(self.database) as reader:
            return {row["message_id"]: dict(row) async for row in reader.message_rows()}

    async def ask(self, question: Callable[[Reader], Awaitable[Any]]) -> Any:
        async with open_reader(self.database) as reader:
            return await question(reader)

    async def eventually(
        self, holds: Callable[[dict[int, dict[str, Any]]], bool], seconds: float = 20
    ) -> None:
        """Wait until what is on record is as it should be."""
        async with asyncio.timeout(seconds):
            while not holds(await self.rows()):
                await asyncio.sleep(0.05)

    async def settled(self) -> dict[MediaOutcome, int]:
        """Wait until no media is pending; the outcomes."""
        async with asyncio.timeout(20):
            while True:
                outcomes: dict[MediaOutcome, int] = await self.ask(lambda reader: reader.media_outcomes())
                if outcomes and MediaOutcome.PENDING not in outcomes:
                    return outcomes
                await asyncio.sleep(0.05)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def test_history_then_live_posts_edits_and_deletions(bench: Bench) -> None:
    for number in range(230):
        bench.news.post(f"post {number}")
    bench.news.delete(50, 51)
    async with Cluster(bench.world) as cluster, bench.collecting(cluster):
        await bench.eventually(lambda rows: len(rows) == 229)
        post = bench.news.post("live")
        bench.news.edit(100, "other words")
        bench.news.delete(101)
        await bench.eventually(lambda rows: post.id in rows and rows[101]["deleted_seen_at"] is not None)
        rows = await bench.rows()
        assert rows[post.id]["source"] == "live"
        assert rows[100]["edited_at"] is not None
        assert rows[100]["source"] == "backfill"
        assert sorted(rows) == [i for i in range(1, post.id + 1) if i not in (50, 51)]


async def test_what_was_posted_while_the_connection_was_down_is_found(bench: Bench) -> None:
    bench.news.post("before")
    async with Cluster(bench.world) as cluster, bench.collecting(cluster):
        await bench.eventually(lambda rows: len(rows) == 2)
        cluster.faults.add("*", Drop("before"), count=1)
        cluster.cut()
        missed = [bench.news.post(f"missed {n}").id for n in range(150)]
        await bench.eventually(lambda rows: len(rows) == 152)
        assert {row["source"] for i, row in (await bench.rows()).items() if i in missed} == {"reconcile"}


async def test_a_stop_leaves_media_pending_and_the_next_run_takes_it_up(bench: Bench) -> None:
    data = b"listed" * 1000
    bench.list_file(data, "e-1")
    for _ in range(3):
        bench.news.post(media=bench.world.document(data))
    async with Cluster(bench.world) as cluster:
        cluster.faults.add("upload.getFile", Delay(60), count=None)
        async with bench.collecting(cluster):
            await bench.eventually(lambda rows: len(rows) == 4)
        assert (await bench.ask(lambda reader: reader.media_outcomes())) == {MediaOutcome.PENDING: 3}
        cluster.faults.clear()
        async with bench.collecting(cluster):
            assert await bench.settled() == {MediaOutcome.MATCH: 3}
    assert (await bench.ask(lambda reader: reader.totals())).flags == 3


async def test_one_item_is_fetched_once_however_many_messages_carry_it(bench: Bench) -> None:
    data = b"listed" * 1000
    bench.list_file(data, "e-1")
    document = bench.world.document(data)
    first = bench.news.post(media=document)
    for _ in range(4):
        bench.news.post(forward=first)
    async with Cluster(bench.world) as cluster, bench.collecting(cluster):
        assert await bench.settled() == {MediaOutcome.MATCH: 1}
        bench.news.post(forward=first)
        async with asyncio.timeout(20):
            while (await bench.ask(lambda reader: reader.totals())).flags < 6:
                await asyncio.sleep(0.05)
        asked = [entry for entry in cluster.journal if entry.name == "upload.getFile"]
        assert len(asked) == 1


async def test_every_item_gets_its_outcome_and_the_daemon_goes_on(bench: Bench) -> None:
    world, news = bench.world, bench.news
    bench.media = {"max_bytes": "100KB"}
    news.post(media=world.document(b""))
    news.post(media=world.document(b"\xff\xd8\xff\xe0 not a picture", mime="image/jpeg"))
    news.post(media=world.document(b"x" * 200_000))
    news.post(media=world.photo(picture(1, 320, 240)))
    news.post(media=world.photo(picture(1, 320, 240), dc=2))
    from io import BytesIO

    from PIL import Image

    flat = BytesIO()
    Image.new("RGB", (320, 240), (200, 10, 10)).save(flat, "PNG")
    news.post(media=world.document(flat.getvalue(), mime="image/png"))
    async with Cluster(world) as cluster, bench.collecting(cluster):
        outcomes = await bench.settled()
        assert outcomes == {
            MediaOutcome.EMPTY: 1,
            MediaOutcome.UNDECODABLE: 1,
            MediaOutcome.TOO_LARGE: 1,
            MediaOutcome.NO_MATCH: 2,
            MediaOutcome.LOW_QUALITY: 1,
        }
        asked = {entry.name for entry in cluster.journal}
        assert "upload.getFile" in asked
        last = news.post("still here")
        await bench.eventually(lambda rows: last.id in rows)


async def test_an_expired_reference_is_renewed_through_the_message(bench: Bench) -> None:
    bench.news.post(media=bench.world.photo(picture(2, 320, 240)))
    bench.news.post(media=bench.world.document(b"y" * 1000))
    async with Cluster(bench.world) as cluster:
        cluster.faults.add("upload.getFile", Rpc(400, "FILE_REFERENCE_EXPIRED"), count=2)
        async with bench.collecting(cluster):
            assert await bench.settled() == {MediaOutcome.NO_MATCH: 2}
        assert [e.name for e in cluster.journal].count("channels.getMessages") >= 2


async def test_a_flood_wait_is_obeyed_to_its_end(bench: Bench) -> None:
    for number in range(150):
        bench.news.post(f"post {number}")
    async with Cluster(bench.world) as cluster:
        cluster.faults.add("messages.getHistory", FloodWait(2), count=1, after=1)
        async with bench.collecting(cluster):
            await bench.eventually(lambda rows: len(rows) == 151)
        times = [entry.at for entry in cluster.journal if entry.name == "messages.getHistory"]
        assert times[2] - times[1] >= 2.0


async def test_an_ended_session_stops_the_daemon(bench: Bench) -> None:
    from monitor.daemon import ProcessFailed

    bench.news.post("one")
    async with Cluster(bench.world) as cluster:
        with pytest.raises(ProcessFailed) as caught:
            async with bench.collecting(cluster) as task:
                await bench.eventually(lambda rows: len(rows) == 2)
                cluster.revoke(bench.user)
                cluster.cut()
                async with asyncio.timeout(20):
                    await asyncio.wait({task})
        assert caught.value.exit_code == 3


async def test_a_channel_made_private_stops_alone(bench: Bench) -> None:
    bench.news.post("one")
    async with Cluster(bench.world) as cluster, bench.collecting(cluster) as task:
        await bench.eventually(lambda rows: len(rows) == 2)
        bench.news.make_private()
        async with asyncio.timeout(20):
            while True:
                (found,) = await bench.ask(lambda reader: reader.channels())
                if found.state == "stopped":
                    break
                await asyncio.sleep(0.05)
        assert found.reason == "private"
        assert not task.done()


async def test_nothing_is_asked_about_a_channel_without_authorization(bench: Bench) -> None:
    other = bench.world.channel("not_ours")
    other.join(bench.user)
    async with Cluster(bench.world) as cluster, bench.collecting(cluster):
        await bench.eventually(lambda rows: len(rows) == 1)
        for number in range(20):
            other.post(f"theirs {number}")
        post = bench.news.post("ours")
        await bench.eventually(lambda rows: post.id in rows)
        assert not any(str(other.id) in str(entry.parameters) for entry in cluster.journal)
        assert {row["channel_id"] for row in (await bench.rows()).values()} == {bench.news.id}
