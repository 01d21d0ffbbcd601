"""The test data centre as a whole: it serves a world, and brings what happens there to those who listen."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from telethon.tl import types

from monitor.testdc import keys
from monitor.testdc.bodies import Outgoing
from monitor.testdc.connection import Connection
from monitor.testdc.datacentre import DataCentre
from monitor.testdc.dispatch import Call
from monitor.testdc.errors import RpcError
from monitor.testdc.faults import Faults
from monitor.testdc.journal import Entry
from monitor.testdc.posts import Change, ChannelChanged, Event, Noticed, User
from monitor.testdc.render import Renderer
from monitor.testdc.services import dispatcher
from monitor.testdc.services.signin import SignIns
from monitor.testdc.session import Session
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
        chosen = [
            connection for connection, user in self._connections(dc) if account is None or user is account
        ]
        for connection in chosen:
            connection.abort()
        return len(chosen)

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
                    del dc.keys[key.id]

    def rotate_salts(self) -> None:
        """Gives every key a new salt: the next message of each client is refused once."""
        for dc in self._dcs.values():
            for key in dc.keys.values():
                key.salt = self.random.getrandbits(62)

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

    def _connections(self, dc: int | None) -> list[tuple[Connection, User | None]]:
        found = []
        for number, centre in self._dcs.items():
            if dc in (None, number):
                for connection in centre.connections:
                    accounts = [session.key.account for session in connection.sessions.values()]
                    found.append((connection, accounts[-1] if accounts else None))
        return found

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
                    lambda user: user.id in event.users,
                    lambda viewer: ([update], [self.renderer.channel(channel, viewer)], []),
                )
            case Noticed():
                self._push(
                    lambda user: user is event.user,
                    lambda viewer: ([self.renderer.notice_update(viewer, event.notice)], [], []),
                )

    def _posts_changed(self, change: Change) -> None:
        channel = self.world.channels.get(change.channel_id)
        if channel is None:  # it is being made
            return
        posts = [post for i in change.ids if (post := channel.get(i))]
        self._push(
            lambda user: user.id in channel.members and channel.may_see(user),
            lambda viewer: (
                [self.renderer.change(channel, change)],
                *self.renderer.around([channel], posts, viewer),
            ),
        )

    def _push(
        self,
        concerns: Callable[[User], bool],
        render: Callable[[User], tuple[list[Any], list[Any], list[Any]]],
    ) -> None:
        """Sends updates (with chats and users) to the sessions of those whom they concern."""
        bodies: dict[int, bytes] = {}
        for connection, session in self._listeners():
            viewer = session.key.account
            if viewer is None or session is self._acting or not concerns(viewer):
                continue
            if viewer.id not in bodies:
                updates, chats, users = render(viewer)
                now = self.world.seconds(None)
                bodies[viewer.id] = types.Updates(updates, users, chats, now, 0)._bytes()
            connection.send(session, [Outgoing(bodies[viewer.id], True, False)])
