"""Updates as they are pushed → batches for the store; whatever cannot be taken marks its channel as lagging."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from telethon.tl import types

from monitor.model import Batch, ChannelId, MessageId, Source, Span
from monitor.telegram.convert import Context, message
from monitor.telegram.media import References

log = logging.getLogger(__name__)

QUEUE = 10_000
"""Batches that may wait for the store; beyond that the channel is read again from its history."""


class Live:
    """Takes containers of updates, gives batches of authorized channels, drops everything else unseen.

    `lagging` holds channels about which something is known to be missing; None in it stands for all.
    `touched` holds channels whose standing (left, banned, renamed) has changed.
    """

    def __init__(
        self,
        account: str,
        clock: Callable[[], datetime],
        pseudonym: Callable[[int], str],
        references: References,
    ) -> None:
        self.channels: set[ChannelId] = set()
        self.batches: asyncio.Queue[Batch] = asyncio.Queue(QUEUE)
        self.lagging: asyncio.Queue[ChannelId | None] = asyncio.Queue()
        self.touched: asyncio.Queue[ChannelId] = asyncio.Queue()
        self._account = account
        self._clock = clock
        self._pseudonym = pseudonym
        self._references = references

    def __call__(self, updates: Any) -> None:
        """Take one container. A content-free record is made at once; the message itself goes no further."""
        context = Context(self._account, Source.LIVE, self._clock(), self._pseudonym)
        for update in _each(updates):
            if isinstance(update, types.UpdatesTooLong):
                self.lagging.put_nowait(None)
            elif isinstance(update, types.UpdateChannelTooLong):
                self._lags(ChannelId(update.channel_id))
            elif isinstance(update, types.UpdateChannel):
                if update.channel_id in self.channels:
                    self.touched.put_nowait(ChannelId(update.channel_id))
            elif (batch := self._batch(update, context)) is not None:
                self._put(batch)

    def _batch(self, update: Any, context: Context) -> Batch | None:
        if isinstance(update, types.UpdateDeleteChannelMessages):
            if update.channel_id not in self.channels:
                return None
            deleted = tuple(MessageId(i) for i in update.messages)
            return Batch(ChannelId(update.channel_id), deleted=deleted, seen_at=context.now)
        if not isinstance(update, types.UpdateNewChannelMessage | types.UpdateEditChannelMessage):
            return None
        peer = update.message.peer_id
        if not isinstance(peer, types.PeerChannel) or peer.channel_id not in self.channels:
            return None
        record = message(update.message, context)
        if record is None:
            return None
        self._references.remember(update.message)
        new = isinstance(update, types.UpdateNewChannelMessage)
        # Channel ids are consecutive: a new message covers its own id, and shows whether one is missing below.
        span = Span(MessageId(record.message_id - 1), record.message_id) if new else None
        return Batch(record.channel_id, (record,), span, seen_at=context.now)

    def _put(self, batch: Batch) -> None:
        try:
            self.batches.put_nowait(batch)
        except asyncio.QueueFull:
            log.warning("live updates come faster than they are stored", extra={"channel": batch.channel_id})
            self._lags(batch.channel_id)

    def _lags(self, channel: ChannelId) -> None:
        if channel in self.channels:
            self.lagging.put_nowait(channel)


def _each(updates: Any) -> Iterator[Any]:
    if isinstance(updates, types.Updates | types.UpdatesCombined):
        yield from updates.updates
    elif isinstance(updates, types.UpdateShort):
        yield updates.update
    else:
        # UpdatesTooLong, or a single update; short messages of private chats match nothing above.
        yield updates
