"""What one leaf holds: the type of an event, its time, and a commitment to its body. Nothing else.

    {"at":"2026-11-22T08:00:00.000000Z","commitment":"<64 hex digits>","type":"flag_raised","v":1}

JSON in ASCII, keys sorted, no blanks, times in UTC with six decimals: one spelling for each leaf. The commitment
is SHA-256(salt ‖ body), with a salt of 32 random bytes and the body as canonical JSON (keys sorted, no blanks,
UTF-8). Who does not hold salt and body learns nothing of the body; with both erased the leaf stays as it is.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from monitor.errors import VerificationError
from monitor.model import Scalar

SALT_BYTES = 32
# What is allowed to stand there is spelled out, so that no other spelling of the same leaf passes. The one group is
# the day, which is looked up in the calendar.
_LEAF = (
    rb'\{"at":"(\d{4}-\d\d-\d\d)T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}Z","commitment":"[0-9a-f]{64}",'
    rb'"type":"[a-z][a-z0-9_]{0,63}","v":1\}'
)
LEAF, LEAVES = re.compile(_LEAF), re.compile(rb"^" + _LEAF + rb"$", re.MULTILINE)


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


def are_leaves(entries: Sequence[bytes]) -> bool:
    """Whether all of them are leaves; faster than one by one."""
    joined = b"\n".join(entries)
    days = LEAVES.findall(joined)
    # No leaf has a newline: so many lines, each of which is one, are the entries.
    return len(days) == len(entries) == joined.count(b"\n") + 1 and all(map(_exists, set(days)))


def _exists(day: bytes) -> bool:
    try:
        date.fromisoformat(day.decode())
    except ValueError:
        return False
    return True


def decode(data: bytes) -> Leaf:
    """The leaf that was encoded. Raises VerificationError for any other bytes."""
    found = LEAF.fullmatch(data)
    if found is None or not _exists(found[1]):
        raise VerificationError("is not a leaf of this format")
    known = json.loads(data)
    return Leaf(known["type"], datetime.fromisoformat(known["at"]), bytes.fromhex(known["commitment"]))
