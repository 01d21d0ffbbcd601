"""One connection of one account, and how every request goes through it.

Telethon is left to speak MTProto. What it would decide by itself is decided here instead: it does not sleep through
flood waits (they are obeyed to the second, by kind of request: monitor.telegram.politeness), and does not ask for
differences of updates on its own (docs/decisions/0003): nothing is asked about channels that nobody named.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from telethon import TelegramClient
from telethon.tl import functions

from monitor.errors import FloodWait, SourceUnavailable
from monitor.telegram.answers import apart, listen, method, note_pause, note_state, settled
from monitor.telegram.failures import map_error
from monitor.telegram.politeness import PATIENCE, Politeness
from monitor.telegram.session import StoredSession

ANSWER_TIMEOUT = 60.0
"""Seconds that a request may take, beyond any pause that the platform asks for."""

Sink = Callable[[Any], None]
"""Takes one container of updates as it came from the wire."""


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

    def __init__(self, client: Client, session: StoredSession, politeness: Politeness) -> None:
        self.client = client
        self.session = session
        self.politeness = politeness
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

        Pauses of up to PATIENCE seconds are waited out. Raises FloodWait for longer ones, BudgetSpent when the
        account has asked as much as it may, SourceUnavailable when the connection ends or no answer comes, and
        whatever `map_error` makes of the platform's refusal.
        """
        return await self._patiently(method(request), lambda: self.client(request))

    async def once(self, request: Any) -> Any:
        """As `call`, for a request whose effect must not come twice.

        The library repeats a request that the platform answers with an internal error, which may have been carried
        out all the same; here that is SourceUnavailable. Only after a pause that was asked for it leaves again.
        """

        def sent() -> Any:
            without = functions.InvokeWithoutUpdatesRequest
            return self.client._sender.send(without(request) if self.client._no_updates else request)

        return await self._patiently(method(request), sent)

    async def _patiently(self, name: str, send: Callable[[], Any]) -> Any:
        while True:
            await self.politeness.permit(name)
            try:
                return await self.during(send(), name)
            except FloodWait as e:
                if e.seconds > PATIENCE:
                    raise

    async def ask(self, request: Any, sender: Any, lost: "asyncio.Future[None] | None" = None) -> Any:
        """The answer of a data centre that Telethon's `sender` leads to; `lost` resolves when that ends.

        Raises as `call` does, and FloodWait also for a short pause: after it something else may be asked for.
        """
        name = method(request)
        await self.politeness.permit(name)
        return await self.during(self.client._call(sender, request), name, lost, home=lost is None)

    async def during(
        self, pending: Any, name: str, lost: "asyncio.Future[None] | None" = None, *, home: bool = True
    ) -> Any:
        """What `pending` brings, for as long as the connection (and `lost`) lasts. Raises as `call` does.

        What the account's own data centre, its `home`, says of the account is put on record.
        """
        # Telethon remembers pauses too, by this machine's clock, and would refuse on its own what may leave.
        self.client._flood_waited_requests.clear()
        asked = asyncio.get_running_loop().time()
        # Telethon leaves a request that was never sent unanswered when the connection ends: watch both.
        task = asyncio.ensure_future(settled(pending))
        ends = {self._lost} if lost is None else {self._lost, lost}
        try:
            await asyncio.wait({task, *ends}, timeout=ANSWER_TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                ended = any(end.done() for end in ends)
                why = "the connection ended" if ended else f"no answer within {ANSWER_TIMEOUT:.0f} s"
                raise SourceUnavailable(f"{name}: {why}")
            listen(self.politeness, self.client, asked)
            return task.result().unwrap()
        except asyncio.CancelledError:
            raise
        except Exception as e:
            mapped = map_error(e, name)
            if mapped is None or mapped is e:
                raise
            await note_pause(self.politeness, e, mapped, name)
            if home:
                await note_state(self.politeness, e)
            raise mapped from e
        finally:
            task.cancel()

    async def close(self) -> None:
        """Disconnect; what was pending is cancelled."""
        await self.attached.aclose()
        try:
            await apart(self.client.disconnect())
        finally:
            self._lost.cancel()
