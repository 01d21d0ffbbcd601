"""Pictures are decoded in a process that can do nothing else: bytes in, hashes out.

`python -m monitor.decoder` is that process: it imports what it needs, confines itself and answers one item
at a time on the socket that is its standard input. `WorkerHasher` keeps a few of them, and outlives each.

The wire: four bytes of length, then the item's bytes; back four bytes of length, then a msgpack `_Answer`.
Fixed types and lengths: what comes back is checked as if from an enemy.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, TypeVar

import msgspec

from monitor.confinement import (
    DECODER_CPU_SECONDS,
    DECODER_MEMORY,
    InForce,
    available,
    confine_decoder,
    die_with,
)
from monitor.errors import ConfigError, FatalError, MediaUndecodable
from monitor.matching import (
    MAX_PICTURE_BYTES,
    MAX_PIXELS,
    MAX_SIDE,
    ImageHashes,
    MediaHashing,
    hash_image,
    warm_up,
)
from monitor.model import Algorithm

WORKERS = 2
"""Decoders at work at the same time."""
ITEM_SECONDS = 5.0
"""Wall time one decoder may take over one item."""
TRIES = 2
"""Decoders an item may cost before it is recorded as undecodable."""
START_SECONDS = 60.0
"""Wall time until a new decoder must be ready."""
STARTS = 5
"""Decoders in a row that may fail to start before the run is given up."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds before a new decoder when several have died in a row, doubled each time."""

