"""Which hash lists were in force, in which version, under which terms."""

from datetime import datetime

from sqlalchemy import Connection, insert, select

from monitor.model import EventType, ListVersion, Scalar
from monitor.store import events
from monitor.store.events import Salt
from monitor.store.schema import hash_lists


def loaded(conn: Connection, salt: Salt, version: ListVersion, at: datetime) -> None:
    """Keep a list's version, with an event, when anything of it differs from the last one of that name and
    algorithm: a file with several algorithms is as many lists.

    Of an exchange's list the event says how many hashes were added and withdrawn since that one.
    """
    terms = version.terms
    values: dict[str, Scalar] = {
        "name": version.name,
        "version": version.version,
        "algorithm": version.algorithm.value,
        "action": version.action.value,
        "count": version.count,
        "licensor": terms.licensor,
        "reference": terms.reference,
        "permitted_uses": " ".join(sorted(terms.permitted_uses)),
        "max_distance": version.max_distance,
        "min_quality": version.min_quality,
        "added": version.added,
        "withdrawn": version.withdrawn,
    }
    last = conn.execute(
        select(hash_lists)
        .where(hash_lists.c.name == version.name, hash_lists.c.algorithm == version.algorithm)
        .order_by(hash_lists.c.hash_list_id.desc())
        .limit(1)
    ).one_or_none()
    if last and last.sha256 == version.sha256 and all(last._mapping[k] == v for k, v in values.items()):
        return
    conn.execute(insert(hash_lists).values(sha256=version.sha256, loaded_at=at, **values))
    counted = {
        key: since(getattr(last, key) if last else None, getattr(version, key))
        for key in ("added", "withdrawn")
    }
    events.append(conn, salt, EventType.LIST_LOADED, values | counted | {"sha256": version.sha256.hex()}, at)


def since(before: int | None, ever: int | None) -> int | None:
    """How many since the last version; all of them when the count began anew."""
    return ever if before is None or ever is None or ever < before else ever - before
