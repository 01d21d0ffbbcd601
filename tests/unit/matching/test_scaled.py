"""Large JPEGs from a coarse plane, and renditions hashed as the original they stand for."""

import io
import os
import struct
import subprocess
import sys
import time
from typing import Any

import imagehash
import numpy as np
import pytest
from PIL import Image

from monitor.errors import MediaUndecodable
from monitor.matching import MAX_SIDE, dihedral_pdq, hash_image
from monitor.matching.pdq import bands
from monitor.matching.plane import Axis, _weighed, _weights
from monitor.matching.scaled import ENOUGH, jpeg_plane, stands_for
from tests.unit.matching import pictures
from tests.unit.matching.test_hash_image import bits_apart, saved
from tests.unit.matching.test_pdq import of

BIG = (1280, 960)


def big(seed: int, size: tuple[int, int] = BIG) -> Image.Image:
    """Made small and enlarged, with grain at the size it has: as detailed as a photograph, and soon made."""
    width, height = size
    soft = Image.fromarray(pictures.photo(seed, width // 3, height // 3)).resize(
        size, Image.Resampling.BICUBIC
    )
    grain = pictures.noise(seed, height, width)[..., None] // 16 - 8
    return Image.fromarray(np.clip(np.asarray(soft) + grain, 0, 255).astype(np.uint8))


def jpeg(image: Image.Image, quality: int = 85, **options: Any) -> bytes:
    return saved(image, "JPEG", quality=quality, **options)


def whole(data: bytes) -> pictures.Pixels:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def turned(image: Image.Image, orientation: int) -> bytes:
    """As a camera held that way stores it: the turn that undoes the orientation, and its number."""
    t = Image.Transpose
    turns = [None, t.FLIP_LEFT_RIGHT, t.ROTATE_180, t.FLIP_TOP_BOTTOM, t.TRANSPOSE, t.ROTATE_90, t.TRANSVERSE]
    how = [*turns, t.ROTATE_270][orientation - 1]
    exif = Image.Exif()
    exif[0x0112] = orientation
    return jpeg(image if how is None else image.transpose(how), exif=exif)


# -- at a smaller scale


@pytest.mark.parametrize(
    "size", [(800, 600), (1280, 960), (1279, 961), (721, 1283), (2560, 1440), (362, 363)]
)
def test_a_large_jpeg_is_read_at_a_smaller_scale_and_has_nearly_the_whole_pictures_hashes(
    size: tuple[int, int],
) -> None:
    for seed in range(2):
        data = jpeg(big(seed, size))
        plane = jpeg_plane(data, None, max_pixels=10**8)
        assert plane is not None
        assert ENOUGH <= min(plane.values.shape) < 2 * ENOUGH + 1
        found, pixels = hash_image(data), whole(data)
        exact, image = of(pixels), Image.fromarray(pixels)
        assert bits_apart(found.pdq, exact.value) <= 6
        assert abs(found.pdq_quality - exact.quality) <= 2
        assert bits_apart(found.phash, bytes.fromhex(str(imagehash.phash(image)))) <= 4
        assert bits_apart(found.dhash, bytes.fromhex(str(imagehash.dhash(image)))) <= 4
        assert (found.width, found.height) == size


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_rows": 1}]
)
def test_however_it_is_coded(options: dict[str, Any]) -> None:
    for image in (big(4), big(4).convert("L")):
        data = jpeg(image, **options)
        assert jpeg_plane(data, None, max_pixels=10**8) is not None
        assert bits_apart(hash_image(data).pdq, of(whole(data)).value) <= 6


def test_what_luma_cannot_tell_is_read_of_the_colours() -> None:
    # Seven of this picture's coefficients lie beside the median: whole numbers of luma turn two bits.
    data = jpeg(big(51))
    assert bits_apart(hash_image(data).pdq, of(whole(data)).value) == 0
    assert dihedral_pdq(data)[0] == hash_image(data).pdq
    grey = jpeg(big(51).convert("L"))
    assert bits_apart(hash_image(grey).pdq, of(whole(grey)).value) <= 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_is_turned_upright(orientation: int) -> None:
    # Sides that no scale divides: the last mean reaches beyond the edge.
    image = big(5, (1283, 965))
    found = hash_image(turned(image, orientation))
    assert (found.width, found.height) == image.size
    assert bits_apart(found.pdq, of(np.asarray(image)).value) <= 8
    assert bits_apart(found.dhash, bytes.fromhex(str(imagehash.dhash(image)))) <= 4
    small = jpeg(image.resize((320, 241)))
    assert bits_apart(hash_image(small, original_size=image.size).pdq, found.pdq) <= 14


