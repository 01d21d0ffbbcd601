"""Which versions of a list were in force, and what changed between them."""

from pathlib import Path

from monitor.model import Algorithm
from monitor.store import open_store
from monitor.store.list_history import history
from tests.contract.making import hash_list, later


async def test_versions_come_oldest_first_with_what_each_added_and_withdrew(tmp_path: Path) -> None:
    first, second = hash_list(10, added=10, withdrawn=0), hash_list(12, added=15, withdrawn=3)
    other = hash_list(9, name="other", algorithm=Algorithm.MD5)
    async with open_store(tmp_path / "store.sqlite3") as store:
        for number, each in enumerate((first, other, second, second)):
            await store.list_loaded(each, later(number))
        found = await store.reader.run(history, first.name)
        both = await store.reader.run(history)
    assert [(h.version, h.count, h.added, h.withdrawn) for h in found] == [
        (first.version, 10, 10, 0),
        (second.version, 12, 5, 3),
    ]
    assert [h.loaded_at for h in found] == [later(0), later(2)]
    assert [h.name for h in both] == [first.name, "other", first.name]
    assert (both[1].added, both[1].algorithm, both[1].sha256) == (None, Algorithm.MD5, bytes([9]) * 32)
