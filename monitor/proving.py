"""The report log of a configuration, kept up with its store: by the recorder while a daemon runs, else by each command
that has written events."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, NamedTuple

from monitor.config import Config
from monitor.errors import ConfigError, InputError, MonitorError
from monitor.reporting.bundle import LogAccess
from monitor.reportlog import Checkpoint, Signer, VerifierKey, locked, project, tidy
from monitor.reportlog.verifying import Verified, verify_events, verify_log
from monitor.store import Reader, open_reader

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

log = logging.getLogger("monitor.proving")

INTERVAL = 1.0
"""Seconds between two looks for new events."""
LONGEST_PAUSE = 60.0
"""Seconds until the next attempt, at most, while the log cannot be written."""


def signer(config: Config) -> Signer | None:
    """The key of the configuration's report log, read now; None when it has none. Raises ConfigError."""
    seed = config.log_key()
    return None if seed is None or config.report_log is None else Signer(config.report_log.origin, seed)


def required_signer(config: Config) -> Signer:
    """The same. Raises ConfigError when there is none."""
    found = signer(config)
    if found is None:
        raise ConfigError(
            f"{config.path}: report_log: is not there, so there is no log that others could verify; "
            "add its origin and key (docs/report-log.md)"
        )
    return found


def log_access(config: Config) -> LogAccess:
    """The report log as bundles are made of it. Raises ConfigError when there is none, or its
    authorities' certificates cannot be read."""
    from monitor.reportlog.stamps import authority_name, certificates

    key, authorities = required_signer(config), {}
    for one in config.report_log.timestamps if config.report_log is not None else ():
        path = config.resolve(one.certificates)
        certificates(path)  # says what is wrong with the file
        authorities[authority_name(one.url)] = path.read_bytes()
    return LogAccess(config.log, key, authorities)


async def brought_up(config: Config) -> Checkpoint | None:
    """Bring the report log up to the store; its checkpoint, None where there is none.

    Raises ConfigError, LogUnavailable, VerificationError.
    """
    key = signer(config)
    if key is None or not config.database.exists():
        return None
    async with open_reader(config.database) as reader:
        return await project(reader.leaves, config.log, key)


async def keep_up(config: Config, reader: Reader, key: Signer, ended: asyncio.Event) -> None:
    """Bring the log up whenever there are new events, until `ended` is set, and once more then.

    A log that cannot be written is said, and tried again: events are safe in the store, and wait there.
    """
    done, pause = -1, INTERVAL
    while True:
        last = ended.is_set()
        try:
            there = await reader.next_event()
            if there != done:
                await project(reader.leaves, config.log, key)
            done, pause = there, INTERVAL
        except MonitorError as e:
            log.error("the report log cannot be continued; its events wait in the store: %s", e)
            pause = min(pause * 2, LONGEST_PAUSE)
        if last:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), pause)


class VerifiedState(NamedTuple):
    """A configuration's own log: what holds of it; bodies erased in the store; events not yet in the log; files that an
    interrupted writer had left and that were removed."""

    verified: Verified
    erased: int
    waiting: int
    removed: int


async def verified_state(
    config: Config,
    *,
    pinned: VerifierKey | None = None,
    since: Checkpoint | None = None,
    trusted: "Mapping[str, Sequence[Certificate]] | Sequence[Certificate]" = (),
) -> VerifiedState:
    """Verify the log of a configuration, and its leaves against the events of the store. Nobody adds meanwhile.

    Raises VerificationError for the first thing that is wrong, InputError when there is no log.
    """
    if not config.log.exists():
        raise InputError(
            f"{config.log}: there is no log; it begins with the first event under a report_log key"
        )
    removed = tidy(config.log)
    with locked(config.log, shared=True):
        verified = verify_log(config.log, pinned=pinned, since=since, trusted=trusted)
        async with open_reader(config.database) as reader, aclosing(reader.leaves()) as rows:
            erased, waiting = await verify_events(rows, config.log, verified.checkpoint.size)
    return VerifiedState(verified, erased, waiting, removed)
