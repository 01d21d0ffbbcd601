"""The flood guard: an entry that suddenly matches everything raises no more flags until a person has looked at it.

Its matches stay on record all the same, so a release raises what was held back.
"""

from datetime import datetime, timedelta

from sqlalchemy import Connection, func, or_, select, update

from monitor.errors import InputError
from monitor.model import AUTOMATIC, EventType, MediaId, Scalar
from monitor.store import events
from monitor.store.errand_rows import take_back_case
from monitor.store.events import Salt
from monitor.store.flags import link, open_again
from monitor.store.schema import cases, media, media_matches

WINDOW = timedelta(hours=1)


def guard(conn: Connection, salt: Salt, media_id: MediaId, most: int, at: datetime) -> None:
    """Quarantine the cases of an item's matches that have matched more than `most` items within the last hour.

    What matched before a release does not count again.
    """
    waiting = select(media_matches.c.case_id).where(media_matches.c.media_id == media_id)
    counted = (
        select(cases.c.case_id, cases.c.hash_list, cases.c.entry, func.count(media.c.media_id.distinct()))
        .join(media_matches, media_matches.c.case_id == cases.c.case_id)
        .join(media, media.c.media_id == media_matches.c.media_id)
        .where(
            cases.c.case_id.in_(waiting),
            cases.c.quarantined_at.is_(None),
            media.c.settled_at > at - WINDOW,
            or_(cases.c.released_at.is_(None), media.c.settled_at > cases.c.released_at),
        )
        .group_by(cases.c.case_id)
        .having(func.count(media.c.media_id.distinct()) > most)
    )
    for case_id, hash_list, entry, count in conn.execute(counted).all():
        conn.execute(update(cases).where(cases.c.case_id == case_id).values(quarantined_at=at))
        body: dict[str, Scalar] = {"case_id": case_id, "hash_list": hash_list, "entry": entry, "media": count}
        open_again(conn, [case_id], at)
        link(conn, events.append(conn, salt, EventType.ENTRY_QUARANTINED, body, at), [case_id])
        take_back_case(conn, salt, case_id, AUTOMATIC, at)


def release(
    conn: Connection, salt: Salt, hash_list: str, entry: str, operator: str, at: datetime
) -> tuple[int, list[MediaId]]:
    """End an entry's quarantine; its case, and the items that it matched. Raises InputError when it is in none."""
    found = conn.execute(
        update(cases)
        .where(cases.c.hash_list == hash_list, cases.c.entry == entry, cases.c.quarantined_at.is_not(None))
        .values(quarantined_at=None, released_at=at)
        .returning(cases.c.case_id)
    ).scalar_one_or_none()
    if found is None:
        raise InputError(f"{hash_list}/{entry}: is not in quarantine; monitor lists quarantine shows what is")
    body: dict[str, Scalar] = {"case_id": found, "hash_list": hash_list, "entry": entry, "operator": operator}
    link(conn, events.append(conn, salt, EventType.ENTRY_RELEASED, body, at), [found])
    matched = select(media_matches.c.media_id).where(media_matches.c.case_id == found).distinct()
    items = conn.execute(matched.order_by(media_matches.c.media_id)).scalars()
    return found, [MediaId(media_id) for media_id in items]
