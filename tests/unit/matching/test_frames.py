"""Moving pictures: which frames are looked at, and what a hostile one can cost."""

import struct
import zlib
from typing import Any

import pytest
from PIL import Image, features

from monitor.errors import MediaUndecodable
from monitor.matching import hash_frames, hash_image
from monitor.matching.frames import positions
from tests.unit.matching import pictures
from tests.unit.matching.test_hash_image import bits_apart, saved

MOVING = ["GIF", "WEBP", "PNG"] + (["AVIF"] if features.check("avif") else [])


def moving(format: str, count: int, size: tuple[int, int] = (120, 90)) -> bytes:
    made = [Image.fromarray(pictures.photo(seed, *size)) for seed in range(count)]
    options: dict[str, Any] = {"WEBP": {"lossless": True}, "AVIF": {"quality": 90, "speed": 10}}.get(
        format, {}
    )
    return saved(made[0], format, save_all=True, append_images=made[1:], duration=100, **options)


@pytest.mark.parametrize("format", MOVING)
def test_frames_are_spread_evenly_from_the_first_on(format: str) -> None:
    data = moving(format, 12)
    found = hash_frames(data, most=4)
    assert len(found) == 4
    assert found[0].pdq == hash_image(data).pdq
    for each, seed in zip(found, (0, 3, 6, 9), strict=True):
        assert bits_apart(each.pdq, hash_image(saved(pictures.photo(seed, 120, 90))).pdq) <= 20
    assert len(hash_frames(data, most=50)) == 12


@pytest.mark.parametrize("format", ["JPEG", "BMP", *MOVING])
def test_a_still_picture_has_one_frame(format: str) -> None:
    data = saved(pictures.photo(1, 400, 400), format)
    assert hash_frames(data) == (hash_image(data),)


def test_pages_and_further_pictures_of_a_still_one_do_not_count() -> None:
    made = [Image.fromarray(pictures.photo(seed, 80, 60)) for seed in range(3)]
    for format in ("TIFF", "MPO"):
        assert len(hash_frames(saved(made[0], format, save_all=True, append_images=made[1:]))) == 1


@pytest.mark.parametrize("format", ["GIF", "PNG"])
def test_what_comes_before_a_broken_frame_counts(format: str) -> None:
    data = moving(format, 6)
    found = hash_frames(data[: len(data) * 2 // 3], most=6)
    assert 1 < len(found) < 6
    assert found == hash_frames(data, most=6)[: len(found)]
    with pytest.raises(MediaUndecodable):
        hash_frames(data[:100])


def image_block(data: bytes) -> bytes:
    """What follows a GIF's screen and its colours."""
    return data[13 + 3 * 2 ** ((data[10] & 7) + 1) :]


def test_a_frame_that_makes_the_canvas_larger_than_allowed_is_refused_before_it_is_decoded() -> None:
    small = saved(Image.fromarray(pictures.photo(1, 8, 8)).quantize(16), "GIF")
    large = saved(Image.fromarray(pictures.photo(2, 120, 90)).quantize(16), "GIF")
    data = small[:-1] + image_block(large)
    assert [found.width for found in hash_frames(data)] == [8, 120]
    assert len(hash_frames(data, max_pixels=120 * 90 - 1)) == 1


def test_of_a_long_picture_only_the_beginning_is_looked_at() -> None:
    assert positions(12, 10_000, 4) == [0, 3, 6, 9]
    assert positions(3, 10_000, 8) == [0, 1, 2]
    assert positions(10_000, 4_000_000, 8) == [0, 6, 12, 18, 24, 30, 36, 42]
    assert positions(2**31, 64, 8)[-1] < 4000
    assert positions(5, 10**9, 8) == positions(0, 64, 8) == [0]
    assert positions(100, 64, 1) == [0]


def test_a_count_that_is_a_lie_is_found_out() -> None:
    data = bytearray(moving("PNG", 3))
    at = data.index(b"acTL")
    data[at + 4 : at + 8] = struct.pack(">I", 2**31 - 1)
    data[at + 12 : at + 16] = struct.pack(">I", zlib.crc32(data[at : at + 12]))
    assert 1 <= len(hash_frames(bytes(data))) <= 3
