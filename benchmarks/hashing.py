"""Pictures' bytes to hashes, against threatexchange and imagehash on the same bytes, and how near they are.

All in a process of its own: numpy's threads are switched off by its environment, before it is imported. The
pictures are photographs that scikit-image carries, cut and joined by a seed, and generated ones.
"""

import io
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.table import Row
from monitor.matching import ImageHashes, hash_image
from monitor.matching.matcher import ERROR_BOUND, QUALITY_MARGIN
from monitor.matching.thresholds import MIN_QUALITY
from monitor.model import Algorithm
from tests.unit.matching.photographs import assorted, edited, mosaic

SEED = 7
ROUNDS = 15
PICTURES = 240
FILES = 4
"""Pictures that are timed together."""
QUALITY = 87
"""Of the JPEGs that are timed."""
SCREEN, DECIDE = 47, 31
"""Bits within which a rendition is a candidate, and a picture a match."""


def measure() -> list[Row]:
    """Medians of alternating runs, one thread unless said."""
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "benchmarks.hashing"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=env)
    return [Row(**row) for row in json.loads(done.stdout)]


def _measure() -> Iterator[Row]:
    yield from _times()
    yield from _distances()
    yield _threads()
    yield from _renditions()


# -- time


def _times() -> Iterator[Row]:
    from threatexchange.signal_type.pdq.pdq_hasher import pdq_from_bytes

    for longest, against_both, target in ((1280, True, 12.0), (800, False, 5.0), (2560, False, 18.0)):
        files = [_jpeg(mosaic(seed, longest, longest * 3 // 4)) for seed in range(FILES)]
        calls: list[Callable[[bytes], object]] = [hash_image, pdq_from_bytes, _imagehash, _entropy]
        ours, peer, other, floor = (
            taken / FILES for taken in _medians(*(partial(_each, call, files) for call in calls))
        )
        slow = peer + other if against_both else peer
        peers = "threatexchange (PDQ) + imagehash (pHash, dHash)" if against_both else "threatexchange (PDQ)"
        yield Row(
            f"JPEG of {longest} px to PDQ, pHash and dHash, against {peers}",
            f"{ours * 1000:.2f} ms against {slow * 1000:.1f} ms, {sum(map(len, files)) / FILES / 1000:.0f} KB",
            slow / ours,
            f"at least {target:.0f} ×",
            slow / ours >= target,
        )
        if against_both:
            yield Row(
                "the same, against entropy decoding alone (a JPEG decoder that keeps one value in 64)",
                f"{ours * 1000:.2f} ms against {floor * 1000:.2f} ms",
                ours / floor,
                "at most 1.5 ×",
                ours / floor <= 1.5,
            )


def _each(call: Callable[[bytes], object], files: list[bytes]) -> None:
    for data in files:
        call(data)


def _medians(*calls: Callable[[], object], clock: Callable[[], float] = time.process_time) -> list[float]:
    """Seconds that each takes, called in turns; of processor time unless another clock is given."""
    taken: list[list[float]] = [[] for _ in calls]
    for call in calls:
        call()
    for _ in range(ROUNDS):
        for call, times in zip(calls, taken, strict=True):
            began = clock()
            call()
            times.append(clock() - began)
    return [statistics.median(times) for times in taken]


def _imagehash(data: bytes) -> object:
    import imagehash

    image = Image.open(io.BytesIO(data))
    return imagehash.phash(image), imagehash.dhash(image)


def _entropy(data: bytes) -> object:
    """Grey at 1/8: of each block the first coefficient is the value, there is nothing to transform."""
    import simplejpeg

    height, width, *_ = simplejpeg.decode_jpeg_header(data)
    return simplejpeg.decode_jpeg(data, "GRAY", min_height=-(-height // 8), min_width=-(-width // 8))


def _threads() -> Row:
    data = [_jpeg(mosaic(number, 1280, 960)) for number in range(4)] * 8
    with ThreadPoolExecutor(2) as two:
        one, both = _medians(
            lambda: list(map(hash_image, data)),
            lambda: list(two.map(hash_image, data)),
            clock=time.perf_counter,
        )
    return Row(
        "two threads hash 1280 px JPEGs, against one",
        f"{len(data) / both:.0f}/s against {len(data) / one:.0f}/s",
        one / both,
        "at least 1.8 ×",
        one / both >= 1.8,
    )


# -- distance


def _distances() -> Iterator[Row]:
    scaled, whole = [], []
    for longest, share in ((800, 0.35), (1280, 0.55), (2560, 0.2)):
        count = round(PICTURES * share)
        for image, chosen in assorted(count, SEED, longest):
            data = _jpeg(image, chosen.randint(50, 95))
            decoded = Image.open(io.BytesIO(data)).convert("RGB")
            expected, found = _pdqhash(decoded), hash_image(data)
            if found.pdq_quality >= MIN_QUALITY:  # what has less is not compared
                scaled.append(_apart(found.pdq, expected))
            written = io.BytesIO()
            decoded.save(written, "BMP")
            whole.append(_apart(hash_image(written.getvalue()).pdq, expected))
    for what, value, most in (
        ("mean", statistics.fmean(scaled), 1),
        ("99th percentile", float(np.percentile(scaled, 99)), 4),
        ("most", max(scaled), 8),
    ):
        yield Row(
            f"bits from pdqhash on the whole picture, JPEGs decoded at a smaller scale: {what}",
            f"{len(scaled)} pictures of 800 to 2560 px, of quality {MIN_QUALITY} and more (seed {SEED})",
            value,
            f"at most {most}",
            value <= most,
        )
    yield Row(
        "the same, decoded whole: most",
        f"{len(whole)} pictures",
        max(whole),
        "0",
        max(whole) == 0,
    )


def _renditions() -> Iterator[Row]:
    ratios = []
    for seed in range(8):
        image = mosaic(seed, 1280, 960)
        ratios.append(len(_jpeg(_small(image))) / len(_jpeg(image)))
    ratio = statistics.median(ratios)
    yield Row(
        "bytes of the 320 px rendition, against the 1280 px one",
        f"median of {len(ratios)} pictures with a photograph's detail, JPEG {QUALITY}",
        ratio,
        "at most 0.10 ×",
        ratio <= 0.1,
    )
    distances, others, qualities, differ, alone, matches = [], [], [], 0, 0, 0
    for image, chosen in assorted(PICTURES, SEED + 1, 1280):
        listed = _pdqhash(image)
        original = Image.open(io.BytesIO(_jpeg(image))).convert("RGB")
        small, full = _screened(original), hash_image(_jpeg(image))
        distances.append(_apart(small.pdq, _pdqhash(original)))
        others.append(max(_apart(small.phash, full.phash), _apart(small.dhash, full.dhash)))
        qualities.append(full.pdq_quality - small.pdq_quality)
        copy = Image.open(io.BytesIO(_jpeg(edited(image, chosen), chosen.randint(50, 95)))).convert("RGB")
        decided = _apart(hash_image(_jpeg(copy)).pdq, listed) <= DECIDE
        seen = _apart(_screened(copy).pdq, listed)
        matches += decided
        differ += decided and seen > SCREEN
        alone += decided != (seen <= DECIDE)
    yield Row(
        "bits of the 320 px rendition's hash from its original's: most",
        f"{len(distances)} pictures, {statistics.fmean(distances):.1f} on average",
        max(distances),
        "at most 14",
        max(distances) <= 14,
    )
    bound = ERROR_BOUND[Algorithm.PHASH]
    yield Row(
        "the same of pHash and dHash",
        f"{statistics.fmean(others):.1f} on average",
        max(others),
        f"at most {bound}",
        max(others) <= bound,
    )
    yield Row(
        "PDQ quality of the original, above that of its rendition: most",
        f"{statistics.fmean(qualities):.1f} on average",
        max(qualities),
        f"at most {QUALITY_MARGIN}",
        max(qualities) <= QUALITY_MARGIN,
    )
    yield Row(
        "edited copies decided otherwise when the rendition alone decides, % of those looked at",
        f"{alone} of {PICTURES}",
        100 * alone / PICTURES,
        "none set",
        True,
    )
    yield Row(
        f"edited copies decided otherwise when screened at {SCREEN} bits first, % of those looked at",
        f"{differ} of {PICTURES}, {matches} of which match",
        100 * differ / PICTURES,
        "at most 1 %",
        differ <= PICTURES / 100,
    )


def _screened(image: Image.Image) -> ImageHashes:
    return hash_image(_jpeg(_small(image)), original_size=image.size)


def _small(image: Image.Image) -> Image.Image:
    small = image.copy()
    small.thumbnail((320, 320), Image.Resampling.LANCZOS, reducing_gap=None)
    return small


def _jpeg(image: Image.Image, quality: int = QUALITY) -> bytes:
    written = io.BytesIO()
    image.save(written, "JPEG", quality=quality)
    return written.getvalue()


def _pdqhash(image: Image.Image) -> bytes:
    import pdqhash

    bits, _ = pdqhash.compute(np.asarray(image))
    return np.packbits(bits).tobytes()


def _apart(one: bytes, other: bytes) -> int:
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count()


def _plain(row: Row) -> dict[str, Any]:
    return {**asdict(row), "value": float(row.value), "met": bool(row.met)}


if __name__ == "__main__":
    json.dump([_plain(row) for row in _measure()], sys.stdout)
