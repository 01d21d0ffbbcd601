"""Files lie at several data centres: the account's own is asked directly, another over a link of its own.

A link is opened when a file first turns out to be there, signed in with an exported authorization
(https://core.telegram.org/api/datacenter), and closed with the connection. One that breaks is opened anew;
the account's own connection is not touched by that.
"""

import asyncio
import contextlib
import copy
from dataclasses import dataclass
from typing import Any

from telethon.errors import RPCError
from telethon.network import MTProtoSender
from telethon.tl import functions
from telethon.tl.alltlobjects import LAYER

from monitor.errors import MonitorError, SessionRevoked, SourceUnavailable
from monitor.telegram.answers import apart
from monitor.telegram.client import CONNECT_TIMEOUT
from monitor.telegram.connection import Connection


class LinkLost(SourceUnavailable):
    """The link to another data centre broke, or could not be opened; the account's own connection stands."""


@dataclass(frozen=True, slots=True, eq=False)
class _Link:
    sender: Any
    lost: "asyncio.Future[None]"

    async def close(self) -> None:
        try:
            await apart(self.sender.disconnect())
        finally:
            self.lost.cancel()


class DataCentres:
    """All data centres as one connection sees them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._links: dict[int, asyncio.Task[_Link]] = {}
        connection.attached.push_async_callback(self.close)

    async def call(self, dc: int, request: Any) -> Any:
        """The answer of data centre `dc`. Raises as `Connection.ask`, and LinkLost."""
        client = self._connection.client
        if dc == client.session.dc_id:
            return await self._connection.ask(request, client._sender)
        # Whoever comes while a link is being opened waits for it, and shares its failure.
        opening = self._links.get(dc)
        if opening is None:
            opening = self._links[dc] = asyncio.create_task(self._open(dc), name=f"data centre:{dc}")
        try:
            link = await asyncio.shield(opening)
            return await self._connection.ask(request, link.sender, link.lost)
        except MonitorError as e:
            # A sign-in that ended there says nothing of the account's own.
            broken = isinstance(e, SourceUnavailable | SessionRevoked) and not _answered(e)
            if (broken or opening.exception()) and self._links.get(dc) is opening:
                del self._links[dc]
                await _close(opening)
            if broken and not self._connection.lost.done():
                raise LinkLost(f"the link to data centre {dc} broke ({type(e).__name__})") from e
            raise

    async def close(self) -> None:
        """Close all links."""
        links, self._links = list(self._links.values()), {}
        for opening in links:
            await _close(opening)

    async def _open(self, dc: int) -> _Link:
        connection, client = self._connection, self._connection.client
        # Telethon's own borrowed senders reconnect behind our back, and leak when their sign-in fails.
        sender = MTProtoSender(
            None, loggers=client._log, retries=1, auto_reconnect=False, connect_timeout=int(CONNECT_TIMEOUT)
        )
        try:
            await connection.politeness.permit("help.getConfig")
            place = await connection.during(client._get_dc(dc), "help.getConfig")
            wire = client._connection(
                place.ip_address,
                place.port,
                place.id,
                loggers=client._log,
                proxy=client._proxy,
                local_addr=client._local_addr,
            )
            await connection.during(sender.connect(wire), "connect")
            exported = await connection.call(functions.auth.ExportAuthorizationRequest(dc))
            await connection.politeness.permit("auth.importAuthorization")
            hello = copy.copy(client._init_request)
            hello.query = functions.auth.ImportAuthorizationRequest(exported.id, exported.bytes)
            await connection.during(
                sender.send(functions.InvokeWithLayerRequest(LAYER, hello)),
                "auth.importAuthorization",
                home=False,
            )
        except BaseException:
            await apart(sender.disconnect())
            raise
        return _Link(sender, asyncio.ensure_future(_ended(sender)))


def _answered(error: MonitorError) -> bool:
    """Whether a data centre said itself that it cannot serve the request now."""
    return isinstance(error, SourceUnavailable) and isinstance(error.__cause__, RPCError)


async def _close(opening: "asyncio.Task[_Link]") -> None:
    opening.cancel()
    await asyncio.wait({opening})
    if not opening.cancelled() and opening.exception() is None:
        await opening.result().close()


async def _ended(sender: Any) -> None:
    with contextlib.suppress(Exception):
        await sender.disconnected
