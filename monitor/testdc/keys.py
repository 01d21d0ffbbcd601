"""The RSA key of the test data centre.

For tests and the demo alone: the private half is published here, on purpose, so that no test waits for a key
to be made. A client that trusts it trusts anybody. It is never added to a client that talks to Telegram.
"""

from __future__ import annotations

import hashlib
import struct

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_P = int(
    "fcb212f3842a4ef3b3ccbe941e1969af4453335339b6eb8e042236acd4851e9900fed637ab8bf9561503a8dfe92694ca"
    "e9c8ca7b80814f3d649f6d79cf0ad4fb9ae4766c8fc677be6275df3dce32162d44e57c7ccb3f19cfec4b096fce0139fd"
    "dd1523303f2b26bdc015f4fb60604d2d96e8e049429cad5858af33ea194e7a3b",
    16,
)
_Q = int(
    "bc60f1e3537058a10e681c9d0dfee493fa528727d54c6f0474f00c6b419f4cc7d82a871ff9312db3aece952a6b7623b7"
    "c2c6f25809ad585e64da8418db58985c46e8f646a51caee28527fd0606024672697a3c170dc7b4aa669b562ee8978e3f"
    "72158e6fd23e8aa56fd5051cc0c3f7214680d5d22d6f188023d74fb3b1487cbf",
    16,
)

EXPONENT = 65537
MODULUS = _P * _Q
_PRIVATE_P, _PRIVATE_Q = (pow(EXPONENT, -1, prime - 1) for prime in (_P, _Q))
_Q_INVERSE = pow(_Q, -1, _P)


def decrypt(block: bytes) -> bytes:
    """The 255 bytes behind a 256-byte RSA block (textbook RSA, as MTProto uses it)."""
    cipher = int.from_bytes(block, "big")
    # By the Chinese remainder theorem: each sign-in of each test waits for this.
    by_p, by_q = pow(cipher, _PRIVATE_P, _P), pow(cipher, _PRIVATE_Q, _Q)
    plain = by_q + _Q * ((by_p - by_q) * _Q_INVERSE % _P)
    return (plain % (1 << 2040)).to_bytes(255, "big")


def public_key_pem(encoding: str = "pkcs1") -> str:
    """The public half as PEM text; `encoding` is ``"pkcs1"`` (what Telethon reads) or ``"spki"``."""
    form = {"pkcs1": PublicFormat.PKCS1, "spki": PublicFormat.SubjectPublicKeyInfo}[encoding]
    return RSAPublicNumbers(EXPONENT, MODULUS).public_key().public_bytes(Encoding.PEM, form).decode()


def _tl_bytes(number: int) -> bytes:
    data = number.to_bytes((number.bit_length() + 7) // 8, "big")
    head = bytes([len(data)]) if len(data) < 254 else b"\xfe" + len(data).to_bytes(3, "little")
    return head + data + bytes(-(len(head) + len(data)) % 4)


# The lower 64 bits of SHA-1 over the bare TL form (https://core.telegram.org/mtproto/auth_key, step 2).
FINGERPRINT: int = struct.unpack(
    "<q", hashlib.sha1(_tl_bytes(MODULUS) + _tl_bytes(EXPONENT), usedforsecurity=False).digest()[-8:]
)[0]
