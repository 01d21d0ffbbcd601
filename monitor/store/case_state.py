"""A case's state, as queries see it."""

from datetime import UTC, datetime

from sqlalchemy import ColumnElement, and_, bindparam, case, select

from monitor.model import CaseState, EventType
from monitor.store.columns import Time
from monitor.store.schema import case_events, cases, events, negative_list

NOW = bindparam("now", callable_=lambda: datetime.now(UTC), type_=Time)
"""The time that a query is about: this moment, unless it is told another."""
NEGATIVE = and_(
    negative_list.c.case_id == cases.c.case_id,
    negative_list.c.ended_at.is_(None),
    negative_list.c.until > NOW,
)
_later = (
    select(case_events.c.seq)
    .join(events, events.c.seq == case_events.c.seq)
    .where(
        case_events.c.case_id == cases.c.case_id,
        case_events.c.seq > cases.c.settled,
        events.c.type.in_([EventType.FLAG_RAISED.value, EventType.FLAG_COMPLETED.value]),
    )
)
STATE: ColumnElement[str] = case(
    (
        and_(
            cases.c.state == CaseState.NOT_RELIED_ON.value,
            _later.exists(),
            ~select(negative_list.c.negative_id).where(NEGATIVE).exists(),
        ),
        CaseState.OPEN.value,
    ),
    else_=cases.c.state,
)
"""A case's state at `NOW`: what the fold gives, of one that is not relied on and has been seen again."""
