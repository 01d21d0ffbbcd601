"""Pictures' bytes: normalised before they are hashed, refused when broken, the same after re-saving."""

import io
import itertools
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps, features

from monitor.errors import MediaUndecodable
from monitor.matching import ImageHashes, hash_image
from monitor.matching.picture import MAX_SCANS, decode, looks_like_picture
from tests.unit.matching import pictures

FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"] + (["AVIF"] if features.check("avif") else [])


def saved(image: Image.Image | pictures.Pixels, format: str = "PNG", **options: Any) -> bytes:
    if not isinstance(image, Image.Image):
        image = Image.fromarray(image)
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def bits_apart(a: bytes, b: bytes) -> int:
    return sum((x ^ y).bit_count() for x, y in zip(a, b, strict=True))


def outcome(data: bytes) -> ImageHashes | None:
    try:
        return hash_image(data)
    except MediaUndecodable:
        return None


# -- what a picture's hashes are


def test_hashes_have_their_sizes_and_imagehashs_bits() -> None:
    pixels = pictures.photo(1, 300, 200)
    found = hash_image(saved(pixels))
    image = Image.fromarray(pixels)
    assert (found.width, found.height, found.pdq_quality, len(found.pdq)) == (300, 200, 100, 32)
    assert found.phash.hex() == str(imagehash.phash(image))
    assert found.dhash.hex() == str(imagehash.dhash(image))


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_is_read_and_looks_like_a_picture(format: str) -> None:
    pixels = pictures.photo(2, 320, 240)
    data = saved(pixels, format)
    assert looks_like_picture(data[:18])
    assert bits_apart(hash_image(data).pdq, hash_image(saved(pixels)).pdq) <= 16


@pytest.mark.parametrize(
    "data", [b"BM, he wrote, is where it began.", b"", b"II", b"RIFF....WAVEfmt ", b"%PDF-1.7"]
)
def test_other_files_do_not_look_like_pictures(data: bytes) -> None:
    assert not looks_like_picture(data)


# -- normalised first


@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_picture_has_the_hash_of_the_upright_one(format: str, orientation: int) -> None:
    upright = Image.fromarray(pictures.photo(3, 320, 200))
    t = Image.Transpose
    # What a camera held that way stores: the turn that undoes the orientation.
    turn = [None, t.FLIP_LEFT_RIGHT, t.ROTATE_180, t.FLIP_TOP_BOTTOM, t.TRANSPOSE, t.ROTATE_90, t.TRANSVERSE]
    turn += [t.ROTATE_270]
    how = turn[orientation - 1]
    stored = upright if how is None else upright.transpose(how)
    exif = Image.Exif()
    exif[0x0112] = orientation
    lossless = {"lossless": True} if format == "WEBP" else {}
    assert hash_image(saved(stored, format, exif=exif, **lossless)) == hash_image(saved(upright))


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0rubbish", b"Exif\0\0MM\0*", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01"]
)
def test_broken_exif_leaves_the_picture_as_it_lies(exif: bytes) -> None:
    pixels = pictures.photo(4, 200, 100)
    assert hash_image(saved(pixels, exif=exif)) == hash_image(saved(pixels))


def test_a_palette_is_looked_up() -> None:
    palette = Image.fromarray(pictures.photo(5, 300, 200)).quantize(64)
    for options in ({}, {"transparency": 3}, {"transparency": bytes(range(64))}):
        assert hash_image(saved(palette, **options)) == hash_image(saved(palette.convert("RGB")))


@pytest.mark.parametrize(
    ("mode", "format"), [("CMYK", "JPEG"), ("CMYK", "TIFF"), ("L", "PNG"), ("YCbCr", "TIFF")]
)
def test_colour_models_are_brought_to_rgb(mode: str, format: str) -> None:
    rgb = Image.fromarray(pictures.photo(6, 300, 200))
    options = {"quality": 95} if format == "JPEG" else {}
    found = hash_image(saved(rgb.convert(mode), format, **options))
    assert bits_apart(found.pdq, hash_image(saved(rgb)).pdq) <= 10


@pytest.mark.parametrize("size", [(300, 200), (900, 700)])
def test_where_peers_hash_inks_palette_indexes_or_what_lies_on_its_side_it_is_the_picture_that_counts(
    size: tuple[int, int],
) -> None:
    rgb = Image.fromarray(pictures.photo(20, *size))
    exif = Image.Exif()
    exif[0x0112] = 6
    for data in (
        saved(rgb.convert("CMYK"), "JPEG", quality=90),
        saved(rgb.convert("CMYK"), "TIFF"),
        saved(rgb.quantize(32)),
        saved(rgb.quantize(32), "GIF"),
        saved(rgb, exif=exif),
    ):
        with Image.open(io.BytesIO(data)) as image:
            seen = ImageOps.exif_transpose(image).convert("RGB")
        assert hash_image(data) == hash_image(saved(seen, "BMP"))


