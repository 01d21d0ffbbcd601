"""Finding cases: what a list of them shows, the most pressing first."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, and_, case, func, or_, select

from monitor.model import Algorithm, CaseState, Category, ListAction
from monitor.store.case_state import NEGATIVE, STATE
from monitor.store.columns import Time
from monitor.store.schema import (
    case_events,
    cases,
    flag_matches,
    flags,
    hash_lists,
    messages,
    negative_list,
    report_items,
)


class CaseLine(NamedTuple):
    """A case in a list. `priority` counts from 1, the most pressing; `exact` says that every sighting has the entry's
    very bytes, `distance` is the least, in bits; `reach` is how often the messages were viewed.
    """

    case_id: int
    priority: int
    hash_list: str
    entry: str
    category: Category | None
    state: CaseState
    action: ListAction | None
    exact: bool
    distance: int
    sightings: int
    channels: int
    reach: int
    last_seen_at: datetime
    assigned_to: str | None
    held_until: datetime | None
    negative_until: datetime | None
    quarantined_at: datetime | None
    withdrawn_at: datetime | None
    opened_at: datetime


_EXACT = [algorithm.value for algorithm in Algorithm if algorithm.exact]
_BEST = (
    select(
        flag_matches.c.case_id,
        flag_matches.c.flag_id,
        func.max(case((flag_matches.c.algorithm.in_(_EXACT), 1), else_=0)).label("exact"),
        func.min(flag_matches.c.distance).label("distance"),
    )
    .group_by(flag_matches.c.case_id, flag_matches.c.flag_id)
    .subquery()
)
_SEEN = (
    select(
        _BEST.c.case_id,
        func.min(_BEST.c.exact).label("exact"),
        func.min(_BEST.c.distance).label("distance"),
        func.count().label("sightings"),
        func.count(flags.c.channel_id.distinct()).label("channels"),
        func.coalesce(func.sum(messages.c.views), 0).label("reach"),
        func.max(flags.c.raised_at, type_=Time).label("last_seen_at"),
    )
    .join(flags, flags.c.flag_id == _BEST.c.flag_id)
    .join(
        messages,
        and_(messages.c.channel_id == flags.c.channel_id, messages.c.message_id == flags.c.message_id),
    )
    .group_by(_BEST.c.case_id)
    .subquery()
)
# The latest of each list; a file with several algorithms is several rows of one action.
_latest = select(func.max(hash_lists.c.hash_list_id)).group_by(hash_lists.c.name)
_ACTION = (
    select(hash_lists.c.action)
    .where(hash_lists.c.name == cases.c.hash_list, hash_lists.c.hash_list_id.in_(_latest))
    .scalar_subquery()
)
_WEIGHT = case(
    (cases.c.category == Category.CHILD.value, 0),
    (or_(cases.c.category.is_(None), cases.c.category == Category.UNKNOWN.value), 2),
    else_=1,
)
_PRIORITY = 1 + 2 * _WEIGHT + case((_ACTION == ListAction.FLAG.value, 0), else_=1)


def list_cases(
    conn: Connection,
    at: datetime,
    *,
    state: CaseState | None = None,
    hash_list: str | None = None,
    assigned_to: str | None = None,
) -> list[CaseLine]:
    """Cases that have been seen, the most pressing first: by category (children, then known others) and whether
    the list flags or asks for a review; then exact before near ones, then by reach.
    """
    ends = (select(func.max(negative_list.c.until, type_=Time)).where(NEGATIVE)).scalar_subquery()
    query = select(
        cases,
        STATE.label("standing"),
        _PRIORITY.label("priority"),
        _ACTION.label("action"),
        ends.label("negative_until"),
        *(column for column in _SEEN.c if column.name != "case_id"),
    ).join(_SEEN, _SEEN.c.case_id == cases.c.case_id)
    if state is not None:
        query = query.where(STATE == state.value)
    if hash_list is not None:
        query = query.where(cases.c.hash_list == hash_list)
    if assigned_to is not None:
        query = query.where(cases.c.assigned_to == assigned_to)
    query = query.order_by(_PRIORITY, _SEEN.c.exact.desc(), _SEEN.c.reach.desc(), cases.c.case_id)
    return [
        CaseLine(
            case_id=row.case_id,
            priority=row.priority,
            hash_list=row.hash_list,
            entry=row.entry,
            category=None if row.category is None else Category(row.category),
            state=CaseState(row.standing),
            action=None if row.action is None else ListAction(row.action),
            exact=bool(row.exact),
            distance=row.distance,
            sightings=row.sightings,
            channels=row.channels,
            reach=row.reach,
            last_seen_at=row.last_seen_at,
            assigned_to=row.assigned_to,
            held_until=row.held_until if row.held_until and row.held_until > at else None,
            negative_until=row.negative_until,
            quarantined_at=row.quarantined_at,
            withdrawn_at=row.withdrawn_at,
            opened_at=row.opened_at,
        )
        for row in conn.execute(query, {"now": at})
    ]


def event_numbers(conn: Connection, cases_wanted: Iterable[int]) -> list[int]:
    """The sequence numbers of all events of these cases, in order."""
    found: set[int] = set()
    for some in _some(cases_wanted):
        query = select(case_events.c.seq).where(case_events.c.case_id.in_(some))
        found.update(conn.execute(query).scalars())
    return sorted(found)


def covered(conn: Connection, reports_wanted: Iterable[int]) -> set[int]:
    """The flags that these reports cover."""
    found: set[int] = set()
    for some in _some(reports_wanted):
        query = select(report_items.c.flag_id).where(report_items.c.report_id.in_(some))
        found.update(conn.execute(query).scalars())
    return found


def _some(numbers: Iterable[int]) -> Iterator[list[int]]:
    """As many at a time as one statement takes."""
    ordered = sorted(set(numbers))
    yield from (ordered[at : at + 1_000] for at in range(0, len(ordered), 1_000))


def case_numbers(conn: Connection, hash_list: str, entries: list[str]) -> dict[str, int]:
    """The cases of these entries of a list, by entry; entries without one are left out."""
    query = select(cases.c.entry, cases.c.case_id).where(
        cases.c.hash_list == hash_list, cases.c.entry.in_(entries), cases.c.opened_at.is_not(None)
    )
    return {entry: case_id for entry, case_id in conn.execute(query)}
