"""What a client is told."""

from __future__ import annotations

import asyncio
from typing import Any

from telethon import events


class Heard:
    """Collects the updates that a client dispatches."""

    def __init__(self, client: Any, kind: Any = None) -> None:
        self._queue: asyncio.Queue[Any] = asyncio.Queue()
        client.add_event_handler(self._put, kind or events.Raw())

    async def _put(self, update: Any) -> None:
        self._queue.put_nowait(update)

    async def next(self) -> Any:
        return await asyncio.wait_for(self._queue.get(), 5)

    async def nothing(self, seconds: float = 0.2) -> bool:
        await asyncio.sleep(seconds)
        return self._queue.empty()