def test_one_bit_is_black_and_white() -> None:
    page = Image.fromarray(pictures.picture("text", 300, 200, 1)).convert("1")
    assert hash_image(saved(page)) == hash_image(saved(page.convert("RGB")))


def test_alpha_is_dropped_and_the_colours_below_it_count() -> None:
    rgb = Image.fromarray(pictures.photo(7, 300, 200))
    alpha = Image.fromarray(pictures.smooth(8, 200, 300, 5).astype(np.uint8))
    grey = rgb.convert("L")
    rgba, la = rgb.copy(), grey.copy()
    rgba.putalpha(alpha)
    la.putalpha(alpha)
    assert rgba.mode == "RGBA"
    assert la.mode == "LA"
    assert hash_image(saved(rgba)) == hash_image(saved(rgb))
    assert hash_image(saved(la)) == hash_image(saved(grey))


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_not_clipped(format: str) -> None:
    grey = pictures.photo(9, 300, 200)[..., 0]
    deep = grey.astype(np.uint16) * 256 + pictures.noise(1, 200, 300).astype(np.uint16)
    assert hash_image(saved(Image.fromarray(deep), format)) == hash_image(saved(Image.fromarray(grey)))


@pytest.mark.parametrize(
    "values",
    [np.int32(1), np.int32(257), np.float32(1), np.float32(1 / 255)],
    ids=["8 bit in 32", "16 bit in 32", "float to 255", "float to 1"],
)
def test_wide_pixels_are_scaled_by_the_white_they_seem_to_have(values: Any) -> None:
    grey = pictures.photo(10, 300, 200)[..., 0]
    wide = Image.fromarray(grey * values)
    assert wide.mode in ("I", "F")
    found = hash_image(saved(wide, "TIFF"))
    assert bits_apart(found.pdq, hash_image(saved(Image.fromarray(grey))).pdq) <= 4


@pytest.mark.parametrize("format", ["GIF", "WEBP", "TIFF", "PNG"])
def test_the_first_frame_of_a_moving_picture_counts(format: str) -> None:
    frames = [
        Image.fromarray(pictures.photo(seed, 200, 150)).quantize(200).convert("RGB") for seed in (11, 12)
    ]
    options = {"lossless": True} if format == "WEBP" else {}
    data = saved(frames[0], format, save_all=True, append_images=frames[1:], **options)
    assert hash_image(data) == hash_image(saved(frames[0]))


# -- the same picture, another picture


