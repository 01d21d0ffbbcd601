"""The test data centre as a whole: it serves a world, and brings what happens there to those who listen."""

from __future__ import annotations

import asyncio
import functools
import random
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from telethon.tl import types

from monitor.testdc import keys
from monitor.testdc.bodies import Outgoing
from monitor.testdc.channel import Channel
from monitor.testdc.connection import Connection
from monitor.testdc.datacentre import DataCentre
from monitor.testdc.dispatch import Call
from monitor.testdc.errors import RpcError
from monitor.testdc.faults import Faults
from monitor.testdc.journal import Entry
from monitor.testdc.posts import Change, ChannelChanged, Event, Noticed, User
from monitor.testdc.render import Renderer
from monitor.testdc.services import dispatcher, qr
from monitor.testdc.services.signin import SignIns
from monitor.testdc.session import AuthKey, Session
from monitor.testdc.world import World


class Cluster:
    """Serves a world on loopback, as many data centres as there are `ports` (0 picks a free one).

    `clock` stamps protocol messages and should be the real time, which clients compare with theirs; dates in
    the world come from the world's own clock. Leaving the block raises an `ExceptionGroup` of whatever went
    wrong inside a handler: that is a fault of this package, not of the client.
    """

    host = "127.0.0.1"

    def __init__(
        self,
        world: World,
        seed: int = 7,
        ports: tuple[int, ...] = (0, 0),
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.world = world
        self.clock = clock
        self.random = random.Random(seed)  # noqa: S311 — repeatable on purpose
        self.renderer = Renderer(world)
        self.faults = Faults(seed)
        self.journal: list[Entry] = []
        self.dispatcher = dispatcher()
        self.sign_ins = SignIns()
        self.report_comments: set[tuple[int, int, tuple[int, ...], bytes]] = set()
        self._dcs = {number: DataCentre(self, number, port) for number, port in enumerate(ports, 1)}
        self._bugs: list[Exception] = []
        self._acting: Session | None = None
        self._unsubscribe: Callable[[], None] | None = None

    async def __aenter__(self) -> Self:
        try:
            for dc in self._dcs.values():
                await dc.start()
        except OSError:  # a port is taken
            await self._stop()
            raise
        self._unsubscribe = self.world.subscribe(self._happened)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._unsubscribe:
            self._unsubscribe()
        await self._stop()
        if self._bugs and error is None:
            raise ExceptionGroup("handlers of the test data centre failed", self._bugs)

    async def _stop(self) -> None:
        for dc in self._dcs.values():
            await dc.stop()

    # Where it is

    @property
    def dc_ids(self) -> tuple[int, ...]:
        """Numbers of the data centres, from 1."""
        return tuple(self._dcs)

    def port(self, dc: int = 1) -> int:
        """Where a data centre listens."""
        return self._dcs[dc].port

    @property
    def public_key(self) -> str:
        """The RSA public key as PEM, PKCS#1: what `telethon.crypto.rsa.add_key` reads."""
        return keys.public_key_pem("pkcs1")

    @property
    def public_key_spki(self) -> str:
        """The same key as PEM, SubjectPublicKeyInfo."""
        return keys.public_key_pem("spki")

    # What a test does to it

    def cut(self, dc: int | None = None, account: User | None = None) -> int:
        """Breaks connections: all, those of one data centre, or those of one account. How many it were."""
        return self._each(dc, account, Connection.abort)

    def black_hole(self, seconds: float, dc: int | None = None, account: User | None = None) -> int:
        """For so long nothing goes in or out of connections that stay open: of those that `cut` would break
        and, unless an account is named, of those made meanwhile. How many there are now."""
        if account is None:
            for centre in self._centres(dc):
                centre.silent_until = asyncio.get_running_loop().time() + seconds
        return self._each(dc, account, lambda connection: connection.line.silence(seconds))

    def slow(self, bytes_per_second: float | None, dc: int | None = None, account: User | None = None) -> int:
        """From now on bytes pass that slowly each way, None ends it; connections as in `black_hole`."""
        if account is None:
            for centre in self._centres(dc):
                centre.rate = bytes_per_second
        return self._each(dc, account, lambda connection: connection.line.slow(bytes_per_second))

    def too_long(self, account: User, channel: Channel | None = None) -> None:
        """Tells an account's sessions that more happened (in the channel) than they will be told."""
        body = self._too_long(channel)
        for connection, session in self._listeners():
            if session.key.account is account:
                connection.send(session, [Outgoing(body, True, False)])

    def revoke(self, account: User, error: str = "SESSION_REVOKED") -> None:
        """Ends all sign-ins of an account: each request is answered 401 with that error."""
        for dc in self._dcs.values():
            for key in dc.keys.values():
                if key.account is account:
                    key.revoked = error

    def forget_keys(self, account: User | None = None) -> None:
        """Loses authorization keys, of one account or all: clients meet transport error -404."""
        for dc in self._dcs.values():
            for key in list(dc.keys.values()):
                if account is None or key.account is account:
                    dc.lost_keys[key.id] = dc.keys.pop(key.id)

    def recall_keys(self, account: User | None = None) -> None:
        """Finds the lost keys again, as they were."""
        for dc in self._dcs.values():
            for key in list(dc.lost_keys.values()):
                if account is None or key.account is account:
                    dc.keys[key.id] = dc.lost_keys.pop(key.id)

    def rotate_salts(self) -> None:
        """Gives every key a new salt: the next message of each client is refused once."""
        for dc in self._dcs.values():
            for key in dc.keys.values():
                key.salt = self.random.getrandbits(62)

    def accept_login(self, token: bytes, account: User) -> None:
        """Scans a QR code with a session of `account`: whoever asked for the token is signed in, or asked for
        the password. Raises `RpcError` for one that is unknown, expired or accepted."""
        qr.accept(self, token, account)

    def requests(self, name: str) -> list[Entry]:
        """The journal's entries of that name, such as ``messages.getHistory``."""
        return [entry for entry in self.journal if entry.name == name]

    def listening(self, account: User) -> int:
        """How many sessions of an account hear updates now."""
        return sum(session.key.account is account for _, session in self._listeners())

    # Serving

    def carry_out(self, call: Call) -> bytes:
        """The serialised result of a request. Raises `RpcError`."""
        # What a request does is in its answer; only the account's other sessions hear of it.
        self._acting = call.session
        try:
            return self.dispatcher.answer(call)
        except RpcError:
            raise
        except Exception as bug:
            self._bugs.append(bug)
            raise RpcError(400, "TEST_DATA_CENTRE_BUG") from bug
        finally:
            self._acting = None

    def _centres(self, dc: int | None) -> list[DataCentre]:
        return [centre for number, centre in self._dcs.items() if dc in (None, number)]

    def tell(self, key: AuthKey, update: Any) -> None:
        """Sends one update to all sessions of a key, signed in or not."""
        body = types.UpdateShort(update, self.world.seconds(None))._bytes()
        for centre in self._centres(None):
            for connection in centre.connections:
                for session in connection.sessions.values():
                    if session.key is key:
                        connection.send(session, [Outgoing(body, True, False)])

    def _each(self, dc: int | None, account: User | None, act: Callable[[Connection], None]) -> int:
        chosen = []
        for centre in self._centres(dc):
            for connection in centre.connections:
                users = [session.key.account for session in connection.sessions.values()]
                if account is None or users[-1:] == [account]:
                    chosen.append(connection)
        for connection in chosen:
            act(connection)
        return len(chosen)

    def _listeners(self) -> list[tuple[Connection, Session]]:
        return [pair for dc in self._dcs.values() for pair in dc.listeners()]

    def _happened(self, event: Event) -> None:
        # Nothing is built before somebody is found who hears it: a script may post thousands alone.
        match event:
            case Change():
                self._posts_changed(event)
            case ChannelChanged():
                channel = self.world.channels[event.channel_id]
                update = types.UpdateChannel(channel.id)
                self._push(
                    channel,
                    lambda user: user.id in event.users,
                    lambda viewer: ([update], [self.renderer.channel(channel, viewer)], []),
                )
            case Noticed():
                self._push(
                    None,
                    lambda user: user is event.user,
                    lambda viewer: ([self.renderer.notice_update(viewer, event.notice)], [], []),
                )

    def _posts_changed(self, change: Change) -> None:
        channel = self.world.channels.get(change.channel_id)
        if channel is None:  # it is being made
            return
        posts = [post for i in change.ids if (post := channel.get(i))]
        self._push(
            channel,
            lambda user: user.id in channel.members and channel.may_see(user),
            lambda viewer: (
                [self.renderer.change(channel, change)],
                *self.renderer.around([channel], posts, viewer),
            ),
        )

    def _push(
        self,
        channel: Channel | None,
        concerns: Callable[[User], bool],
        render: Callable[[User], tuple[list[Any], list[Any], list[Any]]],
    ) -> None:
        """Sends updates (with chats and users) to the sessions of those whom they concern."""
        bodies: dict[int, bytes] = {}
        for connection, session in self._listeners():
            viewer = session.key.account
            if viewer is None or session is self._acting or not concerns(viewer):
                continue
            delivery = self.faults.deliver(viewer, channel)
            if viewer.id not in bodies and delivery.delays:
                bodies[viewer.id] = self._updates(*render(viewer))
            for delay in delivery.delays:
                body = bodies[viewer.id]
                if delivery.too_long:
                    body = self._too_long(None if delivery.too_long.whole else channel)
                message = [Outgoing(body, True, False)]
                send = functools.partial(connection.send, session, message, broken=delivery.broken)
                if delay:
                    asyncio.get_running_loop().call_later(delay, send)
                else:
                    send()

    def _updates(self, updates: list[Any], chats: list[Any], users: list[Any]) -> bytes:
        return bytes(types.Updates(updates, users, chats, self.world.seconds(None), 0)._bytes())

    def _too_long(self, channel: Channel | None) -> bytes:
        if channel is None:
            return bytes(types.UpdatesTooLong()._bytes())
        return self._updates([types.UpdateChannelTooLong(channel.id, channel.pts)], [], [])
