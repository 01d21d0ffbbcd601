"""Sightings of a case: what a report tells of each, in one query."""

from typing import Any

from sqlalchemy import Connection, Select, and_, func, select

from monitor.model import Algorithm, Category, ChannelId, FlagId, MediaKind, MessageId, Sighting
from monitor.store.queries import RANKED
from monitor.store.schema import cases, channels, flags, hash_lists, messages, report_items

_name = (
    select(func.min(channels.c.username))
    .where(channels.c.channel_id == flags.c.channel_id)
    .correlate(flags)
    .scalar_subquery()
)
# Of a list's version the row that was loaded last: its terms may have changed without its file.
_of = hash_lists.alias()
_row = (
    select(func.max(_of.c.hash_list_id))
    .where(_of.c.name == cases.c.hash_list, _of.c.version == RANKED.c.list_version)
    .correlate(cases, RANKED)
    .scalar_subquery()
)
_SIGHTINGS: Select[Any] = (
    select(
        *(flags.c[name] for name in ("flag_id", "channel_id", "message_id", "raised_at", "rendition")),
        flags.c.media_kind,
        *(messages.c[name] for name in ("posted_at", "first_seen_at", "mime", "size")),
        *(
            RANKED.c[name]
            for name in ("list_version", "algorithm", "distance", "threshold", "quality", "error_bound")
        ),
        *(cases.c[name] for name in ("hash_list", "entry", "category")),
        hash_lists.c.licensor,
        hash_lists.c.reference,
        _name.label("username"),
    )
    .join(RANKED, RANKED.c.flag_id == flags.c.flag_id)
    .join(cases, cases.c.case_id == RANKED.c.case_id)
    .join(
        messages,
        and_(messages.c.channel_id == flags.c.channel_id, messages.c.message_id == flags.c.message_id),
    )
    .outerjoin(hash_lists, hash_lists.c.hash_list_id == _row)
    .where(RANKED.c.rank == 1)
    .order_by(flags.c.flag_id)
)
NOT_ON_RECORD = "not on record"
"""Licensor and reference of a list whose version was never taken down."""


def sightings(conn: Connection, case_id: int, report_id: int | None = None) -> list[Sighting]:
    """The sightings of a case, or those of one of its reports, by flag: each with its best match in the case."""
    query = _SIGHTINGS.where(RANKED.c.case_id == case_id)
    if report_id is not None:
        covered = select(report_items.c.flag_id).where(report_items.c.report_id == report_id)
        query = query.where(flags.c.flag_id.in_(covered))
    return [_sighting(row) for row in conn.execute(query)]


def _sighting(row: Any) -> Sighting:
    # A channel without a public name has links that lead its members there, by number.
    where = f"c/{row.channel_id}" if row.username is None else row.username
    return Sighting(
        flag_id=FlagId(row.flag_id),
        channel_id=ChannelId(row.channel_id),
        username=row.username,
        message_id=MessageId(row.message_id),
        link=f"https://t.me/{where}/{row.message_id}",
        posted_at=row.posted_at,
        first_seen_at=row.first_seen_at,
        flagged_at=row.raised_at,
        media_kind=MediaKind(row.media_kind),
        mime=row.mime,
        size=row.size,
        hash_list=row.hash_list,
        list_version=row.list_version,
        entry=row.entry,
        algorithm=Algorithm(row.algorithm),
        distance=row.distance,
        threshold=row.threshold,
        quality=row.quality,
        error_bound=row.error_bound,
        rendition=row.rendition,
        category=None if row.category is None else Category(row.category),
        licensor=row.licensor or NOT_ON_RECORD,
        list_reference=row.reference or NOT_ON_RECORD,
    )
