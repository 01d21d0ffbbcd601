"""The whole daemon, run as a user would run it among marked content, and a search for any of it afterwards."""

import asyncio
import contextlib
import hashlib
import os
import secrets
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from monitor.confinement import available
from monitor.errors import VerificationError
from monitor.matching.image import hash_image
from monitor.selftest.cells import cells, opened
from monitor.selftest.markers import Markers
from monitor.selftest.search import ENCODINGS, Hit, Search
from monitor.selftest.watch import Searched, Watched, everything, raw_device, watching
from monitor.testdc import Cluster, FloodWait, Rpc, World
from monitor.testdc.canaries import BROADCAST, CODE, GROUP, OTHER, Canaries, MarkedRenderer, canaries

STEP = 0.5
"""Seconds between two things that happen in the marked world."""
START_LIMIT = 120.0
"""Seconds within which the daemon must have begun to record."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run: what was searched and found, and how much the daemon did meanwhile."""

    searched: Searched
    markers: int
    media_bytes: int
    messages: int
    media: int
    flags: int
    seconds: float

    @property
    def hits(self) -> list[Hit]:
        """All that was found, in order."""
        return sorted(self.searched.hits)

    @property
    def line(self) -> str:
        """What was searched and how many hits there were."""
        s = self.searched
        writes = (
            f"{s.writes:,} system calls with {s.written_bytes:,} bytes written or named under strace"
            f" ({s.passed_bytes:,} of them to sockets and pipes, where media may pass and words may not;"
            f" {s.unseen:,} unreadable)"
            if s.traced
            else "no writes (strace is not here)"
        )
        raw = (
            f"{s.device_bytes:,} bytes of raw device"
            if s.device_bytes
            else "no raw device (not permitted here)"
        )
        return (
            f"no content: {len(s.hits)} hits; searched {s.files:,} files of {s.file_bytes:,} bytes, {writes}, {raw};"
            f" for {self.markers} kinds of marker in {ENCODINGS},"
            f" every 16 bytes of {self.media_bytes:,} bytes of media, and heads of media files;"
            f" meanwhile {self.messages:,} messages, {self.media:,} media items, {self.flags:,} flags,"
            f" {self.seconds:.0f} s"
        )


async def no_content(
    home: Path,
    seconds: float,
    say: Say,
    *,
    keep: bool = False,
    on_device: bool = True,
    under_strace: bool = True,
) -> Outcome:
    """Run the daemon for so many seconds in `home` (an empty folder) and search all that it left.

    With `keep` a copy of its folder is left in `home`/kept, as the folder itself may lie on a device that is gone.
    Raises VerificationError when the daemon did too little for the search to mean anything.
    """
    began = time.monotonic()
    markers = Markers(secrets.randbits(64))
    say("making a world of marked messages and media")
    world = await asyncio.to_thread(_world, markers)
    with watching(home, on_device=on_device, under_strace=under_strace) as watched:
        say(f"strace: {'yes' if watched.strace else 'no'}; raw device: {'yes' if watched.image else 'no'}")
        async with Cluster(world.world) as cluster:
            cluster.renderer = MarkedRenderer(world.world, markers.words)
            await asyncio.to_thread(_configure, watched.folder, cluster, world)
            await _live_through(watched, cluster, world, markers, seconds, say)
        say("searching files, names and writes")
        search = await asyncio.to_thread(Search, markers, world.bytes_of_media)
        searched = await asyncio.to_thread(everything, watched, search)
        database = watched.folder / "state" / "monitor.db"
        searched.hits |= await cells(database, home)
        messages, media, flags = _counts(database)
        if keep:
            await asyncio.to_thread(shutil.copytree, watched.folder, home / "kept")
    say("searching the raw device" if watched.image else "no raw device to search")
    await asyncio.to_thread(raw_device, watched, search, searched)
    outcome = Outcome(
        searched,
        len(markers.kinds),
        sum(map(len, world.bytes_of_media)),
        messages,
        media,
        flags,
        time.monotonic() - began,
    )
    if messages < world.posted // 2 or media == 0 or flags == 0:
        raise VerificationError(
            f"the daemon recorded {messages} of {world.posted} messages, {media} media items and {flags} flags:"
            f" too little for the search to mean anything ({len(outcome.hits)} hits)"
        )
    return outcome


def _world(markers: Markers) -> Canaries:
    world = World(seed=secrets.randbits(32))

    def inside(kind: str) -> str:
        return markers.words(kind, media=True)

    return canaries(world, markers.words, markers.word, markers.phone, inside)


