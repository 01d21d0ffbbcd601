"""Media items: which of them wait, and what came of each."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    and_,
    bindparam,
    exists,
    func,
    literal_column,
    null,
    select,
    update,
)

from monitor.model import (
    ChannelId,
    EntryStanding,
    Examined,
    MediaId,
    MediaKind,
    MediaOutcome,
    MediaRef,
    MessageId,
    PendingMedia,
)
from monitor.store import cases, flags, quarantine
from monitor.store.columns import to_micros
from monitor.store.engine import executemany, insert, lookup
from monitor.store.events import Salt
from monitor.store.schema import media, messages

# What another sighting may cure: another post's bytes may be there when these were not.
_RETRIED = (MediaOutcome.GONE, MediaOutcome.FAILED, MediaOutcome.EMPTY, MediaOutcome.INCOMPLETE)

_new = insert(media)
_WAIT = _new.on_conflict_do_update(
    index_elements=[media.c.media_id],
    set_={"outcome": _new.excluded.outcome, "settled_at": null()},
    where=media.c.outcome.in_([literal_column(f"'{outcome.value}'") for outcome in _RETRIED]),
)
_OUTCOMES = select(media.c.media_id, media.c.outcome)

_carrying = and_(messages.c.media_id == media.c.media_id, messages.c.deleted_seen_at.is_(None))
_LOST = (
    update(media)
    .where(
        media.c.media_id == bindparam("lost"),
        media.c.outcome == MediaOutcome.PENDING.value,
        ~exists().where(_carrying),
    )
    .values(outcome=MediaOutcome.GONE.value, settled_at=bindparam("at", type_=media.c.settled_at.type))
)
_CARRIED_STILL = (
    update(media)
    .where(
        media.c.media_id == bindparam("lost"),
        media.c.outcome == MediaOutcome.GONE.value,
        exists().where(_carrying),
    )
    .values(outcome=MediaOutcome.PENDING.value, settled_at=None)
)


def _pending_query() -> Select[*tuple[Any, ...]]:
    ours = messages.c.channel_id.in_(bindparam("channels", expanding=True))
    oldest = (
        select(media.c.media_id, media.c.first_seen_at)
        .where(media.c.outcome == MediaOutcome.PENDING.value, exists().where(_carrying, ours))
        .order_by(media.c.first_seen_at, media.c.media_id)
        .limit(bindparam("most"))
        .subquery("media")
    )
    newest_first = func.row_number().over(
        partition_by=messages.c.media_id,
        order_by=(messages.c.posted_at.desc(), messages.c.message_id.desc(), messages.c.channel_id),
    )
    carriers = (
        select(messages, oldest.c.first_seen_at.label("waits_since"), newest_first.label("rank"))
        .join(oldest, oldest.c.media_id == messages.c.media_id)
        .where(messages.c.deleted_seen_at.is_(None), ours)
        .subquery()
    )
    return select(carriers).where(carriers.c.rank == 1).order_by(carriers.c.waits_since, carriers.c.media_id)


# Made once: it is asked every few seconds, and making it takes longer than asking.
_PENDING = _pending_query()


def wait(conn: Connection, seen: Mapping[MediaId, datetime]) -> None:
    """Items that messages carry: new ones wait, and so do those that another sighting may cure."""
    waiting = MediaOutcome.PENDING.value
    executemany(
        conn, _WAIT, [(item, waiting, to_micros(at), None, 0, None, None) for item, at in seen.items()]
    )


def lose(conn: Connection, items: Mapping[MediaId, datetime]) -> None:
    """Items that lost a message: those that wait and that no message carries any more are GONE.

    Those that were GONE already and that another message carries wait again: it was this one that was gone.
    """
    if items:
        conn.execute(_CARRIED_STILL, [{"lost": item} for item in items])
        conn.execute(_LOST, [{"lost": item, "at": at} for item, at in items.items()])


def outcomes(conn: Connection, items: Iterable[MediaId]) -> dict[MediaId, str]:
    """What is on record of the items' outcomes."""
    return {MediaId(item): outcome for item, outcome in lookup(conn, _OUTCOMES, media.c.media_id, items)}


def pending(conn: Connection, channels: Sequence[ChannelId], limit: int) -> list[PendingMedia]:
    """Items that wait; see `ports.Store.pending_media`."""
    rows = conn.execute(_PENDING, {"channels": list(channels), "most": limit})
    return [
        PendingMedia(
            media=MediaRef(
                kind=MediaKind(row.media_kind),
                media_id=MediaId(row.media_id),
                mime=row.mime,
                size=row.size,
                width=row.width,
                height=row.height,
                duration=row.duration,
            ),
            media_id=MediaId(row.media_id),
            channel_id=ChannelId(row.channel_id),
            message_id=MessageId(row.message_id),
        )
        for row in rows
    ]


