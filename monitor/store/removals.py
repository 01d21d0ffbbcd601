"""Ids whose rows were removed, by retention or an erasure: part of the ledger, so that they are no holes.

What the platform says of them later changes nothing: a person who was erased does not come back with an edit.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, insert, select, update

from monitor.model import ChannelId, Source
from monitor.store.ledger import load
from monitor.store.schema import absences


class Taken(NamedTuple):
    """One id, with how and when it had become known."""

    message_id: int
    source: Source
    known_at: datetime


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


def remove(conn: Connection, channel_id: ChannelId, taken: Sequence[Taken]) -> None:
    """Note ids whose rows are being removed in this transaction."""
    # What lies before the start of coverage is counted apart from what lies behind it.
    start = load(conn, [channel_id])[channel_id].start
    runs: list[tuple[int, Taken]] = []
    for one in sorted(taken):
        if runs and one.message_id != start:
            first, last = runs[-1]
            if last.message_id == one.message_id - 1 and last.source is one.source:
                runs[-1] = (first, one._replace(known_at=max(last.known_at, one.known_at)))
                continue
        runs.append((one.message_id, one))
    for first, end in runs:
        _note(conn, channel_id, first, end, grows=first != start)


def _note(conn: Connection, channel_id: ChannelId, first: int, end: Taken, *, grows: bool) -> None:
    a = absences.c
    before = conn.execute(
        select(absences).where(a.channel_id == channel_id, a.first < first).order_by(a.first.desc()).limit(1)
    ).one_or_none()
    if (
        grows
        and before is not None
        and (before.last, before.removed, before.source) == (first - 1, True, end.source)
    ):
        # A long history goes piece by piece, and leaves one run.
        conn.execute(
            update(absences)
            .where(a.channel_id == channel_id, a.first == before.first)
            .values(last=end.message_id, known_at=max(before.known_at, end.known_at))
        )
        return
    conn.execute(
        insert(absences).values(
            channel_id=channel_id,
            first=first,
            last=end.message_id,
            told=False,
            source=end.source.value,
            known_at=end.known_at,
            removed=True,
        )
    )
