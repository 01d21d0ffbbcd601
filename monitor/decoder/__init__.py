"""Pictures and films are decoded in processes that can do nothing else: bytes in, hashes out."""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self, TypeVar

from monitor.confinement import DECODER_CPU_SECONDS, DECODER_MEMORY, InForce, available
from monitor.decoder.wire import Settings
from monitor.decoder.worker import SILENCE_SECONDS, Dead, Worker
from monitor.errors import ConfigError, MediaUndecodable
from monitor.matching import (
    MAX_FILM_BYTES,
    MAX_PICTURE_BYTES,
    MAX_PIXELS,
    USUAL,
    Film,
    ImageHashes,
    Kept,
    MediaHashing,
    Sampling,
)

__all__ = ["ITEM_SECONDS", "TRIES", "WORKERS", "WorkerHasher"]

WORKERS = 2
"""Decoders at work at the same time."""
ITEM_SECONDS = 5.0
"""Wall time one decoder may take over one item."""
TRIES = 2
"""Decoders an item may cost before it is recorded as undecodable."""

_T = TypeVar("_T")


class WorkerHasher:
    """ports.Hasher with pictures and films decoded in `workers` confined processes; digests are computed here.

    Use it as an async context: the processes run inside it, and when it ends, or this process is killed, they
    are gone. A picture may take `seconds` of wall time, a film what `sampling` gives it (and no more than
    `silence` without a sign of work), both `memory` bytes; what
    ends or delays two decoders in a row is undecodable. With `required` entering raises ConfigError where decoders
    cannot be confined; FatalError, then or later, when none can be started.
    """

    def __init__(
        self,
        *,
        workers: int = WORKERS,
        seconds: float = ITEM_SECONDS,
        silence: float = SILENCE_SECONDS,
        memory: int = DECODER_MEMORY,
        cpu_seconds: int = DECODER_CPU_SECONDS,
        max_picture_bytes: int = MAX_PICTURE_BYTES,
        max_pixels: int = MAX_PIXELS,
        max_film_bytes: int = MAX_FILM_BYTES,
        sampling: Sampling = USUAL,
        required: bool = True,
    ) -> None:
        self._kept = Kept(max_picture_bytes, max_film_bytes)
        settings = Settings(os.getpid(), max_pixels, memory, cpu_seconds, required, sampling)
        self._required = required
        self._workers = [Worker(settings, seconds, silence) for _ in range(workers)]
        self._idle: asyncio.Queue[Worker] = asyncio.Queue()
        # A film takes minutes: one decoder, where there are several, is always left for pictures.
        self._films = asyncio.Semaphore(max(1, workers - 1))

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

    def start(self, original_size: tuple[int, int] | None = None, *, films: bool = True) -> MediaHashing:
        """See ports.Hasher."""
        return MediaHashing(self._kept, self._decode, self._film, original_size, films=films)

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
        return await self._by_a_worker(lambda worker: worker.hash(data, original_size))

    async def _film(self, data: bytearray) -> Film:
        async with self._films:
            return await self._by_a_worker(lambda worker: worker.film(data))

    async def _by_a_worker(self, work: Callable[[Worker], Awaitable[_T]]) -> _T:
        worker = await self._idle.get()
        try:
            for _ in range(TRIES):
                with contextlib.suppress(Dead):
                    return await work(worker)
        finally:
            self._idle.put_nowait(worker)
        raise MediaUndecodable(f"{TRIES} decoders in a row ended over it")

    async def _end(self) -> None:
        await asyncio.gather(*(worker.end() for worker in self._workers))
