"""Bodies of messages: results, containers, gzip
(https://core.telegram.org/mtproto/service_messages#simple-container)."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from telethon.errors import TypeNotFoundError
from telethon.extensions import BinaryReader
from telethon.tl import types
from telethon.tl.tlobject import TLObject

from monitor.testdc.envelope import Message
from monitor.testdc.errors import RpcError

_CONTAINER, _GZIP, _RPC_RESULT = (struct.pack("<I", n) for n in (0x73F1F8DC, 0x3072CFA1, 0xF35C6D01))
_IN_CONTAINER = struct.Struct("<qii")
MAX_CONTAINED = 1020
CONTAINER_BYTES = 512 * 1024
COMPRESS_FROM = 512
UNPACKED_BYTES = 16 * 1024 * 1024


class BadContainer(Exception):
    """A container in a container, one that is too long, or one whose lengths do not fit."""


class Outgoing(NamedTuple):
    """A message to the client: its body, whether it must be acknowledged, whether it answers one."""

    body: bytes
    content: bool
    answer: bool


def result(msg_id: int, data: bytes, *, compress: bool = True) -> Outgoing:
    """The result of a request, gzipped where that makes it smaller."""
    if compress and len(data) > COMPRESS_FROM:
        packed = _GZIP + TLObject.serialize_bytes(gzip.compress(data, 1, mtime=0))
        data = min(data, packed, key=len)
    return Outgoing(_RPC_RESULT + struct.pack("<q", msg_id) + data, True, True)


def error(msg_id: int, failure: RpcError) -> Outgoing:
    """The error that a request is answered with."""
    return result(msg_id, types.RpcError(failure.code, failure.message)._bytes())


def answer(body: Any) -> Outgoing:
    """A service message in answer to one of the client."""
    return Outgoing(body._bytes(), False, True)


def parse(body: bytes) -> Any:
    """The object that a client sent. Raises `RpcError` INPUT_METHOD_INVALID or INPUT_FETCH_ERROR."""
    try:
        if body[:4] == _GZIP:
            inflate = zlib.decompressobj(wbits=31)
            body = inflate.decompress(BinaryReader(body[4:]).tgread_bytes(), UNPACKED_BYTES)
        return BinaryReader(body).tgread_object()
    except TypeNotFoundError as unknown:
        raise RpcError(400, "INPUT_METHOD_INVALID") from unknown
    except (ValueError, TypeError, LookupError, BufferError, RuntimeError, struct.error, zlib.error) as noise:
        raise RpcError(400, "INPUT_FETCH_ERROR") from noise


def batches(messages: Sequence[Outgoing]) -> Iterator[list[Outgoing]]:
    """The messages in order, in heaps that fit one container each."""
    batch: list[Outgoing] = []
    size = 0
    for message in messages:
        if batch and (size + len(message.body) > CONTAINER_BYTES or len(batch) == MAX_CONTAINED):
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += len(message.body)
    if batch:
        yield batch


def container(messages: Sequence[tuple[int, int, bytes]]) -> Outgoing:
    """One message that holds several: their ids, sequence numbers and bodies."""
    parts = [_CONTAINER, struct.pack("<i", len(messages))]
    for msg_id, seq_no, body in messages:
        parts += (_IN_CONTAINER.pack(msg_id, seq_no, len(body)), body)
    return Outgoing(b"".join(parts), False, False)


def contained(message: Message) -> list[tuple[int, int, bytes]]:
    """The messages in a container, or the one message itself: id, sequence number, body.

    Raises `BadContainer`.
    """
    body = message.body
    if body[:4] != _CONTAINER:
        return [(message.msg_id, message.seq_no, body)]
    found = []
    try:
        (count,) = struct.unpack_from("<i", body, 4)
        at = 8
        if not 0 <= count <= MAX_CONTAINED:
            raise BadContainer
        for _ in range(count):
            msg_id, seq_no, length = _IN_CONTAINER.unpack_from(body, at)
            at += _IN_CONTAINER.size
            inner = body[at : at + length]
            if len(inner) != length or inner[:4] == _CONTAINER:
                raise BadContainer
            at += length
            found.append((msg_id, seq_no, inner))
    except struct.error as broken:
        raise BadContainer from broken
    return found
