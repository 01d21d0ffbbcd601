"""A channel's messages from a cursor upwards, oldest first, page by page, each with the ground it covers."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from telethon.tl import functions, types

from monitor.model import Batch, ChannelId, MessageId, Source, Span
from monitor.telegram.client import Connection
from monitor.telegram.convert import Context, message
from monitor.telegram.media import References

PAGE = 100
"""Messages a page; the platform gives no more."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page: what to record, and how many messages the platform says the channel has."""

    batch: Batch
    total: int


async def pages(
    connection: Connection,
    channel_id: ChannelId,
    after: MessageId,
    *,
    account: str,
    source: Source,
    clock: Callable[[], datetime],
    pseudonym: Callable[[int], str],
    references: References,
) -> AsyncGenerator[Page, None]:
    """Every message above `after` that the platform has at the time of asking, as pages of up to 100.

    The spans follow each other without a gap: an id inside that brings no message was deleted, or never
    given out. Raises ChannelError, FloodWait, SourceUnavailable.
    """
    peer = types.InputPeerChannel(channel_id, connection.session.peers[channel_id])
    asked = asyncio.create_task(_ask(connection, peer, after), name=f"history:{channel_id}")
    try:
        while True:
            answer = await asked
            # A server whose page would reach beyond the newest message fills it up from below.
            found = sorted((m for m in answer.messages if m.id > after), key=lambda m: int(m.id))
            if not found:
                return
            span = Span(after, MessageId(found[-1].id))
            complete = len(answer.messages) < PAGE
            if not complete:
                # The next page is on its way while this one is converted and written.
                asked = asyncio.create_task(_ask(connection, peer, span.upto), name=f"history:{channel_id}")
            context = Context(account, source, clock(), pseudonym)
            yield Page(_batch(channel_id, found, span, context, references), _total(answer))
            if complete:
                return
            after = span.upto
    finally:
        asked.cancel()
        await asyncio.wait({asked})
        if not asked.cancelled():
            asked.exception()  # looked at: whoever stopped reading does not want the next page's error


async def _ask(connection: Connection, peer: Any, after: MessageId) -> Any:
    # The 100 oldest above the cursor: a page ends just below offset_id and is moved up by its own length.
    return await connection.call(
        functions.messages.GetHistoryRequest(
            peer=peer,
            offset_id=after + 1,
            offset_date=None,
            add_offset=-PAGE,
            limit=PAGE,
            max_id=0,
            min_id=0,
            hash=0,
        )
    )


def _batch(
    channel: ChannelId, found: list[Any], span: Span, context: Context, references: References
) -> Batch:
    records = []
    for tl in found:
        record = message(tl, context)
        if record is not None:
            records.append(record)
            references.remember(tl)
    return Batch(channel, tuple(records), span, seen_at=context.now)


def _total(answer: Any) -> int:
    return int(getattr(answer, "count", len(answer.messages)))
