"""The ledger of ids: up to where a channel is accounted for, and which of its ids were never there to record."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from monitor.model import Batch, ChannelId, Coverage, MessageId, Source, Span
from monitor.store.engine import insert
from monitor.store.schema import absences, coverage, messages

_row = insert(coverage)
_SAVE = _row.on_conflict_do_update(
    index_elements=["channel_id"],
    set_={c.name: _row.excluded[c.name] for c in coverage.c if c.name != "channel_id"},
)
WALK = 1_000
"""Ids looked at in one go when a gap closes."""


@dataclass(frozen=True, slots=True)
class Stand:
    """A row of the table; see `model.Coverage`. `seen` is the highest id that is recorded or absent."""

    start: int = 1
    cursor: int = 0
    top: int = 0
    seen: int = 0
    past: int = 0
    position: int = 0
    stale_after: int | None = None
    stale_upto: int | None = None

    @property
    def value(self) -> Coverage:
        """The row as it travels."""
        stale = None
        if self.stale_after is not None and self.stale_upto is not None:
            stale = Span(MessageId(self.stale_after), MessageId(self.stale_upto))
        return Coverage(
            MessageId(self.start),
            MessageId(self.cursor),
            MessageId(self.top),
            MessageId(self.past),
            self.position,
            stale,
        )


def load(conn: Connection, channels: Iterable[ChannelId]) -> dict[ChannelId, Stand]:
    """Where the channels stand; at the start where nothing is known."""
    stands = {channel_id: Stand() for channel_id in channels}
    found = conn.execute(select(coverage).where(coverage.c.channel_id.in_(stands)))
    return stands | {ChannelId(channel_id): Stand(*rest) for channel_id, *rest in found}


def read(conn: Connection, channel_id: ChannelId) -> Coverage | None:
    """See `ports.Store.coverage`."""
    row = conn.execute(select(coverage).where(coverage.c.channel_id == channel_id)).one_or_none()
    return None if row is None else Stand(*row[1:]).value


def save(conn: Connection, before: Mapping[ChannelId, Stand], after: Mapping[ChannelId, Stand]) -> None:
    """Write what has changed."""
    changed = [
        {"channel_id": channel_id}
        | {column.name: getattr(stand, column.name) for column in coverage.c if column.name != "channel_id"}
        for channel_id, stand in after.items()
        if stand != before.get(channel_id)
    ]
    if changed:
        conn.execute(_SAVE, changed)


def begin(conn: Connection, channel_id: ChannelId, start: MessageId, top: MessageId, position: int) -> None:
    """See `ports.Store.begin`."""
    known = conn.execute(
        select(coverage.c.channel_id).where(coverage.c.channel_id == channel_id)
    ).one_or_none()
    before = load(conn, [channel_id])[channel_id]
    after = replace(
        before,
        start=start if known is None else min(start, before.start),
        top=max(before.top, top),
        past=before.past or top,
        position=before.position or position,
    )
    if known is None or after.start < before.start:
        after = replace(after, cursor=_walk(conn, channel_id, after.start - 1))
    save(conn, {channel_id: before} if known is not None else {}, {channel_id: after})


def cover(
    conn: Connection, stand: Stand, batch: Batch, unknown: Sequence[int], *, overlapped: bool
) -> tuple[Stand, list[int]]:
    """What one batch, whose rows are written already, settles: the channel's new stand, and the ids on record
    that turned out to be deleted. `unknown` are ids that were deleted and of which nothing is on record;
    `overlapped`: rows of its span were written that it did not bring."""
    channel, came = batch.channel_id, {m.message_id for m in batch.messages}
    vanished: list[int] = []
    told = [i for i in unknown if i >= stand.start]
    if told:
        # What was only missed before is known for certain now.
        revive(conn, channel, told, told=False)
        _keep_absent(conn, stand, batch, _runs(told), told=True)
        stand = replace(stand, seen=max(stand.seen, *told))
    if batch.span is not None:
        after, upto = max(batch.span.after, stand.start - 1), batch.span.upto
        on_record = _on_record(conn, channel, after, upto) if after < stand.seen or overlapped else {}
        vanished = [i for i, deleted in on_record.items() if i not in came and not deleted]
        _keep_absent(conn, stand, batch, gaps(after, upto, sorted(came | on_record.keys())), told=False)
        stand = replace(stand, seen=max(stand.seen, upto))
    seen = max((stand.seen, *came))
    stand = replace(stand, seen=seen, top=max(stand.top, batch.top, seen))
    return _moved(stand, batch), vanished


def revive(
    conn: Connection, channel_id: ChannelId, ids: Sequence[int], *, told: bool = True
) -> list[tuple[int, datetime]]:
    """These ids are absent no more; without `told`, those stay that the platform had said were deleted. They are
    returned otherwise, with the time of that knowledge: a record of them came with an older answer."""
    deleted = []
    a = absences.c
    for run in absent(conn, channel_id, min(ids), max(ids)):
        inside = sorted({i for i in ids if run.first <= i <= run.last})
        if not inside or run.removed or (run.told and not told):
            continue
        if run.told:
            deleted += [(i, run.known_at) for i in inside]
        conn.execute(delete(absences).where(a.channel_id == channel_id, a.first == run.first))
        rest = list(gaps(run.first - 1, run.last, inside))
        _insert(conn, channel_id, rest, bool(run.told), Source(run.source), run.known_at)
    return deleted


def advance(conn: Connection, channel_id: ChannelId, stand: Stand) -> Stand:
    """Move the cursor over what has become accounted for above it."""
    if stand.cursor >= stand.seen:
        return stand
    return replace(stand, cursor=_walk(conn, channel_id, stand.cursor))


def _moved(stand: Stand, batch: Batch) -> Stand:
    span, stale = batch.span, batch.stale
    cursor, after, upto = stand.cursor, stand.stale_after, stand.stale_upto
    if span is not None and cursor >= span.after:
        cursor = max(cursor, span.upto)
    if span is not None and after is not None and span.after <= after:
        after = max(after, span.upto)
    if stale is not None:
        after = stale.after if after is None else min(after, stale.after)
        upto = max(upto or 0, stale.upto)
    if batch.fresh or (after is not None and upto is not None and after >= upto):
        after = upto = None
    position = max(stand.position, batch.position)
    return replace(stand, cursor=cursor, position=position, stale_after=after, stale_upto=upto)


def _on_record(conn: Connection, channel_id: ChannelId, after: int, upto: int) -> dict[int, bool]:
    """Recorded ids in (after, upto], and whether each is known to be deleted."""
    m = messages.c
    found = conn.execute(
        select(m.message_id, m.deleted_seen_at.is_not(None)).where(
            m.channel_id == channel_id, m.message_id > after, m.message_id <= upto
        )
    )
    return {message_id: bool(deleted) for message_id, deleted in found}


def _keep_absent(
    conn: Connection, stand: Stand, batch: Batch, runs: Iterable[tuple[int, int]], *, told: bool
) -> None:
    """Note ids that were never recorded and are gone, as far as that is not on record yet."""
    runs = list(runs)
    if not runs or batch.seen_at is None:
        return
    if runs[0][0] <= stand.seen:
        known = [(a.first, a.last) for a in absent(conn, batch.channel_id, runs[0][0], runs[-1][1])]
        runs = [part for run in runs for part in _without(run, known)]
    _insert(conn, batch.channel_id, runs, told, batch.source, batch.seen_at)


def _insert(
    conn: Connection,
    channel_id: ChannelId,
    runs: Sequence[tuple[int, int]],
    told: bool,
    source: Source,
    at: datetime,
) -> None:
    if runs:
        conn.execute(
            insert(absences),
            [
                {
                    "channel_id": channel_id,
                    "first": first,
                    "last": last,
                    "told": told,
                    "source": source.value,
                    "known_at": at,
                    "removed": False,
                }
                for first, last in runs
            ],
        )


def absent(conn: Connection, channel_id: ChannelId, first: int, last: int) -> Sequence[Row[Any]]:
    """Runs of absent ids that reach into first to last."""
    a = absences.c
    return conn.execute(
        select(absences).where(a.channel_id == channel_id, a.first <= last, a.last >= first).order_by(a.first)
    ).all()


def gaps(after: int, upto: int, known: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Runs of ids in (after, upto] that are not among the known ones, which are ascending."""
    for number in known[bisect_right(known, after) :]:
        if number > upto:
            break
        if number > after + 1:
            yield after + 1, number - 1
        after = number
    if upto > after:
        yield after + 1, upto


def _runs(ids: Iterable[int]) -> list[tuple[int, int]]:
    """Ids as runs of consecutive ones."""
    runs: list[tuple[int, int]] = []
    for number in sorted(set(ids)):
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


def _without(run: tuple[int, int], known: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The parts of a run that no known run holds."""
    first, last = run
    for known_first, known_last in known:
        if known_last < first or known_first > last:
            continue
        if known_first > first:
            yield first, known_first - 1
        first = known_last + 1
    if first <= last:
        yield first, last


def _walk(conn: Connection, channel_id: ChannelId, cursor: int) -> int:
    """The highest id up to which everything above `cursor` is recorded or absent."""
    m, a = messages.c, absences.c
    while True:
        before = cursor
        gone = conn.execute(
            select(a.last).where(a.channel_id == channel_id, a.first <= cursor + 1, a.last > cursor)
        ).scalar_one_or_none()
        cursor = cursor if gone is None else gone
        found = conn.execute(
            select(m.message_id)
            .where(m.channel_id == channel_id, m.message_id > cursor)
            .order_by(m.message_id)
            .limit(WALK)
        )
        for (message_id,) in found:
            if message_id != cursor + 1:
                break
            cursor = message_id
        if cursor == before:
            return cursor
