"""What an answer says beside its result: whose request it was, the platform's clock, and how the account stands."""

import asyncio
from dataclasses import dataclass
from typing import Any

from telethon import TelegramClient
from telethon.tl import TLRequest

from monitor.errors import FloodWait, MonitorError, PeerFlood
from monitor.telegram.failures import standing
from monitor.telegram.politeness import Politeness


def method(request: Any) -> str:
    """A request's name as in the platform's schema, such as "messages.getHistory", without its wrappers."""
    while isinstance(inner := getattr(request, "query", None), TLRequest):
        request = inner
    kind = type(request)
    name: str = kind.__name__.removesuffix("Request")
    room: str = kind.__module__.rsplit(".", 1)[-1]
    name = name[0].lower() + name[1:]
    return name if room == "functions" else f"{room}.{name}"


async def note_pause(politeness: Politeness, error: BaseException, mapped: MonitorError, name: str) -> None:
    """Put on record the pause that the platform asks for in a foreign error, if it does."""
    if isinstance(mapped, PeerFlood):
        await politeness.peer_flood()
    elif isinstance(mapped, FloodWait):
        # The library asks a few things by itself on the way: the pause is for what was refused.
        refused = getattr(error, "request", None)
        await politeness.flooded(name if refused is None else method(refused), mapped.seconds)


async def note_state(politeness: Politeness, error: BaseException | None) -> None:
    """Put on record what a foreign error says of the account, if it does."""
    if error is not None and (found := standing(error)) is not None:
        await politeness.became(*found)


def listen(politeness: Politeness, client: TelegramClient, asked: float) -> None:
    """Take the platform's clock from the id of its newest message, the answer to what was asked then.

    https://core.telegram.org/mtproto/description#message-identifier-msg-id
    """
    if (newest := client._sender._state._highest_remote_id) > 0:
        politeness.heard(newest >> 32, asyncio.get_running_loop().time() - asked)


@dataclass(slots=True)
class Outcome:
    """What came of an awaitable: its value, or the exception that it ended with."""

    value: Any = None
    error: BaseException | None = None

    def unwrap(self) -> Any:
        """The value. Raises the exception."""
        if self.error is not None:
            raise self.error
        return self.value


async def apart(closing: Any) -> None:
    """Wait until Telethon has closed something, whatever comes of it. A cancellation is heard once that is done.

    Telethon waits for tasks that it has cancelled, and takes a cancellation that reaches it there for theirs: in
    the caller's own task it would be lost, and the caller would go on.
    """
    task = asyncio.ensure_future(settled(closing))
    try:
        await asyncio.wait({task})
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


async def settled(pending: Any) -> Outcome:
    """Await; turn Telethon's cancelling of its own futures into a value."""
    try:
        return Outcome(value=await pending)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return Outcome(error=ConnectionError())
    except Exception as e:
        return Outcome(error=e)
