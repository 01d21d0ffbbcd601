"""What the ledger adds up to: each id of a channel counted once, and the holes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from monitor.model import ChannelId, MessageId, MessageKind, Source, Span
from monitor.store.ledger import Stand, absent, gaps, load
from monitor.store.schema import absences, coverage, messages


@dataclass(frozen=True, slots=True)
class Sums:
    """A channel's ids from its `start` to its `top`, each counted once: `recorded` posts, `service` messages,
    `deleted` before they could be recorded, `removed` by retention or an erasure, and `holes`.

    `stale` are ids on record that are to be asked for again; `known_at` is the time of the latest knowledge of an
    id, `sources` counts the ids by how they became known.
    """

    channel_id: ChannelId
    start: MessageId
    top: MessageId
    recorded: int
    service: int
    deleted: int
    removed: int
    stale: int
    known_at: datetime | None
    sources: Mapping[Source, int]

    @property
    def expected(self) -> int:
        """How many ids there are."""
        return max(0, self.top - self.start + 1)

    @property
    def holes(self) -> int:
        """Ids of which nothing is known yet."""
        return self.expected - self.recorded - self.service - self.deleted - self.removed


def sums(conn: Connection, channels: Sequence[ChannelId] | None = None) -> list[Sums]:
    """The ledgers of these channels, or of all, by channel id."""
    c, m, a = coverage.c, messages.c, absences.c
    query = select(coverage).order_by(c.channel_id)
    if channels is not None:
        query = query.where(c.channel_id.in_(channels))
    found = []
    for row in conn.execute(query).all():
        channel_id, stand = ChannelId(row.channel_id), Stand(*row[1:])
        kept = conn.execute(
            select(m.kind, m.source, func.count(), func.max(m.first_seen_at))
            .where(m.channel_id == channel_id, m.message_id >= stand.start)
            .group_by(m.kind, m.source)
        ).all()
        gone = conn.execute(
            select(a.source, func.sum(a.last - a.first + 1), func.max(a.known_at), a.removed)
            .where(a.channel_id == channel_id, a.first >= stand.start)
            .group_by(a.source, a.removed)
        ).all()
        sources: Counter[Source] = Counter()
        for source, count in [(k[1], k[2]) for k in kept] + [(g[0], g[1]) for g in gone]:
            sources[Source(source)] += count
        found.append(
            Sums(
                channel_id=channel_id,
                start=MessageId(stand.start),
                top=MessageId(stand.top),
                recorded=sum(k[2] for k in kept if k[0] == MessageKind.MESSAGE),
                service=sum(k[2] for k in kept if k[0] == MessageKind.SERVICE),
                deleted=sum(g[1] for g in gone if not g[3]),
                removed=sum(g[1] for g in gone if g[3]),
                stale=(stand.stale_upto or 0) - (stand.stale_after or 0),
                known_at=max([k[3] for k in kept] + [g[2] for g in gone], default=None),
                sources=dict(sources),
            )
        )
    return found


def holes(conn: Connection, channel_id: ChannelId, limit: int) -> list[Span]:
    """The first `limit` runs of ids of which nothing is known, ascending."""
    stand = load(conn, [channel_id])[channel_id]
    m = messages.c
    known = {
        number
        for (number,) in conn.execute(
            select(m.message_id).where(m.channel_id == channel_id, m.message_id > stand.cursor)
        )
    }
    for run in absent(conn, channel_id, stand.cursor + 1, stand.top):
        known.update(range(run.first, run.last + 1))
    runs = list(gaps(stand.cursor, stand.top, sorted(known)))
    return [Span(MessageId(first - 1), MessageId(last)) for first, last in runs[:limit]]