_LOOKED_AT = (MediaOutcome.MATCH, MediaOutcome.GONE)
"""Outcomes that take more than a row of their own."""
_SETTLED = (
    update(media)
    .where(media.c.media_id == bindparam("item"), media.c.outcome != MediaOutcome.MATCH.value)
    .values(
        outcome=bindparam("outcome"),
        settled_at=bindparam("settled_at"),
        fetched=media.c.fetched + bindparam("bytes"),
        rendition=bindparam("rendition"),
    )
)


def check(result: Examined) -> None:
    """Raises ValueError for an outcome that contradicts itself."""
    if (result.outcome is MediaOutcome.MATCH) != bool(result.matches):
        raise ValueError("an item has matches when, and only when, its outcome is a match")


def settle(conn: Connection, salt: Salt, most_an_hour: int, results: Sequence[Examined]) -> list[int]:
    """Settle items, and how many flags each raises; see `ports.Store.examined`.

    What neither matched nor is gone, which is nearly everything, goes in one statement.
    """
    plain = [r for r in results if r.outcome not in _LOOKED_AT]
    if plain:
        conn.execute(_SETTLED, [_outcome_row(result) for result in plain])
    return [_examined(conn, salt, most_an_hour, r) if r.outcome in _LOOKED_AT else 0 for r in results]


def _outcome_row(result: Examined) -> dict[str, Any]:
    return {
        "item": result.media_id,
        "outcome": result.outcome.value,
        "settled_at": result.at,
        "bytes": result.fetched,
        "rendition": result.rendition,
    }


def _examined(conn: Connection, salt: Salt, most_an_hour: int, result: Examined) -> int:
    if result.outcome is MediaOutcome.GONE and _was_elsewhere(conn, result):
        return 0
    settled = conn.execute(_SETTLED, _outcome_row(result))
    if settled.rowcount == 0 or result.outcome is not MediaOutcome.MATCH:
        return 0
    flags.keep_matches(conn, result.media_id, result.matches, result.at)
    quarantine.guard(conn, salt, result.media_id, most_an_hour, result.at)
    return raise_on(conn, salt, result.media_id, result.at)


def released(conn: Connection, salt: Salt, hash_list: str, entry: str, operator: str, at: datetime) -> int:
    """End an entry's quarantine by a person's word and raise the flags that it held back; how many are new.

    Raises InputError when the entry is in none.
    """
    case_id, items = quarantine.release(conn, salt, hash_list, entry, operator, at)
    return _raise_what_was_held(conn, salt, case_id, items, at)


def entries_stand(
    conn: Connection, salt: Salt, hash_list: str, standings: Sequence[EntryStanding], at: datetime
) -> int:
    """Take down what a list holds by now; raise what entries that are back have matched meanwhile, and count it."""
    restored = cases.entries_stand(conn, salt, hash_list, standings, at)
    return sum(
        _raise_what_was_held(conn, salt, case_id, cases.matched(conn, case_id), at) for case_id in restored
    )


def _raise_what_was_held(
    conn: Connection, salt: Salt, case_id: int, items: Sequence[MediaId], at: datetime
) -> int:
    raised = sum(raise_on(conn, salt, media_id, at) for media_id in items)
    flags.complete(conn, salt, case_id, items, at)
    return raised


def raise_on(conn: Connection, salt: Salt, media_id: MediaId, at: datetime) -> int:
    """Raise the flags of one item on all messages that carry it; the number of new ones."""
    m = messages.c
    carriers = conn.execute(
        select(m.channel_id, m.message_id, m.media_id, m.media_kind)
        .where(m.media_id == media_id)
        .order_by(m.channel_id, m.message_id)
    ).all()
    return flags.raise_flags(conn, salt, [flags.Sighting(*carrier, at) for carrier in carriers])


def _was_elsewhere(conn: Connection, result: Examined) -> bool:
    """Whether the message through which an item was asked for has lost it meanwhile, and another carries it."""
    m = messages.c
    carriers = conn.execute(
        select(m.channel_id, m.message_id).where(m.media_id == result.media_id, m.deleted_seen_at.is_(None))
    ).all()
    asked = (result.channel_id, result.message_id)
    return result.message_id is not None and bool(carriers) and asked not in map(tuple, carriers)