_T = TypeVar("_T")
_LENGTH = 4
_LONGEST_ANSWER = 16 * 1024
_ENVIRONMENT = {
    # A decoder may start no thread.
    **dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    # Large blocks go back at once, so that a long life leaves no holes in what it may take.
    "MALLOC_MMAP_THRESHOLD_": str(8 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(32 << 20),
    "PYTHONDONTWRITEBYTECODE": "1",
}


class _Settings(msgspec.Struct, frozen=True):
    """What a decoder is started with, on its command line as JSON."""

    parent: int
    max_pixels: int
    memory: int
    cpu_seconds: int
    required: bool


class _Answer(msgspec.Struct, frozen=True):
    """For one item: its hashes, or None for undecodable. `last` when the decoder will take no more."""

    found: ImageHashes | None
    last: bool = False


class _Dead(Exception):
    """The decoder ended, was too slow, or said what it cannot mean."""


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
        settings = _Settings(os.getpid(), max_pixels, memory, cpu_seconds, required)
        self._required = required
        self._workers = [_Worker(settings, seconds) for _ in range(workers)]
        self._idle: asyncio.Queue[_Worker] = asyncio.Queue()

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

    def start(self) -> MediaHashing:
        """Begin with one item."""
        return MediaHashing(self._max_picture_bytes, self._decode)

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

    async def _decode(self, data: bytes) -> ImageHashes:
        worker = await self._idle.get()
        try:
            for _ in range(TRIES):
                with contextlib.suppress(_Dead):
                    return await worker.hash(data)
        finally:
            self._idle.put_nowait(worker)
        raise MediaUndecodable(f"{TRIES} decoders in a row ended over it")

    async def _end(self) -> None:
        await asyncio.gather(*(worker.end() for worker in self._workers))


@dataclass(slots=True, eq=False)
class _Worker:
    """One decoder after the other. `process` is None while there is none."""

    settings: _Settings
    seconds: float
    process: asyncio.subprocess.Process | None = None
    in_force: InForce | None = None
    deaths: int = 0
    _connection: socket.socket | None = None
    _in_a_row: int = 0

    async def start(self) -> None:
        """See that a decoder runs. Raises FatalError when none can be started."""
        for _ in range(STARTS):
            if self._connection is not None:
                return
            if self._in_a_row > 1:
                await asyncio.sleep(min(FIRST_PAUSE * 2 ** min(self._in_a_row - 2, 10), LONGEST_PAUSE))
            with contextlib.suppress(_Dead):
                async with self._alive(START_SECONDS):
                    self.in_force = await self._receive(await self._execute(), InForce)
                return
        raise FatalError("no decoder can be started; monitor check says what is missing")

    async def hash(self, data: bytes) -> ImageHashes:
        """The hashes of one picture. Raises MediaUndecodable, FatalError, _Dead."""
        await self.start()
        connection = self._connection
        assert connection is not None  # noqa: S101 - what start() promises
        async with self._alive(self.seconds):
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(connection, len(data).to_bytes(_LENGTH, "big"))
            await loop.sock_sendall(connection, data)
            answer = await self._receive(connection, _Answer)
            if answer.found is not None and not _plausible(answer.found):
                raise ValueError("no such hashes")
        self._in_a_row = 0
        if answer.last:
            await self.end()
        if answer.found is None:
            raise MediaUndecodable("the bytes are not a picture that can be decoded within the limits")
        return answer.found

    async def end(self) -> None:
        """Have no decoder: none is left when this returns."""
        connection, self._connection = self._connection, None
        process, self.process = self.process, None
        if connection is not None:
            connection.close()
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    @contextlib.asynccontextmanager
    async def _alive(self, seconds: float) -> AsyncIterator[None]:
        """A talk with the decoder. Whatever interrupts it ends the decoder; what is its fault raises _Dead."""
        try:
            async with asyncio.timeout(seconds):
                yield
        except (OSError, EOFError, ValueError, msgspec.DecodeError) as e:  # TimeoutError is an OSError
            self.deaths += 1
            self._in_a_row += 1
            await self.end()
            raise _Dead from e
        except BaseException:
            await self.end()
            raise

    async def _execute(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            ours.setblocking(False)
            self._connection = ours
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-s", "-P", "-m", "monitor.decoder"),
                msgspec.json.encode(self.settings).decode(),
                stdin=theirs.fileno(),
                # A traceback may hold words from the file.
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                env=_environment(),
                start_new_session=True,  # Ctrl-C is for the daemon, which lets an item finish
            )
        return ours

    async def _receive(self, connection: socket.socket, kind: type[_T]) -> _T:
        length = int.from_bytes(await self._exactly(connection, _LENGTH), "big")
        if length > _LONGEST_ANSWER:
            raise ValueError("longer than any answer")
        return msgspec.msgpack.decode(await self._exactly(connection, length), type=kind)

    async def _exactly(self, connection: socket.socket, length: int) -> bytes:
        data = b""
        while len(data) < length:
            more = await asyncio.get_running_loop().sock_recv(connection, length - len(data))
            if not more:
                raise EOFError
            data += more
        return data


def _plausible(found: ImageHashes) -> bool:
    lengths = (len(found.pdq), len(found.phash), len(found.dhash))
    return (
        lengths == (Algorithm.PDQ.size, Algorithm.PHASH.size, Algorithm.DHASH.size)
        and 0 <= found.pdq_quality <= 100
        and 0 < found.width <= MAX_SIDE
        and 0 < found.height <= MAX_SIDE
    )


def _environment() -> dict[str, str]:
    """What a decoder sees of the environment: where code lies, and no secret."""
    passed = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "PYTHONHOME") if name in os.environ}
    return {**_ENVIRONMENT, **passed, "PYTHONPATH": str(Path(__file__).parents[1])}


# -- inside the decoder


def main(settings: _Settings) -> None:
    """Confine this process and answer until the other end is closed."""
    die_with(settings.parent)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # a service manager sends it to all; the daemon ends us
    reader, writer = open(0, "rb", closefd=False), open(0, "wb", buffering=0, closefd=False)
    warm_up()
    _send(writer, confine_decoder(settings.memory, settings.cpu_seconds, required=settings.required))
    while head := reader.read(_LENGTH):
        data = reader.read(int.from_bytes(head, "big"))
        found = _hashed(data, settings.max_pixels)
        del data
        last = time.process_time() > settings.cpu_seconds / 2
        _send(writer, _Answer(found, last))
        if last:
            return


def _hashed(data: bytes, max_pixels: int) -> ImageHashes | None:
    try:
        return hash_image(data, max_pixels=max_pixels)
    except (MediaUndecodable, MemoryError):
        return None


def _send(writer: BinaryIO, message: _Answer | InForce) -> None:
    encoded = msgspec.msgpack.encode(message)
    data = memoryview(len(encoded).to_bytes(_LENGTH, "big") + encoded)
    while data:
        data = data[writer.write(data) :]


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        main(msgspec.json.decode(sys.argv[1], type=_Settings))
