"""A store to export from."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from monitor.model import Counters, MediaOutcome, Refusal, Restriction
from monitor.store import SqlStore, open_store
from tests.contract.making import (
    MD5,
    OTHER,
    PDQ,
    START,
    batch,
    declared,
    later,
    matched,
    message,
    picture,
    profile,
    settled,
    span,
)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "state" / "store.sqlite3"


@pytest.fixture
async def store(database: Path) -> AsyncIterator[SqlStore]:
    """A channel with a flagged picture, a forwarded one that is not, and a refused channel."""
    async with open_store(database) as store:
        await store.declare([declared(), declared("refused_two")], START)
        await store.joined("example_one", profile(verified=True), "main", START)
        await store.refused("refused_two", Refusal.NOT_FOUND, START)
        hidden = (Restriction("ios", "porn"), Restriction("all", "terms"))
        counters = Counters(views=0, reactions=4)
        carriers = [
            message(1, media=picture(51), restrictions=hidden, counters=counters),
            message(2, media=picture(52), edited_at=later(5.25)),
            message(3),
        ]
        await store.record(
            [batch(*carriers, span=span(0, 3)), batch(message(9, OTHER, media=picture(51)), channel=OTHER)]
        )
        await store.examined(matched(51, PDQ, MD5, at=later(60)))
        await store.examined(settled(52, MediaOutcome.NO_MATCH))
        yield store
