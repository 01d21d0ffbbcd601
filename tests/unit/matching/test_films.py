"""Films: their frames are those that a player shows, hashed as pictures are, within limits."""

import io
import itertools
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from av.video.frame import PictureType
from PIL import Image

from monitor.errors import MediaUndecodable
from monitor.matching import Film, Sampling, film_of
from monitor.matching.film_file import FilmFile, film_format, moves
from monitor.matching.luma import pdq_of_frame
from monitor.matching.pdq import pdq
from monitor.matching.signals import hamming
from monitor.testdc.films import film
from tests.unit.matching import pictures

X265 = {"preset": "ultrafast", "x265-params": "pools=none:log-level=none"}
CODINGS = [
    ("mp4", "mpeg4", "yuv420p", {}),
    ("mov", "libx264", "yuv420p", {"preset": "veryfast"}),
    ("mp4", "libx265", "yuv420p10le", X265),
    ("webm", "libvpx-vp9", "yuva420p", {"deadline": "realtime", "cpu-used": "8"}),
    ("webm", "libvpx", "yuv420p", {"deadline": "realtime", "cpu-used": "8"}),
    ("matroska", "libsvtav1", "yuv420p", {"preset": "12", "svtav1-params": "lp=1"}),
    ("matroska", "mjpeg", "yuvj420p", {}),
    ("avi", "mpeg4", "yuv420p", {}),
    ("mov", "prores_ks", "yuv422p10le", {}),
    ("matroska", "libx264rgb", "rgb24", {"preset": "veryfast"}),
]


def decoded(data: bytes) -> list[av.VideoFrame]:
    """All frames of a film, by PyAV as it comes."""
    with av.open(io.BytesIO(data)) as file:
        return list(file.decode(video=0))


def first_of_each_second(frames: list[av.VideoFrame]) -> list[av.VideoFrame]:
    return [
        next(group) for _, group in itertools.groupby(frames, key=lambda f: int(float(f.time or 0) + 1e-6))
    ]


def pdq_of_rgb(rgb: Any) -> bytes:
    return pdq(lambda start, stop: rgb[start:stop], rgb.shape[1], rgb.shape[0]).value


def shown(found: Film) -> list[float]:
    return [frame.second for frame in found.frames]


@pytest.mark.parametrize(
    ("container", "codec", "pixels", "options"), CODINGS, ids=[f"{c[0]}-{c[1]}" for c in CODINGS]
)
def test_a_frame_a_second_whatever_the_container_and_the_coding(
    container: str, codec: str, pixels: str, options: dict[str, str]
) -> None:
    try:
        data = film(1, 4, 320, 240, codec=codec, container=container, pixel_format=pixels, options=options)
    except ValueError:
        pytest.skip(f"an FFmpeg without {codec}")
    found = film_of(data)
    assert (found.width, found.height, found.partial) == (320, 240, False)
    assert shown(found) == pytest.approx([0, 1, 2, 3], abs=0.01)
    for ours, theirs in zip(found.frames, first_of_each_second(decoded(data)), strict=True):
        rgb = theirs.to_ndarray(format="rgb24")
        assert hamming(ours.pdq, pdq_of_rgb(rgb)) <= 10
        assert ours.quality >= 50


def test_leaving_out_what_no_other_frame_needs_changes_no_frame() -> None:
    data = film(2, 5, 320, 240, rate=25, codec="libx264", options={"preset": "medium", "bf": "3"})
    wanted = first_of_each_second(decoded(data))
    assert {PictureType(f.pict_type).name for f in decoded(data)} == {"I", "P", "B"}
    for rate in (1.0, 4.0, 0.5):
        found = film_of(data, Sampling(frames_per_second=rate))
        assert len(found.frames) == 5 * rate if rate >= 1 else 3
    found = film_of(data)
    assert [f.pdq for f in found.frames] == [pdq_of_frame(frame)[0].value for frame in wanted]


