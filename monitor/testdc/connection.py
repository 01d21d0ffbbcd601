"""One client's TCP connection: packets in, messages out, and the service messages between
(https://core.telegram.org/mtproto/service_messages)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from telethon.tl import functions, types

from monitor.testdc.bodies import (
    BadContainer,
    Outgoing,
    answer,
    batches,
    contained,
    container,
    error,
    parse,
    result,
)
from monitor.testdc.dispatch import Call, unwrap
from monitor.testdc.envelope import (
    EnvelopeError,
    Message,
    open_message,
    open_plain,
    seal_message,
    seal_plain,
)
from monitor.testdc.errors import RpcError
from monitor.testdc.faults import Answer, Delay, Drop, Fault, Rpc
from monitor.testdc.handshake import Handshake, HandshakeError
from monitor.testdc.journal import request_name
from monitor.testdc.line import Line
from monitor.testdc.session import BAD_SALT, INVALID_CONTAINER, AuthKey, Session
from monitor.testdc.transport import MAX_PACKET, Transport, TransportError, accept

if TYPE_CHECKING:
    from monitor.testdc.datacentre import DataCentre

log = logging.getLogger(__name__)

# A client that does not read what it is sent is cut off, as on Telegram.
UNREAD_BYTES = 16 * 1024 * 1024
KEY_UNKNOWN = -404
SALT_LIFE = 1800

# Messages of a client that need no answer here: nothing is ever sent twice on one session.
_IGNORED = (
    types.MsgsAck,
    types.MsgsStateInfo,
    types.MsgsAllInfo,
    types.MsgResendReq,
    types.HttpWait,
)
_NEVER_COMPRESSED = (functions.upload.GetFileRequest,)


class _Dropped(Exception):
    """A fault broke the connection."""


class Connection:
    """Reads until the client or a fault ends it. What a packet holds is answered before the next is read."""

    def __init__(self, dc: DataCentre, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._dc = dc
        self._reader = reader
        self._writer = writer
        self.line = Line(writer)
        self._transport: Transport | None = None
        self._handshake: Handshake | None = None
        self._delayed: set[asyncio.Task[None]] = set()
        self._hang_up: asyncio.TimerHandle | None = None
        self.sessions: dict[int, Session] = {}

    async def run(self) -> None:
        """Serves the connection to its end."""
        try:
            self._transport = await accept(self._reader)
            while True:
                packet = await self._transport.read(self._reader)
                await self.line.read(len(packet))
                if self.line.breaking:
                    raise _Dropped
                self._receive(packet)
                await self._writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # gone, which is nothing to speak of
        except _Dropped:
            # After half a packet the client hangs up: if we did, what it has not read yet could be lost.
            with contextlib.suppress(ConnectionError):
                while self.line.breaking and await self._reader.read(MAX_PACKET):
                    pass
        except (TransportError, EnvelopeError, HandshakeError) as broken:
            log.info("connection closed: %s: %s", type(broken).__name__, broken)
        finally:
            self.abort()
            if self._hang_up:
                self._hang_up.cancel()
            for task in self._delayed:
                task.cancel()

    def abort(self) -> None:
        """Breaks the connection at once; what was not sent yet is lost."""
        self.line.abort()

    # Out

    def send(self, session: Session, messages: Sequence[Outgoing], *, broken: bool = False) -> None:
        """Sends messages in order, several in one container; `broken`, half of it, and closes."""
        for batch in batches(messages):
            if len(batch) == 1:
                whole = batch[0]
            else:
                whole = container([(*self._number(session, message), message.body) for message in batch])
            key = session.key
            sealed = Message(key.salt, session.id, *self._number(session, whole), whole.body)
            noise = self._dc.cluster.random.randbytes
            self._write(seal_message(key.key, key.id, sealed, noise), broken=broken)

    def _number(self, session: Session, message: Outgoing) -> tuple[int, int]:
        msg_id = self._dc.message_ids.next(answer=message.answer)
        return msg_id, session.next_seq_no(content=message.content)

    def _write(self, packet: bytes, *, broken: bool = False) -> None:
        if self._transport is None or self._writer.is_closing():
            return
        if self.line.unread > UNREAD_BYTES:
            self.line.hang_up()
            return
        send = self.line.break_off if broken else self.line.write
        send(self._transport.frame(packet))

    # In

    def _receive(self, packet: bytes) -> None:
        if len(packet) < 24:
            raise EnvelopeError("length")
        (key_id,) = struct.unpack_from("<Q", packet)
        if key_id == 0:
            self._exchange_keys(open_plain(packet))
            return
        key = self._dc.keys.get(key_id)
        if key is None:
            self._write(struct.pack("<i", KEY_UNKNOWN))
            return
        message = open_message(key.key, packet)
        if message.salt != key.salt:
            # Sent in the session's name, though the session begins only with a message that is accepted.
            session = self.sessions.get(message.session_id) or Session(message.session_id, key)
            notice = types.BadServerSalt(message.msg_id, message.seq_no, BAD_SALT, key.salt)
            self.send(session, [answer(notice)])
            return
        self._accept(key, message)

    def _exchange_keys(self, body: bytes) -> None:
        if self._handshake is None:
            self._handshake = Handshake(self._dc.cluster.random, self._dc.cluster.clock)
        try:
            request = parse(body)
        except RpcError as noise:
            raise HandshakeError("not a request") from noise
        reply = self._handshake.answer(request)
        if (agreed := self._handshake.key) is not None:
            self._dc.keys[agreed.key_id] = AuthKey(agreed.key_id, agreed.key, self._handshake.salt)
            self._handshake = None
        self._write(seal_plain(self._dc.message_ids.next(answer=True), reply._bytes()))

    def _accept(self, key: AuthKey, message: Message) -> None:
        out: list[Outgoing] = []
        session = self.sessions.get(message.session_id)
        if session is None or session.key is not key:
            session = self.sessions[message.session_id] = Session(message.session_id, key)
            unique = self._dc.cluster.random.getrandbits(62)
            created = types.NewSessionCreated(message.msg_id, unique, key.salt)
            out.append(Outgoing(created._bytes(), True, False))
        try:
            for msg_id, seq_no, body in contained(message):
                self._one(session, msg_id, seq_no, body, out)
        except BadContainer:
            out.append(self._complain(message.msg_id, message.seq_no, INVALID_CONTAINER))
        finally:
            self.send(session, out)

    @staticmethod
    def _complain(msg_id: int, seq_no: int, code: int) -> Outgoing:
        return answer(types.BadMsgNotification(msg_id, seq_no, code))

    def _one(self, session: Session, msg_id: int, seq_no: int, body: bytes, out: list[Outgoing]) -> None:
        if session.repeated(msg_id):
            return
        try:
            request = parse(body)
        except RpcError as failure:
            out.append(error(msg_id, failure))
            return
        code = session.complaint(
            msg_id, seq_no, content=not isinstance(request, _IGNORED), now=self._dc.cluster.clock()
        )
        if code is not None:
            out.append(self._complain(msg_id, seq_no, code))
            return
        self._serve(session, msg_id, request, out)

    def _serve(self, session: Session, msg_id: int, request: Any, out: list[Outgoing]) -> None:
        match request:
            case _ if isinstance(request, _IGNORED):
                pass
            case functions.PingRequest():
                out.append(answer(types.Pong(msg_id, request.ping_id)))
            case functions.PingDelayDisconnectRequest():
                out.append(answer(types.Pong(msg_id, request.ping_id)))
                if self._hang_up:
                    self._hang_up.cancel()
                loop = asyncio.get_running_loop()
                self._hang_up = loop.call_later(request.disconnect_delay, self.line.hang_up)
            case functions.GetFutureSaltsRequest():
                now = int(self._dc.cluster.clock())
                salt = types.FutureSalt(now, now + SALT_LIFE, session.key.salt)
                out.append(answer(types.FutureSalts(msg_id, now, [salt])))
            case functions.DestroySessionRequest():
                known = self._dc.forget_session(session.key, request.session_id, but=session)
                kind = types.DestroySessionOk if known else types.DestroySessionNone
                out.append(answer(kind(request.session_id)))
            case functions.DestroyAuthKeyRequest():
                del self._dc.keys[session.key.id]
                out.append(answer(types.DestroyAuthKeyOk()))
            case functions.RpcDropAnswerRequest():
                out.append(result(msg_id, types.RpcAnswerUnknown()._bytes()))
            case types.MsgsStateReq():
                # 4: received. What we answered, we answered at once.
                info = "\x04" * len(request.msg_ids)
                out.append(answer(types.MsgsStateInfo(msg_id, info)))
            case _:
                self._call(session, msg_id, request, out)

    def _call(self, session: Session, msg_id: int, request: Any, out: list[Outgoing]) -> None:
        cluster, key = self._dc.cluster, session.key
        bare = unwrap(request)
        key.layer_told = key.layer_told or bare.inits
        call = Call(bare.request, cluster, self._dc.id, session)
        cluster.dispatcher.note(call)
        fault: Fault | None = cluster.faults.take(request_name(call.request), key.account, self._dc.id)
        match fault:
            case Rpc():
                out.append(error(msg_id, RpcError(fault.code, fault.message)))
                return
            case Answer():
                out.append(result(msg_id, fault.tl._bytes()))
                return
            case Delay():
                out.append(answer(types.MsgsAck([msg_id])))
                task = asyncio.create_task(self._later(fault.seconds, call, msg_id), name=f"delayed:{msg_id}")
                self._delayed.add(task)
                task.add_done_callback(self._delayed.discard)
            case Drop("before"):
                raise _Dropped
            case Drop():
                outcome = self._outcome(call, msg_id)
                if fault.when == "middle":
                    self.send(session, [outcome], broken=True)
                raise _Dropped
            case None:
                out.append(self._outcome(call, msg_id))
        if bare.wants_updates:
            self._dc.listen(session, call.request)

    def _outcome(self, call: Call, msg_id: int) -> Outgoing:
        try:
            data = self._dc.cluster.carry_out(call)
        except RpcError as failure:
            return error(msg_id, failure)
        return result(msg_id, data, compress=not isinstance(call.request, _NEVER_COMPRESSED))

    async def _later(self, seconds: float, call: Call, msg_id: int) -> None:
        await asyncio.sleep(seconds)
        self.send(call.session, [self._outcome(call, msg_id)])
