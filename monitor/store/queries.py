"""The rows that exports are made of, under the names that exports use, and how they can be narrowed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    FromClause,
    Select,
    case,
    func,
    literal,
    null,
    select,
    type_coerce,
)
from sqlalchemy import union_all as both

from monitor.errors import InputError
from monitor.model import (
    Algorithm,
    CaseState,
    Category,
    ChannelState,
    EventType,
    MediaOutcome,
    ReportState,
)
from monitor.store.case_state import NEGATIVE, STATE
from monitor.store.columns import Int, Time
from monitor.store.engine import body_field
from monitor.store.filters import OPTIONS, Filters
from monitor.store.schema import (
    authorizations,
    case_events,
    cases,
    channels,
    events,
    flag_matches,
    flags,
    media,
    messages,
    negative_list,
    report_items,
    reports,
    restrictions,
)

Condition = Callable[[Any], ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class Source:
    """Rows: their columns by name, where they come from, their order, and the conditions that filters stand for."""

    columns: Mapping[str, ColumnElement[Any]]
    tables: FromClause
    order: Sequence[ColumnElement[Any]]
    filters: Mapping[str, Condition]
    states: tuple[str, ...] = ()
    only: tuple[ColumnElement[bool], ...] = ()

    def rows(self) -> Select[*tuple[Any, ...]]:
        """All of them with every column, as values of their types."""
        return self._select(self.columns, Filters())

    def narrowed(self, what: str, names: Sequence[str], filters: Filters) -> Select[*tuple[Any, ...]]:
        """These columns alone, as the driver gives them: times in microseconds, truth values 0 and 1.

        Converting them one by one, as SQLAlchemy does, takes several times as long as the query. Raises
        InputError for a filter that means nothing here, with `what` in its message.
        """
        for name, value in filters.given():
            if name not in self.filters:
                known = ", ".join(OPTIONS[name] for name in self.filters)
                raise InputError(f"{OPTIONS[name]}: does not apply to {what}; what does is {known}")
            if name == "state" and value not in self.states:
                raise InputError(
                    f"--state {value}: not known of {what}; choose one of {', '.join(self.states)}"
                )
        return self._select({name: _raw(self.columns[name]) for name in names}, filters)

    def _select(
        self, columns: Mapping[str, ColumnElement[Any]], filters: Filters
    ) -> Select[*tuple[Any, ...]]:
        wanted = [self.filters[name](value) for name, value in filters.given()]
        return (
            select(*(column.label(name) for name, column in columns.items()))
            .select_from(self.tables)
            .where(*self.only, *wanted)
            .order_by(*self.order)
        )


def _raw(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return type_coerce(column, Int) if isinstance(column.type, Time | Boolean) else column


def _between(column: ColumnElement[Any]) -> dict[str, Condition]:
    return {"since": lambda at: column >= at, "until": lambda at: column <= at}


def _of_channels(column: ColumnElement[Any]) -> Condition:
    def condition(usernames: Sequence[str]) -> ColumnElement[bool]:
        wanted = [username.lower() for username in usernames]
        return column.in_(select(channels.c.channel_id).where(func.lower(channels.c.username).in_(wanted)))

    return condition


def _equal(column: ColumnElement[Any]) -> Condition:
    return lambda value: column == value


def _among(column: ColumnElement[Any]) -> Condition:
    return lambda values: column.in_(values)


SUPPRESSED = "suppressed"
"""State of a flag whose entry is on the negative list."""
_CLASS = func.coalesce(cases.c.category, Category.UNKNOWN.value)
_OF_CASES: Mapping[str, Condition] = {
    "hash_list": _equal(cases.c.hash_list),
    "category": _equal(_CLASS),
    "cases": _among(cases.c.case_id),
}


# -- messages

_hidden = (
    select(func.aggregate_strings(restrictions.c.platform + ":" + restrictions.c.reason, " "))
    .where(
        restrictions.c.channel_id == messages.c.channel_id,
        restrictions.c.message_id == messages.c.message_id,
    )
    .scalar_subquery()
)
_no_file = (messages.c.media_kind.is_not(None) & messages.c.media_id.is_(None), "no_file")
_compared = (media.c.outcome.in_([MediaOutcome.MATCH.value, MediaOutcome.NO_MATCH.value]), "examined")
MESSAGES = Source(
    {
        **messages.c,
        "media_outcome": case(_no_file, else_=media.c.outcome),
        # For those who are not to learn which messages carry a match.
        "media_settled": case(_no_file, _compared, else_=media.c.outcome),
        "restriction": _hidden,
    },
    messages.outerjoin(media, media.c.media_id == messages.c.media_id),
    (messages.c.channel_id, messages.c.message_id),
    {**_between(messages.c.posted_at), "channels": _of_channels(messages.c.channel_id)},
)
"""Every message, by channel and message id."""

# -- flags

_EXACT = [algorithm.value for algorithm in Algorithm if algorithm.exact]
_best_first = func.row_number().over(
    partition_by=(flag_matches.c.flag_id, flag_matches.c.case_id),
    order_by=(
        case((flag_matches.c.algorithm.in_(_EXACT), 0), else_=1),
        flag_matches.c.distance,
        flag_matches.c.algorithm,
        flag_matches.c.list_version.desc(),
    ),
)
RANKED = select(flag_matches, _best_first.label("rank")).subquery()
"""The matches of each flag in each case, numbered from the best, which is 1."""
# A channel can have several public names: one of them, always the same.
_name = (
    select(func.min(channels.c.username)).where(channels.c.channel_id == flags.c.channel_id).scalar_subquery()
)
_flag_state = case((select(negative_list.c.negative_id).where(NEGATIVE).exists(), SUPPRESSED), else_=STATE)
FLAGS = Source(
    {
        **flags.c,
        **{column.name: column for column in RANKED.c if column.name not in ("flag_id", "rank")},
        "hash_list": cases.c.hash_list,
        "entry": cases.c.entry,
        "opened_at": cases.c.opened_at,
        "state": _flag_state,
        "screened": RANKED.c.error_bound.is_not(None),
        "posted_at": messages.c.posted_at,
        "username": _name,
    },
    flags.join(RANKED, RANKED.c.flag_id == flags.c.flag_id)
    .join(cases, cases.c.case_id == RANKED.c.case_id)
    .join(
        messages,
        (messages.c.channel_id == flags.c.channel_id) & (messages.c.message_id == flags.c.message_id),
    ),
    (flags.c.flag_id, RANKED.c.case_id),
    {
        **_between(flags.c.raised_at),
        "channels": _of_channels(flags.c.channel_id),
        **_OF_CASES,
        "state": _equal(_flag_state),
    },
    (*CaseState, SUPPRESSED),
    (RANKED.c.rank == 1,),
)
"""The best match of each flag in each case, by flag and case, with the message's address."""

