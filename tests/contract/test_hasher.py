"""Both hashers, in this process and in confined workers: digests of all bytes, hashes of pictures, nothing kept."""

import asyncio
import contextlib
import gc
import hashlib
import io
import random
import tracemalloc
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest
from PIL import Image

from monitor.confinement import available
from monitor.decoder import WorkerHasher
from monitor.errors import MediaEmpty
from monitor.matching import InProcessHasher, film_of, hash_image
from monitor.model import Algorithm, MediaHashes
from monitor.ports import Hasher
from monitor.testdc.films import film
from tests.unit.matching import pictures

Making = Callable[..., AbstractAsyncContextManager[Hasher]]


def in_process(**limits: int) -> AbstractAsyncContextManager[Hasher]:
    return contextlib.nullcontext(InProcessHasher(**limits))


def in_workers(**limits: int) -> AbstractAsyncContextManager[Hasher]:
    return WorkerHasher(workers=1, **limits)  # type: ignore[arg-type] # all are integers


@pytest.fixture(
    params=[
        in_process,
        pytest.param(
            in_workers,
            marks=pytest.mark.skipif(not available().enough, reason="no Landlock or seccomp on this machine"),
        ),
    ]
)
def hasher_with(request: pytest.FixtureRequest) -> Making:
    making: Making = request.param
    return making


def jpeg(width: int = 320, height: int = 240) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pictures.photo(1, width, height)).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


async def hashed(hasher: Hasher, data: bytes, chunk: int = 4096) -> MediaHashes:
    hashing = hasher.start()
    for start in range(0, len(data), chunk):
        await hashing.feed(data[start : start + chunk])
    return await hashing.finish()


def values(hashes: MediaHashes) -> dict[Algorithm, bytes]:
    return {h.algorithm: h.value for h in hashes.hashes}


async def test_a_picture_has_all_six_hashes_however_it_is_cut(hasher_with: Making) -> None:
    data = jpeg()
    image = hash_image(data)
    async with hasher_with() as hasher:
        for chunk in (1, 7, 4096, 10**6):
            found = await hashed(hasher, data, chunk)
            assert (found.width, found.height) == (320, 240)
            assert (found.quality, found.undecodable) == (image.pdq_quality, False)
            assert values(found) == {
                Algorithm.MD5: hashlib.md5(data, usedforsecurity=False).digest(),
                Algorithm.SHA1: hashlib.sha1(data, usedforsecurity=False).digest(),
                Algorithm.SHA256: hashlib.sha256(data).digest(),
                Algorithm.PDQ: image.pdq,
                Algorithm.PHASH: image.phash,
                Algorithm.DHASH: image.dhash,
            }


async def test_every_format_and_mode_has_the_same_hashes_in_a_worker_as_here(hasher_with: Making) -> None:
    written = []
    for mode in ("L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F", "1"):
        for name in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"):
            buffer = io.BytesIO()
            # A mode that the format does not have, or a format that this Pillow does not.
            with contextlib.suppress(OSError, ValueError, KeyError):
                Image.fromarray(pictures.photo(3, 90, 70)).convert("L").convert(mode).save(buffer, name)
                written.append(buffer.getvalue())
    assert len(written) > 25
    async with hasher_with() as hasher:
        for data in written:
            found, image = await hashed(hasher, data), hash_image(data)
            assert values(found)[Algorithm.PDQ] == image.pdq
            assert values(found)[Algorithm.PHASH] == image.phash
            assert values(found)[Algorithm.DHASH] == image.dhash


async def test_a_film_has_its_digests_and_its_frames_however_it_is_cut(hasher_with: Making) -> None:
    data = film(1, 3, 320, 240)
    seen = film_of(data)
    async with hasher_with() as hasher:
        for chunk in (1000, 10**6):
            found = await hashed(hasher, data, chunk)
            assert values(found) == {a: hashlib.new(a, data).digest() for a in Algorithm if a.exact}
            assert (found.frames, found.width, found.height) == (seen.frames, 320, 240)
            assert (found.quality, found.undecodable, found.partial) == (None, False, False)
        assert found.best_quality == max(frame.quality for frame in seen.frames)


