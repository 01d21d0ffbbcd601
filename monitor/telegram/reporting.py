"""One message on its way through the platform's menu for reports (https://core.telegram.org/method/messages.report).

The platform leads: each answer is a menu to choose from, a wish for a comment, or the end. Choices are made by text;
the bytes that stand for an option are the platform's own, kept in memory for one walk. Any request that names an
option may be the last one, and only the root of the menu can be asked for without effect.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from telethon import errors
from telethon.tl import functions, types

from monitor.errors import ChannelError, ChannelGone, ChannelPrivate, FloodWait, SourceUnavailable
from monitor.model import MOST_LABELS, ChannelId, ErrandFailure, ErrandState, Label, MessageId
from monitor.telegram.connection import Connection

_GONE = (errors.MessageIdInvalidError, errors.MsgIdInvalidError, errors.MessageIdsEmptyError)


class Refused(ChannelError):
    """The report cannot be sent as it was asked for; `failure` says why. Nothing was reported."""

    def __init__(self, failure: ErrandFailure) -> None:
        super().__init__(failure.explanation)
        self.failure = failure


class Unheard(ChannelError):
    """A request left that may have brought the report to its end, and no answer to it was heard."""


class Walk:
    """A message's way through the menu: `go` goes on for as long as its path and comment say how.

    Where it stops, `menu` are the lines to choose from and `hidden` how many more there are that cannot be shown, or
    `comment_optional` is set: a comment is wanted. `steps` texts were chosen, and a comment went along if `commented`.
    `leaves` is waited for before the first request that may be the last one.
    """

    def __init__(
        self, connection: Connection, channel_id: ChannelId, access_hash: int, message_id: MessageId
    ) -> None:
        self._connection = connection
        self._peer = types.InputPeerChannel(channel_id, access_hash)
        self._message_id = message_id
        self._answer: Any = None
        self.steps = 0
        self.commented = False

    @property
    def menu(self) -> tuple[Label, ...]:
        """What the platform offers now."""
        lines = (_label(option.text) for option in getattr(self._answer, "options", ()))
        return tuple(line for line in lines if line is not None)[:MOST_LABELS]

    @property
    def hidden(self) -> int:
        """How many options cannot be shown: too long, not printable, or too many."""
        return len(getattr(self._answer, "options", ())) - len(self.menu)

    @property
    def comment_optional(self) -> bool | None:
        """Whether the comment that is wanted may be left out; None when none is wanted."""
        if isinstance(self._answer, types.ReportResultAddComment):
            return bool(self._answer.optional)
        return None

    async def go(
        self, path: Sequence[str], comment: str | None, leaves: Callable[[], Awaitable[None]]
    ) -> ErrandState:
        """SENT when the platform has taken the report, ASKING when path or comment do not say how to go on.

        A path that is longer than the menu was followed as far as there was a choice: see `steps`. Raises Refused,
        Unheard, and what `Connection.call` raises where nothing has left.
        """
        left = False

        async def leave() -> None:
            nonlocal left
            if not left:
                await leaves()
                left = True

        if self._answer is None:
            self._answer = await self._ask(b"", "")
        while True:
            match self._answer:
                case types.ReportResultReported():
                    return ErrandState.SENT
                case types.ReportResultChooseOption():
                    if self.steps >= len(path):
                        return ErrandState.ASKING
                    option = self._chosen(path[self.steps])
                    await leave()
                    self._answer = await self._ask(option, "")
                    self.steps += 1
                case types.ReportResultAddComment(option=option, optional=optional):
                    if comment is None or (not comment and not optional):
                        return ErrandState.ASKING
                    await leave()
                    self._answer = await self._ask(option, comment)
                    self.commented = bool(comment)
                    if isinstance(self._answer, types.ReportResultAddComment):
                        # Asked again, it would be asked for ever.
                        raise Refused(ErrandFailure.REFUSED)
                case _:
                    raise Refused(ErrandFailure.REFUSED)

    def _chosen(self, text: str) -> bytes:
        """The option with that very text. Two of them would be a guess."""
        found = [option.option for option in self._answer.options if option.text == text]
        if len(found) != 1 or not found[0]:
            raise Refused(ErrandFailure.NOT_OFFERED)
        return bytes(found[0])

    async def _ask(self, option: bytes, comment: str) -> Any:
        """One step. A pause that was asked for, and a refusal, are answers: the report has not been taken."""
        request = functions.messages.ReportRequest(self._peer, [self._message_id], option, comment)
        try:
            return await self._connection.once(request)
        except FloodWait:
            raise
        except SourceUnavailable as e:
            if option:
                raise Unheard("no answer was heard to a request that may have reported the message") from e
            raise
        except (ChannelGone, ChannelPrivate) as e:
            raise Refused(ErrandFailure.CHANNEL_GONE) from e
        except ChannelError as e:
            raise Refused(_failure(e.__cause__)) from e


def _failure(error: BaseException | None) -> ErrandFailure:
    if isinstance(error, _GONE):
        return ErrandFailure.MESSAGE_GONE
    if isinstance(error, errors.OptionInvalidError):
        return ErrandFailure.MENU_CHANGED
    return ErrandFailure.REFUSED


def _label(text: str) -> Label | None:
    try:
        return Label(text)
    except ValueError:
        return None
