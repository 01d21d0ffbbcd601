"""A channel's messages from a cursor upwards, oldest first, page by page, each with the ground it covers."""

from collections.abc import AsyncIterator, Callable
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
) -> AsyncIterator[Page]:
    """Every message above `after` that the platform has at the time of asking, as pages of up to 100.

    The spans follow each other without a gap: an id inside that brings no message was deleted, or never
    given out. Raises ChannelError, FloodWait, SourceUnavailable.
    """
    peer = types.InputPeerChannel(channel_id, connection.session.peers[channel_id])
    while True:
        # The 100 oldest above the cursor: the page ends just below offset_id and is moved up by its own length.
        answer = await connection.call(
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
        # A server whose page would reach beyond the newest message fills it up from below.
        found = sorted((m for m in answer.messages if m.id > after), key=lambda m: int(m.id))
        if not found:
            return
        context = Context(account, source, clock(), pseudonym)
        upto = MessageId(found[-1].id)
        yield Page(_batch(channel_id, found, Span(after, upto), context, references), _total(answer))
        if len(answer.messages) < PAGE:
            return
        after = upto


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