def test_of_an_interval_the_first_frame_counts_though_the_rate_is_uneven() -> None:
    data = film(3, 4, 160, 120, rate=7)
    times = [float(frame.time or 0) for frame in decoded(data)]
    expected = [next(t for t in times if t >= k / 2 - 1e-6) for k in range(8)]
    assert shown(film_of(data, Sampling(frames_per_second=2))) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_film_is_turned_as_players_turn_it(rotation: int) -> None:
    data = film(4, 2, 320, 240, rotation=rotation)
    found = film_of(data)
    assert (found.width, found.height) == ((320, 240) if rotation == 180 else (240, 320))
    for ours, theirs in zip(found.frames, first_of_each_second(decoded(data)), strict=True):
        upright = np.ascontiguousarray(np.rot90(theirs.to_ndarray(format="rgb24"), rotation // 90))
        assert hamming(ours.pdq, pdq_of_rgb(upright)) <= 10


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv444p10le", "gray", "nv12", "rgb24"])
def test_a_narrow_range_of_levels_has_the_quality_and_the_hash_of_a_wide_one(pixels: str) -> None:
    # Strong enough to be near a limit of quality, soft enough not to be cut off.
    rgb = (pictures.photo(5, 320, 240) * 0.4 + 70).astype(np.uint8)
    wide = pdq(lambda start, stop: rgb[start:stop], 320, 240)
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=pixels)
    found, width, height = pdq_of_frame(frame)
    assert (width, height) == (320, 240)
    assert hamming(found.value, wide.value) <= 12
    assert abs(found.quality - wide.quality) <= 1


def test_limits_leave_the_rest_out_and_say_so() -> None:
    data = film(1, 5, 320, 240)
    whole = film_of(data)
    assert not whole.partial
    for sampling, count in (
        (Sampling(max_seconds=2.5), 3),
        (Sampling(max_frames=2), 2),
    ):
        found = film_of(data, sampling)
        assert (found.frames, found.partial) == (whole.frames[:count], True)
    assert not film_of(data, Sampling(max_frames=6, max_pixels=320 * 240)).partial
    for sampling in (Sampling(max_pixels=320 * 240 - 1), Sampling(cpu_seconds=0)):
        with pytest.raises(MediaUndecodable):
            film_of(data, sampling)


@pytest.mark.parametrize("container", ["matroska", "avi", "webm"])
def test_of_a_film_that_was_cut_short_the_rest_is_seen(container: str) -> None:
    codec = "libvpx" if container == "webm" else "mpeg4"
    data = film(1, 6, 320, 240, container=container, codec=codec)
    whole, found = film_of(data), film_of(data[: len(data) * 2 // 3])
    assert 2 <= len(found.frames) < 6
    assert found.frames == whole.frames[: len(found.frames)]


def test_behind_what_is_broken_the_film_goes_on() -> None:
    data = bytearray(film(1, 6, 320, 240, codec="mjpeg", container="matroska", pixel_format="yuvj420p"))
    middle = len(data) // 2
    data[middle : middle + 3000] = bytes(3000)
    found = film_of(bytes(data))
    assert found.frames[-1].second == pytest.approx(5, abs=0.2)


def test_a_film_whose_decoder_cannot_be_opened_ends() -> None:
    data = bytearray(film(1, 2, 176, 144, container="avi", codec="msmpeg4v2"))
    header = data.index(b"strf") + 8
    height = slice(header + 8, header + 12)
    assert int.from_bytes(data[height], "little") == 144
    data[height] = (144 + (1 << 16)).to_bytes(4, "little")
    with pytest.raises(MediaUndecodable):
        film_of(data, Sampling(max_pixels=1_000_000))


def test_a_film_without_its_table_of_contents_is_undecodable() -> None:
    data = film(1, 2, 160, 120)
    for broken in (
        data[: len(data) // 2],
        data[:40],
        b"\0\0\0\x18ftypisom" + bytes(100),
        b"\x1a\x45\xdf\xa3",
    ):
        with pytest.raises(MediaUndecodable):
            film_of(broken)


def test_sound_alone_is_no_film_and_no_failure() -> None:
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        stream: Any = file.add_stream("aac", rate=48_000)
        samples = np.zeros((1, 1024), np.float32)
        for number in range(20):
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 48_000, number * 1024, Fraction(1, 48_000)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    assert film_of(out.getvalue()) == Film()


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG", "AVIF"])
def test_a_moving_picture_has_frames_by_the_second_too(name: str) -> None:
    frames = [Image.fromarray(pictures.photo(50 + n, 160, 120)) for n in range(6)]
    out = io.BytesIO()
    try:
        frames[0].save(out, name, save_all=True, append_images=frames[1:], duration=500)
    except (KeyError, OSError):
        pytest.skip(f"a Pillow without {name}")
    data = out.getvalue()
    assert moves(data[:4096])
    found = film_of(data)
    assert (found.width, found.height, found.partial) == (160, 120, False)
    assert shown(found) == pytest.approx([0, 1, 2], abs=0.01)
    for ours, theirs in zip(found.frames, frames[::2], strict=True):
        assert hamming(ours.pdq, pdq_of_rgb(np.asarray(theirs))) <= 20


def test_still_pictures_and_texts_are_no_films() -> None:
    for name in ("JPEG", "PNG", "WEBP", "BMP", "TIFF"):
        out = io.BytesIO()
        Image.fromarray(pictures.photo(1, 80, 60)).save(out, name)
        assert film_format(out.getvalue()[:18]) is None
        assert not moves(out.getvalue()[:4096])
    for brand in (b"heic", b"avif", b"M4A "):
        assert film_format(b"\0\0\0\x20ftyp" + brand) is None
    for head in (b"RIFF\0\0\0\0WAVEfmt ", b"%PDF", b""):
        assert film_format(head) is None
    for head in (
        b"\0\0\0\x20ftypisom",
        b"\0\0\0\x14ftypqt  ",
        b"\0\0\0\x20ftypM4V ",
        b"\0\0\0\x08wide\0\0\0\0mdat",
    ):
        assert film_format(head) == "mov"


def test_a_film_file_reads_what_is_there_and_nothing_beyond() -> None:
    data, asked = bytes(range(256)), []

    def read_at(offset: int, size: int) -> bytes:
        asked.append((offset, size))
        return data[offset : offset + size]

    file = FilmFile(256, read_at)
    assert file.read(10) == data[:10]
    assert file.seek(-6, io.SEEK_END) == 250
    assert (file.read(100), file.read(100), file.tell()) == (data[250:], b"", 256)
    assert file.seek(1000) == 1000
    assert file.read() == b""
    assert file.seek(-5) == 0
    assert all(offset >= 0 and offset + size <= 256 for offset, size in asked)


def test_keyframes_alone_are_fewer_and_the_same() -> None:
    data = film(
        6, 6, 160, 120, codec="libx264", options={"g": "25", "sc_threshold": "0", "preset": "veryfast"}
    )
    every, keys = film_of(data), film_of(data, Sampling(keyframes_only=True))
    assert 1 < len(keys.frames) < len(every.frames)
    assert all(frame.key_frame for frame in decoded(data) if frame.time in shown(keys))
