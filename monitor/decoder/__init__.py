"""Pictures are decoded in processes that can do nothing else: bytes in, hashes out."""

import asyncio
import contextlib
import os
from types import TracebackType
from typing import Self

from monitor.confinement import DECODER_CPU_SECONDS, DECODER_MEMORY, InForce, available
from monitor.decoder.wire import Settings
from monitor.decoder.worker import Dead, Worker
from monitor.errors import ConfigError, MediaUndecodable
from monitor.matching import MAX_PICTURE_BYTES, MAX_PIXELS, ImageHashes, MediaHashing

__all__ = ["ITEM_SECONDS", "TRIES", "WORKERS", "WorkerHasher"]

WORKERS = 2
"""Decoders at work at the same time."""
ITEM_SECONDS = 5.0
"""Wall time one decoder may take over one item."""
TRIES = 2
"""Decoders an item may cost before it is recorded as undecodable."""


class WorkerHasher:
    """ports.Hasher with pictures decoded in `workers` confined processes; digests are computed here.

    Use it as an async context: the processes run inside it, and when it ends, or this process is killed, they
    are gone. An item may take `seconds` of wall time and `memory` bytes; what ends or delays two decoders in a
    row is undecodable. With `required` entering raises ConfigError where decoders cannot be confined;
    FatalError, then or later, when none can be started.
    """

    def __init__(
        self,
        *,
        workers: int = WORKERS,
        seconds: float = ITEM_SECONDS,
        memory: int = DECODER_MEMORY,
        cpu_seconds: int = DECODER_CPU_SECONDS,
        max_picture_bytes: int = MAX_PICTURE_BYTES,
        max_pixels: int = MAX_PIXELS,
        required: bool = True,
    ) -> None:
        self._max_picture_bytes = max_picture_bytes
        settings = Settings(os.getpid(), max_pixels, memory, cpu_seconds, required)
        self._required = required
        self._workers = [Worker(settings, seconds) for _ in range(workers)]
        self._idle: asyncio.Queue[Worker] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        if self._required and not available().enough:
            raise ConfigError(
                "confinement: decoders cannot be confined here; set `confinement: best-effort` to run without"
            )
        try:
            async with asyncio.TaskGroup() as tasks:
                for number, worker in enumerate(self._workers):
                    tasks.create_task(worker.start(), name=f"decoder:{number}")
        except BaseExceptionGroup as group:
            await self._end()
            raise group.exceptions[0] from group
        except BaseException:
            await self._end()
            raise
        for worker in self._workers:
            self._idle.put_nowait(worker)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    def start(self, original_size: tuple[int, int] | None = None) -> MediaHashing:
        """See ports.Hasher."""
        return MediaHashing(self._max_picture_bytes, self._decode, original_size)

    @property
    def in_force(self) -> InForce | None:
        """What confines the decoders, as the first said when it was ready; None before."""
        return self._workers[0].in_force

    @property
    def processes(self) -> list[int]:
        """Process ids of the decoders that run now."""
        return [worker.process.pid for worker in self._workers if worker.process is not None]

    @property
    def deaths(self) -> int:
        """Decoders that ended over an item, were too slow, or failed to start, so far."""
        return sum(worker.deaths for worker in self._workers)

    async def _decode(self, data: bytes, original_size: tuple[int, int] | None) -> ImageHashes:
        worker = await self._idle.get()
        try:
            for _ in range(TRIES):
                with contextlib.suppress(Dead):
                    return await worker.hash(data, original_size)
        finally:
            self._idle.put_nowait(worker)
        raise MediaUndecodable(f"{TRIES} decoders in a row ended over it")

    async def _end(self) -> None:
        await asyncio.gather(*(worker.end() for worker in self._workers))
