"""What one leaf holds: the type of an event, its time, and a commitment to its body. Nothing else.

    {"at":"2026-11-22T08:00:00.000000Z","commitment":"<64 hex digits>","type":"flag_raised","v":1}

JSON in ASCII, keys sorted, no blanks, times in UTC with six decimals: one spelling for each leaf. The commitment
is SHA-256(salt ‖ body), with a salt of 32 random bytes and the body as canonical JSON (keys sorted, no blanks,
UTF-8). Who does not hold salt and body learns nothing of the body; with both erased the leaf stays as it is.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from monitor.errors import VerificationError
from monitor.model import Scalar

SALT_BYTES = 32
# What is allowed to stand there is spelled out, so that no other spelling of the same leaf passes.
LEAF = re.compile(
    rb'\{"at":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6})Z","commitment":"([0-9a-f]{64})",'
    rb'"type":"([a-z][a-z0-9_]{0,63})","v":1\}'
)


def canonical(value: Mapping[str, Any]) -> bytes:
    """The one encoding of a body: JSON with sorted keys, without blanks, in UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def canonical_object(data: bytes) -> dict[str, Any]:
    """The JSON object in bytes that are its canonical encoding. Raises VerificationError for all others."""
    try:
        value = json.loads(data)
        if isinstance(value, dict) and canonical(value) == data:
            return value
    except (ValueError, RecursionError):
        pass
    raise VerificationError("is not canonical JSON")


def commitment(salt: bytes, body: bytes) -> bytes:
    """What a leaf says of a body: SHA-256(salt ‖ canonical body)."""
    return hashlib.sha256(salt + body).digest()


@dataclass(frozen=True, slots=True)
class Leaf:
    """One leaf. Its index in the log is the sequence number of its event."""

    type: str
    at: datetime
    commitment: bytes

    def encode(self) -> bytes:
        """The leaf as it is hashed."""
        at = self.at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
        return b'{"at":"%bZ","commitment":"%b","type":"%b","v":1}' % (
            at.encode(),
            self.commitment.hex().encode(),
            self.type.encode(),
        )


@dataclass(frozen=True, slots=True)
class Opening:
    """What a leaf commits to."""

    salt: bytes
    body: Mapping[str, Scalar]

    @property
    def commitment(self) -> bytes:
        """What the leaf must hold."""
        return commitment(self.salt, canonical(self.body))


def check_leaf(data: bytes) -> None:
    """See that the bytes are a leaf. Raises VerificationError."""
    found = LEAF.fullmatch(data)
    if found is None:
        raise VerificationError("is not a leaf of this format")
    try:
        datetime.fromisoformat(found[1].decode())
    except ValueError:
        raise VerificationError("holds a time that does not exist") from None


def decode(data: bytes) -> Leaf:
    """The leaf that was encoded. Raises VerificationError for any other bytes."""
    check_leaf(data)
    known = json.loads(data)
    return Leaf(known["type"], datetime.fromisoformat(known["at"]), bytes.fromhex(known["commitment"]))
