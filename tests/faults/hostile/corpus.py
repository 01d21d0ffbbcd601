"""Files that attack a decoder, generated: the same for the same seed. Nothing in them is from anywhere."""

import functools
import gzip
import io
import random
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

from monitor.testdc.films import film
from tests.unit.matching import pictures

Maker = Callable[[random.Random], bytes]


def corpus(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """`count` files with the kind of each, every kind in its share and in random order."""
    kinds, shares = zip(*((maker, share) for maker, share in MAKERS.items()), strict=True)
    for index in range(count):
        chosen = random.Random(f"{seed}:{index}")
        # Each kind comes once before chance decides.
        maker = kinds[index] if index < len(kinds) else chosen.choices(kinds, shares)[0]
        yield maker.__name__, maker(chosen)


@functools.cache
def whole() -> tuple[bytes, ...]:
    """Sound pictures of all formats and many modes, and of several frames: what the rest is made from."""
    made = []
    colour = Image.fromarray(pictures.photo(11, 160, 120))
    for mode in ("RGB", "L", "P", "1", "CMYK", "RGBA", "I;16", "I", "F", "LA", "YCbCr"):
        image = colour.convert("L").convert(mode) if mode in ("I;16", "I", "F") else colour.convert(mode)
        for name, options in (
            *(("JPEG", {"quality": 80}), ("JPEG", {"progressive": True}), ("PNG", {}), ("GIF", {})),
            *(("WEBP", {"lossless": True}), ("WEBP", {"quality": 60}), ("BMP", {}), ("AVIF", {"speed": 10})),
            *(
                ("TIFF", {"compression": c})
                for c in (None, "tiff_lzw", "tiff_deflate", "jpeg", "packbits", "group4")
            ),
        ):
            buffer = io.BytesIO()
            try:
                image.save(buffer, name, **options)
            except (OSError, ValueError, KeyError):
                continue  # no such mode in this format, or no such format in this Pillow
            made.append(buffer.getvalue())
    frames = [Image.fromarray(pictures.photo(20 + n, 60, 40)) for n in range(4)]
    for name in ("GIF", "WEBP", "PNG", "TIFF", "AVIF"):
        buffer = io.BytesIO()
        try:
            frames[0].save(buffer, name, save_all=True, append_images=frames[1:], loop=0)
        except (OSError, ValueError, KeyError):
            continue
        made.append(buffer.getvalue())
    return tuple(made)


def truncated(chosen: random.Random) -> bytes:
    data = chosen.choice(whole())
    return data[: chosen.randrange(len(data))]


def flipped(chosen: random.Random) -> bytes:
    data = bytearray(chosen.choice(whole()))
    for _ in range(chosen.choice((1, 1, 2, 5, 30))):
        data[chosen.randrange(len(data))] ^= 1 << chosen.randrange(8)
    return bytes(data)


def flipped_head(chosen: random.Random) -> bytes:
    data = bytearray(chosen.choice(whole()))
    for _ in range(chosen.choice((1, 2, 8))):
        data[chosen.randrange(min(len(data), 200))] = chosen.randrange(256)
    return bytes(data)


def spliced(chosen: random.Random) -> bytes:
    first, second = chosen.choice(whole()), chosen.choice(whole())
    return first[: chosen.randrange(len(first))] + second[chosen.randrange(len(second)) :]


def polyglot(chosen: random.Random) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.txt", "words")
    page = b"<html><script>alert(1)</script></html>"
    extra = chosen.choice((archive.getvalue(), page, b"%PDF-1.7\n%%EOF", b"MZ" + bytes(200), b"#!/bin/sh\n"))
    data = chosen.choice(whole())
    return chosen.choice((data + extra, extra + data, b"GIF89a/*" + page + b"*/=1;" + data))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(
    width: int, height: int, body: bytes, *, depth: int = 8, colour: int = 2, before: bytes = b""
) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + before + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")
    )


def _side(chosen: random.Random) -> int:
    return chosen.choice(
        (0, 1, 5000, 16_384, 65_535, 65_536, 2**31 - 1, 2**31, 2**32 - 1, chosen.randrange(2**32))
    )


def giant_png(chosen: random.Random) -> bytes:
    body = zlib.compress(bytes(chosen.randrange(100_000)))
    depth, colour = chosen.choice(((8, 2), (1, 0), (16, 6), (8, 3), (16, 0), (3, 9)))
    return _png(_side(chosen), _side(chosen), body, depth=depth, colour=colour)


def giant_gif(chosen: random.Random) -> bytes:
    width, height = chosen.choice(((65_535, 65_535), (1, 65_535), (65_535, 1), (0, 0), (5000, 4999)))
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    frame = (
        b","
        + struct.pack("<HHHHB", chosen.choice((0, 60_000)), 0, width, height, 0)
        + b"\x02\x02\x4c\x01\x00"
    )
    return screen + frame * chosen.choice((1, 3)) + chosen.choice((b"", b";"))


