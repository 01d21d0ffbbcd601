"""Acting on a case: its events are read, a rule gives further ones, and the rows follow; one transaction.

What may follow what is for the rule to say (monitor.reporting); here is only what makes it hold. The rows of `cases`,
`reports` and `negative_list` are there to be searched: they are written from the events and never read by a rule.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, or_, select, update

from monitor.errors import InputError
from monitor.model import (
    AUTOMATIC,
    Algorithm,
    CaseState,
    Category,
    EntryStanding,
    Event,
    EventType,
    ListAction,
    MediaId,
    ReportState,
    Scalar,
)
from monitor.store import events
from monitor.store.engine import next_number
from monitor.store.errand_rows import take_back, take_back_case
from monitor.store.events import Salt, body_of
from monitor.store.flags import link
from monitor.store.queries import RANKED
from monitor.store.schema import (
    case_events,
    cases,
    flags,
    hash_lists,
    media_matches,
    messages,
    negative_list,
    report_items,
    reports,
)
from monitor.store.schema import events as _events

Body = dict[str, Scalar]


@dataclass(frozen=True, slots=True)
class Item:
    """One sighting of a case: the flag, whether its best match is of bytes, and since when it is known to be gone."""

    flag_id: int
    exact: bool
    distance: int
    deleted_seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """All that is on record of a case.

    `action` and `permitted_uses` are those of the list as it was last loaded, absent when it never was; `exact` says
    whether any match of the entry was one of bytes. `items` go by flag, `events` by number; `next_event` is the number
    of the first event that a rule gives, `next_report` the id of a report that is prepared now.
    """

    case_id: int
    hash_list: str
    entry: str
    opened_at: datetime
    category: Category | None
    action: ListAction | None
    permitted_uses: frozenset[str]
    exact: bool
    items: tuple[Item, ...]
    events: tuple[Event, ...]
    next_event: int
    next_report: int


@dataclass(frozen=True, slots=True)
class Step:
    """An event to append. Case and `flags` are added to its body."""

    type: EventType
    body: Body
    flags: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportStanding:
    """What queries find of a report; `may_leave` says whether, as of its case's last event, items of it may."""

    state: ReportState
    may_leave: bool
    sent_at: datetime | None = None
    correction_since: datetime | None = None
    escalated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What queries find of a case: `settled` is the event up to which no sighting waits for a decision."""

    state: CaseState
    settled: int | None
    assigned_to: str | None
    held_until: datetime | None
    negative_until: datetime | None
    reports: dict[int, ReportStanding]


Rule = Callable[[CaseRecord], Sequence[Step]]
"""What follows for a case; raises when nothing may."""
Projection = Callable[[Sequence[Event]], Standing]


def act(
    conn: Connection, salt: Salt, case_id: int, rule: Rule, projection: Projection, at: datetime
) -> CaseRecord:
    """Append what the rule gives, bring the rows in line, and say what is on record then."""
    steps = rule(read(conn, case_id))
    for step in steps:
        body = {"case_id": case_id, **step.body}
        link(conn, events.handed_in(conn, salt, step.type, body, at, flags=step.flags), [case_id])
        if step.type is EventType.REPORT_PREPARED:
            _prepared(conn, case_id, step, at)
    record = read(conn, case_id)
    if steps:
        standing = projection(record.events)
        _project(conn, case_id, standing, at)
        stopped = [number for number, of in standing.reports.items() if not of.may_leave]
        take_back(conn, salt, stopped, str(steps[-1].body["operator"]), at)
    return record


def _prepared(conn: Connection, case_id: int, step: Step, at: datetime) -> None:
    columns = {name: step.body.get(name) for name in ("report_id", "route", "recipient", "category")}
    state = ReportState.PREPARED.value
    conn.execute(insert(reports).values(case_id=case_id, state=state, prepared_at=at, **columns))
    rows = [{"report_id": step.body["report_id"], "flag_id": flag} for flag in step.flags]
    conn.execute(insert(report_items), rows)


def _project(conn: Connection, case_id: int, standing: Standing, at: datetime) -> None:
    conn.execute(
        update(cases)
        .where(cases.c.case_id == case_id)
        .values(
            state=standing.state.value,
            settled=standing.settled,
            assigned_to=standing.assigned_to,
            held_until=standing.held_until,
        )
    )
    for report_id, report in standing.reports.items():
        conn.execute(
            update(reports)
            .where(reports.c.report_id == report_id)
            .values(
                state=report.state.value,
                sent_at=report.sent_at,
                correction_since=report.correction_since,
                escalated_at=report.escalated_at,
            )
        )
    in_force = negative_list.c.case_id == case_id, negative_list.c.ended_at.is_(None)
    until = conn.execute(select(negative_list.c.until).where(*in_force)).scalar_one_or_none()
    if until != standing.negative_until:
        conn.execute(update(negative_list).where(*in_force).values(ended_at=at))
        if standing.negative_until is not None:
            row = {"case_id": case_id, "added_at": at, "until": standing.negative_until}
            conn.execute(insert(negative_list).values(row))


def read(conn: Connection, case_id: int) -> CaseRecord:
    """What is on record of a case. Raises InputError when there is none of that number."""
    row = conn.execute(select(cases).where(cases.c.case_id == case_id)).one_or_none()
    if row is None or row.opened_at is None:
        raise InputError(f"case {case_id}: there is none; monitor cases list shows what there is")
    matched = select(media_matches.c.algorithm).where(media_matches.c.case_id == case_id).distinct()
    held = conn.execute(
        select(hash_lists.c.action, hash_lists.c.permitted_uses)
        .where(hash_lists.c.name == row.hash_list)
        .order_by(hash_lists.c.hash_list_id.desc())
        .limit(1)
    ).one_or_none()
    return CaseRecord(
        case_id=row.case_id,
        hash_list=row.hash_list,
        entry=row.entry,
        opened_at=row.opened_at,
        category=None if row.category is None else Category(row.category),
        action=None if held is None else ListAction(held.action),
        permitted_uses=frozenset() if held is None else frozenset(held.permitted_uses.split()),
        exact=any(Algorithm(algorithm).exact for algorithm in conn.execute(matched).scalars()),
        items=tuple(_items(conn, case_id)),
        events=tuple(_of(conn, case_id)),
        next_event=events.following(conn),
        next_report=next_number(conn, reports),
    )


def _items(conn: Connection, case_id: int) -> list[Item]:
    rows = conn.execute(
        select(flags.c.flag_id, RANKED.c.algorithm, RANKED.c.distance, messages.c.deleted_seen_at)
        .join(RANKED, RANKED.c.flag_id == flags.c.flag_id)
        .join(
            messages,
            (messages.c.channel_id == flags.c.channel_id) & (messages.c.message_id == flags.c.message_id),
        )
        .where(RANKED.c.case_id == case_id, RANKED.c.rank == 1)
        .order_by(flags.c.flag_id)
    )
    return [Item(r.flag_id, Algorithm(r.algorithm).exact, r.distance, r.deleted_seen_at) for r in rows]


def _of(conn: Connection, case_id: int) -> list[Event]:
    rows = conn.execute(
        select(_events)
        .join(case_events, case_events.c.seq == _events.c.seq)
        .where(case_events.c.case_id == case_id)
        .order_by(_events.c.seq)
    )
    return [Event(r.seq, r.at, EventType(r.type), body_of(r.body)) for r in rows]


def case_of(conn: Connection, report_id: int) -> int:
    """The case that a report belongs to. Raises InputError when there is no such report."""
    found = conn.execute(select(reports.c.case_id).where(reports.c.report_id == report_id)).scalar()
    if found is None:
        raise InputError(f"report {report_id}: there is none; monitor report list shows what there is")
    return int(found)


# -- what a loaded list says of entries that have a case ----------------------------------------------------


def entries(conn: Connection, hash_list: str) -> list[str]:
    """The entries of a list that have a case, sorted."""
    query = select(cases.c.entry).where(cases.c.hash_list == hash_list).order_by(cases.c.entry)
    return list(conn.execute(query).scalars())


def entries_stand(
    conn: Connection, salt: Salt, hash_list: str, standings: Sequence[EntryStanding], at: datetime
) -> list[int]:
    """Take down what the list holds by now; the cases whose entries it has again. See `ports.Store.entries_stand`."""
    restored = []
    for standing in standings:
        of_entry = cases.c.hash_list == hash_list, cases.c.entry == standing.entry
        row = conn.execute(select(cases.c.case_id, cases.c.withdrawn_at).where(*of_entry)).one_or_none()
        if row is None:
            continue
        if standing.listed:
            category = None if standing.category is None else standing.category.value
            conn.execute(update(cases).where(*of_entry).values(category=category))
        if standing.listed is not (row.withdrawn_at is None):
            conn.execute(update(cases).where(*of_entry).values(withdrawn_at=None if standing.listed else at))
            kind = EventType.ENTRY_RESTORED if standing.listed else EventType.ENTRY_WITHDRAWN
            body: Body = {"case_id": row.case_id, "hash_list": hash_list, "entry": standing.entry}
            link(conn, events.append(conn, salt, kind, body, at), [row.case_id])
            if standing.listed:
                restored.append(row.case_id)
            else:
                take_back_case(conn, salt, row.case_id, AUTOMATIC, at)
                unsent = reports.c.case_id == row.case_id, reports.c.state.in_(_UNSENT)
                conn.execute(update(reports).where(*unsent).values(state=ReportState.SUPERSEDED.value))
    return restored


def matched(conn: Connection, case_id: int) -> list[MediaId]:
    """The media items that a case's entry matched."""
    m = media_matches.c
    query = select(m.media_id).where(m.case_id == case_id).distinct().order_by(m.media_id)
    return [MediaId(media_id) for media_id in conn.execute(query).scalars()]


# -- what falls due -----------------------------------------------------------------------------------------

_UNSENT = [state.value for state in (ReportState.PREPARED, ReportState.APPROVED, ReportState.FAILED)]


def falling_due(conn: Connection, sent_before: datetime, at: datetime) -> list[int]:
    """Cases in which something may be due: a hold or a negative entry has run out, an entry was withdrawn that was
    reported, or a report that went out before `sent_before` has not been escalated. By case.
    """
    out = select(reports.c.case_id).where(reports.c.sent_at.is_not(None))
    ended = select(negative_list.c.case_id).where(
        negative_list.c.ended_at.is_(None), negative_list.c.until <= at
    )
    query = select(cases.c.case_id).where(
        or_(
            cases.c.held_until <= at,
            cases.c.case_id.in_(ended),
            cases.c.withdrawn_at.is_not(None) & cases.c.case_id.in_(out),
            cases.c.case_id.in_(
                out.where(reports.c.sent_at <= sent_before, reports.c.escalated_at.is_(None))
            ),
        )
    )
    return list(conn.execute(query.order_by(cases.c.case_id)).scalars())
