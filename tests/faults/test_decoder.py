"""Decoders that die, hang, or are left behind."""

import asyncio
import contextlib
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from PIL import Image

from monitor.confinement import DECODER_CPU_SECONDS, DECODER_MEMORY, available
from monitor.decoder import ITEM_SECONDS, TRIES, WorkerHasher
from monitor.decoder.wire import Settings
from monitor.decoder.worker import Worker
from monitor.matching import MAX_PIXELS, USUAL, Sampling, hash_image
from monitor.model import Algorithm, MediaHashes
from monitor.testdc.films import film
from tests.unit.matching import pictures

pytestmark = pytest.mark.skipif(not available().enough, reason="no Landlock or seccomp on this machine")


def jpeg(width: int = 320, height: int = 240) -> bytes:
    buffer = io.BytesIO()
    # Made small and enlarged: a large one would take longer to make than to hash.
    photo = Image.fromarray(pictures.photo(1, 320, 240)).resize((width, height))
    photo.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def png(width: int, height: int) -> bytes:
    """Of a picture that is decoded whole, which takes far longer and more memory than a JPEG."""
    buffer = io.BytesIO()
    photo = Image.fromarray(pictures.photo(1, 320, 240)).resize((width, height))
    photo.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


async def hashed(hasher: WorkerHasher, data: bytes) -> MediaHashes:
    hashing = hasher.start()
    await hashing.feed(data)
    return await hashing.finish()


def alive(processes: Iterable[int]) -> list[int]:
    """Those of them that still run; what has ended and was not yet asked for counts as ended."""
    running = []
    for process in processes:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                running.append(process)
    return running


