"""One data centre: a listening socket, its authorization keys, its connections."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from telethon.tl import functions

from monitor.testdc.connection import Connection
from monitor.testdc.envelope import MessageIds
from monitor.testdc.session import AuthKey, Session

if TYPE_CHECKING:
    from monitor.testdc.cluster import Cluster

# Requests which do not make a session one that hears what happens.
_MUTE = (functions.upload.GetFileRequest, functions.auth.ExportAuthorizationRequest)


class DataCentre:
    """Accepts clients on loopback. Its keys outlive connections, as they do on Telegram."""

    def __init__(self, cluster: Cluster, dc_id: int, port: int) -> None:
        self.cluster = cluster
        self.id = dc_id
        self.port = port
        self.keys: dict[int, AuthKey] = {}
        self.lost_keys: dict[int, AuthKey] = {}
        # What the line of each new connection is like, by the loop's clock and in bytes a second.
        self.silent_until = 0.0
        self.rate: float | None = None
        self.message_ids = MessageIds(cluster.clock)
        self.connections: dict[Connection, asyncio.Task[None]] = {}
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listens; `port` is then the real one. Raises OSError where it is taken."""
        self._server = await asyncio.start_server(self._connected, self.cluster.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Ends all connections and stops listening."""
        if self._server is None:
            return
        self._server.close()
        tasks = list(self.connections.values())
        for connection, task in list(self.connections.items()):
            connection.abort()  # a task that never ran would not do it
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(self, reader, writer)
        loop = asyncio.get_running_loop()
        connection.line.slow(self.rate)
        if (silence := self.silent_until - loop.time()) > 0:
            connection.line.silence(silence)
        task = loop.create_task(connection.run(), name=f"dc{self.id}:connection")
        self.connections[connection] = task
        task.add_done_callback(lambda _: self.connections.pop(connection, None))

    def listen(self, session: Session, request: Any) -> None:
        """Lets a session hear updates from now on, if its account is signed in and at home here."""
        account = session.key.account
        if account is not None and account.dc == self.id and not isinstance(request, _MUTE):
            session.updates = True

    def listeners(self) -> Iterator[tuple[Connection, Session]]:
        """Sessions that hear updates, with their connections."""
        for connection in list(self.connections):
            for session in connection.sessions.values():
                if session.updates and session.key.account is not None:
                    yield connection, session

    def forget_session(self, key: AuthKey, session_id: int, *, but: Session) -> bool:
        """Ends another session of the same key; whether there was one."""
        for connection in self.connections:
            found = connection.sessions.get(session_id)
            if found is not None and found.key is key and found is not but:
                del connection.sessions[session_id]
                return True
        return False