def giant_bmp(chosen: random.Random) -> bytes:
    width, height = _side(chosen), _side(chosen)
    bits, packing = chosen.choice(((24, 0), (8, 1), (4, 2), (32, 3), (1, 0), (16, 0)))
    head = struct.pack("<IIIHHIIIIII", 40, width, height, 1, bits, packing, 0, 0, 0, _side(chosen), 0)
    return b"BM" + struct.pack("<IHHI", 100, 0, 0, 54) + head + chosen.randbytes(300)


def giant_tiff(chosen: random.Random) -> bytes:
    tags = {256: _side(chosen), 257: _side(chosen), 258: 8, 259: chosen.choice((1, 5, 7, 8, 32773)), 262: 1}
    tags |= {273: 8, 277: chosen.choice((1, 3, 4, 255)), 278: _side(chosen), 279: _side(chosen)}
    order = chosen.choice("<>")
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    after = struct.pack(
        f"{order}I", chosen.choice((0, 8, 2**32 - 1))
    )  # the next folder: none, itself, nowhere
    return (
        (b"II*\0" if order == "<" else b"MM\0*")
        + struct.pack(f"{order}IH", 8, len(tags))
        + entries
        + after
        + chosen.randbytes(100)
    )


def giant_webp(chosen: random.Random) -> bytes:
    canvas = struct.pack("<I", chosen.randrange(64))
    canvas += _three(chosen.choice((16_383, 2**24 - 1))) + _three(chosen.choice((16_383, 2**24 - 1)))
    body = b"VP8X" + struct.pack("<I", 10) + canvas + chosen.choice(whole())[12:2000]
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _three(value: int) -> bytes:
    return struct.pack("<I", value)[:3]


def giant_jpeg(chosen: random.Random) -> bytes:
    data = bytearray(chosen.choice([w for w in whole() if w.startswith(b"\xff\xd8")]))
    at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    data[at + 5 : at + 9] = struct.pack(">HH", *(chosen.choice((0, 1, 4999, 5000, 65_535)) for _ in range(2)))
    return bytes(data)


@functools.cache
def _large_jpegs() -> tuple[bytes, ...]:
    """Sound JPEGs that are decoded at a smaller scale, several pictures in one and all orientations among them."""
    made = []
    large = Image.fromarray(pictures.photo(30, 320, 240)).resize((1203, 901))
    for number, mode in enumerate(("RGB", "L", "RGB", "L", "CMYK")):
        exif = Image.Exif()
        exif[0x0112] = number * 2
        buffer = io.BytesIO()
        large.convert(mode).save(buffer, "JPEG", progressive=number > 1, exif=exif, subsampling=number % 3)
        made.append(buffer.getvalue())
    buffer = io.BytesIO()
    large.save(buffer, "MPO", save_all=True, append_images=[large])
    made.append(buffer.getvalue())
    # Of the lossless process, which knows no smaller scale.
    frame = b"\xff\xc3\0\x0b\x08\x04\0\x04\0\x01\x01\x11\0"
    codes = b"\xff\xc4\0\x14\0\x01" + bytes(16)
    scan = b"\xff\xda\0\x08\x01\x01\0\x01\0\0"
    made.append(b"\xff\xd8" + frame + codes + scan + bytes(1024 * 1024 // 8) + b"\xff\xd9")
    return tuple(made)


def large_jpeg(chosen: random.Random) -> bytes:
    data = bytearray(chosen.choice(_large_jpegs()))
    for _ in range(chosen.choice((0, 1, 3, 30))):
        data[chosen.randrange(min(len(data), chosen.choice((700, 10**6))))] ^= 1 << chosen.randrange(8)
    return bytes(data[: chosen.choice((len(data), len(data), chosen.randrange(len(data))))])


@functools.cache
def _bombs() -> tuple[bytes, ...]:
    """Little files that are large pictures in truth, up to the most that is decoded."""
    made = []
    for width, height in ((5000, 5000), (65_000, 384), (384, 65_000), (4000, 3000)):
        flat = Image.new("L", (width, height), 127)
        for mode, name, options in (
            *(("L", "PNG", {}), ("RGB", "PNG", {}), ("1", "PNG", {}), ("P", "GIF", {}), ("L", "JPEG", {})),
            *(
                ("L", "JPEG", {"progressive": True}),
                ("CMYK", "JPEG", {}),
                ("L", "TIFF", {"compression": "tiff_lzw"}),
            ),
            ("RGB", "TIFF", {"compression": "tiff_deflate"}),
        ):
            buffer = io.BytesIO()
            flat.convert(mode).save(buffer, name, **options)
            made.append(buffer.getvalue())
    turned = Image.Exif()
    turned[0x0112] = 6
    buffer = io.BytesIO()
    Image.new("RGB", (5000, 5000), "grey").save(buffer, "JPEG", exif=turned)
    made.append(buffer.getvalue())
    made.append(_png(100_000, 100_000, zlib.compress(bytes(30_000_000), 9)))
    return tuple(made)


def bomb(chosen: random.Random) -> bytes:
    return chosen.choice(_bombs())


@functools.cache
def _text_bomb(kind: bytes) -> bytes:
    words = zlib.compress(bytes(60_000_000), 9)
    body = {b"zTXt": b"k\0\0" + words, b"iTXt": b"k\0\1\0\0\0" + words, b"iCCP": b"k\0\0" + words}[kind]
    return _png(8, 8, zlib.compress(bytes(8 * 25)), before=_chunk(kind, body) * 3)


def text_bomb(chosen: random.Random) -> bytes:
    return _text_bomb(chosen.choice((b"zTXt", b"iTXt", b"iCCP")))


def endless_gif(chosen: random.Random) -> bytes:
    screen = b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0x80, 0, 0) + bytes(6)
    parts = (
        b"!\xf9\x04" + bytes(5),
        b"," + struct.pack("<HHHHB", 0, 0, 8, 8, 0) + b"\x02\x02\x4c\x01\x00",
        b"!\xfe" + b"\xff" + bytes(255) + b"\x00",
        b"!\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00",
    )
    return screen + b"".join(chosen.choices(parts, k=chosen.choice((10, 1000, 30_000))))


def animated(chosen: random.Random) -> bytes:
    frames = [Image.new("RGB", (16, 16), (n * 7 % 256, n, 3)) for n in range(chosen.randrange(2, 60))]
    buffer = io.BytesIO()
    kind = chosen.choice(("GIF", "WEBP", "PNG"))
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:], duration=chosen.randrange(1000))
    data = bytearray(buffer.getvalue())
    if chosen.random() < 0.5:
        data[chosen.randrange(len(data))] ^= 0xFF
    return bytes(data)


