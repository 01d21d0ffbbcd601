"""The hasher in this process: digests of all bytes, perceptual hashes of pictures, nothing kept."""

import gc
import hashlib
import io
import random
import tracemalloc

import pytest
from PIL import Image

from monitor.errors import MediaEmpty
from monitor.matching import InProcessHasher, hash_image
from monitor.model import Algorithm, MediaHashes
from monitor.ports import Hasher
from tests.unit.matching import pictures


def jpeg(width: int = 320, height: int = 240) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pictures.photo(1, width, height)).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


async def hashed(data: bytes, chunk: int = 4096, hasher: Hasher | None = None) -> MediaHashes:
    hashing = (hasher or InProcessHasher()).start()
    for start in range(0, len(data), chunk):
        await hashing.feed(data[start : start + chunk])
    return await hashing.finish()


def values(hashes: MediaHashes) -> dict[Algorithm, bytes]:
    return {h.algorithm: h.value for h in hashes.hashes}


@pytest.mark.parametrize("chunk", [1, 7, 4096, 10**6])
async def test_a_picture_has_all_six_hashes_however_it_is_cut(chunk: int) -> None:
    data = jpeg()
    image = hash_image(data)
    found = await hashed(data, chunk)
    assert (found.width, found.height, found.quality, found.undecodable) == (
        320,
        240,
        image.pdq_quality,
        False,
    )
    assert values(found) == {
        Algorithm.MD5: hashlib.md5(data, usedforsecurity=False).digest(),
        Algorithm.SHA1: hashlib.sha1(data, usedforsecurity=False).digest(),
        Algorithm.SHA256: hashlib.sha256(data).digest(),
        Algorithm.PDQ: image.pdq,
        Algorithm.PHASH: image.phash,
        Algorithm.DHASH: image.dhash,
    }


@pytest.mark.parametrize(
    "data", [b"x", b"\xff\xd8", b"%PDF-1.7 and so on", random.Random(1).randbytes(300_000)]
)
async def test_other_files_have_digests_alone(data: bytes) -> None:
    found = await hashed(data, 100_000)
    assert values(found) == {a: hashlib.new(a, data).digest() for a in Algorithm if a.exact}
    assert (found.quality, found.width, found.undecodable) == (None, None, False)


@pytest.mark.parametrize("data", [jpeg()[:2000], b"GIF89a", b"\xff\xd8\xff" + bytes(100)])
async def test_a_broken_picture_has_digests_and_is_undecodable(data: bytes) -> None:
    found = await hashed(data)
    assert set(values(found)) == {Algorithm.MD5, Algorithm.SHA1, Algorithm.SHA256}
    assert found.undecodable


async def test_no_bytes_are_an_error() -> None:
    hashing = InProcessHasher().start()
    await hashing.feed(b"")
    with pytest.raises(MediaEmpty):
        await hashing.finish()


async def test_a_picture_above_the_limits_has_digests_and_is_undecodable() -> None:
    data = jpeg()
    for hasher in (
        InProcessHasher(max_picture_bytes=len(data) - 1),
        InProcessHasher(max_pixels=320 * 240 - 1),
    ):
        found = await hashed(data, hasher=hasher)
        assert values(found)[Algorithm.SHA256] == hashlib.sha256(data).digest()
        assert found.undecodable
    exactly = InProcessHasher(max_picture_bytes=len(data), max_pixels=320 * 240)
    assert not (await hashed(data, hasher=exactly)).undecodable


@pytest.mark.parametrize(
    ("head", "limit"),
    [(b"%PDF-1.7", 10**9), (b"\xff\xd8\xff\xe0", 10**6)],
    ids=["a document", "a picture over the limit"],
)
async def test_what_will_not_be_decoded_is_not_kept(head: bytes, limit: int) -> None:
    hashing = InProcessHasher(max_picture_bytes=limit).start()
    chunk = bytes(500_000)
    await hashing.feed(head)
    await hashing.feed(chunk)
    gc.collect()
    tracemalloc.start()
    try:
        for _ in range(40):
            await hashing.feed(chunk)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3_000_000
    await hashing.finish()
