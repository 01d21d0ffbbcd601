"""Where the channels that an account follows stand: the list of dialogs, a hundred a request."""

from dataclasses import dataclass
from typing import Any

from telethon import utils
from telethon.tl import functions, types

from monitor.model import ChannelId, MessageId
from monitor.telegram.connection import Connection
from monitor.telegram.history import Newest

PAGE = 100
"""Dialogs a request; the platform gives no more."""


@dataclass(frozen=True, slots=True)
class Line:
    """One channel in the list: what the platform says of it, its newest message and its position."""

    entity: Any
    newest: Newest


async def dialogs(connection: Connection) -> dict[ChannelId, Line]:
    """Every channel and group in the account's list of dialogs. Raises FloodWait, SourceUnavailable."""
    found: dict[ChannelId, Line] = {}
    after: tuple[Any, int, Any] | None = (None, 0, types.InputPeerEmpty())
    seen: set[int] = set()
    while after is not None:
        date, message_id, peer = after
        answer = await connection.call(
            functions.messages.GetDialogsRequest(
                offset_date=date, offset_id=message_id, offset_peer=peer, limit=PAGE, hash=0,
                exclude_pinned=bool(seen) or None,
            )
        )  # fmt: skip
        entities = {utils.get_peer_id(entity): entity for entity in (*answer.chats, *answer.users)}
        fresh = {utils.get_peer_id(dialog.peer) for dialog in answer.dialogs} - seen
        for dialog in answer.dialogs:
            if isinstance(dialog.peer, types.PeerChannel):
                newest = Newest(MessageId(dialog.top_message), int(getattr(dialog, "pts", 0) or 0))
                entity = entities.get(utils.get_peer_id(dialog.peer))
                found[ChannelId(dialog.peer.channel_id)] = Line(entity, newest)
        seen |= fresh
        ended = not isinstance(answer, types.messages.DialogsSlice) or len(seen) >= answer.count
        after = None if ended or not fresh else _next(answer, entities)
    return found


def _next(answer: Any, entities: dict[int, Any]) -> tuple[Any, int, Any] | None:
    """Where the next page begins: below the last dialog that has a message; None when there is none."""
    dates = {(utils.get_peer_id(m.peer_id), m.id): m.date for m in answer.messages if hasattr(m, "date")}
    for dialog in reversed(answer.dialogs):
        peer = utils.get_peer_id(dialog.peer)
        date, entity = dates.get((peer, dialog.top_message)), entities.get(peer)
        if date is not None and entity is not None:
            return date, dialog.top_message, utils.get_input_peer(entity)
    return None
