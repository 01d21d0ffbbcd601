"""Messages that are removed: out of the tables and into the ledger, so that they are no holes.

What the platform says of them later changes nothing: a person who was erased does not come back with an edit.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, insert, select

from monitor.model import ChannelId
from monitor.store.ledger import load
from monitor.store.schema import absences, flags, media, media_matches, messages


class Doomed(NamedTuple):
    """What has to be known of a message to remove it."""

    channel_id: int
    message_id: int
    source: str
    first_seen_at: datetime
    media_id: int | None


DOOMED = tuple(messages.c[name] for name in Doomed._fields)
"""The columns of `Doomed`."""


def flagged() -> ColumnElement[bool]:
    """Whether a message is part of a case: such a one is never removed with others."""
    return (
        select(1)
        .where(flags.c.channel_id == messages.c.channel_id, flags.c.message_id == messages.c.message_id)
        .exists()
    )


def remove(conn: Connection, doomed: Sequence[Doomed]) -> None:
    """Remove these messages with their samples and restrictions, and media that no other message carries.

    Raises an integrity error for one that is flagged.
    """
    for channel_id, of_channel in groupby(sorted(doomed), key=lambda one: one.channel_id):
        taken = list(of_channel)
        _note(conn, ChannelId(channel_id), taken)
        ids = [one.message_id for one in taken]
        m = messages.c
        conn.execute(delete(messages).where(m.channel_id == channel_id, m.message_id.in_(ids)))
    items = {one.media_id for one in doomed if one.media_id is not None}
    # What has matched is remembered, so that it is not fetched again.
    conn.execute(
        delete(media).where(
            media.c.media_id.in_(items),
            ~select(1).where(messages.c.media_id == media.c.media_id).exists(),
            ~select(1).where(media_matches.c.media_id == media.c.media_id).exists(),
        )
    )


def removed(conn: Connection, channel_id: ChannelId, ids: Iterable[int]) -> set[int]:
    """Those of the ids whose rows were removed."""
    wanted = sorted(set(ids))
    if not wanted:
        return set()
    a = absences.c
    runs = conn.execute(
        select(a.first, a.last).where(
            a.channel_id == channel_id, a.removed == 1, a.first <= wanted[-1], a.last >= wanted[0]
        )
    )
    return {
        i for first, last in runs for i in wanted[bisect_left(wanted, first) : bisect_right(wanted, last)]
    }


def _note(conn: Connection, channel_id: ChannelId, taken: Sequence[Doomed]) -> None:
    """Runs of ids, of one source each; what lies before the start of coverage is counted apart."""
    start = load(conn, [channel_id])[channel_id].start
    run = _run_before(conn, channel_id, taken[0].message_id)
    runs: list[dict[str, Any]] = []
    for one in taken:
        number, at = one.message_id, one.first_seen_at
        if run is not None and (run["last"], run["source"]) == (number - 1, one.source) and number != start:
            run |= {"last": number, "known_at": max(run["known_at"], at)}
        else:
            run = {"first": number, "last": number, "source": one.source, "known_at": at}
        if not runs or runs[-1] is not run:
            runs.append(run)
    a = absences.c
    for run in runs:
        # The first may go on from one that is there: a long history goes piece by piece, and leaves one run.
        conn.execute(delete(absences).where(a.channel_id == channel_id, a.first == run["first"]))
        conn.execute(insert(absences).values(channel_id=channel_id, told=False, removed=True, **run))


def _run_before(conn: Connection, channel_id: ChannelId, message_id: int) -> dict[str, Any] | None:
    a = absences.c
    row = conn.execute(
        select(a.first, a.last, a.source, a.known_at, a.removed)
        .where(a.channel_id == channel_id, a.first < message_id)
        .order_by(a.first.desc())
        .limit(1)
    ).one_or_none()
    if row is None or not row.removed:
        return None
    return {"first": row.first, "last": row.last, "source": row.source, "known_at": row.known_at}
