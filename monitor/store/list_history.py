"""Which versions of the hash lists have been in force; read by people, and never by the daemon."""

from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import Connection, select

from monitor.model import Algorithm, ListAction
from monitor.store.lists import since
from monitor.store.schema import hash_lists

_COUNTS = ("added", "withdrawn")


@dataclass(frozen=True, slots=True)
class Loaded:
    """One version of a list, in one algorithm, and since when it was in force. `count` is that of all its algorithms.

    `added` and `withdrawn` are the hashes that its exchange added and withdrew since the version before; None for a
    file. What was declared (action, thresholds, terms) is as it was then.
    """

    name: str
    version: str
    algorithm: Algorithm
    action: ListAction
    count: int
    sha256: bytes
    licensor: str
    reference: str
    permitted_uses: str
    max_distance: int
    min_quality: int
    added: int | None
    withdrawn: int | None
    loaded_at: datetime


def history(conn: Connection, name: str | None = None) -> list[Loaded]:
    """All versions, or one list's, oldest first."""
    columns = hash_lists.c
    query = select(*(columns[field.name] for field in fields(Loaded))).order_by(columns.hash_list_id)
    if name is not None:
        query = query.where(columns.name == name)
    found: list[Loaded] = []
    ever: dict[tuple[str, str], tuple[int | None, int | None]] = {}
    for row in conn.execute(query).mappings():
        counts = row["added"], row["withdrawn"]
        before = ever.get((row["name"], row["algorithm"]), (None, None))
        ever[row["name"], row["algorithm"]] = counts
        changes = {
            key: since(*pair) for key, pair in zip(_COUNTS, zip(before, counts, strict=True), strict=True)
        }
        kinds = {"algorithm": Algorithm(row["algorithm"]), "action": ListAction(row["action"])}
        found.append(Loaded(**{**row, **kinds, **changes}))
    return found
