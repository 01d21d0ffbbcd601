"""What changed in a channel since a position in its sequence: updates.getChannelDifference → batches."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

from telethon.tl import functions, types

from monitor.model import Batch, ChannelId, MessageId, Source
from monitor.telegram.connection import Connection
from monitor.telegram.history import Contexts, Newest, batch
from monitor.telegram.locations import References

LIMIT, BOT_LIMIT = 100, 100_000
"""Changes that one difference may span for a user, for a bot; beyond that the platform says it is too long."""


class TooLong(Exception):
    """Too much has changed to be told one by one; `newest` is where the channel stands."""

    def __init__(self, newest: Newest) -> None:
        super().__init__()
        self.newest = newest


async def changes(
    connection: Connection,
    channel_id: ChannelId,
    position: int,
    *,
    contexts: Contexts,
    references: References,
) -> AsyncGenerator[Batch, None]:
    """Every change after `position`, in order, each batch with the position that it reaches.

    Raises TooLong, ChannelError, FloodWait, SourceUnavailable.
    """
    limit = BOT_LIMIT if connection.session.bot else LIMIT
    while True:
        answer = await _difference(connection, channel_id, position, limit)
        if isinstance(answer, types.updates.ChannelDifferenceTooLong):
            raise TooLong(_newest(answer))
        if isinstance(answer, types.updates.ChannelDifferenceEmpty):
            yield Batch(channel_id, position=answer.pts)
            return
        context = contexts(Source.RECONCILE, answer.pts)
        edited = [u.message for u in answer.other_updates if isinstance(u, types.UpdateEditChannelMessage)]
        posted = [u.message for u in answer.other_updates if isinstance(u, types.UpdateNewChannelMessage)]
        gone = [u.messages for u in answer.other_updates if isinstance(u, types.UpdateDeleteChannelMessages)]
        # New messages first, as the platform says: what is edited or deleted may be among them.
        new = sorted([*answer.new_messages, *posted], key=lambda m: int(m.id))
        yield replace(
            batch(channel_id, [*new, *edited], None, context, references),
            deleted=tuple(MessageId(i) for ids in gone for i in ids),
            position=answer.pts,
        )
        if answer.final or answer.pts <= position:
            return
        position = answer.pts


async def newest(connection: Connection, channel_id: ChannelId) -> Newest:
    """Where a channel stands now, for a bot, which is refused history and dialogs: everything since the beginning
    is too long to tell, unless there is next to nothing. Raises ChannelError, FloodWait, SourceUnavailable."""
    answer = await _difference(connection, channel_id, position=1, limit=1)
    if isinstance(answer, types.updates.ChannelDifferenceTooLong):
        return _newest(answer)
    ids = [m.id for m in getattr(answer, "new_messages", ())]
    return Newest(MessageId(max(ids, default=0)), answer.pts)


async def _difference(connection: Connection, channel_id: ChannelId, position: int, limit: int) -> Any:
    return await connection.call(
        functions.updates.GetChannelDifferenceRequest(
            channel=types.InputChannel(channel_id, connection.session.peers[channel_id]),
            filter=types.ChannelMessagesFilterEmpty(),
            pts=position,
            limit=limit,
        )
    )


def _newest(answer: Any) -> Newest:
    top = max([getattr(answer.dialog, "top_message", 0), *(m.id for m in answer.messages)], default=0)
    return Newest(MessageId(top), int(getattr(answer.dialog, "pts", 0) or 0))