def resident_peak(process: int) -> int:
    """The most bytes of memory that a process has held."""
    status = Path(f"/proc/{process}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def gone(processes: Iterable[int], seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while alive(processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


async def test_a_decoder_that_was_killed_is_replaced_and_its_item_hashed() -> None:
    data = jpeg()
    async with WorkerHasher(workers=1) as hasher:
        for _ in range(2):
            [first] = hasher.processes
            os.kill(first, signal.SIGKILL)
            assert not (await hashed(hasher, data)).undecodable
            assert hasher.processes != [first]
        assert hasher.deaths == 2


async def test_a_decoder_that_hangs_is_killed_and_its_item_hashed_by_another() -> None:
    async with WorkerHasher(workers=1, seconds=3) as hasher:
        [first] = hasher.processes
        os.kill(first, signal.SIGSTOP)
        found = await hashed(hasher, jpeg())
        assert {h.algorithm for h in found.hashes} == set(Algorithm) - {Algorithm.VPDQ}
        assert hasher.deaths == 1
        assert await asyncio.to_thread(gone, [first])


async def test_what_two_decoders_cannot_do_in_time_is_undecodable_and_the_next_item_is_served() -> None:
    slow, quick = png(3000, 2000), jpeg(64, 64)
    async with WorkerHasher(workers=1, seconds=0.05) as hasher:
        found = await hashed(hasher, slow)
        assert found.undecodable
        assert {h.algorithm for h in found.hashes} == {Algorithm.MD5, Algorithm.SHA1, Algorithm.SHA256}
        assert hasher.deaths == TRIES
        assert len(hasher.processes) == 0
        await hashed(hasher, quick)


async def test_a_decoder_that_dies_over_a_film_is_replaced_and_the_film_read_again() -> None:
    data = film(1, 4, 320, 240)
    async with WorkerHasher(workers=1, sampling=Sampling(frames_per_second=10)) as hasher:
        expected = await hashed(hasher, data)
        assert len(expected.frames) == 40
        for wait in (0.0, 0.01, 0.03):
            [first] = hasher.processes
            task = asyncio.create_task(hashed(hasher, data))
            await asyncio.sleep(wait)
            with contextlib.suppress(ProcessLookupError):  # the one before ended unseen, between two items
                os.kill(first, signal.SIGKILL)
            assert await task == expected
        assert hasher.deaths >= 1


async def test_a_film_over_which_a_decoder_falls_silent_is_read_by_another() -> None:
    data = film(1, 4, 320, 240)
    async with WorkerHasher(workers=1, silence=2) as hasher:
        [first] = hasher.processes
        os.kill(first, signal.SIGSTOP)
        assert len((await hashed(hasher, data)).frames) == 4
        assert hasher.deaths == 1
        assert await asyncio.to_thread(gone, [first])


async def test_pictures_do_not_wait_for_films() -> None:
    films = [film(seed, 8, 640, 480) for seed in (1, 2)]
    async with WorkerHasher(workers=2, sampling=Sampling(frames_per_second=30)) as hasher:
        busy = [asyncio.create_task(hashed(hasher, data)) for data in films]
        await asyncio.sleep(0.05)
        assert not (await hashed(hasher, jpeg())).undecodable
        assert not all(task.done() for task in busy)
        for task in busy:
            assert len((await task).frames) == 80


async def test_a_decoder_takes_no_more_for_many_frames_than_for_one() -> None:
    data = film(1, 6, 1280, 720)
    async with WorkerHasher(workers=1, sampling=Sampling(frames_per_second=10)) as hasher:
        await hashed(hasher, film(1, 1, 1280, 720))
        [process] = hasher.processes
        before = resident_peak(process)
        assert len((await hashed(hasher, data)).frames) == 60
        # A frame has 1.4 MB: kept until the garbage collector comes, sixty would have 80.
        assert hasher.processes == [process]
        assert resident_peak(process) - before < 40_000_000


async def test_a_film_that_takes_too_long_is_seen_in_part() -> None:
    data = film(1, 16, 640, 480)
    async with WorkerHasher(workers=1, sampling=Sampling(frames_per_second=30, cpu_seconds=0.03)) as hasher:
        found = await hashed(hasher, data)
        assert found.partial
        assert 0 < len(found.frames) < 160
        assert hasher.deaths == 0


async def test_what_needs_more_memory_than_allowed_is_undecodable_and_the_decoder_lives_on() -> None:
    async with WorkerHasher(workers=1, memory=24 << 20) as hasher:
        before = hasher.processes
        assert (await hashed(hasher, png(4000, 3000))).undecodable
        assert not (await hashed(hasher, jpeg())).undecodable
        assert (hasher.processes, hasher.deaths) == (before, 0)


async def test_a_decoder_retires_between_two_items_before_its_time_is_up() -> None:
    data, found = jpeg(1280, 960), None
    async with WorkerHasher(workers=1, cpu_seconds=6) as hasher:
        [first] = hasher.processes
        while first in hasher.processes:
            found = await hashed(hasher, data)
            assert not found.undecodable
        assert await hashed(hasher, data) == found
        assert hasher.deaths == 0


async def test_no_decoder_is_left_when_the_context_ends_in_whatever_way() -> None:
    async with WorkerHasher() as hasher:
        processes = hasher.processes
        assert len(alive(processes)) == 2
    assert alive(processes) == []
    with pytest.raises(KeyError):
        async with WorkerHasher() as hasher:
            processes = hasher.processes
            raise KeyError
    assert alive(processes) == []


async def test_an_item_given_up_in_the_middle_leaves_no_answer_for_the_next() -> None:
    big, small = jpeg(2400, 1800), jpeg()
    async with WorkerHasher(workers=1) as hasher:
        for wait in (0.0, 0.001, 0.01, 0.03):
            task = asyncio.create_task(hashed(hasher, big))
            await asyncio.sleep(wait)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            found = await hashed(hasher, small)
            assert {h.algorithm: h.value for h in found.hashes}[Algorithm.PDQ] == hash_image(small).pdq


async def test_a_decoder_is_told_the_size_of_the_original() -> None:
    small = Image.fromarray(pictures.photo(2, 320, 240))
    items = [jpeg(), jpeg(1280, 960)]
    for name in ("PNG", "WEBP", "GIF", "TIFF", "AVIF"):
        buffer = io.BytesIO()
        with contextlib.suppress(KeyError):  # an older Pillow: without AVIF
            small.save(buffer, name)
            items.append(buffer.getvalue())
    several = io.BytesIO()
    small.resize((800, 600)).save(several, "MPO", save_all=True, append_images=[small])
    items.append(several.getvalue())
    settings = Settings(os.getpid(), MAX_PIXELS, DECODER_MEMORY, DECODER_CPU_SECONDS, True, USUAL)
    worker = Worker(settings, ITEM_SECONDS * 4)
    try:
        for data in items:
            for size in (None, (2560, 1920), (5, 2000), (1, 1), (65_535, 49_151), (60_000, 45_000)):
                assert await worker.hash(data, size) == hash_image(data, original_size=size)
        with pytest.raises(ValueError, match="within 1 and 65535"):
            await worker.hash(items[0], (0, 65_536))
        assert worker.deaths == 0
    finally:
        await worker.end()


PARENT = """
import asyncio, sys
from monitor.decoder import WorkerHasher
async def main():
    async with WorkerHasher() as hasher:
        print(*hasher.processes, flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""


def test_no_decoder_outlives_a_parent_that_was_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    ) as parent:
        assert parent.stdout is not None
        processes = [int(p) for p in parent.stdout.readline().split()]
        assert len(alive(processes)) == 2
        parent.kill()
    assert gone(processes)


INSIDE = """
import asyncio, sys
from monitor.confinement import confine_collector
told = confine_collector([443], required=True)
from monitor.decoder import WorkerHasher
data = open(sys.argv[1], "rb").read()
async def main():
    async with WorkerHasher(workers=1) as hasher:
        hashing = hasher.start()
        await hashing.feed(data)
        found = await hashing.finish()
        print(found.quality, len(found.hashes), told, hasher.in_force, sep="; ")
asyncio.run(main())
"""


def test_a_confined_collector_can_start_decoders(tmp_path: Path) -> None:
    (tmp_path / "picture").write_bytes(jpeg())
    done = subprocess.run(
        [sys.executable, "-c", INSIDE, str(tmp_path / "picture")],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        timeout=100,
    )
    assert done.stdout == "100; 6; collector: confined; decoder: confined\n", done.stderr


async def test_a_decoder_sees_nothing_of_the_environment_but_where_code_lies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CHANNEL_MONITOR_CANARY", "canary")
    async with WorkerHasher(workers=1) as hasher:
        [process] = hasher.processes
        with contextlib.suppress(PermissionError):  # not root: a process that is not dumpable is closed
            assert b"canary" not in await asyncio.to_thread(environment, process)


def environment(process: int) -> bytes:
    return Path(f"/proc/{process}/environ").read_bytes()
