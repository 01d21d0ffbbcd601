"""One size of list, searched by each engine in turns; prints figures in seconds, as JSON."""

import gc
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import imagehash
import numpy as np
from threatexchange.signal_type.pdq.pdq_index import PDQIndex

from monitor.matching import HashIndex, warm_up_index
from monitor.matching.buckets import NOWHERE, Bits, Buckets, Found, Plan, Words, unsorted
from monitor.matching.index import LONGEST_TAIL, Values

SEED = 5
RADIUS = 31
QUERIES = 300
TURN = 25
"""Queries that one engine answers before it is the next one's turn."""
SLOW = 5
"""Every so manieth query is asked of the engines that scan."""
SLICE = 2_000
BATCH = 20_000
CLUSTERS = (0.02, 0.015, 0.005, 0.001)


def main(count: int) -> None:
    """Measure and print."""
    warm_up_index()
    random = np.random.default_rng(SEED)
    values = random.integers(0, 256, (count, 32), dtype=np.uint8)
    gc.collect()
    before = _resident()
    started = time.perf_counter()
    index = HashIndex.build(values)
    builds = [time.perf_counter() - started]
    resident = (_resident() - before) / count
    found: dict[str, Any] = {
        "seed": SEED,
        "bytes": {"arrays": index.nbytes / count, "resident": resident},
        "recall": _recall(index, values, random),
        "open": _open(index),
        "batch": _batch(index, values, random),
    }
    entries = [(value.tobytes().hex(), number) for number, value in enumerate(values)]
    started = time.perf_counter()
    peer = PDQIndex(entries)
    theirs = time.perf_counter() - started
    builds += [_seconds(HashIndex.build, values) for _ in range(2)]
    found["build"] = {"ours": statistics.median(builds), "pdqindex": theirs}
    found["query"] = _query(index, peer, values, random)
    del peer, entries
    found["addition"] = _addition(index, random)
    del index
    found["worst"] = _worst(values, random)
    del values
    found["narrow"] = _narrow(count, random)
    print(json.dumps(found))


def _query(index: HashIndex, peer: Any, values: Values, random: np.random.Generator) -> dict[str, float]:
    flat = faiss.IndexBinaryFlat(256)
    flat.add(values)
    listed = [_as_picture(value) for value in values[:SLICE]]
    times: dict[str, list[float]] = {"ours": [], "pdqindex": [], "flat": [], "imagehash": []}
    queries = _queries(values, random)
    # Twice, and the second round counts: memory that lay untouched while others were built is slow to come back.
    for start in (*range(0, QUERIES, TURN), *range(0, QUERIES, TURN)):
        if start == 0:
            times = {name: [] for name in times}
        turn = queries[start : start + TURN]
        times["ours"] += [_seconds(lambda query: index.search(query, RADIUS), query) for query in turn]
        times["pdqindex"] += [_seconds(peer.query, query.tobytes().hex()) for query in turn]
        # range_search leaves out its own radius
        times["flat"] += [
            _seconds(lambda query: flat.range_search(query[None], RADIUS + 1), query)
            for query in turn[::SLOW]
        ]
        for query in turn[::SLOW]:
            loop = _seconds(
                lambda picture: [one for one in listed if one - picture <= RADIUS], _as_picture(query)
            )
            times["imagehash"].append(loop * len(values) / SLICE)
    return {name: statistics.median(taken) for name, taken in times.items()}


def _as_picture(value: Values) -> Any:
    return imagehash.ImageHash(np.unpackbits(value).astype(bool).reshape(16, 16))


def _queries(values: Values, random: np.random.Generator) -> Values:
    queries = random.integers(0, 256, (QUERIES, 32), dtype=np.uint8)
    for number in range(0, QUERIES, 2):
        distance = number // 2 % (RADIUS + 1)
        queries[number] = _turned(values, random, random.choice(256, distance, replace=False))
    return queries


def _turned(values: Values, random: np.random.Generator, bits: Any) -> Values:
    unpacked = np.unpackbits(values[random.integers(len(values))], bitorder="little")
    unpacked[bits] ^= 1
    return np.packbits(unpacked, bitorder="little")


