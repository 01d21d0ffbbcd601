"""Going through a table that others write to: a stretch of rows in each transaction, in the order of the key."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Row, Table, and_, func, select, tuple_

if TYPE_CHECKING:
    from monitor.store.events import Salt
    from monitor.store.store import SqlStore

STRETCH = 500
"""Rows that are looked at in one transaction: the daemon waits for some tens of milliseconds."""

Take = Callable[[Connection, Sequence[Row[Any]]], None]


@dataclass(frozen=True, slots=True)
class Work:
    """Rows of a table that are due, the columns of them that are needed, and what is done with them."""

    table: Table
    due: ColumnElement[bool]
    columns: tuple[ColumnElement[Any], ...]
    take: Take

    def count(self, conn: Connection) -> int:
        """How many rows are due."""
        return int(conn.execute(select(func.count()).select_from(self.table).where(self.due)).scalar_one())


async def walk(store: "SqlStore", work: Work) -> int:
    """Do the work on every row that is due, in as many transactions as it takes; how many they were."""
    done, after = 0, None
    while True:
        taken, after = await store.run(_stretch, work, after)
        done += taken
        if after is None:
            return done


def _stretch(
    conn: Connection, _salt: "Salt", work: Work, after: tuple[Any, ...] | None
) -> tuple[int, tuple[Any, ...] | None]:
    """The rows due in the stretch after that key, and the key at its end; None at the table's."""
    key = list(work.table.primary_key.columns)
    beyond = [tuple_(*key) > after] if after is not None else []
    end = conn.execute(select(*key).where(*beyond).order_by(*key).offset(STRETCH - 1).limit(1)).one_or_none()
    within = beyond if end is None else [*beyond, tuple_(*key) <= tuple(end)]
    rows = conn.execute(select(*work.columns).where(and_(work.due, *within)).order_by(*key)).all()
    if rows:
        work.take(conn, rows)
    return len(rows), None if end is None else tuple(end)
