"""What must be provable: one row an event, written in the transaction of what it describes."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime

from sqlalchemy import Connection, func, insert, select

from monitor.model import EventType, Scalar
from monitor.store.schema import events

Salt = Callable[[int], bytes]
"""Where random bytes come from; os.urandom outside tests."""

SALT_BYTES = 32


def canonical(body: Mapping[str, Scalar]) -> bytes:
    """The one encoding of a body that its commitment is computed over: JSON with sorted keys, without
    blanks, in UTF-8."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def body_of(encoded: bytes | None) -> dict[str, Scalar]:
    """The body that `canonical` encoded; empty when it has been erased."""
    return {} if encoded is None else json.loads(encoded)


def append(conn: Connection, salt: Salt, kind: EventType, body: Mapping[str, Scalar], at: datetime) -> int:
    """Append an event; returns its sequence number. The write lock is held, so numbers have no gaps."""
    seq = conn.execute(select(func.coalesce(func.max(events.c.seq) + 1, 0))).scalar_one()
    conn.execute(
        insert(events).values(seq=seq, at=at, type=kind.value, salt=salt(SALT_BYTES), body=canonical(body))
    )
    return int(seq)
