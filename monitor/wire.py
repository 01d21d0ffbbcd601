"""The socket between collector and recorder: typed calls of `ports.Store`, and nothing else.

A frame is a length (4 bytes, big-endian) and MessagePack (https://msgpack.org). The recorder decodes each
call against the types of the port, so that a value of another shape is refused before it is looked at.
Text travels only where operators declare it, in the messages of our own errors, and in the platform's menu for reports
(`model.Label`: few and short, and only when a person has asked).

    collector → recorder   [id, method, [argument, …]] · [0, notice, …]
    recorder → collector   [id, result or null, error or null] · [0, "stop" or "errand", null]
"""

import asyncio
import inspect
import struct
import types
import typing
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, TypeVar

import msgspec

from monitor import errors, ports
from monitor.errors import ChannelRefused, FatalError, FloodWait, MonitorError, StoreUnavailable, leading
from monitor.model import (
    AccountReason,
    AccountState,
    Batch,
    Channel,
    ChannelId,
    Conduct,
    Coverage,
    Declaration,
    EntryStanding,
    Errand,
    EventType,
    Examined,
    ListVersion,
    Look,
    MessageId,
    Moment,
    PendingMedia,
    Profile,
    Recorded,
    Refusal,
    Scalar,
    SessionState,
    Spent,
    Told,
    Totals,
)

LENGTH = struct.Struct(">I")
MAX_FRAME = 64 * 1024 * 1024
"""Bytes; a longer frame is refused."""
LONGEST_MESSAGE = 1000
"""Characters of an error's message that travel."""
AT_ONCE = 32
"""Calls that the recorder works on at the same time; more wait in the socket."""

P = ParamSpec("P")
T = TypeVar("T")
Failure = tuple[str, str | int]


@dataclass(frozen=True, slots=True)
class Method:
    """How one call of the port travels."""

    arguments: "msgspec.msgpack.Decoder[Any]"
    result: "msgspec.msgpack.Decoder[Any]"


def _methods() -> Mapping[str, Method]:
    found = {}
    for name, function in inspect.getmembers(ports.Store, inspect.iscoroutinefunction):
        hints = typing.get_type_hints(function)
        result = hints.pop("return")
        wanted = types.GenericAlias(tuple, tuple(hints.values()))
        found[name] = Method(msgspec.msgpack.Decoder(wanted), msgspec.msgpack.Decoder(result))
    return found


METHODS = _methods()
_ENCODER = msgspec.msgpack.Encoder()
_CALL = msgspec.msgpack.Decoder(tuple[int, str, msgspec.Raw])
_ANSWER = msgspec.msgpack.Decoder(tuple[int, msgspec.Raw, Failure | None])
_NOTICES: Mapping[str, Any] = {
    "ready": msgspec.msgpack.Decoder(tuple[()]),
    "working": msgspec.msgpack.Decoder(tuple[()]),
    "progress": msgspec.msgpack.Decoder(tuple[str, int, int]),
    "failed": msgspec.msgpack.Decoder(Failure),
}
ERRAND = _ENCODER.encode("errand")
REFUSED: Failure = ("ValueError", "")


def pack(error: MonitorError) -> Failure:
    """An error as it travels: its class and what it is made of."""
    name = type(error).__name__
    if isinstance(error, FloodWait):
        return name, error.seconds
    if isinstance(error, ChannelRefused):
        return name, error.reason.value
    return name, str(error)[:LONGEST_MESSAGE]


def unpack(failure: Failure) -> MonitorError | ValueError:
    """The error that travelled."""
    name, value = failure
    if failure == REFUSED:
        return ValueError("the store refuses a value that contradicts itself")
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, FloodWait):
        return kind(int(value))
    if kind is ChannelRefused:
        return ChannelRefused(Refusal(str(value)))
    if isinstance(kind, type) and issubclass(kind, MonitorError):
        return kind(str(value))
    return FatalError("the other process failed in a way that it could not name")


