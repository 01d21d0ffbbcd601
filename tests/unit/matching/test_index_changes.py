"""Additions and removals, in one thread and in several; save and open keep them."""

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.matching import HashIndex, warm_up_index
from monitor.matching.buckets import Bits, Buckets, Engine, Words
from monitor.matching.index import LONGEST_TAIL, Values
from monitor.matching.plain import Plain

ENGINES: list[Engine] = [Plain(), warm_up_index()]


def random(seed: int, count: int, width: int = 32) -> Values:
    return np.random.default_rng(seed).integers(0, 256, (count, width), dtype=np.uint8)


def entries(index: HashIndex, query: Values, radius: int = 0) -> list[int]:
    return sorted(index.search(query, radius).entry.tolist())


@settings(derandomize=True, deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32),
    count=st.sampled_from([0, 5, 9_000]),
    width=st.sampled_from([8, 32]),
    steps=st.lists(st.sampled_from(["add", "many", "remove", "save", "sort"]), max_size=8),
    engine=st.sampled_from(ENGINES),
)
def test_after_any_changes_the_index_equals_brute_force(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    count: int,
    width: int,
    steps: list[str],
    engine: Engine,
) -> None:
    generator = np.random.default_rng(seed)
    model: dict[int, Values] = dict(enumerate(random(seed, count, width)))
    numbered = count
    index = HashIndex.build(random(seed, count, width), max_radius=63, engine=engine)
    path = tmp_path_factory.getbasetemp() / "changing"
    for step in steps:
        if step in ("add", "many"):
            more = generator.integers(0, 4, (1 if step == "add" else 700, width), dtype=np.uint8)
            assert index.add(more).tolist() == list(range(numbered, numbered + len(more)))
            model.update(enumerate(more, numbered))
            numbered += len(more)
        elif step == "remove" and model:
            gone = generator.choice(list(model), min(len(model), 50), replace=False)
            index.remove(gone)
            for entry in gone.tolist():
                del model[entry]
        elif step == "save":
            index.save(path)
            index = HashIndex.open(path, verify=True, engine=engine)
        elif step == "sort":
            index._start_sorting()
            index.settle()
        assert len(index) == len(model)
    numbers, hashes = np.array(list(model), int), np.array([*model.values()], np.uint8).reshape(-1, width)
    for query in (*hashes[:2], *hashes[-2:], generator.integers(0, 4, width, dtype=np.uint8)):
        for radius in (0, 31, 63):
            distances = np.bitwise_count(hashes ^ query).sum(axis=1, dtype=int)
            hits = index.search(query, radius)
            assert sorted(hits.entry.tolist()) == sorted(numbers[distances <= radius].tolist())


def test_additions_beyond_the_tail_are_sorted_in_beside_the_queries() -> None:
    index = HashIndex.build(random(1, 9_000))
    more = random(2, LONGEST_TAIL + 1)
    numbers = index.add(more)
    index.settle()
    assert len(index._state.tail) == 0
    assert len(index._state.buckets.words) == len(index) == 9_000 + len(more)
    hits = index.search(more[::500], 0)
    assert hits.entry.tolist() == numbers[::500].tolist()


class Meanwhile(Plain):
    """While it sorts, more is added and removed."""

    index: HashIndex | None = None

    def sort(self, words: Words, removed: Bits) -> Buckets:
        if self.index is not None:
            index, self.index = self.index, None
            index.add(random(7, 300))
            index.remove([8_000, 9_001, len(words) + 1])
        return super().sort(words, removed)


def test_what_changes_while_additions_are_sorted_in_is_kept() -> None:
    engine = Meanwhile()
    index = HashIndex.build(random(1, 9_000), engine=engine)
    index.add(random(6, 500))
    engine.index = index
    index._start_sorting()
    index.settle()
    assert index.add(random(8, 50)).tolist() == list(range(9_800, 9_850))
    hashes = np.concatenate([random(1, 9_000), random(6, 500), random(7, 300), random(8, 50)])
    wanted = [entry for entry in range(9_850) if entry not in (8_000, 9_001, 9_501)]
    assert index.search(hashes, 0).entry.tolist() == wanted
    assert (len(index), len(index._state.buckets.words)) == (9_847, 9_500)


def test_a_program_that_ends_while_additions_are_sorted_in_ends_well() -> None:
    program = (
        "import numpy as np\n"
        "from monitor.matching import HashIndex\n"
        "index = HashIndex.build(np.random.default_rng(1).integers(0, 256, (300_000, 32), dtype=np.uint8))\n"
        "index.add(np.zeros((10_001, 32), np.uint8))\n"
        "assert index._sorting is not None\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_removed_entry_is_never_found_again_and_its_number_not_given_again(tmp_path: Path) -> None:
    value = random(3, 1)[0]
    index = HashIndex.build(np.stack([value, value]))
    index.remove([0])
    index.remove([0])
    assert index.add(value).tolist() == [2]
    assert entries(index, value) == [1, 2]
    index.remove(np.array([2]))
    assert index.add(np.stack([value])).tolist() == [3]
    index.save(tmp_path / "index")
    again = HashIndex.open(tmp_path / "index")
    assert again.add(value).tolist() == [4]
    assert entries(again, value) == [1, 3, 4]
    assert (len(index), len(again)) == (2, 3)


@pytest.mark.parametrize("wrong", [[2], [-1], [0.5], [[0]], ["a"]])
def test_a_number_that_no_entry_has_is_refused_and_nothing_removed(wrong: list[object]) -> None:
    index = HashIndex.build(np.zeros((2, 32), np.uint8))
    with pytest.raises(ValueError, match="whole numbers from 0 to 1"):
        index.remove(wrong)  # type: ignore[arg-type]  # what is tried
    assert len(index) == 2


@pytest.mark.parametrize(
    "wrong", [np.zeros((1, 8), np.uint8), np.zeros(32, np.int64), np.zeros((1, 1, 32), np.uint8)]
)
def test_additions_of_another_shape_or_type_are_refused(wrong: Values) -> None:
    index = HashIndex.build(np.zeros((2, 32), np.uint8))
    with pytest.raises(ValueError, match=r"shape \(n, 32\)"):
        index.add(wrong)
    assert len(index) == 2


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_queries_in_other_threads_see_each_change_whole(engine: Engine) -> None:
    """Each addition adds the same hash three times, each removal takes three; while sorting goes on beside."""
    value, other = random(4, 2)
    index = HashIndex.build(np.concatenate([random(5, 9_000), [other]]), engine=engine)
    ending, wrong, asked = threading.Event(), list[int](), [0, 0]

    def ask(who: int) -> None:
        while not ending.is_set():
            count = len(index.search(value, 2))
            if count % 3 or len(index.search(other, 0)) != 1:
                wrong.append(count)
            asked[who] += 1

    threads = [threading.Thread(target=ask, args=(who,)) for who in (0, 1)]
    for thread in threads:
        thread.start()
    try:
        for round in range(60):
            numbers = index.add(np.stack([value] * 3))
            index.add(random(100 + round, 400))
            if round % 3 == 0:
                index.remove(numbers)
        index.settle()
    finally:
        ending.set()
        for thread in threads:
            thread.join()
    assert not wrong
    assert min(asked) > 0
    assert len(index.search(value, 2)) == 120
    assert len(index._state.buckets.words) > 9_001, "nothing was sorted in meanwhile"
