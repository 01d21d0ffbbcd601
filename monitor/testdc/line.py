"""The way that bytes take to a client and back, as bad as a test wants it: silent, slow, or broken off."""

from __future__ import annotations

import asyncio
from collections import deque

# A slow line sends so many seconds' worth at once.
TICK = 0.1


class Line:
    """What leaves one connection, in order. All pauses are timers of the loop, so they pass in virtual time."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._waiting: deque[bytes] = deque()
        self._held = 0
        self._rate: float | None = None
        self._passable = asyncio.Event()
        self._passable.set()
        self._silent_until = 0.0
        self._silence: asyncio.TimerHandle | None = None
        self._next: asyncio.TimerHandle | None = None
        self._hung_up = False
        self.breaking = False

    @property
    def unread(self) -> int:
        """Bytes that the client has not taken yet."""
        return self._held + self._writer.transport.get_write_buffer_size()

    def write(self, data: bytes) -> None:
        """Sends bytes as soon as the line lets them through; none after it was broken."""
        if self.breaking or self._writer.is_closing():
            return
        self._waiting.append(data)
        self._held += len(data)
        self._pump()

    async def read(self, size: int) -> None:
        """Waits as long as so many bytes from the client take."""
        await self._passable.wait()
        if self._rate:
            await asyncio.sleep(size / self._rate)

    # What a test does to it

    def silence(self, seconds: float) -> None:
        """A black hole: the connection stays open, and for so long nothing goes in or out."""
        loop = asyncio.get_running_loop()
        self._silent_until = max(self._silent_until, loop.time() + seconds)
        self._passable.clear()
        if self._silence:
            self._silence.cancel()
        self._silence = loop.call_at(self._silent_until, self._speak)

    def slow(self, bytes_per_second: float | None) -> None:
        """From now on only so many bytes pass in a second, each way; None is as fast as it can."""
        self._rate = bytes_per_second
        self._pump()

    def break_off(self, data: bytes) -> None:
        """Sends the first half of what is one packet, and no more ever."""
        self.write(data[: len(data) // 2])
        self.breaking = True
        self._pump()

    def hang_up(self) -> None:
        """Breaks the connection, in a black hole only at its end: before that the client cannot notice."""
        if self._passable.is_set():
            self.abort()
        self._hung_up = True

    def abort(self) -> None:
        """Breaks the connection at once; what was not sent yet is lost."""
        for timer in (self._silence, self._next):
            if timer:
                timer.cancel()
        self._waiting.clear()
        self._writer.transport.abort()

    # Timers

    def _speak(self) -> None:
        self._passable.set()
        if self._hung_up:
            self.abort()
        self._pump()

    def _tick(self) -> None:
        self._next = None
        self._pump()

    def _pump(self) -> None:
        if self._next or not self._passable.is_set() or self._writer.is_closing():
            return
        while self._waiting:
            data = self._waiting.popleft()
            if self._rate:
                share = max(1, int(self._rate * TICK))
                data, rest = data[:share], data[share:]
                if rest:
                    self._waiting.appendleft(rest)
                delay = len(data) / self._rate
                self._next = asyncio.get_running_loop().call_later(delay, self._tick)
            self._held -= len(data)
            self._writer.write(data)
            if self._next:
                return
        if self.breaking:
            self._writer.write_eof()
