"""PDQ is pdqhash's, bit for bit."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.matching.pdq import Pdq, Pixels, pdq
from tests.unit.matching import pictures

GOLDEN = json.loads((Path(__file__).parents[2] / "fixtures" / "pdq_golden.json").read_text(encoding="ascii"))


def of(pixels: Pixels) -> Pdq:
    height, width, _ = pixels.shape
    return pdq(lambda start, stop: pixels[start:stop], width, height)


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda g: f"{g[0]}-{g[1]}x{g[2]}")
def test_hash_and_quality_are_those_of_pdqhash(golden: tuple[str, int, int, int, str, str, int]) -> None:
    kind, width, height, seed, digest, value, quality = golden
    pixels = pictures.picture(kind, width, height, seed)
    assert hashlib.sha256(pixels.tobytes()).hexdigest()[:16] == digest, "the generator has changed"
    assert of(pixels) == Pdq(bytes.fromhex(value), quality)


def test_the_fixture_is_large_and_mixed() -> None:
    assert len(GOLDEN) >= 60
    assert {row[0] for row in GOLDEN} == set(pictures.KINDS)
    assert {row[6] for row in GOLDEN} >= {0, 100}


def test_a_picture_too_small_for_pdq_has_no_bits_and_no_quality() -> None:
    assert of(pictures.photo(1, 4, 400)) == Pdq(bytes(32), 0)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(5, 300), st.integers(5, 300), st.integers(0, 1000))
def test_half_of_the_bits_of_a_picture_with_detail_are_set(width: int, height: int, seed: int) -> None:
    found = of(pictures.photo(seed, width, height))
    # The median is one of 256 values: exactly 128 lie above it, unless two are equal.
    assert sum(byte.bit_count() for byte in found.value) == 128


@pytest.mark.prove
@pytest.mark.parametrize("kind", pictures.KINDS)
def test_no_bit_differs_from_pdqhash_at_many_sizes(kind: str) -> None:
    import pdqhash

    sizes = np.random.default_rng(7).integers(5, 900, (60, 2)).tolist()
    sizes += [[64, 64], [64, 65], [128, 128], [127, 129], [1280, 960], [2560, 1440], [5, 3000], [3000, 5]]
    for seed, (width, height) in enumerate(sizes):
        pixels = pictures.picture(kind, width, height, seed)
        bits, quality = pdqhash.compute(pixels)
        assert of(pixels) == Pdq(np.packbits(bits).tobytes(), quality), (kind, width, height, seed)
