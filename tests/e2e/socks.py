"""A small SOCKS5 proxy on loopback (RFC 1928), with user and password where asked (RFC 1929)."""

import asyncio
import contextlib
import ipaddress
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

NO_AUTHENTICATION, BY_PASSWORD, NOTHING_FITS = 0, 2, 0xFF
GRANTED, REFUSED = 0, 5


@dataclass
class Proxy:
    """Where it listens, and where it led: a port for each connection that it made."""

    port: int = 0
    account: tuple[str, str] | None = None
    led_to: list[int] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client, to its end."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            if await self._admitted(reader, writer):
                await self._lead(reader, writer)
        writer.close()

    async def _admitted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        _, count = await reader.readexactly(2)
        method = BY_PASSWORD if self.account else NO_AUTHENTICATION
        if method not in await reader.readexactly(count):
            writer.write(bytes([5, NOTHING_FITS]))
            return False
        writer.write(bytes([5, method]))
        if self.account is None:
            return True
        await reader.readexactly(1)
        given = [(await _string(reader)).decode() for _ in self.account]
        admitted = given == list(self.account)
        writer.write(bytes([1, 0 if admitted else 1]))
        return admitted

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, _, _, kind = await reader.readexactly(4)
        if kind == 3:
            host = (await _string(reader)).decode()
        else:
            host = str(ipaddress.ip_address(await reader.readexactly(4 if kind == 1 else 16)))
        port = int.from_bytes(await reader.readexactly(2), "big")
        try:
            there, back = await asyncio.open_connection(host, port)
        except OSError:
            writer.write(bytes([5, REFUSED, 0, 1, *bytes(6)]))
            return
        self.led_to.append(port)
        writer.write(bytes([5, GRANTED, 0, 1, *bytes(6)]))
        await asyncio.gather(_copy(reader, back), _copy(there, writer))


async def _string(reader: asyncio.StreamReader) -> bytes:
    (length,) = await reader.readexactly(1)
    return await reader.readexactly(length)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


@contextlib.asynccontextmanager
async def proxy(account: tuple[str, str] | None = None) -> AsyncIterator[Proxy]:
    """A proxy for as long as the block lasts; with an account only for who gives it."""
    served = Proxy(account=account)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(served.serve(reader, writer), name="proxy:client")
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