def test_small_and_long_jpegs_and_those_of_four_inks_are_read_whole() -> None:
    for image in (big(6, (640, 358)), big(6, (6000, 370)), big(6).convert("CMYK")):
        assert jpeg_plane(jpeg(image), None, max_pixels=10**8) is None
    data = jpeg(big(6, (640, 358)))
    assert hash_image(data).pdq == of(whole(data)).value


def test_several_pictures_in_one_jpeg_are_the_first() -> None:
    image = big(7)
    several = saved(image, "MPO", save_all=True, append_images=[big(8)], quality=85)
    assert hash_image(several) == hash_image(jpeg(image, quality=85))


def lossless(width: int, height: int) -> bytes:
    """A grey JPEG of the lossless process (ITU-T T.81, annex H), every difference 0."""

    def segment(marker: int, body: bytes) -> bytes:
        return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body

    frame = segment(0xC3, struct.pack(">BHHB", 8, height, width, 1) + bytes((1, 0x11, 0)))
    table = segment(0xC4, bytes((0, 1, *[0] * 15, 0)))
    scan = segment(0xDA, bytes((1, 1, 0, 1, 0, 0)))
    return b"\xff\xd8" + frame + table + scan + bytes(width * height // 8) + b"\xff\xd9"


def test_a_lossless_jpeg_cannot_be_scaled_and_does_no_harm() -> None:
    found = hash_image(lossless(1280, 960))
    assert (found.width, found.height, found.pdq_quality) == (1280, 960, 0)


@pytest.mark.parametrize("kept", [0.02, 0.3, 0.9, 0.995])
def test_a_truncated_large_jpeg_is_undecodable(kept: float) -> None:
    for options in ({}, {"progressive": True}):
        data = jpeg(big(9), **options)
        for original in (None, (2560, 1920)):
            with pytest.raises(MediaUndecodable):
                hash_image(data[: int(len(data) * kept)], original_size=original)


def test_a_flat_one_has_the_hashes_of_a_flat_picture() -> None:
    image = Image.new("RGB", (800, 600), (90, 120, 60))
    found = hash_image(jpeg(image))
    assert found.pdq_quality == 0
    assert found.phash.hex() == str(imagehash.phash(image))
    assert found.dhash.hex() == str(imagehash.dhash(image))


def test_means_are_not_taken_for_the_values_in_their_middle() -> None:
    # A wave of 32 pixels, of which means of 8 keep nine tenths.
    length, step = 1280, 8
    wave = np.cos(np.arange(length) * np.pi / 16)
    exact = np.concatenate([band.weights @ wave[band.start : band.stop] for band in bands(length)])
    means = wave.reshape(-1, step).mean(axis=1)
    axis = Axis(length, len(means), step, averaged=True)
    column = means.astype(np.float32)[:, None]
    as_means, as_values = (
        _weighed(column, _weights(each, 8)[0])[:, 0] for each in (axis, axis._replace(averaged=False))
    )
    assert np.abs(as_means - exact).max() * 4 < np.abs(as_values - exact).max()


# -- as the original


@pytest.mark.parametrize(
    "resample", [Image.Resampling.LANCZOS, Image.Resampling.BILINEAR, Image.Resampling.BOX]
)
def test_a_rendition_has_nearly_the_hash_of_its_original(resample: Image.Resampling) -> None:
    for seed in range(3):
        original = big(seed, (1280, 853 + seed))
        exact = of(np.asarray(original))
        small = original.resize((320, round(320 * original.height / 1280)), resample)
        for data in (jpeg(small), saved(small), saved(small, "WEBP", quality=80)):
            found = hash_image(data, original_size=original.size)
            assert (found.width, found.height) == original.size
            assert bits_apart(found.pdq, exact.value) <= 14
            assert abs(found.pdq_quality - exact.quality) <= 10
            assert bits_apart(found.phash, bytes.fromhex(str(imagehash.phash(original)))) <= 6


def test_hashed_as_it_is_it_has_another() -> None:
    # What the original's size is for: over some pictures the distance falls to a fifth.
    as_it_is, as_original = 0, 0
    for seed in range(12):
        original = big(seed, (1280, 960))
        exact, data = of(np.asarray(original)).value, jpeg(original.resize((320, 240)))
        as_it_is += bits_apart(hash_image(data).pdq, exact)
        as_original += bits_apart(hash_image(data, original_size=(1280, 960)).pdq, exact)
    assert as_original * 5 <= as_it_is


def test_a_large_rendition_of_any_format_is_brought_to_a_plane() -> None:
    image = big(10, (3000, 600))
    found = hash_image(saved(image, compress_level=1), original_size=(6000, 1200))
    assert (found.width, found.height) == (6000, 1200)
    enlarged = of(np.asarray(image.resize((6000, 1200), Image.Resampling.LANCZOS)))
    assert bits_apart(found.pdq, enlarged.value) <= 8


@pytest.mark.parametrize(
    ("original", "rendition", "may"),
    [
        ((1280, 960), (320, 240), True),
        ((1280, 853), (320, 213), True),
        ((1280, 853), (320, 214), True),
        ((853, 1280), (213, 320), True),
        ((5000, 37), (320, 2), True),
        ((5000, 20), (320, 1), True),
        ((320, 240), (320, 240), False),
        ((1280, 853), (320, 240), False),
        ((960, 1280), (320, 240), False),
        ((300, 225), (320, 240), False),
        ((319, 240), (320, 240), False),
        ((320, 239), (320, 240), False),
        ((65_535, 65_535), (320, 240), False),
    ],
)
def test_an_original_is_larger_and_of_the_same_shape(
    original: tuple[int, int], rendition: tuple[int, int], may: bool
) -> None:
    assert stands_for(original, rendition) is may
    image = big(11, (320, 240)).resize(rendition)
    for data in (jpeg(image), saved(image)):
        found = hash_image(data, original_size=original)
        # One that cannot be is passed over, as it may have been declared by whoever sent the picture.
        assert (found.width, found.height) == (original if may else rendition)
        if not may:
            assert found == hash_image(data)


@pytest.mark.parametrize("size", [(0, 0), (0, 240), (-320, -240), (320, MAX_SIDE + 1)])
def test_a_size_that_no_picture_has_is_an_error(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="within 1 and 65535"):
        hash_image(jpeg(big(1, (320, 240))), original_size=size)


def test_a_declared_size_costs_neither_time_nor_memory() -> None:
    data = jpeg(big(12, (320, 320)))
    began = time.process_time()
    for side in range(MAX_SIDE - 8, MAX_SIDE):
        assert hash_image(data, original_size=(side, side)).width == side
    assert (time.process_time() - began) / 8 < 1
    held = _weights.cache_info().currsize
    assert held <= 32


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 2), (4, 3), (40, 30)])
def test_the_smallest_renditions_have_hashes(size: tuple[int, int]) -> None:
    data = saved(big(13, (320, 240)).resize(size))
    original = (size[0] * 20, size[1] * 20)
    assert hash_image(data, original_size=original).width == original[0]


