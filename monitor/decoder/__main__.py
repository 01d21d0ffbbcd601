"""Inside a decoder: load everything, give up everything, answer until the other end is closed."""

import contextlib
import signal
import sys
import time
from typing import BinaryIO

import msgspec

from monitor.confinement import InForce, confine_decoder, die_with
from monitor.decoder.wire import HEAD, LENGTH, Answer, Settings
from monitor.errors import MediaUndecodable
from monitor.matching import ImageHashes, hash_image, warm_up


def main(settings: Settings) -> None:
    """Confine this process and answer until the other end is closed."""
    die_with(settings.parent)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # a service manager sends it to all; the daemon ends us
    reader, writer = open(0, "rb", closefd=False), open(0, "wb", buffering=0, closefd=False)
    warm_up()
    _send(writer, confine_decoder(settings.memory, settings.cpu_seconds, required=settings.required))
    while head := reader.read(HEAD.size):
        length, width, height = HEAD.unpack(head)
        data = reader.read(length)
        found = _hashed(data, (width, height) if width and height else None, settings.max_pixels)
        del data
        last = time.process_time() > settings.cpu_seconds / 2
        _send(writer, Answer(found, last))
        if last:
            return


def _hashed(data: bytes, original_size: tuple[int, int] | None, max_pixels: int) -> ImageHashes | None:
    try:
        return hash_image(data, original_size=original_size, max_pixels=max_pixels)
    except (MediaUndecodable, MemoryError):
        return None


def _send(writer: BinaryIO, message: Answer | InForce) -> None:
    encoded = msgspec.msgpack.encode(message)
    data = memoryview(len(encoded).to_bytes(LENGTH, "big") + encoded)
    while data:
        data = data[writer.write(data) :]


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        main(msgspec.json.decode(sys.argv[1], type=Settings))
