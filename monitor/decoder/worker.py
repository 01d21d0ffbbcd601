"""One decoder process seen from outside: started, asked, ended, started again."""

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

import monitor
from monitor.confinement import InForce
from monitor.decoder.wire import (
    A_FRAME,
    FILM,
    HEAD,
    LENGTH,
    LONGEST_ANSWER,
    PICTURE,
    Answer,
    Piece,
    Settings,
    plausible,
    plausible_film,
)
from monitor.errors import FatalError, MediaUndecodable
from monitor.matching import Film, ImageHashes, checked_size

START_SECONDS = 60.0
"""Wall time until a new decoder must be ready."""
STARTS = 5
"""Decoders in a row that may fail to start before the run is given up."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds before a new decoder when several have died in a row, doubled each time."""
FILM_SECONDS_MORE, FILM_SECONDS_EACH = 60.0, 4.0
"""Wall time that a film may take, at most: so much, and so much for each second of processor time that it may take."""
SILENCE_SECONDS = 60.0
"""Wall time in which a decoder that is at work on a film must have said something."""

_T = TypeVar("_T")
_Said: Any = Answer | Piece
_ENVIRONMENT = {
    # A decoder may start no thread.
    **dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    # Large blocks go back at once, so that a long life leaves no holes in what it may take.
    "MALLOC_MMAP_THRESHOLD_": str(8 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(32 << 20),
    "PYTHONDONTWRITEBYTECODE": "1",
}


class Dead(Exception):
    """The decoder ended, was too slow, or said what it cannot mean."""


@dataclass(slots=True, eq=False)
class Worker:
    """One decoder after the other. `process` is None while there is none."""

    settings: Settings
    seconds: float
    silence: float = SILENCE_SECONDS
    process: asyncio.subprocess.Process | None = None
    in_force: InForce | None = None
    deaths: int = 0
    _connection: socket.socket | None = None
    _in_a_row: int = 0

    async def start(self) -> socket.socket:
        """The connection to a decoder that is ready. Raises FatalError when none can be started."""
        for _ in range(STARTS):
            if self._connection is not None:
                return self._connection
            if self._in_a_row > 1:
                await asyncio.sleep(min(FIRST_PAUSE * 2 ** min(self._in_a_row - 2, 10), LONGEST_PAUSE))
            with contextlib.suppress(Dead):
                async with self._alive(START_SECONDS):
                    connection = await self._execute()
                    self.in_force = await self._receive(connection, InForce)
                return connection
        raise FatalError("no decoder can be started; monitor check says what is missing")

    async def hash(self, data: bytes, original_size: tuple[int, int] | None = None) -> ImageHashes:
        """The hashes of one picture, as of an original of this width and height where they are given.

        Raises MediaUndecodable, FatalError, Dead; ValueError as `hash_image` does.
        """
        head = HEAD.pack(PICTURE, len(data), *(checked_size(original_size) or (0, 0)))
        connection = await self.start()
        async with self._alive(self.seconds):
            loop = asyncio.get_running_loop()
            # In one piece: the decoder is woken once.
            await loop.sock_sendall(connection, head + data)
            answer = await self._receive(connection, Answer)
            if answer.found is not None and not plausible(answer.found):
                raise ValueError("no such hashes")
        await self._answered(answer)
        if answer.found is None:
            raise MediaUndecodable("the bytes are not a picture that can be decoded within the limits")
        return answer.found

    async def film(self, data: bytearray) -> Film:
        """The frames of a film, which the decoder reads from here. Raises as `hash` does."""
        connection = await self.start()
        sampling = self.settings.sampling
        longest = LONGEST_ANSWER + A_FRAME * sampling.max_frames
        loop = asyncio.get_running_loop()
        async with self._alive(FILM_SECONDS_MORE + FILM_SECONDS_EACH * sampling.cpu_seconds):
            await loop.sock_sendall(connection, HEAD.pack(FILM, len(data), 0, 0))
            with memoryview(data) as view:
                while True:
                    async with asyncio.timeout(self.silence):
                        said = await self._receive(connection, _Said, longest)
                        if isinstance(said, Answer):
                            break
                        if not 0 <= said.offset <= said.offset + said.size <= len(data):
                            raise ValueError("beyond the film")
                        with view[said.offset : said.offset + said.size] as piece:
                            await loop.sock_sendall(connection, piece)
            if said.film is not None and not plausible_film(said.film, sampling):
                raise ValueError("no such frames")
        await self._answered(said)
        if said.film is None:
            raise MediaUndecodable("the bytes are not a film that can be decoded within the limits")
        return said.film

    async def _answered(self, answer: Answer) -> None:
        self._in_a_row = 0
        if answer.last:
            await self.end()

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
        """A talk with the decoder. Whatever interrupts it ends the decoder; what is its fault raises Dead."""
        try:
            async with asyncio.timeout(seconds):
                yield
        except (OSError, EOFError, ValueError, msgspec.DecodeError) as e:  # TimeoutError is an OSError
            self.deaths += 1
            self._in_a_row += 1
            await self.end()
            raise Dead from e
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

    async def _receive(self, connection: socket.socket, kind: type[_T], longest: int = LONGEST_ANSWER) -> _T:
        length = int.from_bytes(await self._exactly(connection, LENGTH), "big")
        if length > longest:
            raise ValueError("longer than any answer")
        return msgspec.msgpack.decode(await self._exactly(connection, length), type=kind)

    async def _exactly(self, connection: socket.socket, length: int) -> bytes:
        data = bytearray()
        while len(data) < length:
            more = await asyncio.get_running_loop().sock_recv(connection, length - len(data))
            if not more:
                raise EOFError
            data += more
        return bytes(data)


def _environment() -> dict[str, str]:
    """What a decoder sees of the environment: where code lies, and no secret."""
    passed = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "PYTHONHOME") if name in os.environ}
    return {**_ENVIRONMENT, **passed, "PYTHONPATH": str(Path(monitor.__file__).parents[1])}
