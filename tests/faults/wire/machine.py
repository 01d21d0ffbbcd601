"""A machine on which the collector runs: it is stopped, killed and started again, and its state stays."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from telethon.crypto import AuthKey

from monitor.collector import collect
from monitor.config import load
from monitor.errors import FatalError
from monitor.matching import InProcessHasher
from monitor.model import SessionState
from monitor.ports import Store
from monitor.prepare import prepare
from monitor.store import open_store
from monitor.testdc import Cluster, User
from monitor.testdc.session import AuthKey as ServerKey

STARTED_AGAIN = 60.0
"""Seconds after which a service manager starts a daemon that has failed."""
ENDS_WITHIN = 120.0
"""Seconds in which a daemon ends in order."""
AUTHORIZED = {
    "reference": "TEST-1",
    "basis": "owner_consent",
    "granted_by": "the owner",
    # A clock that is ten years off is no reason to stop: that is another test.
    "valid_from": "2000-01-01",
    "valid_until": "2099-12-31",
}
TERMS = {"licensor": "L", "reference": "R", "permitted_uses": ["detect"]}


class Machine:
    """One machine with its configuration, its state directory and its clock."""

    def __init__(
        self,
        folder: Path,
        clock: Callable[[], datetime],
        server: Mapping[str, Any],
        channels: Sequence[Mapping[str, Any]],
        listed: Mapping[str, Sequence[tuple[str, str]]],
        *,
        media: bool = True,
        **budgets: int,
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._media = media
        self._running: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._one_at_a_time = asyncio.Lock()
        self.disk_takes: Callable[[], float] = lambda: 0.0
        """How many seconds the disk takes for the next thing that the store is asked."""
        self.failures: list[FatalError] = []
        """What ended the daemon without being asked to."""
        self._configure(dict(server), channels, listed, budgets)
        self.database = prepare(load(folder / "config.yaml")).config.database

    def _configure(
        self,
        server: dict[str, Any],
        channels: Sequence[Mapping[str, Any]],
        listed: Mapping[str, Sequence[tuple[str, str]]],
        budgets: Mapping[str, int],
    ) -> None:
        key = server.pop("public_key")
        for name, text in (("api_hash", "0" * 32), ("pseudonym.key", "ab" * 32), ("dc.pem", key)):
            (self._folder / name).write_text(text)
            (self._folder / name).chmod(0o600)
        lists = []
        for algorithm, entries in listed.items():
            (self._folder / f"{algorithm}.csv").write_text("".join(f"{h},{e}\n" for h, e in entries))
            (self._folder / f"{algorithm}.csv").chmod(0o600)
            lists.append(
                {"name": algorithm, "file": f"{algorithm}.csv", "algorithm": algorithm, "terms": TERMS}
            )
        settings = {
            "accounts": [{"name": "main", "api_id": 1, "api_hash": {"file": "api_hash"}}],
            "telegram": {"server": server | {"public_key": "dc.pem"}, "budgets": dict(budgets)},
            "channels": [{**channel, "authorization": AUTHORIZED} for channel in channels],
            "hash_lists": lists,
        }
        (self._folder / "config.yaml").write_text(yaml.safe_dump(settings))

    async def sign_in(self, state: SessionState) -> None:
        """Start with a session that was signed in before."""
        async with open_store(self.database) as store:
            await store.save_session(state)

    def start(self) -> None:
        """Run the daemon until it is stopped or killed."""
        self._stop = asyncio.Event()
        self._running = asyncio.create_task(self._run(self._stop), name="daemon")

    async def _run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            prepared = prepare(load(self._folder / "config.yaml"))
            try:
                async with open_store(prepared.config.database) as store:
                    hasher = InProcessHasher() if self._media else None
                    await collect(prepared, store, hasher, stop, lambda *report: None, clock=self._clock)
            except FatalError as e:
                logging.getLogger("monitor").error("the daemon failed: %s", e)
                self.failures.append(e)
                await asyncio.sleep(STARTED_AGAIN)

    async def restart(self, *, hard: bool, after: float) -> None:
        """Stop the daemon, or kill it at whatever it is doing; start it after so many seconds."""
        async with self._one_at_a_time:
            await self.stop(hard=hard)
            await asyncio.sleep(after)
            self.start()

    async def stop(self, *, hard: bool = False) -> None:
        """Stop the daemon. Raises what ended it, where that is no `FatalError`, and TimeoutError."""
        if self._running is None:
            return
        if hard:
            self._running.cancel()
        self._stop.set()
        async with asyncio.timeout(ENDS_WITHIN):
            await asyncio.wait({self._running})
        ended, self._running = self._running, None
        if not ended.cancelled():
            ended.result()

    def check(self) -> None:
        """Raises what ended the daemon."""
        if self._running is not None and self._running.done():
            self._running.result()
            raise AssertionError("the daemon ended by itself")


class _Slow:
    """A `ports.Store` on a disk that takes its time: one thing after the other, in the order of asking."""

    def __init__(self, store: Store, takes: Callable[[], float]) -> None:
        self._store = store
        self._takes = takes
        self._one_at_a_time = asyncio.Lock()

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        ask = getattr(self._store, name)

        async def asked(*args: Any, **kwargs: Any) -> Any:
            async with self._one_at_a_time:
                if (seconds := self._takes()) > 0:
                    await asyncio.sleep(seconds)
                return await ask(*args, **kwargs)

        return asked


def served(cluster: Cluster) -> dict[str, Any]:
    """Where a data centre is, as a configuration has it; the key itself stands for its file."""
    return {"dc": 1, "host": cluster.host, "port": cluster.port(1), "public_key": cluster.public_key}


def signed_in(cluster: Cluster, account: User) -> SessionState:
    """A session as signing in leaves it: the server knows the key, and whose it is."""
    key = AuthKey(random.Random(7).randbytes(256))
    cluster._dcs[1].keys[key.key_id] = ServerKey(key.key_id, key.key, 1, account)
    return SessionState("main", 1, cluster.host, cluster.port(1), key.key, account.id)
