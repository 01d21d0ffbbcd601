"""Content is found however it was written down, and only content."""

import base64
import binascii
import bz2
import gzip
import io
import json
import lzma
import random
import urllib.parse
import zipfile
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.selftest.markers import Markers
from monitor.selftest.search import Search
from monitor.selftest.shingles import Shingles
from monitor.testdc.pictures import picture

MARKERS = Markers(1)
TEXT = MARKERS.words("text of a message")
WORD = MARKERS.word("file name")
EXIF = MARKERS.words("EXIF", media=True)
PHONE = MARKERS.phone("phone number")
PICTURE = picture(1, 160, 120)
NOISE = random.Random(2).randbytes(5000)
SEARCH = Search(MARKERS, [PICTURE, NOISE])


def kinds(data: bytes) -> set[str]:
    return {hit.kind for hit in SEARCH.search(data, "a place", begins=False)}


def zipped(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", data)
    return out.getvalue()


WAYS: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda data: data,
    "capitals": lambda data: data.decode().upper().encode(),
    "first letter a capital": lambda data: data.decode().capitalize().encode(),
    "utf-16-le": lambda data: data.decode().encode("utf-16-le"),
    "utf-16-be": lambda data: data.decode().encode("utf-16-be"),
    "utf-32": lambda data: data.decode().encode("utf-32"),
    "hex": binascii.hexlify,
    "hex, odd": lambda data: b"f" + binascii.hexlify(data).upper(),
    "hex, spaced": lambda data: binascii.hexlify(data, " "),
    "hex, colons": lambda data: binascii.hexlify(data, ":"),
    "base64": base64.b64encode,
    "base64, one off": lambda data: base64.b64encode(b"x" + data),
    "base64, two off": lambda data: base64.b64encode(b"xy" + data),
    "base64, urlsafe": lambda data: base64.urlsafe_b64encode(data + b"\xff\xfe\xfb"),
    "base64, lines": base64.encodebytes,
    "repr": lambda data: repr(data).encode(),
    "ascii": lambda data: ascii(data.decode()).encode(),
    "json": lambda data: json.dumps({"message": data.decode()}).encode(),
    "url": lambda data: urllib.parse.quote(data).encode(),
    "xml": lambda data: data.decode().encode("ascii", "xmlcharrefreplace"),
    "zlib": zlib.compress,
    "zlib, stored": lambda data: zlib.compress(data, 0),
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zip": zipped,
    "base64 of zlib": lambda data: base64.b64encode(zlib.compress(data)),
    "hex of utf-16": lambda data: binascii.hexlify(data.decode().encode("utf-16-le")),
    "gzip of JSON of base64": lambda data: gzip.compress(
        json.dumps(base64.b64encode(data).decode()).encode()
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("text", [TEXT, EXIF, WORD], ids=["text", "exif", "word"])
def test_a_marker_is_found_however_it_is_written(way: str, text: str) -> None:
    noise = random.Random(way).randbytes(300)
    data = noise + b"\n" + WAYS[way](text.encode()) + b"\n" + noise
    expected = {TEXT: "text of a message", EXIF: "EXIF", WORD: "file name"}[text]
    assert expected in kinds(data)


@pytest.mark.parametrize("way", ["repr", "ascii", "json", "url", "xml", "utf-16-le", "base64", "zlib"])
def test_a_marker_of_another_script_is_found_too(way: str) -> None:
    korean = TEXT.split("“")[1].split("”")[0]
    assert "text of a message" in kinds(b"before " + WAYS[way](korean.encode()) + b" after")


@pytest.mark.parametrize(
    "written",
    [
        PHONE.encode(),
        f"+{PHONE}".encode("utf-16-le"),
        int(PHONE).to_bytes(6, "big"),
        int(PHONE).to_bytes(8, "little"),
        base64.b64encode(PHONE.encode()),
        zlib.compress(PHONE.encode()),
    ],
)
def test_a_phone_number_is_found_as_text_and_as_number(written: bytes) -> None:
    assert kinds(b"....." + written + b".....") == {"phone number"}


@pytest.mark.parametrize("size", [16, 64, 1000])
@pytest.mark.parametrize("way", ["as it is", "hex", "base64", "repr", "zlib", "gzip"])
def test_a_slice_of_the_media_is_found(size: int, way: str) -> None:
    chance = random.Random(size)
    for _ in range(5):
        start = chance.randrange(len(NOISE) - size)
        data = chance.randbytes(50) + b"\n" + WAYS[way](NOISE[start : start + size]) + b"\n" + bytes(50)
        assert "bytes of the media" in kinds(data)


def test_a_slice_across_two_blocks_is_found() -> None:
    shingles = Shingles([NOISE])
    for before in range((1 << 20) - 20, (1 << 20) + 4):
        assert shingles.found_in(bytes(before) + NOISE[100:116] + b"\1" * 40)
        assert not shingles.found_in(bytes(before) + NOISE[100:115] + b"\1" * 40)


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_the_index_agrees_with_looking_at_every_place(data: bytes) -> None:
    media = NOISE[:200]
    mixed = data + media[50:70] + data
    for sample in (data, mixed):
        direct = any(media[i : i + 16] in sample for i in range(len(media) - 15))
        assert Shingles([media]).found_in(sample) == direct


HEADS = [
    picture(9, 64, 64),
    picture(9, 64, 64, kind="PNG"),
    picture(9, 64, 64, kind="GIF"),
    picture(9, 64, 64, kind="WEBP"),
    picture(9, 64, 64, kind="TIFF"),
    b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41",
    b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82\x84webm",
    zipped(b"nothing"),
    b"OggS\x00\x02" + bytes(8),
    b"%PDF-1.7\n",
]


@pytest.mark.parametrize("head", HEADS, ids=lambda head: head[:4].hex())
def test_a_media_file_never_seen_before_is_known_by_its_head(head: bytes) -> None:
    assert "the beginning of a media file" in {h.kind for h in SEARCH.search(head, "a file")}
    if not head.startswith(b"II"):
        assert "the beginning of a media file" in kinds(b"some bytes before" + head)
    encoded = base64.b64encode(head)
    assert "the beginning of a media file" in kinds(b"log: " + encoded + b"\n")


def test_through_pipes_media_may_pass_and_texts_may_not() -> None:
    assert not SEARCH.words_only(PICTURE + EXIF.encode(), "a pipe")
    assert {h.kind for h in SEARCH.words_only(PICTURE + TEXT.encode(), "a pipe")} == {"text of a message"}
    assert SEARCH.words_only(base64.b64encode(TEXT.encode()), "a pipe")


def test_a_hit_never_prints_what_was_found() -> None:
    name = SEARCH.shown(f"/state/folder/{WORD}.jpg")
    assert name == "/state/folder/(a name that is content)"
    assert SEARCH.shown(f"/{WORD}/state/x").endswith("(a name that is content)")
    for hit in SEARCH.search(TEXT.encode() + PICTURE, "a place"):
        assert WORD[:8] not in str(hit)


def test_noise_keys_and_numbers_are_no_content() -> None:
    chance = random.Random(3)
    for _ in range(4):
        assert not kinds(chance.randbytes(1_000_000))
    digits = "".join(chance.choices("0123456789abcdef", k=200_000))
    assert not kinds(digits.encode())
    assert not kinds(base64.b64encode(chance.randbytes(100_000)))
    assert not kinds(bytes(100_000) + bytes(range(256)) * 10)
    assert not SEARCH.search(b"12:04:31 INFO  channel joined channel=example_channel\n" * 500, "a log")
