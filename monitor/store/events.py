"""What must be provable: one row an event, written in the transaction of what it describes."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, Select, func, insert, select, update

from monitor.model import EventType, Scalar
from monitor.store.schema import events

Salt = Callable[[int], bytes]
"""Where random bytes come from; os.urandom outside tests."""

SALT_BYTES = 32
DECLARED = frozenset(
    {
        "reference",
        "granted_by",
        "approved_by",
        "asked_by",
        "terms",
        "licensor",
        "purpose",
        "explanation",
        "includes",
        "permitted_uses",
        "filters",
        "handed_to",
    }
)
"""Keys under which an operator's own words stand; under any other key a text is one word."""
_KEY = re.compile(r"[a-z][a-z0-9_]{0,31}")
_WORD = re.compile(r"[A-Za-z0-9._:/+-]{0,128}")
LONGEST_DECLARED = 1000


def canonical(body: Mapping[str, Scalar]) -> bytes:
    """The one encoding of a body that its commitment is computed over: JSON with sorted keys, without
    blanks, in UTF-8."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def body_of(encoded: bytes | None) -> dict[str, Scalar]:
    """The body that `canonical` encoded; empty when it has been erased."""
    return {} if encoded is None else json.loads(encoded)


def commitment(salt: bytes, encoded: bytes) -> bytes:
    """What stands for a body where it is not shown, or was erased: SHA-256(salt ‖ canonical body), 32 bytes."""
    return hashlib.sha256(salt + encoded).digest()


def following(conn: Connection) -> int:
    """The sequence number that the next event will have."""
    return int(conn.execute(select(func.coalesce(func.max(events.c.seq) + 1, 0))).scalar_one())


def append(conn: Connection, salt: Salt, kind: EventType, body: Mapping[str, Scalar], at: datetime) -> int:
    """Append an event; returns its sequence number. The write lock is held, so numbers have no gaps."""
    seq, random, encoded = following(conn), salt(SALT_BYTES), canonical(body)
    conn.execute(
        insert(events).values(
            seq=seq,
            at=at,
            type=kind.value,
            salt=random,
            body=encoded,
            commitment=commitment(random, encoded),
        )
    )
    return seq


def forget(conn: Connection, seqs: Sequence[int] | Select[int]) -> int:
    """Erase salt and body of these events, or of those that a query finds, where they are still there; how many were.

    Type, time and commitment stay, and with them what the report log says.
    """
    wanted = events.c.seq.in_(seqs), events.c.body.is_not(None)
    return conn.execute(update(events).where(*wanted).values(salt=None, body=None)).rowcount


def handed_in(
    conn: Connection,
    salt: Salt,
    kind: EventType,
    body: Mapping[str, Scalar],
    at: datetime,
    *,
    flags: Sequence[int] = (),
) -> int:
    """Append an event whose body comes through the port; those of the store itself are made of its columns.

    `flags` are added to the body, joined by blanks. Raises ValueError for a body in which words could stand that no
    operator declared.
    """
    for key, value in body.items():
        _check(key, value)
    numbers = {"flags": " ".join(str(int(flag)) for flag in flags)} if flags else {}
    return append(conn, salt, kind, {**body, **numbers}, at)


def _check(key: str, value: Scalar) -> None:
    if not _KEY.fullmatch(key):
        raise ValueError("a key of an event is one lower-case word")
    if isinstance(value, str) and (
        len(value) > LONGEST_DECLARED if key in DECLARED else not _WORD.fullmatch(value)
    ):
        # The value is not quoted: it is what must not be written down.
        raise ValueError(f"{key} of an event takes one word of at most 128 characters")
