"""One connection of one account to the platform, or to a test data centre.

Telethon is left to speak MTProto. What it would decide by itself is decided here instead: it does not
reconnect (the owner does, and then looks for what was missed), does not sleep through flood waits (they
are obeyed to the second, by kind of request), and does not ask for differences of updates on its own
(docs/decisions/0003): no request leaves about a channel that was not asked for.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from telethon import TelegramClient
from telethon.errors.common import AuthKeyNotFound

from monitor import __version__
from monitor.errors import FloodWait, SessionRevoked, SourceUnavailable
from monitor.telegram.failures import map_error
from monitor.telegram.reach import proxy, trust
from monitor.telegram.session import StoredSession

log = logging.getLogger(__name__)

ANSWER_TIMEOUT = 60.0
"""Seconds that a request may take, beyond any pause that the platform asks for."""
CONNECT_TIMEOUT = 10.0
"""Seconds that one attempt at connecting may take."""
KEY_PAUSES = (2.0, 4.0, 8.0, 16.0, 32.0)
"""Seconds to wait before each further attempt with an auth key that the platform says it does not know."""
PATIENCE = 60
"""Pauses up to this many seconds are waited out in place; longer ones are the caller's to plan."""

Sink = Callable[[Any], None]
"""Takes one container of updates as it came from the wire."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A data centre to begin with. `public_key` is PEM, PKCS#1 or SubjectPublicKeyInfo."""

    dc: int
    host: str
    port: int
    public_key: bytes


@dataclass(frozen=True, slots=True)
class Credentials:
    """What identifies this application to the platform."""

    api_id: int
    api_hash: str
    proxy: str | None = None

    def __repr__(self) -> str:
        return f"Credentials(api_id={self.api_id})"


class Client(TelegramClient):  # type: ignore[misc]  # Telethon has no types
    """Telethon's client with its loop of updates replaced by one that only passes them on."""

    sink: Sink | None = None

    async def _update_loop(self) -> None:
        # Telethon's own loop asks for differences of every channel that the account follows, authorized
        # or not, and drops what a "too long" difference skipped. Ours asks nothing; gaps are found by the
        # cursor and filled from history.
        while True:
            updates = await self._updates_queue.get()
            if self.sink is not None:
                self.sink(updates)


