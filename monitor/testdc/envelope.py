"""Encrypted messages, as the server reads and writes them
(MTProto 2.0, https://core.telegram.org/mtproto/description)."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from typing import NamedTuple

from telethon.crypto import AES

_HEAD = struct.Struct("<qqqii")  # salt, session id, message id, sequence number, length
_PLAIN = struct.Struct("<qqi")  # zero, message id, length
# Which part of the authorization key a direction uses (x in the specification).
_FROM_CLIENT, _FROM_SERVER = 0, 8


class Message(NamedTuple):
    """One decrypted message: the fields of its head and its serialised body."""

    salt: int
    session_id: int
    msg_id: int
    seq_no: int
    body: bytes


class EnvelopeError(Exception):
    """A message that was not encrypted with this key, or is damaged."""


def _aes(key: bytes, msg_key: bytes, x: int) -> tuple[bytes, bytes]:
    a = hashlib.sha256(msg_key + key[x : x + 36]).digest()
    b = hashlib.sha256(key[x + 40 : x + 76] + msg_key).digest()
    return a[:8] + b[8:24] + a[24:32], b[:8] + a[8:24] + b[24:32]


def _msg_key(key: bytes, data: bytes, x: int) -> bytes:
    return hashlib.sha256(key[88 + x : 120 + x] + data).digest()[8:24]


def open_message(key: bytes, packet: bytes) -> Message:
    """What a client sent. Raises `EnvelopeError`."""
    msg_key, cipher = packet[8:24], packet[24:]
    if not cipher or len(cipher) % 16:
        raise EnvelopeError("length")
    data = AES.decrypt_ige(cipher, *_aes(key, msg_key, _FROM_CLIENT))
    if _msg_key(key, data, _FROM_CLIENT) != msg_key:
        raise EnvelopeError("message key")
    salt, session_id, msg_id, seq_no, length = _HEAD.unpack_from(data)
    # Between 12 and 1024 bytes of padding, and a length in whole words.
    if length < 0 or length % 4 or not 12 <= len(data) - _HEAD.size - length <= 1024:
        raise EnvelopeError("padding")
    return Message(salt, session_id, msg_id, seq_no, data[_HEAD.size : _HEAD.size + length])


def seal_message(key: bytes, key_id: int, message: Message, noise: Callable[[int], bytes]) -> bytes:
    """A packet for the client; `noise` gives so many bytes of padding."""
    data = _HEAD.pack(*message[:4], len(message.body)) + message.body
    data += noise(-(len(data) + 12) % 16 + 12)
    msg_key = _msg_key(key, data, _FROM_SERVER)
    cipher = AES.encrypt_ige(data, *_aes(key, msg_key, _FROM_SERVER))
    return b"".join((struct.pack("<Q", key_id), msg_key, cipher))


def open_plain(packet: bytes) -> bytes:
    """The body of an unencrypted message. Raises `EnvelopeError`."""
    if len(packet) < _PLAIN.size:
        raise EnvelopeError("length")
    _, _, length = _PLAIN.unpack_from(packet)
    if not 0 < length <= len(packet) - _PLAIN.size:
        raise EnvelopeError("length")
    return packet[_PLAIN.size : _PLAIN.size + length]


def seal_plain(msg_id: int, body: bytes) -> bytes:
    """An unencrypted packet for the client."""
    return _PLAIN.pack(0, msg_id, len(body)) + body


class MessageIds:
    """Server message ids: Unix time in the upper half, ever growing, 1 mod 4 for an answer, else 3."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last = 0

    def next(self, *, answer: bool) -> int:
        """A fresh id."""
        self._last = max(int(self._clock() * 2**32) & ~3, self._last + 4)
        return self._last | (1 if answer else 3)
