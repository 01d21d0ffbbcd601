"""The process that sees content: accounts and media in memory, and no path that it could write to.

Started by `monitor run` as `python -m monitor.collector_process SOCKET CONFIG LEVEL`, with the text of the
configuration on standard input; everything that must be kept goes through the socket to the recorder.
"""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import sys
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from monitor import cord, logs
from monitor.clock import now
from monitor.collector import collect, take_up_lists
from monitor.config import Config
from monitor.confinement import InForce, confine_collector
from monitor.decoder import WorkerHasher
from monitor.errors import MonitorError, SessionRevoked
from monitor.matching import warm_up_index
from monitor.ports import Hasher, Progress
from monitor.prepare import Prepared, fetches_media, prepare, sampling
from monitor.streams import finish
from monitor.telegram.reach import resolved
from monitor.telegram.sealing import unseal
from monitor.wire import Pipe, RemoteStore, pack

# By name: run as a module, this one is called __main__.
log = logging.getLogger("monitor.collector_process")

PLATFORM_PORTS = (80, 443, 5222)
"""TCP ports on which the platform's data centres listen."""


OBJECTS = 10_000
"""New objects after which the garbage collector looks for circles: records are many, and in none."""
REPORT_EVERY = 0.1
"""Seconds between two reports of progress; of each channel the latest is told."""


class Reports:
    """Progress on its way to the recorder."""

    def __init__(self) -> None:
        self._latest: dict[str, tuple[int, int]] = {}
        self._some = asyncio.Event()

    def put(self, username: str, done: int, total: int) -> None:
        """As `ports.Progress`."""
        self._latest[username] = done, total
        self._some.set()

    async def run(self, store: RemoteStore) -> None:
        """Tell it until cancelled."""
        while True:
            await self._some.wait()
            self._some.clear()
            latest, self._latest = self._latest, {}
            for username, (done, total) in latest.items():
                await store.notify("progress", username, done, total)
            await asyncio.sleep(REPORT_EVERY)


def main(arguments: list[str]) -> int:
    """Run until the recorder asks for an end, or ends."""
    descriptor, path, level = int(arguments[0]), Path(arguments[1]), int(arguments[2])
    logs.set_up(level)
    # A service manager signals every process; this one ends when the recorder says so.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    return asyncio.run(_main(socket.socket(fileno=descriptor), path))


async def _main(channel: socket.socket, path: Path) -> int:
    pipe = Pipe(*await asyncio.open_connection(sock=channel))
    store = RemoteStore(pipe)
    try:
        await _work(store, path)
    except MonitorError as e:
        with contextlib.suppress(ConnectionError):  # a recorder that has ended has said why itself
            await store.notify("failed", *pack(e))
        return e.exit_code
    except ConnectionError:
        return 3
    finally:
        pipe.close()
    return 0


async def _work(store: RemoteStore, path: Path) -> None:
    config = cord.configuration(path)
    prepared = _with_addresses(prepare(config))
    if fetches_media(prepared):
        # Before it is confined; and kept nowhere, as this process opens no file for writing.
        warm_up_index(
            max((len(loaded) for loaded in prepared.lists if not loaded.version.algorithm.exact), default=0),
            cached=False,
        )
    _say(config, confine(config), fetching=fetches_media(prepared))
    if not fetches_media(prepared):
        await _collect(store, prepared, None)
        return
    async with WorkerHasher(
        max_film_bytes=config.media.max_bytes,
        sampling=sampling(config),
        required=config.confinement == "required",
    ) as hasher:
        await _collect(store, prepared, hasher)


async def _collect(store: RemoteStore, prepared: Prepared, hasher: Hasher | None) -> None:
    """Work until the recorder asks for an end, or ends."""
    # What was made so far stays: the garbage collector need not walk through it ever again.
    gc.freeze()
    gc.set_threshold(OBJECTS)
    await store.notify("ready")
    answering = asyncio.create_task(store.run(), name="answers")
    reports = Reports()
    reporting = asyncio.create_task(reports.run(store), name="progress")
    working = asyncio.create_task(_take_up(store, prepared, hasher, reports.put), name="collect")
    try:
        await asyncio.wait({working, answering}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            working.cancel()  # the recorder has ended: nothing can be kept any more
            await asyncio.wait({working})
        if not working.cancelled():
            working.result()
    finally:
        answering.cancel()
        reporting.cancel()


async def _take_up(store: RemoteStore, prepared: Prepared, hasher: Hasher | None, progress: Progress) -> None:
    """Bring the records in line with the configuration, say so, and collect.

    Whatever can still be found wrong is found before anything is written.
    """
    config = prepared.config
    for account in config.accounts:
        saved = await store.session(account.name)
        if saved is None:
            raise SessionRevoked(
                f"account {account.name} is not signed in; run: monitor login {account.name}"
            )
        unseal(saved, prepared.sealing_key)
    await store.declare(config.declarations(), now())
    await take_up_lists(store, prepared, now())
    await store.notify("working")
    await collect(prepared, store, hasher, store.stop, progress, errand=store.errand)


def _with_addresses(prepared: Prepared) -> Prepared:
    """Names become addresses now: a confined collector can ask nobody for them."""
    endpoint, proxied = prepared.endpoint, {}
    if endpoint is not None:
        endpoint = replace(endpoint, host=resolved(endpoint.host))
    for name, credentials in prepared.credentials.items():
        proxied[name] = credentials
        if credentials.proxy is not None:
            parts = urlsplit(credentials.proxy)
            place = f"{resolved(parts.hostname or '')}:{parts.port}"
            account = f"{parts.username}:{parts.password or ''}@" if parts.username else ""
            proxied[name] = replace(credentials, proxy=f"{parts.scheme}://{account}{place}")
    return replace(prepared, endpoint=endpoint, credentials=proxied)


def confine(config: Config) -> InForce:
    """Give up what is not needed; the recorder's socket stays."""
    ports: tuple[int, ...] | None = PLATFORM_PORTS
    if config.telegram.proxy is not None:
        ports = (int(config.telegram.proxy.rsplit(":", 1)[1]),)
    elif config.telegram.server is not None:
        ports = None  # a test data centre says only later where its other halves listen
    return confine_collector(ports, required=config.confinement == "required")


def _say(config: Config, in_force: InForce, *, fetching: bool) -> None:
    lacking = [measure.name for measure in in_force.missing]
    if config.confinement == "best-effort":
        log.warning(
            "confinement is best-effort; not in force: %s", logs.Said(", ".join(lacking) or "nothing lacks")
        )
    if not config.media_permitted:
        log.warning(
            "metadata only: no media is fetched without a legal statement (legal: in the configuration)"
        )
    elif not fetching:
        log.warning("metadata only: no hash list is declared (hash_lists: in the configuration)")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    finally:
        finish()