def copies(image: Image.Image) -> dict[str, bytes]:
    width, height = image.size
    return {
        "jpeg 60": saved(image, "JPEG", quality=60),
        "jpeg 90 grey": saved(image.convert("L"), "JPEG", quality=90),
        "webp 70": saved(image, "WEBP", quality=70),
        "three quarters": saved(image.resize((width * 3 // 4, height * 3 // 4)), "JPEG", quality=80),
        "half": saved(image.resize((width // 2, height // 2)), "JPEG", quality=80),
    }


def test_a_copy_stays_within_31_bits_and_another_picture_beyond_60() -> None:
    hashes = []
    for seed in range(40):
        image = Image.fromarray(pictures.photo(seed, 480, 360))
        original = hash_image(saved(image, "JPEG", quality=95))
        assert original.pdq_quality >= 50
        hashes.append(original.pdq)
        for name, data in copies(image).items():
            assert bits_apart(hash_image(data).pdq, original.pdq) <= 31, (seed, name)
    assert min(bits_apart(a, b) for a, b in itertools.combinations(hashes, 2)) > 60


# -- broken, hostile


@settings(derandomize=True, deadline=None, max_examples=300)
@given(
    st.binary(max_size=400),
    st.sampled_from([b"", *(saved(pictures.photo(1, 9, 9), f)[:40] for f in FORMATS)]),
)
def test_any_bytes_are_a_picture_or_undecodable(noise: bytes, head: bytes) -> None:
    outcome(head + noise)


@pytest.mark.parametrize("format", FORMATS)
def test_truncated_and_flipped_files_are_a_picture_or_undecodable(format: str) -> None:
    generator = random.Random(f"{format} 1")
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(pictures.photo(13, 64, 48), format, **({} if format in ("GIF", "BMP") else {"exif": exif}))
    undecodable = 0
    for _ in range(200):
        broken = bytearray(data[: generator.randrange(len(data))] if generator.random() < 0.4 else data)
        for _ in range(generator.choice((0, 1, 3, 20))):
            if broken:
                broken[generator.randrange(min(len(broken), generator.choice((60, 10**6))))] ^= (
                    1 << generator.randrange(8)
                )
        undecodable += outcome(bytes(broken)) is None
    assert 20 < undecodable < 200


def test_no_program_is_started_for_a_page_description(tmp_path: Path) -> None:
    started, gs = tmp_path / "started", tmp_path / "gs"
    gs.write_text(f"#!/bin/sh\n: > {started}\n")
    gs.chmod(0o755)
    code = (
        "from monitor.matching import hash_image\n"
        "eps = b'%!PS-Adobe-3.0 EPSF-3.0\\n%%BoundingBox: 0 0 9 9\\n%%EndComments\\nshowpage\\n'\n"
        "try: hash_image(eps)\n"
        "except Exception as e: print(type(e).__name__)"
    )
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert run.stdout.strip() == "MediaUndecodable"
    assert not started.exists()


@pytest.mark.parametrize("format", ["PPM", "ICO", "TGA", "PCX", "JPEG2000", "DDS"])
def test_formats_that_are_not_named_are_not_read(format: str) -> None:
    with pytest.raises(MediaUndecodable):
        hash_image(saved(pictures.photo(1, 32, 32), format))


def test_a_picture_with_an_archive_behind_it_is_that_picture() -> None:
    data = saved(pictures.photo(14, 100, 80), "JPEG")
    assert hash_image(data + b"PK\x03\x04" + bytes(200)) == hash_image(data)


def test_the_limit_counts_pixels_before_they_are_decoded() -> None:
    data = saved(pictures.photo(15, 100, 80))
    assert decode(data, max_pixels=8000).size == (100, 80)
    with pytest.raises(MediaUndecodable, match="larger than 7999 pixels"):
        decode(data, max_pixels=7999)
    with pytest.raises(MediaUndecodable, match="on a side"):
        decode(saved(Image.new("1", (65_536, 1))))


def test_a_jpeg_that_goes_over_its_blocks_again_and_again_is_refused() -> None:
    buffer = io.BytesIO()
    Image.new("L", (64, 64), 127).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    scans, table = data.count(b"\xff\xda"), data.rfind(b"\xff\xc4")
    first, last, end = data[:table], data[table:-2], data[-2:]
    assert decode(first + last * (MAX_SCANS - scans + 1) + end).size == (64, 64)
    with pytest.raises(MediaUndecodable, match="scans"):
        decode(first + last * (MAX_SCANS - scans + 2) + end)
    # The same bytes after the picture, or in its metadata, are no scans.
    assert decode(data + last * 500 + end).size == (64, 64)
    comment = b"\xff\xfe\xea\x62" + b"\xff\xda" * 30_000
    assert decode(data[:2] + comment + data[2:]).size == (64, 64)


def test_a_message_never_quotes_the_decoder() -> None:
    with pytest.raises(MediaUndecodable) as caught:
        hash_image(b"\x89PNG\r\n\x1a\n" + b"zanzibar-marker" * 4)
    assert "zanzibar" not in str(caught.value)


BOMB = """
import io, resource, struct, sys, zlib
from monitor.errors import MediaUndecodable
from monitor.matching import hash_image
from PIL import Image

def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

small = io.BytesIO()
Image.new("RGB", (64, 64)).save(small, "PNG")
hash_image(small.getvalue())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
zeros = zlib.compress(bytes(50_000_000), 9)
refused = 0
for side, extra in ((30_000, b""), (9_400, b""), (64, chunk(b"zTXt", b"k\\0\\0" + zeros))):
    header = struct.pack(">IIBBBBB", side, side, 1 if side > 20_000 else 8, 0, 0, 0, 0)
    png = b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", header) + extra
    png += chunk(b"IDAT", zeros[:1000]) + chunk(b"IEND", b"")
    try:
        hash_image(png)
    except MediaUndecodable:
        refused += 1
grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
print(refused, grown)
"""


def test_bombs_are_refused_in_bounded_memory() -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", BOMB],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    refused, megabytes = map(int, run.stdout.split())
    assert refused == 3
    # The 88-million-pixel grey one is begun and found broken: its plane, and the bomb's own 50 MB.
    assert megabytes < 250
    assert run.stderr == ""


def test_importing_the_package_loads_no_decoder() -> None:
    code = "import monitor.matching, sys; print({'PIL', 'scipy', 'imagehash'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
