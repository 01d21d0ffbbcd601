"""From a request to its answer: wrappers off, sign-in checked, the right handler called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from telethon.tl import functions

from monitor.testdc.errors import RpcError
from monitor.testdc.journal import Entry, parameters, request_name
from monitor.testdc.posts import User
from monitor.testdc.render import Renderer
from monitor.testdc.session import Session
from monitor.testdc.world import World

if TYPE_CHECKING:
    from monitor.testdc.cluster import Cluster

_TRUE, _FALSE = b"\xb5\x75\x72\x99", b"\x37\x97\x79\xbc"
_WRAPPERS = (
    functions.InvokeWithLayerRequest,
    functions.InitConnectionRequest,
    functions.InvokeWithoutUpdatesRequest,
    functions.InvokeAfterMsgRequest,
    functions.InvokeAfterMsgsRequest,
)


@dataclass(frozen=True, slots=True)
class Call:
    """One request on its way to a handler."""

    request: Any
    cluster: Cluster
    dc: int
    session: Session

    @property
    def world(self) -> World:
        """The world that is served."""
        return self.cluster.world

    @property
    def render(self) -> Renderer:
        """Builds the TL form of things."""
        return self.cluster.renderer

    @property
    def account(self) -> User:
        """Who asks. Raises `RpcError` 401 before sign-in."""
        account = self.session.key.account
        if account is None:
            raise RpcError(401, "AUTH_KEY_UNREGISTERED")
        return account


def seconds(date: datetime | None) -> int:
    """A date of a request in Unix seconds; 0 means none, as on the wire."""
    return int(date.timestamp()) if date else 0


Handler = Callable[[Call], Any]


@dataclass(frozen=True, slots=True)
class Service:
    """A group of handlers by request class. `open` ones serve before sign-in, `anywhere` ones also at a data
    centre that is not the account's home, and bots may call the `bots` ones and those that are open."""

    handlers: Mapping[type, Handler]
    open: frozenset[type] = frozenset()
    anywhere: frozenset[type] = frozenset()
    bots: frozenset[type] = frozenset()


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """A request without its wrappers, and what those said."""

    request: Any
    inits: bool
    wants_updates: bool


def unwrap(request: Any) -> Unwrapped:
    """Takes off invokeWithLayer, initConnection, invokeWithoutUpdates and invokeAfterMsg(s)."""
    inits, wants_updates = False, True
    while isinstance(request, _WRAPPERS):
        inits = inits or isinstance(request, functions.InitConnectionRequest)
        wants_updates = wants_updates and not isinstance(request, functions.InvokeWithoutUpdatesRequest)
        request = request.query
    return Unwrapped(request, inits, wants_updates)


class Dispatcher:
    """Holds the handlers of all services."""

    def __init__(self, services: tuple[Service, ...]) -> None:
        self._handlers = {kind: h for service in services for kind, h in service.handlers.items()}
        self._open = frozenset().union(*(service.open for service in services))
        self._bots = frozenset().union(*(service.bots for service in services), self._open)
        self._anywhere = frozenset().union(*(service.anywhere for service in services), self._open)

    def note(self, call: Call) -> None:
        """Writes the request into the journal."""
        key = call.session.key
        call.cluster.journal.append(
            Entry(
                call.world.now(),
                call.dc,
                key.account.label if key.account else None,
                key.id,
                request_name(call.request),
                parameters(call.request),
            )
        )

    def answer(self, call: Call) -> bytes:
        """The serialised result. Raises `RpcError`."""
        kind, key = type(call.request), call.session.key
        if key.revoked:
            raise RpcError(401, key.revoked)
        if not key.layer_told:
            raise RpcError(400, "CONNECTION_NOT_INITED")
        if kind not in self._open:
            if key.account is None:
                raise RpcError(401, "SESSION_PASSWORD_NEEDED" if key.halfway else "AUTH_KEY_UNREGISTERED")
            if key.account.dc != call.dc and kind not in self._anywhere:
                raise RpcError(303, f"USER_MIGRATE_{key.account.dc}")
        if key.account is not None and key.account.bot and kind not in self._bots:
            raise RpcError(400, "BOT_METHOD_INVALID")
        handler = self._handlers.get(kind)
        if handler is None:
            raise RpcError(400, "INPUT_METHOD_INVALID")
        result = handler(call)
        if isinstance(result, bool):
            return _TRUE if result else _FALSE
        data: bytes = result._bytes()
        return data