class Pipe:
    """Frames over one socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, frame: object) -> None:
        """Send one frame; waits while the other side does not read. Raises ConnectionError at its end."""
        data = _ENCODER.encode(frame)
        self._writer.write(LENGTH.pack(len(data)) + data)
        await self._writer.drain()

    async def receive(self) -> bytes | None:
        """The next frame, None at the end of the other side."""
        try:
            (length,) = LENGTH.unpack(await self._reader.readexactly(LENGTH.size))
            if length > MAX_FRAME:
                raise FatalError("a frame between the processes is longer than any may be")
            return await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None

    def close(self) -> None:
        """End this side."""
        self._writer.close()


@dataclass(slots=True)
class Notices:
    """What a recorder does with what a collector tells it beside its calls."""

    progress: Callable[[str, int, int], None] = lambda username, done, total: None
    failed: Callable[[MonitorError], None] = lambda error: None
    working: Callable[[], None] = lambda: None


async def greeting(pipe: Pipe) -> bool:
    """Wait for a collector's first word: True when it is ready, False when it ended without one.

    Raises the error that it names, FatalError for a frame of another shape.
    """
    frame = await pipe.receive()
    if frame is None:
        return False
    named: list[MonitorError] = []
    _decode(frame, Notices(failed=named.append))
    if named:
        raise named[0]
    return True


async def serve(store: ports.Store, pipe: Pipe, notices: Notices) -> None:
    """Answer a collector's calls until it ends. Raises FatalError for a frame of another shape."""
    try:
        await _serve(store, pipe, notices)
    except BaseExceptionGroup as group:
        error = leading(group)
        if isinstance(error, MonitorError):
            raise error from group
        raise


def _decode(frame: bytes, notices: Notices) -> tuple[int, str, Sequence[Any]] | None:
    """A call's number, method and arguments; None for a notice, which is passed on."""
    try:
        number, name, raw = _CALL.decode(frame)
        if number != 0:
            return number, name, METHODS[name].arguments.decode(raw)
        values = _NOTICES[name].decode(raw)
    except (msgspec.MsgspecError, KeyError, ValueError) as e:
        raise FatalError(f"the collector sent what is not in the contract ({type(e).__name__})") from None
    _notice(notices, name, values)
    return None


async def _serve(store: ports.Store, pipe: Pipe, notices: Notices) -> None:
    room = asyncio.Semaphore(AT_ONCE)
    async with asyncio.TaskGroup() as tasks:
        while (frame := await pipe.receive()) is not None:
            decoded = _decode(frame, notices)
            if decoded is None:
                continue
            number, name, arguments = decoded
            await room.acquire()
            call = getattr(store, name)(*arguments)
            task = tasks.create_task(_answer(pipe, number, call), name=f"serve:{name}")
            task.add_done_callback(lambda _: room.release())


def _notice(notices: Notices, name: str, values: tuple[Any, ...]) -> None:
    if name == "failed":
        error = unpack((values[0], values[1]))
        notices.failed(error if isinstance(error, MonitorError) else FatalError(str(error)))
    elif name == "progress":
        notices.progress(*values)
    elif name == "working":
        notices.working()


async def _answer(pipe: Pipe, number: int, call: Awaitable[object]) -> None:
    result, failure = None, None
    try:
        result = await call
    except MonitorError as e:
        failure = pack(e)
    except ValueError:
        failure = REFUSED  # a value that contradicts itself: the caller's mistake, and to be told there
    try:
        await pipe.send((number, result, failure))
    except ConnectionError:
        pass  # the collector has ended; what it asked for is done all the same


