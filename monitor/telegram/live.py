"""Updates as they are pushed → batches for the store, in each channel's own order; what is missing is told."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from telethon.tl import types

from monitor.model import Batch, ChannelId, MessageId, Source, Span
from monitor.telegram.convert import message
from monitor.telegram.history import Contexts
from monitor.telegram.locations import References
from monitor.telegram.sequence import Sequence

log = logging.getLogger(__name__)

BEYOND = 2**63
"""A position that is unknown: it may lie beyond any other."""


class Live:
    """Takes containers of updates, offers batches of authorized channels, drops everything else: of a channel that
    is not followed its position alone is noted.

    `lagging` holds channels about which something is known to be missing; None in it stands for all.
    `touched` holds channels whose standing (left, banned, renamed) has changed.
    """

    def __init__(
        self,
        contexts: Contexts,
        references: References,
        offer: Callable[[Batch], bool],
    ) -> None:
        self.lagging: asyncio.Queue[ChannelId | None] = asyncio.Queue()
        self.touched: asyncio.Queue[ChannelId] = asyncio.Queue()
        self._behind: set[ChannelId] = set()
        self._passed: dict[ChannelId, int] = {}
        self._sequences: dict[ChannelId, Sequence[Batch]] = {}
        self._contexts = contexts
        self._references = references
        self._offer = offer

    # -- which channels, and where they stand

    def follow(self, channel: ChannelId, position: int = 0) -> None:
        """Take this channel's updates from now on, those after `position`; 0 holds them back until it is known."""
        self._sequences.setdefault(channel, Sequence()).reach(position)
        # What was pushed between the answer that named the position and now was passed over.
        if self._passed.pop(channel, 0) > position:
            self._lags(channel)

    def forget(self, channel: ChannelId) -> None:
        """Take no update of this channel any more."""
        self._sequences.pop(channel, None)

    def position(self, channel: ChannelId) -> int:
        """The position in the channel's sequence up to which everything was handed on; 0 when it is unknown."""
        sequence = self._sequences.get(channel)
        return 0 if sequence is None else sequence.position

    def reach(self, channel: ChannelId, position: int) -> None:
        """Everything up to `position` is in the recorder's hands: what was held back for it may follow."""
        if (sequence := self._sequences.get(channel)) is not None:
            before = sequence.position
            self._put_all(channel, before, sequence.reach(position))

    def missing(self, channel: ChannelId) -> bool:
        """Whether updates of the channel are missing still: those that were late may have come. Asked once."""
        sequence = self._sequences.get(channel)
        behind = channel in self._behind
        self._behind.discard(channel)
        return sequence is not None and (sequence.gap or behind)

    # -- what comes

    def __call__(self, updates: Any) -> None:
        """Take one container. A content-free record is made at once; the message itself goes no further."""
        for update in _each(updates):
            if isinstance(update, types.UpdatesTooLong):
                self.lagging.put_nowait(None)
            elif isinstance(update, types.UpdateChannelTooLong):
                channel = ChannelId(update.channel_id)
                if channel in self._sequences:
                    self._lags(channel)
                else:
                    self._pass(channel, update)
            elif isinstance(update, types.UpdateChannel):
                if update.channel_id in self._sequences:
                    self.touched.put_nowait(ChannelId(update.channel_id))
            elif (batch := self._batch(update)) is not None:
                self._take(update, batch)

    def _take(self, update: Any, batch: Batch) -> None:
        sequence, pts = self._sequences[batch.channel_id], int(update.pts or 0)
        if not pts:
            self._put(batch)  # a platform that numbers nothing: the cursor alone shows what is missing
            return
        before = sequence.position
        self._put_all(batch.channel_id, before, sequence.take(pts, int(update.pts_count), batch))
        if self._sequences[batch.channel_id].gap:
            self.lagging.put_nowait(batch.channel_id)

    def _batch(self, update: Any) -> Batch | None:
        context = self._contexts(Source.LIVE, int(getattr(update, "pts", None) or 0))
        if isinstance(update, types.UpdateDeleteChannelMessages):
            if update.channel_id not in self._sequences:
                self._pass(ChannelId(update.channel_id), update)
                return None
            deleted = tuple(MessageId(i) for i in update.messages)
            return Batch(ChannelId(update.channel_id), deleted=deleted, seen_at=context.now)
        if not isinstance(update, types.UpdateNewChannelMessage | types.UpdateEditChannelMessage):
            return None
        peer = update.message.peer_id
        if not isinstance(peer, types.PeerChannel):
            return None
        if peer.channel_id not in self._sequences:
            self._pass(ChannelId(peer.channel_id), update)
            return None
        channel = ChannelId(peer.channel_id)
        record = message(update.message, context)
        if record is None:
            return Batch(channel, seen_at=context.now)  # empty, but its place in the sequence counts
        self._references.remember(update.message)
        new = isinstance(update, types.UpdateNewChannelMessage)
        # Channel ids are consecutive: a new message covers its own id, and shows whether one is missing below.
        span = Span(MessageId(record.message_id - 1), record.message_id) if new else None
        return Batch(channel, (record,), span, seen_at=context.now)

    def _pass(self, channel: ChannelId, update: Any) -> None:
        """Note that something of a channel that is not followed, or not yet, came by, and at which position."""
        position = int(update.pts or 0) or BEYOND
        self._passed[channel] = max(self._passed.get(channel, 0), position)

    def _put_all(self, channel: ChannelId, taken: int, ready: list[tuple[int, Batch]]) -> None:
        for pts, batch in ready:
            if not self._put(replace(batch, position=pts)):
                # Back to what is in safe hands: the difference brings the rest again.
                self._sequences[channel] = Sequence(taken)
                return
            taken = pts

    def _put(self, batch: Batch) -> bool:
        if self._offer(batch):
            return True
        # The channel is caught up with from its position, when there is room again.
        log.warning("live updates come faster than they are stored", extra={"channel": batch.channel_id})
        self._lags(batch.channel_id)
        return False

    def _lags(self, channel: ChannelId) -> None:
        self._behind.add(channel)
        self.lagging.put_nowait(channel)


def _each(updates: Any) -> Iterator[Any]:
    if isinstance(updates, types.Updates | types.UpdatesCombined):
        yield from updates.updates
    elif isinstance(updates, types.UpdateShort):
        yield updates.update
    else:
        # UpdatesTooLong, or a single update; short messages of private chats match nothing above.
        yield updates
