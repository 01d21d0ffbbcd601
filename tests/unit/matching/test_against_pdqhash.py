"""How far scaled decoding and renditions are from pdqhash on the whole picture, over hundreds of pictures."""

import io

import numpy as np
import pytest
from PIL import Image

from monitor.matching import hash_image
from monitor.matching.thresholds import MIN_QUALITY
from tests.unit.matching.photographs import assorted
from tests.unit.matching.test_hash_image import bits_apart, saved

pytestmark = pytest.mark.prove


def reference(image: Image.Image) -> tuple[bytes, int]:
    import pdqhash

    bits, quality = pdqhash.compute(np.asarray(image))
    return np.packbits(bits).tobytes(), quality


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("longest", "count"), [(800, 260), (1280, 260), (2560, 60)])
def test_a_scaled_jpeg_is_a_bit_off_on_average_and_eight_at_most(longest: int, count: int) -> None:
    distances, qualities, exact = [], [], []
    for image, chosen in assorted(count, 1, longest):
        data = saved(
            image,
            "JPEG",
            quality=chosen.randint(50, 95),
            subsampling=chosen.randint(0, 2),
            progressive=chosen.random() < 0.2,
        )
        decoded = Image.open(io.BytesIO(data)).convert("RGB")
        value, quality = reference(decoded)
        found = hash_image(data)
        if quality >= MIN_QUALITY:  # what has less is not compared
            distances.append(bits_apart(found.pdq, value))
        qualities.append(abs(found.pdq_quality - quality))
        whole = hash_image(saved(decoded, "BMP"))
        exact.append((whole.pdq, whole.pdq_quality) == (value, quality))
    assert all(exact)
    assert len(distances) >= count * 0.9
    assert np.mean(distances) <= 1
    assert np.percentile(distances, 99) <= 4
    assert max(distances) <= 8
    assert max(qualities) <= 5


@pytest.mark.timeout(600)
@pytest.mark.parametrize("resample", [Image.Resampling.LANCZOS, Image.Resampling.BILINEAR])
def test_a_rendition_is_fourteen_bits_from_its_original_at_most(resample: Image.Resampling) -> None:
    distances = []
    for image, chosen in assorted(240, 2, 1280):
        original = Image.open(io.BytesIO(saved(image, "JPEG", quality=chosen.randint(75, 95)))).convert("RGB")
        small = original.copy()
        small.thumbnail((320, 320), resample, reducing_gap=None)
        found = hash_image(saved(small, "JPEG", quality=87), original_size=original.size)
        assert (found.width, found.height) == original.size
        distances.append(bits_apart(found.pdq, reference(original)[0]))
    assert max(distances) <= 14
    assert np.mean(distances) <= 2.5