class Connection:
    """A connected client. Made by `connect`; every request goes through `call`."""

    def __init__(self, client: Client, session: StoredSession) -> None:
        self.client = client
        self.session = session
        self.waits: dict[str, float] = {}
        self.attached = contextlib.AsyncExitStack()
        """Closed first when the connection is."""
        self._lost = asyncio.ensure_future(self._watch())

    async def _watch(self) -> None:
        with contextlib.suppress(Exception):
            await self.client.disconnected

    @property
    def lost(self) -> "asyncio.Future[None]":
        """Resolves when the connection has ended."""
        return self._lost

    async def call(self, request: Any) -> Any:
        """The platform's answer to one request.

        Pauses of up to PATIENCE seconds are waited out. Raises FloodWait for longer ones, SourceUnavailable
        when the connection ends or no answer comes, and whatever `map_error` makes of the platform's refusal.
        """
        name = type(request).__name__.removesuffix("Request")
        while True:
            await self._wait_out(name)
            try:
                return await self.during(self.client(request), name)
            except FloodWait as e:
                if e.seconds > PATIENCE:
                    raise

    async def ask(self, request: Any, sender: Any, lost: "asyncio.Future[None] | None" = None) -> Any:
        """The answer of a data centre that Telethon's `sender` leads to; `lost` resolves when that ends.

        Raises as `call` does, and FloodWait also for a short pause: after it something else may be asked for.
        """
        name = type(request).__name__.removesuffix("Request")
        await self._wait_out(name)
        return await self.during(self.client._call(sender, request), name, lost)

    async def _wait_out(self, name: str) -> None:
        pause = self.waits.get(name, 0.0) - time.monotonic()
        if pause > PATIENCE:
            raise FloodWait(int(pause) + 1)
        if pause > 0:
            await asyncio.sleep(pause)

    async def during(self, pending: Any, name: str, lost: "asyncio.Future[None] | None" = None) -> Any:
        """What `pending` brings, for as long as the connection (and `lost`) lasts. Raises as `call` does."""
        # Telethon leaves a request that was never sent unanswered when the connection ends: watch both.
        task = asyncio.ensure_future(_shielded(pending))
        ends = {self._lost} if lost is None else {self._lost, lost}
        try:
            await asyncio.wait({task, *ends}, timeout=ANSWER_TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                ended = any(end.done() for end in ends)
                why = "the connection ended" if ended else f"no answer within {ANSWER_TIMEOUT:.0f} s"
                raise SourceUnavailable(f"{name}: {why}")
            return task.result().unwrap()
        except asyncio.CancelledError:
            raise
        except Exception as e:
            mapped = map_error(e, name)
            if mapped is None or mapped is e:
                raise
            if isinstance(mapped, FloodWait):
                # Counted on our own clock from the answer on: nothing of this kind leaves before the end.
                end = time.monotonic() + mapped.seconds
                # Of several that left together one may be given a shorter pause than another.
                self.waits[name] = max(end, self.waits.get(name, 0.0))
                log.warning(
                    "the platform asks for a pause", extra={"request": name, "seconds": mapped.seconds}
                )
            raise mapped from e
        finally:
            task.cancel()

    async def close(self) -> None:
        """Disconnect; what was pending is cancelled."""
        await self.attached.aclose()
        with contextlib.suppress(Exception):
            await self.client.disconnect()
        self._lost.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._lost


@dataclass(slots=True)
class _Outcome:
    value: Any = None
    error: BaseException | None = None

    def unwrap(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.value


async def _shielded(pending: Any) -> _Outcome:
    """Await; turn Telethon's cancelling of its own futures into a value."""
    try:
        return _Outcome(value=await pending)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return _Outcome(error=ConnectionError())
    except Exception as e:
        return _Outcome(error=e)


@contextlib.asynccontextmanager
async def connect(
    session: StoredSession,
    credentials: Credentials,
    endpoint: Endpoint | None,
    *,
    sink: Sink | None = None,
    signed_in: bool = True,
    key_pauses: Sequence[float] = KEY_PAUSES,
) -> AsyncIterator[Connection]:
    """A connection for as long as the block lasts; with `signed_in` one whose account is signed in.

    A key that the platform does not know is tried again after each of `key_pauses` (seconds): now and then it
    is found again. Raises SourceUnavailable when the platform cannot be reached, SessionRevoked when the account
    is not signed in or its key is lost.
    """
    pauses = iter(key_pauses)
    while True:
        session.restore()
        try:
            client = await _connected(session, credentials, endpoint, sink)
            break
        except AuthKeyNotFound as e:
            pause = next(pauses, None)
            if pause is None:
                raise SessionRevoked(
                    f"account {session.account}: the platform does not know its key any more; "
                    f"run: monitor login {session.account}"
                ) from e
            log.warning(
                "the platform does not know the account's key; it is tried again",
                extra={"account": session.account, "seconds": int(pause)},
            )
            await asyncio.sleep(pause)
    connection = Connection(client, session)
    try:
        if signed_in:
            me = await connection.during(client.get_me(), "users.GetUsers")
            if me is None:
                raise SessionRevoked(
                    f"account {session.account} is not signed in; run: monitor login {session.account}"
                )
            session.signed_in(me.id, bool(me.bot))
        yield connection
    finally:
        await connection.close()


async def _connected(
    session: StoredSession, credentials: Credentials, endpoint: Endpoint | None, sink: Sink | None
) -> Client:
    """A client that has reached the platform. Raises AuthKeyNotFound, and what `map_error` makes of the rest."""
    if endpoint is not None:
        trust(endpoint.public_key)
        # A session that has moved to another data centre stays there; one at this one follows its address.
        if session.auth_key is None or session.dc_id == endpoint.dc:
            session.set_dc(endpoint.dc, endpoint.host, endpoint.port)
    client = Client(
        session,
        credentials.api_id,
        credentials.api_hash,
        # Telethon turns to the platform's own address when this does not fit the session's.
        use_ipv6=":" in (session.server_address or ""),
        proxy=proxy(credentials.proxy),
        timeout=int(CONNECT_TIMEOUT),
        connection_retries=1,
        request_retries=1,
        retry_delay=1,
        auto_reconnect=False,
        flood_sleep_threshold=0,
        raise_last_call_error=True,
        device_model="server",
        system_version="1",
        app_version=__version__,
        receive_updates=sink is not None,
        base_logger="telethon",
    )
    client.sink = sink
    # Telethon remembers the list of data centres on the class; another endpoint has another list.
    Client._config = None
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT):
            await client.connect()
    except BaseException as e:
        with contextlib.suppress(Exception):
            await client.disconnect()
        with contextlib.suppress(Exception):
            # It keeps the error too; one that nobody takes ends in the log, with its traceback.
            async with asyncio.timeout(1):
                await client.disconnected
        mapped = None if isinstance(e, AuthKeyNotFound) else map_error(e, "connect")
        if mapped is None:
            raise
        raise mapped from e
    return client