def _configure(folder: Path, cluster: Cluster, world: Canaries) -> None:
    """Write what an operator would have: configuration, keys, a list that one picture and one file are on."""
    authorization = {
        "reference": "SELFTEST-1",
        "basis": "owner_consent",
        "granted_by": "self-test",
        "valid_from": "2020-01-01",
        "valid_until": "2099-12-31",
    }
    terms = {"licensor": "Selftest", "reference": "SELFTEST", "permitted_uses": ["detect"]}
    pdq = hash_image(world.listed).pdq.hex()
    _private(folder / "pictures.csv", f"pdq,entry\n{pdq},picture-1\n")
    digests = [hashlib.sha256(data).hexdigest() for data in world.bytes_of_media if len(data) == 900]
    rows = "".join(f"{digest},file-{n}\n" for n, digest in enumerate(digests))
    _private(folder / "files.csv", f"sha256,entry\n{rows}")
    _private(folder / "pseudonym.key", secrets.token_hex(32))
    _private(folder / "api_hash", "0" * 32)
    _private(folder / "dc.pem", cluster.public_key)
    server = {"dc": 1, "host": cluster.host, "port": cluster.port(1), "public_key": "dc.pem"}
    settings = {
        "state_dir": "./state",
        "pseudonym_key": {"file": "./pseudonym.key"},
        "accounts": [{"name": "main", "api_id": 1, "api_hash": {"file": "./api_hash"}}],
        "telegram": {"server": server},
        "confinement": "required" if available().enough else "best-effort",
        "channels": [
            {"username": name, "includes": ["broadcast", "group"], "authorization": authorization}
            for name in (BROADCAST, GROUP, OTHER)
        ],
        "hash_lists": [
            {"name": "pictures", "file": "pictures.csv", "algorithm": "pdq", "terms": terms},
            {"name": "files", "file": "files.csv", "algorithm": "sha256", "terms": terms},
        ],
    }
    _private(folder / "config.yaml", yaml.safe_dump(settings))
    _private(folder / "wrong.yaml", yaml.safe_dump(settings | {"accounts": [], "colour": "red"}))


def _private(path: Path, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def monitor(*arguments: str, config: str = "config.yaml") -> list[str]:
    """A command of this program, in this interpreter."""
    return [sys.executable, "-m", "monitor", *arguments, "--config", config]


async def _live_through(
    watched: Watched, cluster: Cluster, world: Canaries, markers: Markers, seconds: float, say: Say
) -> None:
    """What a daemon goes through: sign-in, history, live posts, broken media, refusals, cuts, a kill, a restart."""
    phone = markers.phone("the account's own phone number")
    signed_in = await watched.run(monitor("login"), stdin=f"+{phone}\n{CODE}\n".encode())
    if signed_in != 0:
        raise VerificationError(f"monitor login ended with exit code {signed_in}")
    await watched.run(monitor("check"))
    await watched.run(monitor("run", config="wrong.yaml"))
    living = asyncio.create_task(_live(cluster, world, markers), name="world")
    try:
        say(f"the daemon runs for {seconds:.0f} s, and is killed half-way")
        async with watched.running(monitor("run")) as daemon:
            await _begun(watched, daemon.process)
            await asyncio.sleep(seconds / 4)
            for command in ("status", "channels list"):
                await watched.run(monitor(*command.split()))
            await watched.run(monitor("export", "messages", "--out", "beside.csv"))
            await asyncio.sleep(seconds / 4)
            daemon.signal(signal.SIGKILL)
            await daemon.process.wait()
        async with watched.running(monitor("run")) as daemon:
            await asyncio.sleep(seconds / 2)
            living.cancel()
            await asyncio.sleep(min(5.0, seconds / 4))
            daemon.signal(signal.SIGTERM)
            async with asyncio.timeout(60):
                await daemon.process.wait()
    finally:
        living.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await living
    for what in ("messages", "flags", "channels"):
        for form in ("csv", "jsonl"):
            out = f"{what}.{form}"
            await watched.run(monitor("export", what, "--format", form, "--out", out))
    for command in ("status", "status --json", "channels list --json", "check"):
        await watched.run(monitor(*command.split()))


async def _begun(watched: Watched, process: asyncio.subprocess.Process) -> None:
    database = watched.folder / "state" / "monitor.db"
    async with asyncio.timeout(START_LIMIT):
        while _counts(database)[1] == 0:
            if process.returncode is not None:
                raise VerificationError(f"monitor run ended with exit code {process.returncode}")
            await asyncio.sleep(0.5)


async def _live(cluster: Cluster, world: Canaries, markers: Markers) -> None:
    """Posts and changes without end; now and then the platform refuses, asks for patience, or hangs up."""
    number = 0
    while True:
        world.step(number)
        match number % 16:
            case 3:
                cluster.faults.add("upload.getFile", FloodWait(1))
            case 6:
                # The platform's own words in an error, which Telethon puts into its exception.
                cluster.faults.add("upload.getFile", Rpc(400, markers.word("text of an error").upper()))
            case 9:
                cluster.faults.add("channels.getMessages", Rpc(500, markers.word("text of an error").upper()))
            case 12:
                cluster.cut()
        number += 1
        await asyncio.sleep(STEP)


def _counts(database: Path) -> tuple[int, int, int]:
    """Messages, media items settled, flags; zeros before there is a store."""
    with contextlib.suppress(sqlite3.Error), opened(database) as db:
        row = db.execute(
            "SELECT (SELECT count(*) FROM messages), (SELECT count(*) FROM media WHERE outcome <> 'pending'),"
            " (SELECT count(*) FROM flags)"
        ).fetchone()
        return int(row[0]), int(row[1]), int(row[2])
    return 0, 0, 0