def metadata(chosen: random.Random) -> bytes:
    size = chosen.choice((10, 60_000, 500_000))
    block = (
        b"Exif\0\0"
        + chosen.choice((b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"))
        + chosen.randbytes(min(size, 60_000))
    )
    xmp = b"http://ns.adobe.com/xap/1.0/\0" + b"<x:xmpmeta>" + b"<a>" * 20_000
    icc = b"ICC_PROFILE\0\x01\xff" + chosen.randbytes(60_000)
    segment = chosen.choice((block, xmp[:65_000], icc))
    marker = b"\xff\xe2" if segment is icc else b"\xff\xe1"
    segments = (marker + struct.pack(">H", len(segment) + 2) + segment) * max(1, size // 60_000)
    return b"\xff\xd8" + segments + chosen.choice([w for w in whole() if w.startswith(b"\xff\xd8")])[2:]


@functools.cache
def _many_scans(scans: int) -> bytes:
    """A progressive JPEG whose scans add nothing, and each of which goes over all blocks again."""
    buffer = io.BytesIO()
    Image.new("L", (4992, 4992), 127).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    last = data.rfind(b"\xff\xc4")  # the last scan with its table
    return data[:last] + data[last:-2] * scans + data[-2:]


def many_scans(chosen: random.Random) -> bytes:
    return _many_scans(chosen.choice((30, 3000)))


def video(chosen: random.Random) -> bytes:
    head = chosen.choice(
        (
            *(
                b"\0\0\0\x20ftypisom\0\0\2\0",
                b"\0\0\0\x1cftypmp42",
                b"\x1aE\xdf\xa3\x9fB\x86\x81\1",
                b"RIFF\0\0\1\0AVI LIST",
            ),
            *(b"\0\0\1\xba", b"FLV\1\5\0\0\0\x09", b"OggS\0\2", b"\0\0\0\x18ftypheic", b"\0\0\0\x18ftypavif"),
            *(b"\0\0\0\x18ftypmif1", b"\xff\xff\xff\xffftypisom", b"\0\0\0\0ftypavis"),
        )
    )
    return head + chosen.randbytes(chosen.choice((0, 10, 5000, 100_000)))


def text(chosen: random.Random) -> bytes:
    return chosen.choice(
        (
            b"",
            bytes([chosen.randrange(256)]),
            b"plain words\n" * chosen.randrange(1, 1000),
            b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
            b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'><!ENTITY d '&b;&b;&b;'>]><svg>&d;</svg>",
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) (r) file\n",
            b"\xc5\xd0\xd3\xc6" + bytes(30),
            b"%PDF-1.7\n1 0 obj<</Type/Catalog/OpenAction 2 0 R>>endobj\n",
            b"P6\n99999 99999\n255\n" + bytes(100),
            b"8BPS\0\1" + bytes(6) + b"\0\3\0\0\xff\xff\0\0\xff\xff\0\x08\0\3",
            b"BM" + b"ore words than a picture has",
        )
    )


def archive(chosen: random.Random) -> bytes:
    data = chosen.choice(whole())
    for depth in range(chosen.randrange(1, 6)):
        buffer = io.BytesIO()
        kind = chosen.randrange(3)
        if kind == 0:
            with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as zipped:
                zipped.writestr(f"../{depth}.jpg", data)
        elif kind == 1:
            with tarfile.open(fileobj=buffer, mode="w") as tarred:
                entry = tarfile.TarInfo("/etc/passwd")
                entry.size = len(data)
                tarred.addfile(entry, io.BytesIO(data))
        else:
            buffer.write(gzip.compress(data, mtime=0))
        data = buffer.getvalue()
    return data


def noise(chosen: random.Random) -> bytes:
    heads = (
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"II*\0",
        b"MM\0*",
        b"RIFF\xff\xff\0\0WEBPVP8 ",
        b"II+\0",
    )
    size = chosen.choice((0, 1, 20, 500, 20_000))
    return chosen.choice(heads) + np.random.default_rng(chosen.randrange(2**32)).bytes(size)


@functools.cache
def whole_films() -> tuple[bytes, ...]:
    """Sound films of all containers and several codings."""
    made = []
    for container, codec, pixels, options in (
        ("mp4", "mpeg4", "yuv420p", {}),
        ("mp4", "libx264", "yuv420p", {"preset": "ultrafast"}),
        (
            "mov",
            "libx265",
            "yuv420p10le",
            {"preset": "ultrafast", "x265-params": "pools=none:log-level=none"},
        ),
        ("mp4", "h263", "yuv420p", {}),
        ("webm", "libvpx-vp9", "yuva420p", {"deadline": "realtime", "cpu-used": "8"}),
        ("webm", "libvpx", "yuv420p", {"deadline": "realtime", "cpu-used": "8"}),
        ("matroska", "mjpeg", "yuvj420p", {}),
        ("matroska", "mpeg2video", "yuv420p", {}),
        ("avi", "mpeg4", "yuv420p", {}),
        ("avi", "msmpeg4v2", "yuv420p", {}),
        ("mov", "prores_ks", "yuv422p10le", {}),
    ):
        try:
            made.append(
                film(
                    31,
                    3,
                    176,
                    144,
                    rate=6 if codec not in ("mpeg2video",) else 25,
                    codec=codec,
                    container=container,
                    pixel_format=pixels,
                    options=options,
                )
            )
        except (ValueError, OSError):
            continue  # an FFmpeg that was built without it
    return tuple(made)


def film_flipped(chosen: random.Random) -> bytes:
    data = bytearray(chosen.choice(whole_films()))
    for _ in range(chosen.choice((1, 3, 10, 100))):
        data[chosen.randrange(len(data))] ^= 1 << chosen.randrange(8)
    return bytes(data)


def film_flipped_tables(chosen: random.Random) -> bytes:
    """Where a container says what lies where: at its beginning and at its end."""
    data = bytearray(chosen.choice(whole_films()))
    for _ in range(chosen.choice((1, 2, 8, 30))):
        place = chosen.randrange(min(len(data), 1200))
        data[place if chosen.random() < 0.5 else -place - 1] = chosen.choice((0, 1, 127, 128, 255))
    return bytes(data)


def film_truncated(chosen: random.Random) -> bytes:
    data = chosen.choice(whole_films())
    return data[: chosen.randrange(len(data))]


def film_spliced(chosen: random.Random) -> bytes:
    one, other = chosen.choice(whole_films()), chosen.choice(whole_films())
    return one[: chosen.randrange(len(one))] + other[chosen.randrange(len(other)) :]


MAKERS: dict[Maker, float] = {
    truncated: 20,
    flipped: 30,
    flipped_head: 12,
    spliced: 8,
    polyglot: 4,
    giant_png: 3,
    giant_gif: 3,
    giant_bmp: 2,
    giant_tiff: 4,
    giant_webp: 2,
    giant_jpeg: 2,
    large_jpeg: 3,
    bomb: 0.6,
    text_bomb: 0.5,
    endless_gif: 1,
    animated: 3,
    metadata: 2,
    many_scans: 0.05,
    video: 3,
    text: 2,
    archive: 2,
    noise: 4,
    film_flipped: 6,
    film_flipped_tables: 6,
    film_truncated: 3,
    film_spliced: 3,
}
"""Each kind with its share; what is slow to decode is rare."""
