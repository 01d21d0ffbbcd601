"""Moving pictures: which frames are looked at, and what a hostile one can cost."""

import struct
import time
import zlib
from typing import Any

import pytest
from PIL import Image, features

from monitor.errors import MediaUndecodable
from monitor.matching import hash_frames, hash_image
from monitor.matching.frames import frames
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


def gif(width: int, height: int, frame: tuple[int, int, int, int], count: int) -> bytes:
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    image = b"," + struct.pack("<HHHHB", *frame, 0) + b"\x02\x02\x4c\x01\x00"
    return (
        screen + b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x4c\x01\x00" + image * count + b";"
    )


def test_a_frame_that_makes_the_canvas_larger_than_allowed_is_refused_before_it_is_decoded() -> None:
    data = gif(8, 8, (60_000, 2000, 5000, 60_000), 2)
    assert len(hash_frames(data)) == 1


def test_ten_thousand_frames_are_not_all_gone_through() -> None:
    began = time.process_time()
    assert len(list(frames(gif(2000, 2000, (0, 0, 1, 1), 10_000), most=8))) == 8
    assert time.process_time() - began < 20


def test_a_count_that_is_a_lie_is_found_out() -> None:
    data = bytearray(moving("PNG", 3))
    at = data.index(b"acTL")
    data[at + 4 : at + 8] = struct.pack(">I", 2**31 - 1)
    data[at + 12 : at + 16] = struct.pack(">I", zlib.crc32(data[at : at + 12]))
    assert 1 <= len(hash_frames(bytes(data))) <= 3
