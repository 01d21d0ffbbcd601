"""For how long what is recorded is kept."""

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator

from monitor.config.values import Duration, Section
from monitor.model import Purpose


def _day(value: timedelta) -> timedelta:
    if value < timedelta(days=1):
        raise ValueError("is less than a day; write for example 30d or 52w")
    return value


Period = Annotated[Duration, AfterValidator(_day)]


class Retention(Section):
    """For how long what is recorded is kept; without a time, until somebody erases it. docs/retention.md has the terms.

    Nothing is removed by itself: `monitor db retention` does it.
    """

    cases: Period | None = None
    messages: Period | None = None
    deleted_messages: Period | None = None
    senders: Period | None = None
    counters: Period | None = None
    event_bodies: Period | None = None

    def periods(self) -> dict[Purpose, timedelta]:
        """The times that are laid down."""
        return {Purpose(name): period for name, period in self if period is not None}
