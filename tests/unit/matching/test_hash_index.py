"""The index finds what comparing one by one finds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.matching import HashIndex
from monitor.matching.exact import ExactIndex
from monitor.matching.index import Values


def values(seed: int, count: int, width: int, *, near: int = 0) -> Values:
    """Random hashes; the last `near` of them a few bits from the first."""
    generator = np.random.default_rng(seed)
    made = generator.integers(0, 256, (count, width), dtype=np.uint8)
    for number in range(min(near, count)):
        bits = np.unpackbits(made[0])
        bits[generator.choice(width * 8, generator.integers(0, width * 8 + 1), replace=False)] ^= 1
        made[-1 - number] = np.packbits(bits)
    return made


def one_by_one(entries: Values, queries: Values, radius: int) -> list[tuple[int, int, int]]:
    found = []
    for q, query in enumerate(queries):
        for e, entry in enumerate(entries):
            distance = sum((a ^ b).bit_count() for a, b in zip(query.tolist(), entry.tolist(), strict=True))
            if distance <= radius:
                found.append((q, distance, e))
    return sorted(found)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(0, 60),
    width=st.sampled_from([8, 32]),
    asked=st.integers(0, 5),
    share=st.floats(0, 1),
)
def test_index_equals_brute_force(seed: int, count: int, width: int, asked: int, share: float) -> None:
    entries, queries = values(seed, count, width, near=count // 2), values(seed, asked, width)
    radius = round(share * width * 8)
    hits = HashIndex.build(entries, max_radius=radius).search(queries, radius)
    found = list(zip(hits.query.tolist(), hits.distance.tolist(), hits.entry.tolist(), strict=True))
    assert found == one_by_one(entries, queries, radius)


def test_every_planted_distance_is_found_in_a_list_of_several_chunks() -> None:
    entries = values(1, 150_000, 32)
    generator = np.random.default_rng(2)
    queries, planted = [], generator.choice(len(entries), 32, replace=False)
    for distance, position in enumerate(planted):
        bits = np.unpackbits(entries[position])
        bits[generator.choice(256, distance, replace=False)] ^= 1
        queries.append(np.packbits(bits))
    hits = HashIndex.build(entries).search(np.array(queries), 31)
    assert hits.query.tolist() == list(range(32))
    assert hits.entry.tolist() == planted.tolist()
    assert hits.distance.tolist() == list(range(32))


def test_all_256_bits_may_differ() -> None:
    entries = np.zeros((2, 32), np.uint8)
    hits = HashIndex.build(entries, max_radius=256).search(np.full(32, 255, np.uint8), 256)
    assert hits.distance.tolist() == [256, 256]
    assert len(HashIndex.build(entries, max_radius=255).search(np.full(32, 255, np.uint8), 255)) == 0


def test_hits_are_integer_arrays_even_when_nothing_is_found() -> None:
    index = HashIndex.build(np.zeros((0, 8), np.uint8))
    hits = index.search(np.zeros((3, 8), np.uint8), 31)
    assert len(index) == len(hits) == 0
    assert {hits.query.dtype.kind, hits.entry.dtype.kind, hits.distance.dtype.kind} == {"i"}


@pytest.mark.parametrize(
    "entries", [np.zeros((2, 16), np.uint8), np.zeros((2, 32), np.int64), np.zeros(32, np.uint8)]
)
def test_other_shapes_and_types_are_refused(entries: Values) -> None:
    with pytest.raises(ValueError, match="uint8 array of shape"):
        HashIndex.build(entries)


@pytest.mark.parametrize(("width", "radius"), [(32, -1), (32, 257), (8, 65)])
def test_an_impossible_radius_is_refused(width: int, radius: int) -> None:
    with pytest.raises(ValueError, match="max_radius must lie within 0"):
        HashIndex.build(np.zeros((1, width), np.uint8), max_radius=radius)


def test_a_query_that_does_not_fit_the_index_is_refused() -> None:
    index = HashIndex.build(np.zeros((1, 32), np.uint8), max_radius=20)
    with pytest.raises(ValueError, match="radius must lie within 0 and 20"):
        index.search(np.zeros(32, np.uint8), 21)
    with pytest.raises(ValueError, match=r"shape \(m, 32\)"):
        index.search(np.zeros(8, np.uint8), 20)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    width=st.sampled_from([16, 20, 32]),
    rows=st.lists(st.lists(st.sampled_from([0, 1, 255]), min_size=3, max_size=3), max_size=40),
    asked=st.lists(st.sampled_from([0, 1, 255]), min_size=3, max_size=3),
)
def test_exact_index_finds_equal_digests_and_no_other(
    width: int, rows: list[list[int]], asked: list[int]
) -> None:
    def digest(ends: list[int]) -> bytes:
        # Zeros inside and at the end are where string comparison could go wrong.
        return bytes([ends[0], *[0] * (width - 3), ends[1], ends[2]])

    digests = [digest(row) for row in rows]
    index = ExactIndex(np.frombuffer(b"".join(digests), np.uint8).reshape(-1, width))
    wanted = [position for position, value in enumerate(digests) if value == digest(asked)]
    assert index.find(digest(asked)).tolist() == wanted
    assert len(index) == len(digests)