# -- cases

_flagged = (
    select(
        flag_matches.c.case_id,
        func.count(flags.c.flag_id.distinct()).label("flags"),
        func.count(flags.c.channel_id.distinct()).label("channels"),
        func.min(flags.c.raised_at).label("first"),
        func.max(flags.c.raised_at).label("last"),
    )
    .join(flags, flags.c.flag_id == flag_matches.c.flag_id)
    .group_by(flag_matches.c.case_id)
    .subquery()
)


def _seen_in(usernames: Sequence[str]) -> ColumnElement[bool]:
    seen = select(flag_matches.c.case_id).join(flags, flags.c.flag_id == flag_matches.c.flag_id)
    return cases.c.case_id.in_(seen.where(_of_channels(flags.c.channel_id)(usernames)))


CASES = Source(
    {
        **cases.c,
        "state": STATE,
        "flags": func.coalesce(_flagged.c.flags, 0),
        "channels": func.coalesce(_flagged.c.channels, 0),
        "first_sighting_at": _flagged.c.first,
        "last_sighting_at": _flagged.c.last,
    },
    cases.outerjoin(_flagged, _flagged.c.case_id == cases.c.case_id),
    (cases.c.case_id,),
    {
        **_between(cases.c.opened_at),
        "channels": _seen_in,
        **_OF_CASES,
        "state": _equal(STATE),
    },
    tuple(CaseState),
    (cases.c.opened_at.is_not(None),),
)
"""Every case, with how many flags it has in how many channels; what is in quarantine may have none."""

