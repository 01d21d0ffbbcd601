"""Hashes that people look up: each time an event, and so many an hour.

Whoever can ask at will can find out what is on a list, or bring it near, one hash after the other.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select

from monitor.errors import InputError
from monitor.model import Algorithm, EventType, Scalar
from monitor.store import events
from monitor.store.engine import insert
from monitor.store.events import Salt
from monitor.store.schema import lookups

WINDOW = timedelta(hours=1)


def looked_up(
    conn: Connection,
    salt: Salt,
    operator: str,
    algorithms: Sequence[Algorithm],
    *,
    hashes: int,
    matched: int,
    limit: int,
    at: datetime,
) -> None:
    """Note that an operator looked up so many hashes, of which so many matched, with an event.

    The hashes themselves are nowhere on record. Raises InputError, and notes nothing, when that is more than `limit`
    within the hour.
    """
    table = lookups.c
    conn.execute(delete(lookups).where(table.at <= at - WINDOW))
    own = select(table.at, table["count"]).where(table.operator == operator).order_by(table.at)
    spent = [(at, count) for at, count in conn.execute(own)]
    free = limit - sum(count for _, count in spent)
    if hashes > free:
        raise InputError(_refusal(operator, hashes, limit, free, spent))
    new = insert(lookups).values(operator=operator, at=at, count=hashes)
    again = {"count": table["count"] + new.excluded["count"]}
    conn.execute(new.on_conflict_do_update(index_elements=[table.operator, table.at], set_=again))
    body: dict[str, Scalar] = {
        "operator": operator,
        "algorithm": "+".join(sorted({algorithm.value for algorithm in algorithms})),
        "hashes": hashes,
        "matched": matched,
    }
    events.append(conn, salt, EventType.LIST_LOOKED_UP, body, at)


def _refusal(operator: str, hashes: int, limit: int, free: int, spent: list[tuple[datetime, int]]) -> str:
    where = f"{operator} may look up {limit:,} hashes an hour (matching.lookups_per_hour)"
    if hashes > limit:
        return f"{where}; ask for fewer at a time"
    for at, count in spent:
        free += count
        if free >= hashes:
            until = f"{at + WINDOW:%Y-%m-%d %H:%M:%S} UTC"
            return f"{where}, which is spent; {hashes:,} can be looked up after {until}"
    raise AssertionError("what was spent and what is free are the limit")
