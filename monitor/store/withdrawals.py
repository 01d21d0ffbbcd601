"""Entries that their list holds no more: what they matched stays on record, and raises no further flag."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select, update

from monitor.model import EventType, MediaId, Scalar
from monitor.store import events
from monitor.store.events import Salt
from monitor.store.schema import cases, media_matches


def with_cases(conn: Connection, name: str) -> list[str]:
    """The entries of a list that something has matched, sorted."""
    return list(conn.execute(select(cases.c.entry).filter_by(hash_list=name).order_by("entry")).scalars())


def stand(conn: Connection, salt: Salt, name: str, listed: Sequence[str], at: datetime) -> list[MediaId]:
    """Note which entries with cases a list has lost, and which it has again; the items that these match."""
    holds = frozenset(listed)
    rows = conn.execute(
        select(cases.c.case_id, cases.c.entry, cases.c.withdrawn_at)
        .filter_by(hash_list=name)
        .order_by(cases.c.case_id)
    ).all()
    restored = []
    for case_id, entry, withdrawn_at in rows:
        if (entry in holds) == (withdrawn_at is None):
            continue
        back = entry in holds
        changed = update(cases).where(cases.c.case_id == case_id)
        conn.execute(changed.values(withdrawn_at=None if back else at))
        body: dict[str, Scalar] = {"case_id": case_id, "hash_list": name, "entry": entry}
        events.append(conn, salt, EventType.ENTRY_RESTORED if back else EventType.ENTRY_WITHDRAWN, body, at)
        if back:
            restored.append(case_id)
    matched = select(media_matches.c.media_id).where(media_matches.c.case_id.in_(restored)).distinct()
    return [MediaId(media_id) for (media_id,) in conn.execute(matched.order_by(media_matches.c.media_id))]
