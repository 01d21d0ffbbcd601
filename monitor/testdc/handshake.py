"""The server's half of the key exchange (https://core.telegram.org/mtproto/auth_key).

The client's inner data comes in the older SHA-1 padding, which Telethon still uses.
"""

from __future__ import annotations

import hashlib
import random
import struct
from collections.abc import Callable
from typing import Any

from telethon.crypto import AES, AuthKey
from telethon.extensions import BinaryReader
from telethon.helpers import generate_key_data_from_nonce
from telethon.tl import functions, types

from monitor.testdc import keys

# The 2048-bit safe prime of Telegram's own servers: clients know it and skip the slow check. 3 generates.
DH_PRIME = int(
    "c71caeb9c6b1c9048e6c522f70f13f73980d40238e3e21c14934d037563d930f48198a0aa7c14058229493d22530f4db"
    "fa336f6e0ac925139543aed44cce7c3720fd51f69458705ac68cd4fe6b6b13abdc9746512969328454f18faf8c595f64"
    "2477fe96bb2a941d5bcd1d4ac8cc49880708fa9b378e3c4f3a9060bee67cf9a4a4a695811051907e162753b56b0f6b41"
    "0dba74d8a84b2a14b3144e0ef1284754fd17ed950d5965b4b9dd46582db1178d169c6bc465b0d6ff9ca3928fef5b9ae4"
    "e418fc15e83ebea0f87fa9ff5eed70050ded2849f47bf959d956850ce929851f0d8115f635b105ee2e4e15d04b2454bf"
    "6f4fadf034b10403119cd8e3b92fcc5b",
    16,
)
DH_GENERATOR = 3
# Small on purpose: factoring them is work for the client, and proves nothing on loopback.
_PRIMES = (1048583, 1048589, 1048601, 1048609, 1048613, 1048627, 1048633, 1048661)


class HandshakeError(Exception):
    """A step out of order, or one whose hash or nonce does not fit."""


def _big(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


class Handshake:
    """One key exchange on one connection: three requests, three answers.

    `key` is the agreed authorization key (`telethon.crypto.AuthKey`) after the third answer, `salt` the first
    server salt that both sides derive from the nonces.
    """

    def __init__(self, randomness: random.Random, now: Callable[[], float]) -> None:
        self._random = randomness
        self._now = now
        self.key: Any = None
        self.salt = 0

    def answer(self, request: Any) -> Any:
        """The answer to one step. Raises `HandshakeError`."""
        match request:
            case functions.ReqPqMultiRequest() | functions.ReqPqRequest():
                return self._offer(request)
            case functions.ReqDHParamsRequest():
                return self._parameters(request)
            case functions.SetClientDHParamsRequest():
                return self._agree(request)
            case _:
                raise HandshakeError(f"{type(request).__name__} in plain text")

    def _offer(self, request: Any) -> Any:
        self._nonce = request.nonce
        self._server_nonce = int.from_bytes(self._random.randbytes(16), "little", signed=True)
        p, q = sorted(self._random.sample(_PRIMES, 2))
        self._pq = p * q
        return types.ResPQ(self._nonce, self._server_nonce, _big(self._pq), [keys.FINGERPRINT])

    def _check(self, message: Any) -> None:
        if (message.nonce, message.server_nonce) != (self._nonce, self._server_nonce):
            raise HandshakeError("nonce")

    def _parameters(self, request: Any) -> Any:
        self._check(request)
        if request.public_key_fingerprint != keys.FINGERPRINT:
            raise HandshakeError("fingerprint")
        data = keys.decrypt(request.encrypted_data)
        inner = _hashed_object(data)
        self._check(inner)
        if int.from_bytes(inner.p, "big") * int.from_bytes(inner.q, "big") != self._pq:
            raise HandshakeError("factors")
        self._new_nonce = inner.new_nonce
        self._aes = generate_key_data_from_nonce(self._server_nonce, self._new_nonce)
        # Short on purpose, as every test waits for its powers; the result is as large as ever.
        self._a = self._random.getrandbits(256) | 1 << 255
        answer = types.ServerDHInnerData(
            nonce=self._nonce,
            server_nonce=self._server_nonce,
            g=DH_GENERATOR,
            dh_prime=_big(DH_PRIME),
            g_a=_big(pow(DH_GENERATOR, self._a, DH_PRIME)),
            server_time=int(self._now()),
        )._bytes()
        data = hashlib.sha1(answer, usedforsecurity=False).digest() + answer
        data += self._random.randbytes(-len(data) % 16)
        return types.ServerDHParamsOk(self._nonce, self._server_nonce, AES.encrypt_ige(data, *self._aes))

    def _agree(self, request: Any) -> Any:
        self._check(request)
        inner = _hashed_object(AES.decrypt_ige(request.encrypted_data, *self._aes))
        self._check(inner)
        shared = pow(int.from_bytes(inner.g_b, "big"), self._a, DH_PRIME)
        # Telethon hashes the key without leading zeros, where the specification pads to 256 bytes.
        self.key = AuthKey(_big(shared))
        # The first salt: the lower halves of the two nonces, one upon the other.
        salt = (self._new_nonce ^ self._server_nonce) & 0xFFFFFFFFFFFFFFFF
        self.salt = struct.unpack("<q", struct.pack("<Q", salt))[0]
        proof = self.key.calc_new_nonce_hash(self._new_nonce, 1)
        return types.DhGenOk(self._nonce, self._server_nonce, proof)


def _hashed_object(data: bytes) -> Any:
    """The object behind its SHA-1 and before its padding."""
    reader = BinaryReader(data[20:])
    try:
        inner = reader.tgread_object()
    except Exception as error:  # noise decrypts to anything
        raise HandshakeError("inner data") from error
    body = data[20 : 20 + reader.tell_position()]
    if hashlib.sha1(body, usedforsecurity=False).digest() != data[:20]:
        raise HandshakeError("hash")
    return inner
