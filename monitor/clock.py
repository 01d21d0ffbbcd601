"""The wall clock, in UTC."""

from datetime import UTC, datetime


def now() -> datetime:
    """This moment, as an aware datetime."""
    return datetime.now(UTC)
