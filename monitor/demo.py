"""The whole line against the embedded test data centre: no account, no network, no real media.

The same composition root as `monitor run`; only the world on the other side is made up. What it leaves in
its folder is an ordinary configuration with an ordinary state, on which every other command can be tried.
"""

import asyncio
import csv
import json
import secrets
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from monitor import daemon
from monitor.clock import now
from monitor.config import Config, load
from monitor.demo_report import Reported, report_one
from monitor.errors import FatalError, InputError
from monitor.matching import film_of, hash_image
from monitor.model import ChannelState, Role
from monitor.prepare import Prepared, prepare, pseudonym_key
from monitor.reporting.entries import EntryNames
from monitor.reporting.exports import export
from monitor.reportlog.note import SEED_BYTES
from monitor.store import open_reader, open_store, operators
from monitor.telegram.client import connect
from monitor.telegram.pseudonyms import KEY_BYTES
from monitor.telegram.session import StoredSession
from monitor.telegram.signin import by_phone, sign_in
from monitor.testdc import Cluster, World
from monitor.testdc.showcase import BY_REQUEST, CODE, EXPIRED, JOINED, MOVED, PHONE, Showcase, showcase

SEED = 20261122
MARK = ".made-by-monitor-demo"
"""The file that tells a folder of an earlier demo, which may be replaced, from any other."""
PATIENCE = 300.0
"""Seconds after which a demo that does not come to its end is given up."""
LIVE_INTERVAL = 0.15
"""Seconds between two live posts."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Summary:
    """What summary.json holds. Exports and folders as absolute paths; `bytes_in_full` is what the items that were
    fetched have in their largest size.
    """

    server: str
    channels_joined: list[str]
    channels_refused: dict[str, str]
    messages_posted: int
    messages_recorded: int
    media_fetched: int
    bytes_fetched: int
    bytes_in_full: int
    flags: int
    planted: int
    found: int
    false_flags: int
    exports: list[str]
    case: int
    reported_in_app: int
    notice: str
    bundle: str
    checkpoint: str
    key: str
    seconds: float


def folder(out: Path) -> Path:
    """An empty folder to work in. Raises InputError for one that no earlier demo made."""
    out = out.absolute()
    if out.exists():
        if not (out / MARK).is_file():
            raise InputError(f"{out}: exists, and no demo made it; name another with --out DIR")
        shutil.rmtree(out)
    try:
        out.mkdir(mode=0o700, parents=True)
        (out / MARK).touch()
    except OSError as e:
        raise InputError(f"{out}: cannot be made ({e.strerror}); name another with --out DIR") from e
    return out


async def demo(out: Path, *, serve: bool, say: Say, stop: asyncio.Event) -> Summary:
    """Run the line to its end and leave everything in `out`; with `serve` go on until `stop` is set.

    Raises FatalError when the end is not reached.
    """
    started = time.monotonic()
    say(
        "making a world: 9 channels, some 3,300 posts, 220 pictures, films and files, planted copies among them"
    )
    shown = await asyncio.to_thread(showcase, World(seed=SEED), SEED)
    async with Cluster(shown.world, SEED) as cluster:
        say(f"serving it over MTProto on {cluster.host}:{cluster.port(1)} and :{cluster.port(2)}")
        config = await asyncio.to_thread(_configure, out, cluster, shown)
        prepared = prepare(config)
        await sign_in_as_scripted(prepared)
        await _everything_permitted(config)
        say("signed in; joining, reading histories, following live posts")
        running = asyncio.Event()
        collecting = asyncio.create_task(daemon.run(config, running), name="daemon")
        try:
            await _lively(collecting, config, cluster, shown, say)
            reported = await report_one(config, out, say)
            summary = await _summary(config, cluster, shown, reported, started)
            (out / "summary.json").write_text(json.dumps(asdict(summary), indent=2) + "\n", encoding="utf-8")
            if serve:
                say(f"serving until Ctrl-C; try: monitor status --config {config.path}")
                await _chatter(collecting, shown, stop)
        finally:
            running.set()
            await asyncio.wait({collecting})
        collecting.result()
    return summary


def _configure(out: Path, cluster: Cluster, shown: Showcase) -> Config:
    """Write what an operator would have: configuration, keys, lists."""
    _private(out / "pseudonym.key", secrets.token_hex(KEY_BYTES))
    _private(out / "log.key", secrets.token_hex(SEED_BYTES))
    _private(out / "api_hash", "0" * 32)
    (out / "dc.pem").write_text(cluster.public_key, encoding="ascii")
    lists = out / "lists"
    lists.mkdir(mode=0o700)
    pictures = [(entry, hash_image(data).pdq.hex()) for entry, data in shown.pictures.items()]
    _private(lists / "pictures.csv", _csv("pdq", pictures, "synthetic"))
    films = [
        (entry, frame.pdq.hex()) for entry, data in shown.films.items() for frame in film_of(data).frames
    ]
    _private(lists / "films.csv", _csv("vpdq", films, "synthetic"))
    import hashlib

    files = [(entry, hashlib.sha256(data).hexdigest()) for entry, data in shown.files.items()]
    _private(lists / "files.csv", _csv("sha256", files, "filmed"))
    path = out / "config.yaml"
    text = yaml.safe_dump(_settings(cluster, shown), sort_keys=False, allow_unicode=True)
    _private(path, "# Written by monitor demo. Every other command can be tried on it.\n" + text)
    return load(path)


def _settings(cluster: Cluster, shown: Showcase) -> dict[str, object]:
    authorization = {
        "reference": "DEMO-1",
        "basis": "ethics_approval",
        "granted_by": "Demo Board",
        "document_sha256": "00" * 32,
        "approved_by": "second-person",
        "valid_from": "2026-01-01",
        "valid_until": "2099-12-31",
    }
    channels: list[dict[str, object]] = []
    for name in (*JOINED, EXPIRED, BY_REQUEST, MOVED):
        entry: dict[str, object] = {
            "username": name,
            "includes": ["broadcast"],
            "authorization": authorization,
        }
        if shown.channels[name].kind == "group":
            entry["includes"] = ["broadcast", "group"]
        if name == EXPIRED:
            entry["authorization"] = authorization | {"valid_until": "2026-01-31"}
        if name == MOVED:
            entry["id"] = shown.moved_from
        channels.append(entry)
    terms = {"licensor": "Demo", "reference": "DEMO-LIST", "permitted_uses": ["detect", "report"]}
    listed = {"terms": terms, "labels": {"synthetic": "adult_synthetic", "filmed": "adult_filmed"}}
    menu = ["Illegal adult content", "Non-consensual sexual imagery"]
    return {
        "state_dir": "./state",
        "operator": "demo",
        "operator_details": {
            "organisation": "Demo Institute",
            "address": "1 Example Street",
            "contact_name": "Demo Operator",
            "email": "reports@demo.example",
            "phone": "+82 2 0000 0000",
        },
        # In earnest a decision can be undone for a minute, and nothing is sent before.
        "reporting": {"undo_seconds": 0},
        "pseudonym_key": {"file": "./pseudonym.key"},
        "report_log": {"origin": "demo.example/monitor", "key": {"file": "./log.key"}},
        "accounts": [{"name": "main", "api_id": 1, "api_hash": {"file": "./api_hash"}}],
        "telegram": {
            "server": {"dc": 1, "host": cluster.host, "port": cluster.port(1), "public_key": "dc.pem"},
            "report_menu": {"adult_synthetic": menu, "adult_filmed": menu},
        },
        "channels": channels,
        "hash_lists": [
            {"name": "demo-pictures", "file": "lists/pictures.csv", "algorithm": "pdq", **listed},
            {"name": "demo-films", "file": "lists/films.csv", "algorithm": "vpdq", **listed},
            {"name": "demo-files", "file": "lists/files.csv", "algorithm": "sha256", **listed},
        ],
    }


def _csv(algorithm: str, rows: list[tuple[str, str]], label: str) -> str:
    lines = [f"{algorithm},entry,label", *(f"{value},{entry},{label}" for entry, value in rows)]
    return "\n".join(lines) + "\n"


def _private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


async def sign_in_as_scripted(prepared: Prepared) -> None:
    answers = iter((PHONE, CODE))
    session = StoredSession("main")
    async with connect(
        session, prepared.credentials["main"], prepared.endpoint, signed_in=False
    ) as connection:
        await sign_in(connection, by_phone(lambda question, secret: next(answers)))
    state = session.state()
    async with open_store(prepared.config.database) as store:
        if state is not None:
            await store.save_session(state)


async def _everything_permitted(config: Config) -> None:
    """The demo has one operator, with every role."""
    async with open_store(config.database) as store:
        await store.run(operators.add, config.operator, Role, operator=config.operator, at=now())


async def _lively(
    collecting: "asyncio.Task[None]", config: Config, cluster: Cluster, shown: Showcase, say: Say
) -> None:
    """Live posts and edits, one connection cut, then patience until everything is recorded and examined."""
    async with asyncio.timeout(PATIENCE):
        while not await _joined(config):
            await _pause(collecting)
        for number, _ in enumerate(shown.live()):
            await _pause(collecting, LIVE_INTERVAL)
            if number == 2:
                say("cutting the connection; the daemon connects again and looks for what it missed")
                cluster.cut()
        while not await _settled(config, shown):
            await _pause(collecting)


async def _pause(collecting: "asyncio.Task[None]", seconds: float = 0.1) -> None:
    await asyncio.wait({collecting}, timeout=seconds)
    if collecting.done():
        collecting.result()
        raise FatalError("the daemon ended before the demo did")


async def _joined(config: Config) -> bool:
    async with open_reader(config.database) as reader:
        channels = await reader.channels()
    return len(channels) > 0 and all(channel.state is not ChannelState.DECLARED for channel in channels)


async def _settled(config: Config, shown: Showcase) -> bool:
    async with open_reader(config.database) as reader:
        totals = await reader.totals()
    return totals.messages - totals.service >= shown.posted and totals.media_pending == 0


async def _chatter(collecting: "asyncio.Task[None]", shown: Showcase, stop: asyncio.Event) -> None:
    while not stop.is_set():
        shown.chatter()
        await _pause(collecting, 1.0)


async def _summary(
    config: Config, cluster: Cluster, shown: Showcase, reported: Reported, started: float
) -> Summary:
    exports = config.path.parent / "exports"
    exports.mkdir(mode=0o700)
    written, names = [], EntryNames(pseudonym_key(config))
    async with open_store(config.database) as store:
        for what in ("flags", "messages", "channels"):
            for kind in ("csv", "jsonl"):
                path = exports / f"{what}.{kind}"
                await export(
                    *(store, config.database, what, kind, path),
                    operator=config.operator,
                    at=now(),
                    names=names,
                )
                written.append(str(path))
        path = exports / "flags-with-addresses.csv"
        await export(
            store,
            config.database,
            "flags",
            "csv",
            path,
            operator=config.operator,
            at=now(),
            names=names,
            with_addresses=True,
            purpose="comparing the demo's flags with what was planted",
        )
        written.append(str(path))
    with path.open(encoding="utf-8", newline="") as file:
        flagged = {(int(row["channel_id"]), int(row["message_id"])) for row in csv.DictReader(file)}
    async with open_reader(config.database) as reader:
        totals, channels = await reader.totals(), await reader.channels()
        in_full = await reader.announced_bytes()
    return Summary(
        server=f"test data centre on {cluster.host}:{cluster.port(1)}",
        channels_joined=[c.username for c in channels if c.state is ChannelState.COLLECTING],
        channels_refused={c.username: c.reason.value for c in channels if c.reason is not None},
        messages_posted=shown.posted,
        messages_recorded=totals.messages - totals.service,
        media_fetched=totals.media_fetched,
        bytes_fetched=totals.fetched_bytes,
        bytes_in_full=in_full,
        flags=totals.flags,
        planted=len(shown.planted),
        found=len(shown.planted & flagged),
        false_flags=len(flagged - shown.planted),
        exports=written,
        case=reported.case,
        reported_in_app=len(shown.world.reported),
        notice=reported.notice,
        bundle=reported.bundle,
        checkpoint=reported.checkpoint,
        key=reported.key,
        seconds=round(time.monotonic() - started, 1),
    )
