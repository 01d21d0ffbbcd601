"""A channel's messages between two ids, oldest first, page by page, each with the ground it covers."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

from telethon.tl import functions, types

from monitor.model import Batch, ChannelId, MessageId, Source, Span
from monitor.telegram.connection import Connection
from monitor.telegram.convert import Context, message
from monitor.telegram.locations import References

PAGE = 100
"""Messages a page; the platform gives no more."""

Contexts = Callable[[Source, int], Context]
"""Makes the context of an answer: how it came, and the position in the channel's sequence that it shows."""


@dataclass(frozen=True, slots=True)
class Newest:
    """A channel's newest message id, 0 when it has none, and the position of its sequence of changes."""

    top: MessageId
    position: int


async def pages(
    connection: Connection,
    channel_id: ChannelId,
    after: MessageId,
    upto: MessageId,
    *,
    ends: Callable[[int], bool],
    source: Source,
    contexts: Contexts,
    references: References,
) -> AsyncGenerator[Batch, None]:
    """The messages in (after, upto] that the platform has, in batches of up to 100, until `ends` is true of their
    number; the last may reach beyond.

    The spans follow each other without a gap up to `upto`, which the platform has given out before: an id inside
    that brings no message was deleted. Raises ChannelError, FloodWait, SourceUnavailable.
    """
    ask = _by_id if connection.session.bot else _by_page
    asked = asyncio.create_task(ask(connection, channel_id, after, upto), name=f"history:{channel_id}")
    try:
        for number in count(1):
            answer, asked_upto = await asked
            # A server whose page would reach beyond the newest message fills it up from below.
            found = sorted((m for m in answer.messages if m.id > after), key=lambda m: int(m.id))
            reached = MessageId(max(asked_upto, found[-1].id if found else 0))
            if asked_upto == after and len(found) < PAGE:
                reached = max(reached, upto)  # there is no more
            span, last = Span(after, reached), reached >= upto or ends(number)
            if not last:
                # The next page is on its way while this one is converted and written.
                asked = asyncio.create_task(
                    ask(connection, channel_id, reached, upto), name=f"history:{channel_id}"
                )
            yield batch(channel_id, found, span, contexts(source, position_of(answer)), references)
            after = reached
            if last:
                return
    finally:
        asked.cancel()
        await asyncio.wait({asked})
        if not asked.cancelled():
            asked.exception()  # looked at: whoever stopped reading does not want the next page's error


async def newest(connection: Connection, channel_id: ChannelId) -> Newest:
    """Where a channel stands now. Raises ChannelError, FloodWait, SourceUnavailable."""
    answer = await _get_history(connection, channel_id, offset_id=0, add_offset=0, limit=1)
    return Newest(MessageId(max((m.id for m in answer.messages), default=0)), position_of(answer))


async def first_since(connection: Connection, channel_id: ChannelId, since: Any) -> MessageId:
    """The id from which on messages were posted at `since` or later."""
    answer = await _get_history(connection, channel_id, offset_id=0, add_offset=0, limit=1, offset_date=since)
    return MessageId(max((m.id for m in answer.messages), default=0) + 1)


def batch(
    channel: ChannelId, found: list[Any], span: Span | None, context: Context, references: References
) -> Batch:
    """Messages as they came, as what is recorded of them."""
    records = []
    for tl in found:
        record = message(tl, context)
        if record is not None:
            records.append(record)
            references.remember(tl)
    return Batch(channel, tuple(records), span, seen_at=context.now, source=context.source)


def position_of(answer: Any) -> int:
    """The position in the channel's sequence of changes that an answer shows; 0 where it shows none."""
    return int(getattr(answer, "pts", 0) or 0)


async def _by_page(
    connection: Connection, channel_id: ChannelId, after: MessageId, upto: MessageId
) -> tuple[Any, MessageId]:
    # The 100 oldest above the cursor: a page ends just below offset_id and is moved up by its own length.
    answer = await _get_history(connection, channel_id, offset_id=after + 1, add_offset=-PAGE, limit=PAGE)
    return answer, after


async def _by_id(
    connection: Connection, channel_id: ChannelId, after: MessageId, upto: MessageId
) -> tuple[Any, MessageId]:
    # What a bot may do: it is refused the history, and may ask for ids.
    last = min(upto, MessageId(after + PAGE))
    return await by_ids(connection, channel_id, range(after + 1, last + 1)), last


async def by_ids(connection: Connection, channel_id: ChannelId, ids: Any) -> Any:
    """Messages by id, up to 100; those that are gone come empty."""
    place = types.InputChannel(channel_id, connection.session.peers[channel_id])
    return await connection.call(
        functions.channels.GetMessagesRequest(place, [types.InputMessageID(i) for i in ids])
    )


async def _get_history(
    connection: Connection, channel_id: ChannelId, *, offset_date: Any = None, **page: int
) -> Any:
    return await connection.call(
        functions.messages.GetHistoryRequest(
            peer=types.InputPeerChannel(channel_id, connection.session.peers[channel_id]),
            offset_date=offset_date,
            max_id=0,
            min_id=0,
            hash=0,
            **page,
        )
    )
