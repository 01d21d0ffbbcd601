"""The composition root: opens resources, starts the tasks, ends them in order on a signal."""

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from monitor.collector import Collector, Progress, Tools, first
from monitor.config import Config, HashListEntry
from monitor.errors import ConfigError, InputError, MonitorError
from monitor.matching import InProcessHasher, ListMatcher
from monitor.matching.lists import HashList, load_list
from monitor.model import Algorithm, ChannelId
from monitor.pipeline import Limits, Recorder
from monitor.secrets import read_private
from monitor.store import open_store
from monitor.telegram.client import Credentials, Endpoint
from monitor.telegram.pseudonyms import KEY_BYTES, Pseudonyms

log = logging.getLogger(__name__)


def now() -> datetime:
    """The wall clock, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that a run needs from the configuration, opened and found in order."""

    config: Config
    credentials: dict[str, Credentials]
    endpoint: Endpoint | None
    pseudonyms: Pseudonyms
    lists: tuple[HashList, ...]


def prepare(config: Config) -> Prepared:
    """Open what the configuration names. Raises ConfigError or HashListError; nothing is written."""
    if not config.accounts:
        raise ConfigError(f"{config.path}: accounts: none is declared; add one with its api_id and api_hash")
    private_state(config)
    return Prepared(
        config,
        {account.name: credentials(config, account.name) for account in config.accounts},
        endpoint(config),
        pseudonyms(config),
        tuple(read_list(config, entry) for entry in config.hash_lists),
    )


def credentials(config: Config, name: str | None) -> Credentials:
    """What identifies the application for one account. Raises ConfigError when its secret cannot be read."""
    account = config.account(name)
    api_hash = account.api_hash.read(config.path.parent, f"{config.path}: account {account.name}: api_hash")
    return Credentials(account.api_id, api_hash, config.telegram.proxy)


def endpoint(config: Config) -> Endpoint | None:
    """The test data centre of the configuration; None for the platform's own. Raises ConfigError."""
    server = config.telegram.server
    if server is None:
        return None
    path = config.resolve(server.public_key)
    try:
        key = path.read_bytes()
    except OSError as e:
        raise ConfigError(
            f"{config.path}: telegram.server.public_key: {path} cannot be read ({e.strerror})"
        ) from e
    return Endpoint(server.dc, server.host, server.port, key)


def pseudonyms(config: Config) -> Pseudonyms:
    """The project's pseudonyms. Raises ConfigError when the key is missing, loose, or inside the state directory."""
    path = config.resolve(config.pseudonym_key.file)
    where = f"{config.path}: pseudonym_key"
    if path.is_relative_to(config.state):
        raise ConfigError(
            f"{where}: {path} lies in the state directory; keep it elsewhere, so that they part ways"
        )
    if not path.exists():
        raise ConfigError(f"{where}: {path} does not exist; monitor init makes one")
    key = read_private(path, where)
    if len(key) < KEY_BYTES:
        raise ConfigError(f"{where}: {path} is shorter than {KEY_BYTES} bytes; monitor init makes one")
    return Pseudonyms(key)


def read_list(config: Config, entry: HashListEntry) -> HashList:
    """One declared hash list. Raises HashListError."""
    limit = {
        Algorithm.PDQ: config.matching.pdq,
        Algorithm.PHASH: config.matching.phash,
        Algorithm.DHASH: config.matching.dhash,
    }.get(entry.algorithm)
    return load_list(
        config.resolve(entry.file),
        name=entry.name,
        format=entry.format,
        algorithm=entry.algorithm,
        action=entry.action,
        terms=entry.terms.value(),
        max_distance=limit.max_distance if limit else 0,
        min_quality=limit.min_quality if limit else 0,
    )


def private_state(config: Config) -> None:
    """See that the state directory is ours alone, where it exists. Raises ConfigError with the remedy."""
    state = config.state
    if state.exists() and not state.is_dir():
        raise ConfigError(f"{config.path}: state_dir: {state} is not a folder; name another")
    if state.exists() and stat.S_IMODE(state.stat().st_mode) & 0o077:
        raise ConfigError(f"{config.path}: state_dir: {state} is open to others; run: chmod 700 {state}")


@contextlib.contextmanager
def sole(state: Path) -> Iterator[None]:
    """Be the only process at work on this state directory. Raises InputError when another is."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(state / "daemon.lock", "w", opener=_private) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            raise InputError(f"{state}: another monitor is at work here; stop it first") from e
        yield


def running(state: Path) -> bool:
    """Whether a process is at work on this state directory."""
    try:
        with open(state / "daemon.lock") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


async def run(prepared: Prepared, stop: asyncio.Event, progress: Progress | None = None) -> None:
    """Collect until `stop` is set, then end in order: intake, what is being written, the store.

    Raises FatalError when an account cannot go on, InputError when another process is at work here.
    """
    config = prepared.config
    with sole(config.state):
        async with open_store(config.database) as store:
            at = now()
            await store.declare(config.declarations(), at)
            for loaded in prepared.lists:
                await store.list_loaded(loaded.version, at)
            recorder = Recorder(store)
            tools = Tools(
                store=store,
                recorder=recorder,
                limits=Limits(
                    config.media.max_bytes,
                    config.media.max_bytes_in_flight,
                    min_quality=config.matching.pdq.min_quality,
                ),
                clock=now,
                pseudonym=prepared.pseudonyms,
                hasher=InProcessHasher() if fetches_media(prepared) else None,
                matcher=ListMatcher(prepared.lists) if fetches_media(prepared) else None,
                progress=progress or (lambda username, done, total: None),
            )
            collectors = [
                Collector(
                    account.name,
                    prepared.credentials[account.name],
                    prepared.endpoint,
                    [d for d in config.declarations() if d.account == account.name],
                    tools,
                )
                for account in config.accounts
            ]

            def lagging(channels: frozenset[ChannelId]) -> None:
                for collector in collectors:
                    collector.lags(channels)

            def media() -> None:
                for collector in collectors:
                    collector.wake.set()

            recorder.lagging, recorder.media = lagging, media
            await _until(stop, collectors, recorder)


async def _until(stop: asyncio.Event, collectors: list[Collector], recorder: Recorder) -> None:
    try:
        async with asyncio.TaskGroup() as tasks:
            writer = tasks.create_task(recorder.run(), name="recorder")
            collecting = [tasks.create_task(c.run(), name=f"collector:{c.account}") for c in collectors]
            await stop.wait()
            log.info("stopping")
            for task in collecting:
                task.cancel()
            await asyncio.wait(collecting)
            await recorder.close()
            await writer
    except BaseExceptionGroup as group:
        error = first(group)
        if isinstance(error, MonitorError):
            raise error from group
        raise


def fetches_media(prepared: Prepared) -> bool:
    """Media is fetched when that is permitted and there is something to compare it with."""
    return prepared.config.media_permitted and bool(prepared.lists)


def announce(prepared: Prepared) -> None:
    """Say what a run will not do, and why."""
    config = prepared.config
    if not config.media_permitted:
        log.warning(
            "metadata only: no media is fetched without a legal statement (legal: in the configuration)"
        )
    elif not prepared.lists:
        log.warning("metadata only: no hash list is declared (hash_lists: in the configuration)")


def stop_on_signals(stop: asyncio.Event) -> None:
    """Let SIGTERM and SIGINT set `stop`."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
