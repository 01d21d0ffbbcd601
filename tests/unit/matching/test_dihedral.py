"""The eight hashes of a picture mirrored and turned, from one transform."""

import io

import numpy as np
import pytest
from PIL import Image

from monitor.matching import dihedral_pdq, hash_image
from tests.unit.matching import pictures
from tests.unit.matching.test_hash_image import bits_apart, saved

T = Image.Transpose
TURNS = (None, T.ROTATE_90, T.ROTATE_180, T.ROTATE_270, T.FLIP_TOP_BOTTOM, T.FLIP_LEFT_RIGHT, T.TRANSPOSE)
WAYS = (*TURNS, T.TRANSVERSE)


@pytest.mark.parametrize(("width", "height"), [(320, 240), (201, 333), (800, 600)])
@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_each_is_nearly_the_hash_of_the_picture_turned_so(format: str, width: int, height: int) -> None:
    image = Image.fromarray(pictures.photo(1, width, height))
    found = dihedral_pdq(saved(image, format))
    assert found[0] == hash_image(saved(image, format)).pdq
    for value, turn in zip(found, WAYS, strict=True):
        # Pixels are sampled where they begin, not in their middle: turned, the samples lie a little aside.
        copy = hash_image(saved(image if turn is None else image.transpose(turn), format)).pdq
        assert bits_apart(value, copy) <= 26
        others = (other for other in found if other is not value)
        assert bits_apart(value, copy) < min(bits_apart(other, copy) for other in others)


def test_of_a_rendition_as_of_its_original() -> None:
    image = Image.fromarray(pictures.photo(2, 640, 480))
    small = saved(image.resize((320, 240)), "JPEG", quality=90)
    exact = dihedral_pdq(saved(image))
    for value, other in zip(dihedral_pdq(small, original_size=(640, 480)), exact, strict=True):
        assert bits_apart(value, other) <= 14


def test_a_picture_too_small_has_none_of_them() -> None:
    assert set(dihedral_pdq(saved(pictures.photo(1, 4, 40)))) == {bytes(32)}


@pytest.mark.prove
@pytest.mark.parametrize("kind", pictures.KINDS)
def test_no_bit_differs_from_pdqhash(kind: str) -> None:
    import pdqhash

    sizes = np.random.default_rng(3).integers(5, 500, (30, 2)).tolist()
    sizes += [[64, 64], [128, 128], [1000, 700]]
    for seed, (width, height) in enumerate(sizes):
        pixels = pictures.picture(kind, width, height, seed)
        vectors, _ = pdqhash.compute_dihedral(pixels)
        expected = tuple(np.packbits(vector).tobytes() for vector in vectors)
        written = io.BytesIO()
        Image.fromarray(pixels).save(written, "BMP")
        assert dihedral_pdq(written.getvalue()) == expected, (kind, width, height, seed)