class RemoteStore:
    """`ports.Store` at the other end of a socket."""

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._last = 0
        self.stop = asyncio.Event()
        """Set when the recorder asks for an end."""
        self.errand = asyncio.Event()
        """Set when the recorder says that a person wants something done."""

    async def run(self) -> None:
        """Take answers until the recorder ends; then every call in flight fails with StoreUnavailable."""
        try:
            while (frame := await self._pipe.receive()) is not None:
                number, result, failure = _ANSWER.decode(frame)
                if number == 0:
                    (self.errand if bytes(result) == ERRAND else self.stop).set()
                    continue
                waiting = self._waiting.pop(number, None)
                if waiting is None or waiting.done():
                    continue
                if failure is None:
                    waiting.set_result(bytes(result))
                else:
                    waiting.set_exception(unpack(failure))
        finally:
            self._last = -1
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(_gone())
            self._waiting.clear()

    async def notify(self, name: str, *values: object) -> None:
        """Tell the recorder one of the notices."""
        await self._pipe.send((0, name, values))

    async def _call(
        self, method: Callable[Concatenate["RemoteStore", P], Awaitable[T]], *values: object
    ) -> T:
        if self._last < 0:
            raise _gone()
        name = method.__name__
        self._last += 1
        number = self._last
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            await self._pipe.send((number, name, values))
            result: T = METHODS[name].result.decode(await waiting)
            return result
        except ConnectionError as e:
            raise _gone() from e
        finally:
            self._waiting.pop(number, None)

    async def session(self, account: str) -> SessionState | None:
        return await self._call(RemoteStore.session, account)

    async def save_session(self, state: SessionState) -> None:
        await self._call(RemoteStore.save_session, state)

    async def forget_session(self, account: str) -> None:
        await self._call(RemoteStore.forget_session, account)

    async def conduct(self, account: str) -> Conduct:
        return await self._call(RemoteStore.conduct, account)

    async def spend(self, account: str, spent: Spent, now: Moment, keep_since: datetime) -> None:
        await self._call(RemoteStore.spend, account, spent, now, keep_since)

    async def flood_wait(self, account: str, method: str, seconds: int, now: Moment) -> None:
        await self._call(RemoteStore.flood_wait, account, method, seconds, now)

    async def pause_joins(self, account: str, until: datetime, now: Moment) -> None:
        await self._call(RemoteStore.pause_joins, account, until, now)

    async def account_state(
        self, account: str, state: AccountState, reason: AccountReason | None, now: Moment
    ) -> None:
        await self._call(RemoteStore.account_state, account, state, reason, now)

    async def declare(self, declarations: Sequence[Declaration], at: datetime) -> None:
        await self._call(RemoteStore.declare, declarations, at)

    async def channels(self) -> list[Channel]:
        return await self._call(RemoteStore.channels)

    async def joined(self, username: str, profile: Profile, account: str, at: datetime) -> None:
        await self._call(RemoteStore.joined, username, profile, account, at)

    async def refused(self, username: str, reason: Refusal, at: datetime) -> None:
        await self._call(RemoteStore.refused, username, reason, at)

    async def record(self, batches: Sequence[Batch]) -> Recorded:
        return await self._call(RemoteStore.record, batches)

    async def begin(self, channel_id: ChannelId, start: MessageId, top: MessageId, position: int) -> None:
        await self._call(RemoteStore.begin, channel_id, start, top, position)

    async def coverage(self, channel_id: ChannelId) -> Coverage | None:
        return await self._call(RemoteStore.coverage, channel_id)

    async def due_looks(self, channels: Sequence[ChannelId], at: datetime, limit: int) -> list[Look]:
        return await self._call(RemoteStore.due_looks, channels, at, limit)

    async def pending_media(self, channels: Sequence[ChannelId], limit: int) -> list[PendingMedia]:
        return await self._call(RemoteStore.pending_media, channels, limit)

    async def examined(self, outcome: Examined) -> int:
        return await self._call(RemoteStore.examined, outcome)

    async def errands(self, account: str, at: datetime) -> list[Errand]:
        return await self._call(RemoteStore.errands, account, at)

    async def errand_leaves(self, errand_id: int, at: datetime) -> bool:
        return await self._call(RemoteStore.errand_leaves, errand_id, at)

    async def errand_told(self, told: Told) -> None:
        await self._call(RemoteStore.errand_told, told)

    async def errands_lost(self, account: str, at: datetime) -> int:
        return await self._call(RemoteStore.errands_lost, account, at)

    async def list_loaded(self, version: ListVersion, at: datetime) -> None:
        await self._call(RemoteStore.list_loaded, version, at)

    async def entries(self, hash_list: str) -> list[str]:
        return await self._call(RemoteStore.entries, hash_list)

    async def entries_stand(self, hash_list: str, standings: Sequence[EntryStanding], at: datetime) -> int:
        return await self._call(RemoteStore.entries_stand, hash_list, standings, at)

    async def append(self, kind: EventType, body: Mapping[str, Scalar], at: datetime) -> int:
        return await self._call(RemoteStore.append, kind, body, at)

    async def totals(self) -> Totals:
        return await self._call(RemoteStore.totals)


def _gone() -> StoreUnavailable:
    return StoreUnavailable("the recorder has ended")
