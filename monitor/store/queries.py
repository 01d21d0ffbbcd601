"""The rows that exports are made of, under the names that exports use."""

from sqlalchemy import case, func, select

from monitor.model import Algorithm
from monitor.store.schema import (
    authorizations,
    cases,
    channels,
    flag_matches,
    flags,
    media,
    messages,
    restrictions,
)

_hidden = (
    select(func.aggregate_strings(restrictions.c.platform + ":" + restrictions.c.reason, " "))
    .where(
        restrictions.c.channel_id == messages.c.channel_id,
        restrictions.c.message_id == messages.c.message_id,
    )
    .scalar_subquery()
)
_outcome = case(
    (messages.c.media_kind.is_not(None) & messages.c.media_id.is_(None), "no_file"), else_=media.c.outcome
)
MESSAGES = (
    select(messages, _outcome.label("media_outcome"), _hidden.label("restriction"))
    .outerjoin(media, media.c.media_id == messages.c.media_id)
    .order_by(messages.c.channel_id, messages.c.message_id)
)
"""Every message, by channel and message id."""

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
FLAGS = (
    select(
        flags,
        RANKED,
        cases.c.hash_list,
        cases.c.entry,
        messages.c.posted_at,
        _name.label("username"),
    )
    .join(RANKED, RANKED.c.flag_id == flags.c.flag_id)
    .join(cases, cases.c.case_id == RANKED.c.case_id)
    .join(
        messages,
        (messages.c.channel_id == flags.c.channel_id) & (messages.c.message_id == flags.c.message_id),
    )
    .where(RANKED.c.rank == 1)
    .order_by(flags.c.flag_id, RANKED.c.case_id)
)
"""The best match of each flag in each case, by flag and case, with the message's address."""

CHANNELS = (
    select(channels, authorizations.c.reference.label("authorization"), authorizations.c.valid_until)
    .outerjoin(authorizations, authorizations.c.authorization_id == channels.c.authorization_id)
    .order_by(channels.c.username)
)
"""Every channel ever declared, by username."""
