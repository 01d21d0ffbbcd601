"""The steady state: many channels, a post every few milliseconds; how late rows are, and what that costs.

The daemon runs with all its processes; the data centre and the measuring live in this one. A post's delay is
counted on one clock from the moment it is made until another connection to the database sees its row.
"""

import asyncio
import contextlib
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from benchmarks.table import Row
from monitor.config import load
from monitor.model import SessionState
from monitor.prepare import prepare
from monitor.store import open_store
from monitor.telegram.client import connect
from monitor.telegram.session import StoredSession
from monitor.telegram.signin import by_phone, sign_in
from monitor.testdc import Channel, Cluster, World

CHANNELS, RATE, SECONDS = 500, 50, 30
DELAY, SHARE = 0.2, 0.25
LOOK = 0.01
"""Seconds between two looks at the rows."""
PATIENCE = 300.0
"""Seconds in which all channels are joined and read."""
PHONE, CODE = "15550001", "22222"
AUTHORIZATION = {
    "reference": "BENCH",
    "basis": "owner_consent",
    "granted_by": "nobody",
    "valid_from": "2020-01-01",
    "valid_until": "2099-12-31",
}


@dataclass
class _Seen:
    """Posts whose rows are not there yet, and how late those were that are."""

    waiting: dict[tuple[int, int], float] = field(default_factory=dict)
    delays: list[float] = field(default_factory=list)

    def look(self, database: sqlite3.Connection) -> None:
        """Which rows are there now."""
        for key, posted in list(self.waiting.items()):
            found = database.execute(
                "SELECT 1 FROM messages WHERE channel_id = ? AND message_id = ?", key
            ).fetchone()
            if found:
                self.delays.append(time.monotonic() - posted)
                del self.waiting[key]


def measure() -> list[Row]:
    """Median delay, and the share of one core that all processes of the daemon take together."""
    with tempfile.TemporaryDirectory() as folder:
        delays, share = asyncio.run(_steady(Path(folder)))
    median, worst = statistics.median(delays), statistics.quantiles(delays, n=100)[98]
    what = f"{CHANNELS} channels, {RATE} posts/s: "
    return [
        Row(
            what + "from the post to the durable row, median",
            f"{median * 1000:.0f} ms; 99 of 100 within {worst * 1000:.0f} ms",
            median,
            f"at most {DELAY} s",
            median <= DELAY,
        ),
        Row(
            what + "processor time of all processes",
            f"{share:.0%} of one core over {SECONDS} s",
            share,
            f"at most {SHARE:.0%}",
            share <= SHARE,
        ),
    ]


async def _steady(folder: Path) -> tuple[list[float], float]:
    world = World()
    user = world.user(phone=PHONE, code=CODE)
    channels = [world.channel(f"bench_{number}") for number in range(CHANNELS)]
    for channel in channels:
        channel.join(user)
    async with Cluster(world) as cluster:
        await _configure(folder, cluster, channels)
        with _running(folder) as daemon, contextlib.closing(_open(folder)) as database:
            await _until_read(database)
            before, began = _used(daemon.pid), time.monotonic()
            seen = await _post(channels, database)
            share = (_used(daemon.pid) - before) / (time.monotonic() - began)
    if seen.waiting:
        raise RuntimeError(f"{len(seen.waiting)} posts have no row")
    return seen.delays, share


async def _post(channels: list[Channel], database: sqlite3.Connection) -> _Seen:
    """Post at an even rate, in turn, for the time of the measurement; then until the last row is there."""
    loop = asyncio.get_running_loop()
    seen, began, posted = _Seen(), loop.time(), 0
    while posted < RATE * SECONDS or (seen.waiting and loop.time() < began + SECONDS + 10):
        await asyncio.sleep(LOOK)
        while posted < min(RATE * SECONDS, (loop.time() - began) * RATE):
            post = channels[posted % len(channels)].post(f"post {posted}")
            seen.waiting[post.channel_id, post.id] = time.monotonic()
            posted += 1
        seen.look(database)
    return seen


async def _configure(folder: Path, cluster: Cluster, channels: list[Channel]) -> None:
    for name, text in (("api_hash", "0" * 32), ("pseudonym.key", "0" * 64), ("dc.pem", cluster.public_key)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    server = {"dc": 1, "host": cluster.host, "port": cluster.port(1), "public_key": "dc.pem"}
    settings = {
        "accounts": [{"name": "main", "api_id": 1, "api_hash": {"file": "api_hash"}}],
        "telegram": {"server": server, "budgets": {"joins_per_day": CHANNELS, "resolves_per_day": CHANNELS}},
        "channels": [{"username": channel.username, "authorization": AUTHORIZATION} for channel in channels],
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    prepared = prepare(load(folder / "config.yaml"))
    session, answers = StoredSession("main"), iter((PHONE, CODE))
    async with connect(session, prepared.credentials["main"], prepared.endpoint, signed_in=False) as line:
        await sign_in(line, by_phone(lambda question, secret: next(answers)))
    state: SessionState | None = session.state()
    async with open_store(prepared.config.database) as store:
        if state is not None:
            await store.save_session(state)


@contextlib.contextmanager
def _running(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with open(folder / "run.log", "wb") as log:
        command = [sys.executable, "-m", "monitor", "run", "--config", str(folder / "config.yaml")]
        daemon = subprocess.Popen(command, stderr=log)
    try:
        yield daemon
    finally:
        daemon.terminate()
        daemon.wait(60)


def _open(folder: Path) -> sqlite3.Connection:
    return sqlite3.connect(folder / "state" / "monitor.db", isolation_level=None)


async def _until_read(database: sqlite3.Connection) -> None:
    async with asyncio.timeout(PATIENCE):
        while database.execute("SELECT count(*) FROM coverage WHERE cursor > 0").fetchone()[0] < CHANNELS:
            await asyncio.sleep(0.2)
    await asyncio.sleep(2)


def _used(daemon: int) -> float:
    """Processor seconds that a process and those it has started have used so far (Linux: proc(5))."""
    ticks, pids = 0, [daemon]
    while pids:
        pid = pids.pop()
        with contextlib.suppress(FileNotFoundError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
            for task in Path(f"/proc/{pid}/task").iterdir():
                pids += map(int, (task / "children").read_text().split())
    return ticks / os.sysconf("SC_CLK_TCK")
