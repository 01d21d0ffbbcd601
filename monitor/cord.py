"""The pipes between the daemon and its two processes.

    daemon → both       standard input: the text of the configuration, its length before it (8 bytes, big-endian)
    daemon → recorder   then one byte: go to work. The end of input asks for an end, also when the daemon is no more
    recorder → daemon   standard output, line by line: READY, WORKING, or what is wrong

So the configuration in force is the one that was accepted, whatever its file holds by then, and it stands
neither in arguments nor in the environment, which others can read.
"""

import asyncio
import os
import struct
import sys
from pathlib import Path

from monitor.config import Config, parse

READY, WORKING = "ready", "working"
"""Said when everything named in the configuration was found in order; when the records are in line with it."""
GO = b"g"
WRONG = "! "
"""What a line begins with that says what is wrong."""

_LENGTH = struct.Struct(">Q")


def packed(config: Config) -> bytes:
    """A configuration as it is handed down."""
    text = config.text.encode()
    return _LENGTH.pack(len(text)) + text


def configuration(path: Path) -> Config:
    """The configuration that the daemon hands down; `path` is where it came from. Raises ConfigError.

    Ends the process when there is no daemon any more.
    """
    (length,) = _LENGTH.unpack(_exactly(_LENGTH.size))
    return parse(_exactly(length).decode(), path)


def _exactly(size: int) -> bytes:
    # Not through sys.stdin: it would read ahead, and take the daemon's next word with it.
    parts = []
    while size:
        part = os.read(0, size)
        if not part:
            raise SystemExit(0)
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def say(line: str) -> None:
    """Tell the daemon; nothing happens when it is no more."""
    try:
        print(line, flush=True)
    except OSError:
        # What is left unsaid would be tried again, and fail again, when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def say_wrong(error: Exception) -> None:
    """Tell the daemon what is wrong, in the words of the error."""
    for line in str(error).splitlines():
        say(WRONG + line)


class Cord:
    """The recorder's end of standard input, once the configuration has been read from it."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader

    @classmethod
    async def hold(cls) -> "Cord":
        """Take hold of standard input."""
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        return cls(reader)

    async def go(self) -> bool:
        """Wait for the daemon's word; whether it was to go to work."""
        return await self._reader.read(len(GO)) == GO

    async def end(self) -> None:
        """Return when the daemon asks for an end, or is no more."""
        await self._reader.read()
