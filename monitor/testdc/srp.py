"""The server's half of the two-step password (SRP-6a variant, https://core.telegram.org/api/srp).

The prime, the generator and the way from password to number are those of the client's side, from Telethon.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import random
from typing import Any

from telethon.password import compute_hash
from telethon.tl import types

from monitor.testdc.handshake import DH_GENERATOR, DH_PRIME

_PRIME_BYTES = DH_PRIME.to_bytes(256, "big")
_GENERATOR_BYTES = DH_GENERATOR.to_bytes(256, "big")


def _hash(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")


@functools.lru_cache(maxsize=64)
def _verifier(password: str, salt1: bytes, salt2: bytes) -> int:
    # 100,000 rounds of PBKDF2: once for each password is enough.
    return pow(DH_GENERATOR, _number(compute_hash(algorithm(salt1, salt2), password)), DH_PRIME)


def algorithm(salt1: bytes, salt2: bytes) -> Any:
    """The only password algorithm there is, with its salts."""
    return types.PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow(
        salt1, salt2, DH_GENERATOR, _PRIME_BYTES
    )


class Exchange:
    """One question to a client that says it knows the password."""

    def __init__(self, password: str, randomness: random.Random) -> None:
        self.id = randomness.getrandbits(62)
        self._salts = (randomness.randbytes(40), randomness.randbytes(16))
        self._verifier = _verifier(password, *self._salts)
        self._b = randomness.getrandbits(2048)
        multiplier = _number(_hash(_PRIME_BYTES, _GENERATOR_BYTES))
        public = (multiplier * self._verifier + pow(DH_GENERATOR, self._b, DH_PRIME)) % DH_PRIME
        self.public = public.to_bytes(256, "big")

    @property
    def algorithm(self) -> Any:
        """The algorithm with the salts of this exchange."""
        return algorithm(*self._salts)

    def proves(self, public: bytes, proof: bytes) -> bool:
        """Whether the client's public value and proof (A and M1) come from the password."""
        theirs = _number(public)
        if not 0 < theirs < DH_PRIME:
            return False
        padded = theirs.to_bytes(256, "big")
        scramble = _number(_hash(padded, self.public))
        shared = pow(theirs * pow(self._verifier, scramble, DH_PRIME), self._b, DH_PRIME)
        mixed = bytes(a ^ b for a, b in zip(_hash(_PRIME_BYTES), _hash(_GENERATOR_BYTES), strict=True))
        salt1, salt2 = self._salts
        expected = _hash(
            mixed, _hash(salt1), _hash(salt2), padded, self.public, _hash(shared.to_bytes(256, "big"))
        )
        return hmac.compare_digest(expected, proof)
