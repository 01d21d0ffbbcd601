"""The index finds what comparing one by one finds."""

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.matching import HashIndex, Hits, warm_up_index
from monitor.matching.buckets import Engine
from monitor.matching.exact import ExactIndex
from monitor.matching.index import Values
from monitor.matching.plain import Plain


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


ENGINES: list[Engine] = [Plain(), warm_up_index()]
LISTED = 9_000
"""Hashes from which on the buckets are used at radius 31."""


def quick(entries: Values, queries: Values, radius: int) -> list[tuple[int, int, int]]:
    """As one_by_one, in numpy."""
    found = []
    for q, query in enumerate(queries):
        distances = np.bitwise_count(entries ^ query).sum(axis=1, dtype=int)
        found += [(q, int(distances[e]), int(e)) for e in np.flatnonzero(distances <= radius)]
    return sorted(found)


def found(hits: Hits) -> list[tuple[int, int, int]]:
    return list(zip(hits.query.tolist(), hits.distance.tolist(), hits.entry.tolist(), strict=True))


def turned(value: Values, bits: Iterable[int]) -> Values:
    """The hash with these bits turned."""
    unpacked = np.unpackbits(value, bitorder="little")
    unpacked[list(bits)] ^= 1
    return np.packbits(unpacked, bitorder="little")


def test_both_engines_are_tested() -> None:
    assert [engine.name for engine in ENGINES] == ["numpy", "numba"]


@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(0, 60),
    width=st.sampled_from([8, 32]),
    asked=st.integers(0, 5),
    share=st.floats(0, 1),
    engine=st.sampled_from(ENGINES),
)
def test_index_equals_brute_force(
    seed: int, count: int, width: int, asked: int, share: float, engine: Engine
) -> None:
    entries, queries = values(seed, count, width, near=count // 2), values(seed, asked, width)
    radius = round(share * width * 8)
    hits = HashIndex.build(entries, max_radius=radius, engine=engine).search(queries, radius)
    assert found(hits) == one_by_one(entries, queries, radius) == quick(entries, queries, radius)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(LISTED, 12_000),
    width=st.sampled_from([8, 32]),
    cluster=st.sampled_from([0, 3, 100, 2_000]),
    spread=st.integers(0, 40),
    radius=st.integers(0, 63),
    k=st.integers(1, 40),
    engine=st.sampled_from(ENGINES),
)
def test_buckets_equal_brute_force_with_clusters_and_duplicates(
    seed: int, count: int, width: int, cluster: int, spread: int, radius: int, k: int, engine: Engine
) -> None:
    generator = np.random.default_rng(seed)
    entries = generator.integers(0, 256, (count, width), dtype=np.uint8)
    centre = generator.integers(0, 256, width, dtype=np.uint8)
    for place in generator.choice(count, cluster, replace=False):
        entries[place] = turned(centre, generator.choice(width * 8, generator.integers(0, spread + 1)))
    queries = np.stack([centre, entries[0], generator.integers(0, 256, width, dtype=np.uint8)])
    index = HashIndex.build(entries, max_radius=63, engine=engine)
    wanted = quick(entries, queries, radius)
    assert found(index.search(queries, radius)) == wanted
    nearest = [hit for q in range(len(queries)) for hit in [hit for hit in wanted if hit[0] == q][:k]]
    assert found(index.nearest(queries, radius, k)) == nearest


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
@pytest.mark.parametrize(
    ("width", "count", "radius"),
    [(32, LISTED, 31), (32, 72_000, 47), (32, 360_000, 63), (8, LISTED, 8), (8, 40_000, 12)],
)
def test_every_planted_distance_is_found_however_its_bits_are_spread(
    width: int, count: int, radius: int, engine: Engine
) -> None:
    generator = np.random.default_rng(radius)
    entries = generator.integers(0, 256, (count, width), dtype=np.uint8)
    index = HashIndex.build(entries, max_radius=radius, engine=engine)
    assert len(index._state.buckets.plan(radius).masks), "the buckets are not used"
    bits, chunks = width * 8, width // 2
    queries, planted = [], []
    for distance in range(radius + 1):
        spreads: list[Iterable[int]] = [generator.choice(bits, distance, replace=False) for _ in range(3)]
        # One after the other round the ring of chunks, from each: the pigeonhole's limit.
        spreads += [
            [(first + i) % chunks * 16 + i // chunks for i in range(distance)] for first in range(chunks)
        ]
        # All in as few chunks as hold them, from each.
        spreads += [[(first * 16 + i) % bits for i in range(distance)] for first in range(chunks)]
        for spread in spreads:
            entry = int(generator.integers(count))
            queries.append(turned(entries[entry], spread))
            planted.append((entry, distance))
    hits = index.search(np.array(queries), radius)
    answered = set(zip(hits.query.tolist(), hits.entry.tolist(), hits.distance.tolist(), strict=True))
    missed = [(q, *plant) for q, plant in enumerate(planted) if (q, *plant) not in answered]
    assert not missed
    assert len(answered) == len(hits), "an entry was found twice"


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
@pytest.mark.parametrize("radius", [0, 31, 63])
def test_a_cluster_of_a_fiftieth_of_the_list_is_answered_and_nearest_stays_small(
    radius: int, engine: Engine
) -> None:
    entries = values(3, 50_000, 32)
    entries[10_000:11_000] = 0
    index = HashIndex.build(entries, max_radius=63, engine=engine)
    hits = index.search(np.zeros(32, np.uint8), radius)
    assert hits.entry.tolist() == list(range(10_000, 11_000))
    assert index.nearest(np.zeros(32, np.uint8), radius, 5).entry.tolist() == [*range(10_000, 10_005)]


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_a_batch_is_answered_as_its_queries_are_alone(engine: Engine) -> None:
    entries = values(4, 20_000, 32)
    queries = np.concatenate([entries[:300], values(5, 300, 32), np.zeros((2, 32), np.uint8)])
    entries[5_000:6_000] = 0
    index = HashIndex.build(entries, engine=engine)
    alone = [(q, d, e) for q, query in enumerate(queries) for _, d, e in found(index.search(query, 31))]
    assert found(index.search(queries, 31)) == alone
    assert len(alone) == 2300


def test_less_than_one_nearest_is_refused() -> None:
    with pytest.raises(ValueError, match="k must be at least 1"):
        HashIndex.build(np.zeros((1, 32), np.uint8)).nearest(np.zeros(32, np.uint8), 3, 0)


def test_the_callers_array_may_change_afterwards() -> None:
    entries = np.zeros((3, 32), np.uint8)
    index = HashIndex.build(entries)
    entries[:] = 255
    assert len(index.search(np.zeros(32, np.uint8), 0)) == 3


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