def _recall(index: HashIndex, values: Values, random: np.random.Generator) -> dict[str, int]:
    planted = found = 0
    for distance in range(RADIUS + 1):
        spreads: list[Any] = [random.choice(256, distance, replace=False) for _ in range(8)]
        steps = np.arange(distance)
        spreads += [(first + steps) % 16 * 16 + steps // 16 for first in range(16)]
        spreads += [(first * 16 + steps) % 256 for first in range(16)]
        for bits in spreads:
            entry = random.integers(len(values))
            query = _turned(values[entry : entry + 1], random, bits)
            hits = index.search(query, RADIUS)
            planted += 1
            found += bool(np.any((hits.entry == entry) & (hits.distance == distance)))
    return {"planted": planted, "found": found}


def _open(index: HashIndex) -> float:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index"
        index.save(path)
        return statistics.median(_seconds(lambda: HashIndex.open(path)) for _ in range(9))


def _addition(index: HashIndex, random: np.random.Generator) -> dict[str, float]:
    """One addition; and the one that has the tail sorted in, three times over."""
    usual, sorting = [], []
    for _ in range(3):
        more = random.integers(0, 256, (LONGEST_TAIL + 1, 32), dtype=np.uint8)
        *before, last = [_seconds(index.add, value) for value in more]
        usual += before
        sorting.append(last)
        index.settle()
    return {"median": statistics.median(usual), "sorting": statistics.median(sorting)}


def _batch(index: HashIndex, values: Values, random: np.random.Generator) -> dict[str, float]:
    queries = random.integers(0, 256, (BATCH, 32), dtype=np.uint8)
    single = BATCH / 2 / _seconds(lambda: index.search(queries[: BATCH // 2], RADIUS))

    def two() -> None:
        halves = queries[: BATCH // 2], queries[BATCH // 2 :]
        threads = [threading.Thread(target=index.search, args=(half, RADIUS)) for half in halves]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return {"single": single, "rate": statistics.median(BATCH / _seconds(two) for _ in range(3))}


def _worst(values: Values, random: np.random.Generator) -> dict[str, float]:
    """The query that is worst against a scan for the same answer, of one for each cluster."""
    centres = random.integers(0, 256, (len(CLUSTERS), 32), dtype=np.uint8)
    places = random.permutation(len(values))
    for centre, share in zip(centres, CLUSTERS, strict=True):
        taken, places = places[: int(share * len(values))], places[int(share * len(values)) :]
        values[taken] = centre
    index, scanning = HashIndex.build(values), HashIndex.build(values, engine=Scanning())
    found = []
    for centre, share in zip(centres, CLUSTERS, strict=True):
        ours, scan = [], []
        for _ in range(31):
            ours.append(_seconds(index.search, centre, RADIUS))
            scan.append(_seconds(scanning.search, centre, RADIUS))
        found.append({"ours": statistics.median(ours), "scan": statistics.median(scan), "share": share})
    return max(found, key=lambda one: one["ours"] / one["scan"])


class Scanning:
    """The compiled engine without buckets."""

    name = "scan"

    def sort(self, words: Words, removed: Bits) -> Buckets:
        """None."""
        return unsorted(words)

    def find(
        self, buckets: Buckets, plan: Plan, removed: Bits, tail: Words, queries: Words, radius: int, most: int
    ) -> tuple[Found, bool]:
        """By comparing with each."""
        return warm_up_index().find(buckets, NOWHERE, removed, tail, queries, radius, most)


def _narrow(count: int, random: np.random.Generator) -> dict[str, float]:
    values = random.integers(0, 256, (count, 8), dtype=np.uint8)
    index, flat = HashIndex.build(values), faiss.IndexBinaryFlat(64)
    flat.add(values)
    ours, theirs = [], []
    for number, query in enumerate(random.integers(0, 256, (QUERIES, 8), dtype=np.uint8)):
        ours.append(_seconds(index.search, query, 8))
        if number % SLOW == 0:
            theirs.append(_seconds(flat.range_search, query[None], 9))
    return {"ours": statistics.median(ours), "flat": statistics.median(theirs)}


def _seconds(work: Callable[..., Any], *given: Any) -> float:
    started = time.perf_counter()
    work(*given)
    return time.perf_counter() - started


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


if __name__ == "__main__":
    main(int(sys.argv[1]))
