"""Inside a decoder: load everything, give up everything, answer until the other end is closed."""

import contextlib
import resource
import signal
import sys
import time
from dataclasses import dataclass, field
from typing import BinaryIO

import msgspec

from monitor.confinement import InForce, confine_decoder, die_with
from monitor.decoder.wire import ALIVE_SECONDS, FILM, HEAD, LENGTH, Answer, Piece, Settings
from monitor.errors import MediaUndecodable
from monitor.matching import Film, ImageHashes, Sampling, hash_film, hash_image, warm_up, warm_up_films


def main(settings: Settings) -> None:
    """Confine this process and answer until the other end is closed."""
    die_with(settings.parent)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # a service manager sends it to all; the daemon ends us
    reader, writer = open(0, "rb", closefd=False), open(0, "wb", buffering=0, closefd=False)
    warm_up()
    warm_up_films()
    _send(writer, confine_decoder(settings.memory, settings.cpu_seconds, required=settings.required))
    base = _resident()
    while head := reader.read(HEAD.size):
        kind, length, width, height = HEAD.unpack(head)
        if kind == FILM:
            answer = Answer(film=_film(length, _Line(reader, writer), settings.sampling))
        else:
            data = reader.read(length)
            answer = Answer(_hashed(data, (width, height) if width and height else None, settings.max_pixels))
            del data
        # What a large film leaves behind is in pieces, of which the next one may find none large enough.
        last = time.process_time() > settings.cpu_seconds / 2 or (
            kind == FILM and _resident() - base > settings.memory // 4
        )
        _send(writer, msgspec.structs.replace(answer, last=last))
        if last:
            return


def _resident() -> int:
    """The most bytes of memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _hashed(data: bytes, original_size: tuple[int, int] | None, max_pixels: int) -> ImageHashes | None:
    try:
        return hash_image(data, original_size=original_size, max_pixels=max_pixels)
    except (MediaUndecodable, MemoryError):
        return None


def _film(size: int, line: "_Line", sampling: Sampling) -> Film | None:
    try:
        found = hash_film(size, line.read_at, sampling, line.alive)
    except (MediaUndecodable, MemoryError):
        found = None
    # An error on the line may have been taken for one of the film's.
    if line.broken:
        raise BrokenPipeError
    return found


@dataclass(slots=True)
class _Line:
    """The way to a film's bytes."""

    reader: BinaryIO
    writer: BinaryIO
    broken: bool = False
    _said: float = field(default_factory=time.monotonic)

    def read_at(self, offset: int, size: int) -> bytes:
        """These bytes of the film."""
        self._ask(offset, size)
        data = self.reader.read(size)
        self.broken |= len(data) < size
        return data

    def alive(self) -> None:
        """Say now and then that the work goes on."""
        if time.monotonic() - self._said > ALIVE_SECONDS:
            self._ask(0, 0)

    def _ask(self, offset: int, size: int) -> None:
        self._said = time.monotonic()
        try:
            _send(self.writer, Piece(offset, size))
        except OSError:
            self.broken = True
            raise


def _send(writer: BinaryIO, message: Answer | Piece | InForce) -> None:
    encoded = msgspec.msgpack.encode(message)
    data = memoryview(len(encoded).to_bytes(LENGTH, "big") + encoded)
    while data:
        data = data[writer.write(data) :]


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        main(msgspec.json.decode(sys.argv[1], type=Settings))
