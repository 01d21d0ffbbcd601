"""What time it is for politeness: the platform's, carried on by the machine's monotonic clock.

The wall clock of this machine plays no part: it can be an hour or ten years off, and step while we run. Time
starts with the first answer of the platform, never goes back, and runs with the monotonic clock, which
counts on through restarts of our processes. Only what that did not see (a reboot, a machine asleep) is taken
from the platform's clock, less DOUBT. So a step of any clock of ours opens no window and ends no pause early, and
none lasts longer than it should by more than that.
"""

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitor.model import Moment

PROMPT = 5.0
"""Seconds within which an answer must come to be listened to for the time; one that was late says less."""
DOUBT = 2 * PROMPT
"""Seconds that are taken off what the platform's clock says when it is ahead of ours."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def boot() -> str | None:
    """What tells one boot of this machine from another; None where the kernel does not say."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return None


def to_datetime(seconds: float) -> datetime:
    """Unix seconds as a datetime."""
    return _EPOCH + timedelta(seconds=seconds)


def to_seconds(at: datetime) -> float:
    """A datetime as Unix seconds."""
    return (at - _EPOCH).total_seconds()


@dataclass(slots=True)
class Timeline:
    """The platform's time at any reading of the monotonic clock (`elapsed`, in seconds)."""

    boot: str | None
    _at: float | None = None
    _elapsed: float = 0.0

    @classmethod
    def after(cls, last: Moment | None, elapsed: float, boot: str | None) -> "Timeline":
        """Go on after the latest moment on record, None when there is none."""
        if last is None:
            return cls(boot)
        at, before = to_seconds(last.at), last.elapsed / 1e6
        if boot is not None and last.boot == boot and before <= elapsed:
            return cls(boot, at, before)
        # Nobody here knows how long it was: as if it had been no time at all, until the platform says more.
        return cls(boot, at, elapsed)

    def now(self, elapsed: float) -> float:
        """Unix seconds by the platform's clock; 0 before it was heard."""
        return 0.0 if self._at is None else self._at + elapsed - self._elapsed

    def heard(self, platform: float, elapsed: float, late: float = 0.0) -> float:
        """The platform's clock showed `platform` (Unix seconds) at most `late` seconds ago.

        Returns by how much time went ahead for that: what the monotonic clock had missed.
        """
        if self._at is None:
            self._at, self._elapsed = platform, elapsed
            return 0.0
        missed = platform - DOUBT - self.now(elapsed)
        if missed <= 0 or late > PROMPT:
            return 0.0
        self._at, self._elapsed = platform - DOUBT, elapsed
        return missed

    def moment(self, elapsed: float) -> Moment:
        """The moment, to be put on record."""
        return Moment(to_datetime(self.now(elapsed)), int(elapsed * 1e6), self.boot)
