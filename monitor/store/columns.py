"""Column types: what a cell may hold.

The tables are STRICT, so SQLite checks types itself, as other databases do anyway. Text is one word with a
bounded alphabet and length, or one of an enumeration's values. Only what an operator declares is free text.
"""

import enum
from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Dialect, Integer, TypeDecorator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

Int = BigInteger().with_variant(Integer(), "sqlite")
"""A signed 64-bit integer."""
Bool = Boolean(create_constraint=False).with_variant(Integer(), "sqlite")
"""True or false; 1 or 0 in SQLite, which has no such type."""


def to_micros(at: datetime) -> int:
    """Microseconds since 1970 in UTC, exactly. Raises TypeError for a datetime without a zone."""
    return (at - EPOCH) // MICROSECOND


def from_micros(value: int) -> datetime:
    """The aware UTC datetime that `to_micros` took."""
    return EPOCH + value * MICROSECOND


class Time(TypeDecorator[datetime]):
    """A moment, as microseconds since 1970 in UTC: no zone to lose, and sorts as a number."""

    impl = Int
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else from_micros(value)


def one_of(column: str, values: type[enum.StrEnum]) -> CheckConstraint:
    """The column holds one of the enumeration's values.

    Not IN: SQLite would build its list anew for each row, a quarter of the time of an insert.
    """
    known = " OR ".join(f"{column} = '{value}'" for value in values)
    return CheckConstraint(known, name=f"{column}_known")


def truth(column: str) -> CheckConstraint:
    """The column holds 0 or 1."""
    return CheckConstraint(f"{column} IN (0, 1)", name=f"{column}_bool")


def exactly(column: str, size: int) -> CheckConstraint:
    """The column holds `size` bytes."""
    return CheckConstraint(f"length({column}) = {size}", name=f"{column}_size")


def label(column: str, most: int) -> CheckConstraint:
    """The column holds one line of at most `most` characters, without control characters."""
    return CheckConstraint(
        f"length({column}) BETWEEN 1 AND {most} AND instr(CAST({column} AS BLOB), x'00') = 0"
        f" AND {column} NOT GLOB '*[' || char(1) || '-' || char(31) || char(127) || '-' || char(159) || ']*'",
        name=f"{column}_label",
    )


def word(column: str, most: int = 64, also: str = "") -> CheckConstraint:
    """The column holds one word of ASCII letters, digits and . _ : / + - of at most `most` characters.

    `also` are further characters that it may have.
    A sentence does not fit: there is no blank and no other script. In SQLite's spelling, whose length and
    GLOB look no further than the first NUL: there are as many bytes as characters when there is none.
    """
    return CheckConstraint(
        f"length({column}) <= {most} AND length(CAST({column} AS BLOB)) = length({column})"
        f" AND {column} NOT GLOB '*[^A-Za-z0-9._:/+{also}-]*'",
        name=f"{column}_word",
    )