def test_an_original_too_small_for_pdq_has_no_bits_as_always() -> None:
    found = hash_image(saved(big(14, (60, 30)).resize((3, 2))), original_size=(6, 4))
    assert (found.pdq, found.pdq_quality, found.width) == (bytes(32), 0, 6)


def test_hashing_leaves_numpys_own_threads_idle() -> None:
    # Counted by the system, in a process without any limit in its environment.
    code = """
import os
import time
from monitor.matching import hash_image, warm_up
from monitor.testdc.pictures import picture
warm_up()
files = [picture(1, 800, 600), picture(1, 1280, 960), picture(1, 640, 480, kind="PNG")]
def beside():
    whole = []
    for thread in os.listdir("/proc/self/task"):
        if int(thread) != os.getpid():
            with open(f"/proc/self/task/{thread}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            whole.append(int(fields[11]) + int(fields[12]))
    return sum(whole)
before, began = beside(), time.thread_time()
for _ in range(40):
    for data in files:
        hash_image(data)
        hash_image(data, original_size=(2560, 1920))
print((beside() - before) / 100 / (time.thread_time() - began))
"""
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    env = {name: value for name, value in os.environ.items() if name not in names}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert float(done.stdout) < 0.1  # of the time that hashing takes; with them it is more than all of it
