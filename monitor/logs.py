"""Log lines for people on standard error: time, level, what happened, and named ids and counts.

Only names in FIELDS are printed, so that no line can carry words from a message. Telethon writes raw
bytes at INFO and WARNING, Pillow and aiosqlite write values at DEBUG: they are silenced.
"""

import logging
import sys
import time

FIELDS = (
    "account",
    "channel",
    "reason",
    "request",
    "seconds",
    "media",
    "flags",
    "hash_list",
    "version",
    "count",
)
"""What may be added to a line, in this order."""
SILENCED = ("telethon", "PIL", "aiosqlite", "sqlalchemy", "alembic", "asyncio")


class Formatter(logging.Formatter):
    """`12:04:31 INFO  channel joined channel=example_channel`, in UTC."""

    def __init__(self) -> None:
        super().__init__(datefmt="%H:%M:%S")
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        line = f"{self.formatTime(record, self.datefmt)} {record.levelname:<7} {record.getMessage()}"
        extra = " ".join(f"{name}={getattr(record, name)}" for name in FIELDS if hasattr(record, name))
        if record.exc_info and record.exc_info[0] is not None:
            # The type, never the message: a foreign exception may quote what it choked on.
            extra = f"{extra} error={record.exc_info[0].__name__}".strip()
        return f"{line} {extra}".rstrip()


def set_up(level: int = logging.WARNING) -> None:
    """Send this package's lines to standard error and silence the libraries'."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Formatter())
    ours = logging.getLogger("monitor")
    ours.handlers[:] = [handler]
    ours.propagate = False
    ours.setLevel(level)
    for name in SILENCED:
        logging.getLogger(name).setLevel(logging.CRITICAL)
