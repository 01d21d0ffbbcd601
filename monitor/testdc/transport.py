"""MTProto transports: how a packet lies in the TCP stream.

Full, abridged and intermediate, told apart by the first bytes a client sends
(https://core.telegram.org/mtproto/mtproto-transports).
"""

from __future__ import annotations

import asyncio
import struct
from typing import Protocol
from zlib import crc32

MAX_PACKET = 2 * 1024 * 1024


class TransportError(Exception):
    """The stream is not MTProto: a length out of range, a wrong checksum or sequence number."""


class Transport(Protocol):
    """One direction-aware codec for one connection."""

    name: str

    async def read(self, reader: asyncio.StreamReader) -> bytes:
        """The next packet. Raises `TransportError`, or `asyncio.IncompleteReadError` at the end."""
        ...

    def frame(self, packet: bytes) -> bytes:
        """The packet as it goes on the wire; its length is a multiple of four."""
        ...


def _checked(length: int, least: int = 4) -> int:
    if not least <= length <= MAX_PACKET:
        raise TransportError(f"packet length {length}")
    return length


class Abridged:
    """One byte of length, in words of four bytes; three more for long packets."""

    name = "abridged"

    async def read(self, reader: asyncio.StreamReader) -> bytes:
        words = (await reader.readexactly(1))[0]
        if words >= 127:
            words = int.from_bytes(await reader.readexactly(3), "little")
        return await reader.readexactly(_checked(words * 4))

    def frame(self, packet: bytes) -> bytes:
        words = len(packet) >> 2
        head = bytes([words]) if words < 127 else b"\x7f" + words.to_bytes(3, "little")
        return head + packet


class Intermediate:
    """Four bytes of length."""

    name = "intermediate"

    async def read(self, reader: asyncio.StreamReader) -> bytes:
        (length,) = struct.unpack("<i", await reader.readexactly(4))
        return await reader.readexactly(_checked(length))

    def frame(self, packet: bytes) -> bytes:
        return struct.pack("<i", len(packet)) + packet


class Full:
    """Length, sequence number and CRC32; the first length was read while telling transports apart."""

    name = "full"

    def __init__(self, first: bytes) -> None:
        self._first: bytes | None = first
        self._received = 0
        self._sent = 0

    async def read(self, reader: asyncio.StreamReader) -> bytes:
        head, self._first = self._first or await reader.readexactly(4), None
        (length,) = struct.unpack("<i", head)
        body = await reader.readexactly(_checked(length, 16) - 4)
        (sequence,) = struct.unpack("<i", body[:4])
        if sequence != self._received:
            raise TransportError(f"packet {sequence}, expected {self._received}")
        if crc32(head + body[:-4]) != struct.unpack("<I", body[-4:])[0]:
            raise TransportError("checksum")
        self._received += 1
        return body[4:-4]

    def frame(self, packet: bytes) -> bytes:
        head = struct.pack("<ii", len(packet) + 12, self._sent)
        self._sent += 1
        return head + packet + struct.pack("<I", crc32(packet, crc32(head)))


async def accept(reader: asyncio.StreamReader) -> Transport:
    """The transport which the client speaks.

    A full packet cannot begin with 0xef or 0xee: its length is a multiple of four.
    """
    first = await reader.readexactly(1)
    if first == b"\xef":
        return Abridged()
    first += await reader.readexactly(3)
    return Intermediate() if first == b"\xee" * 4 else Full(first)
