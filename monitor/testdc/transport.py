"""MTProto transports: how a packet lies in the TCP stream.

Full, abridged and intermediate, told apart by the first bytes a client sends; the latter two also obfuscated
(https://core.telegram.org/mtproto/mtproto-transports).
"""

from __future__ import annotations

import asyncio
import struct
from typing import Protocol
from zlib import crc32

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

MAX_PACKET = 2 * 1024 * 1024


class TransportError(Exception):
    """The stream is not MTProto: a length out of range, a wrong checksum or sequence number."""


class Reader(Protocol):
    """Where bytes come from."""

    async def readexactly(self, n: int) -> bytes:
        """So many bytes. Raises `asyncio.IncompleteReadError` where the stream ends before."""
        ...


class Transport(Protocol):
    """One direction-aware codec for one connection."""

    name: str

    async def read(self, reader: Reader) -> bytes:
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

    async def read(self, reader: Reader) -> bytes:
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

    async def read(self, reader: Reader) -> bytes:
        (length,) = struct.unpack("<i", await reader.readexactly(4))
        return await reader.readexactly(_checked(length))

    def frame(self, packet: bytes) -> bytes:
        return struct.pack("<i", len(packet)) + packet


class Full:
    """Length, sequence number and CRC32; the first bytes were read while telling transports apart."""

    name = "full"

    def __init__(self, first: bytes) -> None:
        self._first = first
        self._received = 0
        self._sent = 0

    async def read(self, reader: Reader) -> bytes:
        head, self._first = self._first or await reader.readexactly(8), b""
        length, sequence = struct.unpack("<ii", head)
        body = await reader.readexactly(_checked(length, 16) - 8)
        if sequence != self._received:
            raise TransportError(f"packet {sequence}, expected {self._received}")
        if crc32(head + body[:-4]) != struct.unpack("<I", body[-4:])[0]:
            raise TransportError("checksum")
        self._received += 1
        return body[:-4]

    def frame(self, packet: bytes) -> bytes:
        head = struct.pack("<ii", len(packet) + 12, self._sent)
        self._sent += 1
        return head + packet + struct.pack("<I", crc32(packet, crc32(head)))


class _Deciphered:
    """A stream behind a cipher."""

    def __init__(self, reader: Reader, cipher: CipherContext) -> None:
        self._reader = reader
        self._cipher = cipher

    async def readexactly(self, n: int) -> bytes:
        return self._cipher.update(await self._reader.readexactly(n))


HEADER = 64


class Obfuscated:
    """Another transport behind AES-CTR, with keys from the 64 random bytes that a client sends first
    (https://core.telegram.org/mtproto/mtproto-transports#transport-obfuscation).

    Raises `TransportError` where those do not name a transport that is spoken here.
    """

    def __init__(self, header: bytes) -> None:
        back = header[55:7:-1]
        self._incoming = _ctr(header[8:40], header[40:56])
        self._outgoing = _ctr(back[:32], back[32:])
        match self._incoming.update(header)[56:60]:
            case b"\xef\xef\xef\xef":
                self._inner: Transport = Abridged()
            case b"\xee\xee\xee\xee":
                self._inner = Intermediate()
            case _:
                raise TransportError("unknown protocol behind the obfuscation")
        self.name = f"obfuscated {self._inner.name}"

    async def read(self, reader: Reader) -> bytes:
        return await self._inner.read(_Deciphered(reader, self._incoming))

    def frame(self, packet: bytes) -> bytes:
        return self._outgoing.update(self._inner.frame(packet))


def _ctr(key: bytes, counter: bytes) -> CipherContext:
    # Enciphering and deciphering are the same.
    return Cipher(AES(key), CTR(counter)).encryptor()


async def accept(reader: asyncio.StreamReader) -> Transport:
    """The transport which the client speaks. Raises `TransportError`.

    A full packet cannot begin with 0xef or 0xee, as its length is a multiple of four; the first one has the
    sequence number 0 behind that. Obfuscated streams begin with neither.
    """
    first = await reader.readexactly(1)
    if first == b"\xef":
        return Abridged()
    first += await reader.readexactly(3)
    if first == b"\xee" * 4:
        return Intermediate()
    first += await reader.readexactly(4)
    if first[4:] == bytes(4):
        return Full(first)
    return Obfuscated(first + await reader.readexactly(HEADER - len(first)))