# -- reports


def _told(kind: EventType) -> Select[Any]:
    """Events of that type about the report, the last one first."""
    return (
        select(events.c.seq)
        .join(case_events, case_events.c.seq == events.c.seq)
        .where(
            case_events.c.case_id == reports.c.case_id,
            events.c.type == kind.value,
            body_field(events.c.body, "report_id", Int) == reports.c.report_id,
        )
        .order_by(events.c.seq.desc())
        .limit(1)
        .correlate(reports)
    )


_outcome = body_field(events.c.body, "outcome")
_items = (
    select(func.count())
    .select_from(report_items)
    .where(report_items.c.report_id == reports.c.report_id)
    .scalar_subquery()
)
REPORTS = Source(
    {
        **reports.c,
        "approved_at": _told(EventType.REPORT_APPROVED).with_only_columns(events.c.at).scalar_subquery(),
        "outcome": _told(EventType.REPORT_OUTCOME).with_only_columns(_outcome).scalar_subquery(),
        "items": _items,
    },
    reports.join(cases, cases.c.case_id == reports.c.case_id),
    (reports.c.report_id,),
    {
        **_between(reports.c.prepared_at),
        **_OF_CASES,
        # As it was reported, and as the row says: the list may class the entry otherwise by now.
        "category": _equal(reports.c.category),
        "state": _equal(reports.c.state),
    },
    tuple(ReportState),
)
"""Every report, by number; when it was approved and what came of it are in its events alone."""

# -- channels

CHANNELS = Source(
    {
        **channels.c,
        "authorization": authorizations.c.reference,
        "valid_until": authorizations.c.valid_until,
    },
    channels.outerjoin(authorizations, authorizations.c.authorization_id == channels.c.authorization_id),
    (channels.c.username,),
    {
        "channels": lambda names: func.lower(channels.c.username).in_([name.lower() for name in names]),
        "state": _equal(channels.c.state),
    },
    tuple(ChannelState),
)
"""Every channel ever declared, by username."""

# -- events

LOG = Source(dict(events.c), events, (events.c.seq,), _between(events.c.at))
"""Every event, in order."""

_LOST = [EventType.CHANNEL_STOPPED.value, EventType.CHANNEL_REFUSED.value]
_seen = both(
    select(
        messages.c.channel_id,
        messages.c.message_id,
        messages.c.deleted_seen_at.label("observed_at"),
        literal("message_gone").label("outcome"),
        literal("messages").label("source"),
    ).where(messages.c.deleted_seen_at.is_not(None)),
    select(
        body_field(events.c.body, "channel_id", Int),
        null(),
        events.c.at,
        literal("channel_") + body_field(events.c.body, "reason"),
        literal("events"),
    ).where(events.c.type.in_(_LOST), body_field(events.c.body, "channel_id", Int).is_not(None)),
).subquery()
OBSERVATIONS = Source(
    dict(_seen.c),
    _seen,
    (_seen.c.observed_at, _seen.c.channel_id, _seen.c.message_id),
    {**_between(_seen.c.observed_at), "channels": _of_channels(_seen.c.channel_id)},
)
"""Messages that were deleted and channels that were lost, by when that was seen."""

SOURCES: Mapping[str, Source] = {
    "flags": FLAGS,
    "cases": CASES,
    "reports": REPORTS,
    "messages": MESSAGES,
    "channels": CHANNELS,
    "log": LOG,
    "observations": OBSERVATIONS,
}
"""The rows of each export."""
