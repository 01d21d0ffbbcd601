"""A file that only goes forward, as libraries expect one."""

import io
from typing import Any

from monitor.reporting.formats import Out


class Forward(io.RawIOBase):
    """Passes on what is written. Closing it leaves the `Out` open: whoever opened that closes it."""

    def __init__(self, out: Out) -> None:
        self._out = out

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, data: Any, /) -> int:
        """Pass the bytes on."""
        return self._out.write(bytes(data))
