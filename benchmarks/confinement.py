"""One picture hashed in a confined decoder, against hashing it in this process."""

import asyncio
import io
import statistics
import time

import numpy as np
from PIL import Image

from benchmarks.table import Row
from monitor.confinement import available
from monitor.decoder import WorkerHasher
from monitor.matching import InProcessHasher
from monitor.ports import Hasher

ROUNDS = 200
WIDTH, HEIGHT = 1280, 960
TARGET = 1.1


def measure() -> Row:
    """Medians of alternating runs of both, after each has warmed up."""
    here, confined = asyncio.run(_medians(_picture()))
    return Row(
        f"a {WIDTH} × {HEIGHT} JPEG hashed in a confined decoder, against in this process",
        f"{confined * 1000:.1f} ms against {here * 1000:.1f} ms",
        confined / here,
        f"at most {TARGET} ×",
        confined / here <= TARGET,
    )


def _picture() -> bytes:
    """Soft shapes with some grain, as a photograph has: a JPEG of some 200 kB."""
    chosen = np.random.default_rng(1)
    shapes = Image.fromarray(chosen.integers(0, 256, (12, 16, 3), np.uint8))
    soft = np.asarray(shapes.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC), np.int16)
    grain = chosen.normal(0, 4, soft.shape).astype(np.int16)
    buffer = io.BytesIO()
    Image.fromarray(np.clip(soft + grain, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


async def _medians(data: bytes) -> tuple[float, float]:
    # Where it cannot be confined the process alone is measured.
    async with WorkerHasher(workers=1, required=available().enough) as confined:
        hashers: tuple[Hasher, Hasher] = (InProcessHasher(), confined)
        times: tuple[list[float], list[float]] = ([], [])
        for number in range(ROUNDS + 10):
            for hasher, taken in zip(hashers, times, strict=True):
                seconds = await _seconds(hasher, data)
                if number >= 10:
                    taken.append(seconds)
    return statistics.median(times[0]), statistics.median(times[1])


async def _seconds(hasher: Hasher, data: bytes) -> float:
    started = time.perf_counter()
    hashing = hasher.start()
    await hashing.feed(data)
    await hashing.finish()
    return time.perf_counter() - started