async def test_a_moving_picture_has_the_hashes_of_its_first_frame_and_further_frames(
    hasher_with: Making,
) -> None:
    out = io.BytesIO()
    frames = [Image.fromarray(pictures.photo(60 + n, 120, 90)) for n in range(3)]
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:], duration=1000)
    async with hasher_with() as hasher:
        found = await hashed(hasher, out.getvalue())
        assert [frame.second for frame in found.frames] == [0, 1, 2]
        assert found.frames[0].pdq == values(found)[Algorithm.PDQ] == hash_image(out.getvalue()).pdq
        still = io.BytesIO()
        frames[0].save(still, "GIF")
        assert (await hashed(hasher, still.getvalue())).frames == ()


async def test_films_are_looked_at_only_where_that_is_asked_for(hasher_with: Making) -> None:
    data = film(1, 2, 160, 120)
    async with hasher_with() as hasher:
        hashing = hasher.start(films=False)
        await hashing.feed(data)
        found = await hashing.finish()
    assert values(found)[Algorithm.MD5] == hashlib.md5(data, usedforsecurity=False).digest()
    assert (found.frames, found.undecodable) == ((), False)


async def test_a_film_that_is_broken_or_too_large_has_digests_and_is_undecodable(hasher_with: Making) -> None:
    data = film(1, 2, 160, 120)
    for limits, item in (({}, data[: len(data) // 2]), ({"max_film_bytes": len(data) - 1}, data)):
        async with hasher_with(**limits) as hasher:
            found = await hashed(hasher, item)
            assert values(found)[Algorithm.SHA256] == hashlib.sha256(item).digest()
            assert (found.frames, found.undecodable) == ((), True)


async def test_many_items_at_once_keep_their_own_hashes(hasher_with: Making) -> None:
    items = [jpeg(80 + n, 60) for n in range(20)]
    async with hasher_with() as hasher:
        found = await asyncio.gather(*(hashed(hasher, data) for data in items))
    assert [f.width for f in found] == [80 + n for n in range(20)]


async def test_other_files_have_digests_alone(hasher_with: Making) -> None:
    async with hasher_with() as hasher:
        for data in (b"x", b"\xff\xd8", b"%PDF-1.7 and so on", random.Random(1).randbytes(300_000)):
            found = await hashed(hasher, data, 100_000)
            assert values(found) == {a: hashlib.new(a, data).digest() for a in Algorithm if a.exact}
            assert (found.quality, found.width, found.undecodable) == (None, None, False)


async def test_a_broken_picture_has_digests_and_is_undecodable(hasher_with: Making) -> None:
    async with hasher_with() as hasher:
        for data in (jpeg()[:2000], b"GIF89a", b"\xff\xd8\xff" + bytes(100)):
            found = await hashed(hasher, data)
            assert set(values(found)) == {Algorithm.MD5, Algorithm.SHA1, Algorithm.SHA256}
            assert found.undecodable


async def test_no_bytes_are_an_error(hasher_with: Making) -> None:
    async with hasher_with() as hasher:
        hashing = hasher.start()
        await hashing.feed(b"")
        with pytest.raises(MediaEmpty):
            await hashing.finish()


async def test_a_picture_above_the_limits_has_digests_and_is_undecodable(hasher_with: Making) -> None:
    data = jpeg()
    for limits in ({"max_picture_bytes": len(data) - 1}, {"max_pixels": 320 * 240 - 1}):
        async with hasher_with(**limits) as hasher:
            found = await hashed(hasher, data)
            assert values(found)[Algorithm.SHA256] == hashlib.sha256(data).digest()
            assert found.undecodable
    async with hasher_with(max_picture_bytes=len(data), max_pixels=320 * 240) as exactly:
        assert not (await hashed(exactly, data)).undecodable


@pytest.mark.parametrize(
    ("head", "limit"),
    [(b"%PDF-1.7", 10**9), (b"\xff\xd8\xff\xe0", 10**6)],
    ids=["a document", "a picture over the limit"],
)
async def test_what_will_not_be_decoded_is_not_kept(head: bytes, limit: int, hasher_with: Making) -> None:
    async with hasher_with(max_picture_bytes=limit) as hasher:
        hashing = hasher.start()
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
