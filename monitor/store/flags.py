"""Flags: one for each message that carries a media item that matched."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select, update

from monitor.model import Algorithm, CaseState, ChannelId, EventType, Match, MediaId, MessageId, Scalar
from monitor.store import events
from monitor.store.engine import insert
from monitor.store.events import Salt
from monitor.store.schema import case_events, cases, flag_matches, flags, media, media_matches


class Sighting(NamedTuple):
    """A message that carries an item that matched, and when that was found."""

    channel_id: ChannelId
    message_id: MessageId
    media_id: MediaId
    media_kind: str
    at: datetime


_MATCH = (
    "case_id",
    "list_version",
    "algorithm",
    "distance",
    "threshold",
    "quality",
    "error_bound",
    "query_share",
    "list_share",
)
_COUNTING = (
    select(*media_matches.c[_MATCH])
    .join(cases, cases.c.case_id == media_matches.c.case_id)
    .where(
        media_matches.c.media_id == bindparam("media"),
        cases.c.quarantined_at.is_(None),
        cases.c.withdrawn_at.is_(None),
    )
)


def keep_matches(conn: Connection, media_id: MediaId, matches: Iterable[Match], at: datetime) -> None:
    """Keep an item's matches, each with the case of its entry; a case is opened by its first match.

    The case takes the category of its latest match that has one.
    """
    for match in matches:
        entry = {"hash_list": match.hash_list, "entry": match.entry}
        opened = insert(cases).values(opened_at=at, state=CaseState.OPEN.value, **entry)
        conn.execute(opened.on_conflict_do_nothing())
        case_id = conn.execute(select(cases.c.case_id).filter_by(**entry)).scalar_one()
        if match.category is not None:
            conn.execute(
                update(cases).where(cases.c.case_id == case_id).values(category=match.category.value)
            )
        conn.execute(
            insert(media_matches)
            .values(
                media_id=media_id,
                case_id=case_id,
                list_version=match.list_version,
                algorithm=match.algorithm.value,
                distance=match.distance,
                threshold=match.threshold,
                quality=match.quality,
                error_bound=match.error_bound,
                query_share=match.query_share,
                list_share=match.list_share,
            )
            .on_conflict_do_nothing()
        )


def raise_flags(conn: Connection, salt: Salt, sightings: Iterable[Sighting]) -> int:
    """Raise the flags that are not there yet, each with its event; returns how many were new."""
    raised = 0
    for channel_id, message_id, media_id, media_kind, at in sightings:
        found = conn.execute(_COUNTING, {"media": media_id}).mappings().all()
        if not found:
            continue  # all its entries are in quarantine or withdrawn
        key = {"channel_id": channel_id, "message_id": message_id, "media_id": media_id}
        rendition = conn.execute(select(media.c.rendition).where(media.c.media_id == media_id)).scalar_one()
        flag_id = conn.execute(
            insert(flags)
            .values(raised_at=at, media_kind=media_kind, rendition=rendition, **key)
            .on_conflict_do_nothing()
            .returning(flags.c.flag_id)
        ).scalar_one_or_none()
        if flag_id is None:
            continue
        conn.execute(insert(flag_matches), [{**row, "flag_id": flag_id} for row in found])
        body: dict[str, Scalar] = {
            **key,
            "flag_id": flag_id,
            "media_kind": media_kind,
            "rendition": rendition,
            "matches": _spelled(matches_of(conn, flag_id)),
        }
        concerned = [row["case_id"] for row in found]
        open_again(conn, concerned, at)
        link(conn, events.append(conn, salt, EventType.FLAG_RAISED, body, at), concerned)
        raised += 1
    return raised


def open_again(conn: Connection, concerned: Sequence[int], at: datetime) -> None:
    """Open those of these cases that wait to be seen again, since an earlier case of their entry was removed."""
    waiting = cases.c.case_id.in_(concerned), cases.c.opened_at.is_(None)
    conn.execute(update(cases).where(*waiting).values(opened_at=at))


def link(conn: Connection, seq: int, concerned: Iterable[int]) -> None:
    """Make an event one of these cases'."""
    rows = [{"case_id": case_id, "seq": seq} for case_id in sorted(set(concerned))]
    conn.execute(insert(case_events), rows)


def complete(conn: Connection, salt: Salt, case_id: int, items: Sequence[MediaId], at: datetime) -> None:
    """Add to the flags of these items what they lack of a case whose entry was in quarantine, each with an event."""
    for media_id in items:
        counting = _COUNTING.where(media_matches.c.case_id == case_id)
        found = conn.execute(counting, {"media": media_id}).mappings().all()
        known = select(flag_matches.c.flag_id).where(flag_matches.c.case_id == case_id)
        lacking = conn.execute(
            select(flags.c.flag_id).where(flags.c.media_id == media_id, flags.c.flag_id.not_in(known))
        ).scalars()
        for flag_id in lacking.all() if found else ():
            conn.execute(insert(flag_matches), [{**row, "flag_id": flag_id} for row in found])
            open_again(conn, [case_id], at)
            matches = [m for m, of in _matches(conn, flag_id) if of == case_id]
            body: dict[str, Scalar] = {"flag_id": flag_id, "matches": _spelled(matches)}
            link(conn, events.append(conn, salt, EventType.FLAG_COMPLETED, body, at), [case_id])


def matches_of(conn: Connection, flag_id: int) -> tuple[Match, ...]:
    """The matches of one flag, by list, entry, algorithm and list version."""
    return tuple(match for match, _ in _matches(conn, flag_id))


def _matches(conn: Connection, flag_id: int) -> list[tuple[Match, int]]:
    """The matches of one flag, each with its case."""
    rows = conn.execute(
        select(flag_matches, cases.c.hash_list, cases.c.entry)
        .join(cases, cases.c.case_id == flag_matches.c.case_id)
        .where(flag_matches.c.flag_id == flag_id)
        .order_by(cases.c.hash_list, cases.c.entry, flag_matches.c.algorithm, flag_matches.c.list_version)
    )
    return [
        (
            Match(
                hash_list=row.hash_list,
                list_version=row.list_version,
                entry=row.entry,
                algorithm=Algorithm(row.algorithm),
                distance=row.distance,
                threshold=row.threshold,
                quality=row.quality,
                error_bound=row.error_bound,
                query_share=row.query_share,
                list_share=row.list_share,
            ),
            row.case_id,
        )
        for row in rows
    ]


def _spelled(matches: Sequence[Match]) -> str:
    """Matches in an event's body, joined by blanks:
    list/version/entry/algorithm/distance/threshold/quality/error bound/share of the film/share of the entry.

    Names and entries are words, so neither a slash nor a blank occurs in them. What is absent is "-".
    """
    return " ".join(
        f"{m.hash_list}/{m.list_version}/{m.entry}/{m.algorithm}/{m.distance}/{m.threshold}"
        f"/{_number(m.quality)}/{_number(m.error_bound)}/{_number(m.query_share)}/{_number(m.list_share)}"
        for m in matches
    )


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)
