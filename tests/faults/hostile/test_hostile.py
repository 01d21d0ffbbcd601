"""Hostile files through confined decoders: none harms who asks, none takes long, none takes much."""

import asyncio
import hashlib
import importlib.metadata
import os
import subprocess
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from monitor.confinement import DECODER_MEMORY, available
from monitor.decoder import ITEM_SECONDS, WORKERS, WorkerHasher
from monitor.errors import MediaEmpty
from monitor.model import Algorithm
from tests.faults.hostile.corpus import MAKERS, corpus

pytestmark = pytest.mark.skipif(not available().enough, reason="no Landlock or seccomp on this machine")

SAMPLE, ALL = 500, 10_000
MOST_MEMORY = DECODER_MEMORY
MOST_SECONDS = 600.0
Record = Callable[[str, object], None]


@dataclass
class Survey:
    """What happened to the files. Memory is a decoder's peak beyond what it takes when it begins, in bytes;
    `load` the most processes that wanted to run, for each processor.
    """

    files: int = 0
    size: int = 0
    decoded: int = 0
    undecodable: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    slowest_kind: str = ""
    base: int = 0
    peak: int = 0
    deaths: int = 0
    load: float = 0.0
    kinds: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        return (
            f"hostile files: {self.files:,} ({self.size / 1e6:,.0f} MB) in {self.seconds:.0f} s, "
            f"{self.decoded:,} hashed, {self.undecodable:,} undecodable; slowest {self.slowest:.2f} s "
            f"({self.slowest_kind}), peak {self.peak / 2**20:.0f} MiB beyond the {self.base / 2**20:.0f} MiB of a "
            f"decoder, {self.deaths} decoders ended and replaced, load {self.load:.1f} a processor; "
            "0 harm to the caller"
        )


async def survey(files: Iterable[tuple[str, bytes]]) -> Survey:
    """Send them all through, as many at once as there are decoders."""
    result, source, started = Survey(), iter(files), time.monotonic()
    async with WorkerHasher() as hasher:
        result.base = max(map(resident_peak, hasher.processes))

        making = asyncio.Lock()

        async def work() -> None:
            while True:
                # Elsewhere: while a file is made here, nobody would see that a decoder has answered.
                async with making:
                    made = await asyncio.to_thread(next, source, None)
                if made is None:
                    return
                kind, data = made
                began = time.monotonic()
                await one(hasher, data, result)
                took = time.monotonic() - began
                if took > result.slowest:
                    result.slowest, result.slowest_kind = took, kind
                result.load = max(result.load, os.getloadavg()[0] / (os.cpu_count() or 1))
                result.files += 1
                result.size += len(data)
                result.kinds[kind] += 1
                result.peak = max(result.peak, *(resident_peak(p) - result.base for p in hasher.processes), 0)

        async with asyncio.TaskGroup() as tasks:
            for number in range(WORKERS):
                tasks.create_task(work(), name=f"hostile:{number}")
        result.deaths = hasher.deaths
    result.seconds = time.monotonic() - started
    return result


async def one(hasher: WorkerHasher, data: bytes, result: Survey) -> None:
    hashing = hasher.start()
    await hashing.feed(data)
    if not data:
        with pytest.raises(MediaEmpty):
            await hashing.finish()
        return
    found = await hashing.finish()
    values = {h.algorithm: h.value for h in found.hashes}
    assert values[Algorithm.SHA256] == hashlib.sha256(data).digest()
    assert found.undecodable is False or Algorithm.PDQ not in values
    result.undecodable += found.undecodable
    result.decoded += Algorithm.PDQ in values or bool(found.frames)


def resident_peak(process: int) -> int:
    """Bytes of memory that a process has held at most; 0 when it is gone."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0)


def test_the_same_seed_gives_the_same_files() -> None:
    assert list(corpus(60, 1)) == list(corpus(60, 1))
    assert list(corpus(60, 1)) != list(corpus(60, 2))


async def test_a_sample_of_hostile_files_does_no_harm(record_property: Record) -> None:
    result = await survey(corpus(SAMPLE, 3))
    assert result.files == SAMPLE
    assert set(result.kinds) == {maker.__name__ for maker in MAKERS}
    assert result.decoded > 50
    assert result.peak <= MOST_MEMORY
    record_property("figures", str(result))


@pytest.mark.prove
@pytest.mark.timeout(1200)
async def test_ten_thousand_hostile_files_do_no_harm(tmp_path: Path, record_property: Record) -> None:
    folder = await asyncio.to_thread(pillow_sources, tmp_path)

    def all_of_them() -> Iterator[tuple[str, bytes]]:
        yield from corpus(ALL, 4)
        yield from from_pillow(folder)

    result = await survey(all_of_them())
    record_property("figures", str(result))
    assert result.files >= ALL + 500
    assert result.kinds["pillow"] >= 500
    # Each within its limit; where others want the processors too, as much later as they take.
    assert result.slowest <= ITEM_SECONDS * max(1.0, result.load)
    assert result.seconds <= MOST_SECONDS
    assert result.peak <= MOST_MEMORY


def pillow_sources(folder: Path) -> Path:
    """Pillow's source distribution, of the version installed, from the package registry; it is not kept."""
    version = importlib.metadata.version("pillow")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "pillow"),
            *("--dest", str(folder), f"pillow=={version}"),
        ],
        check=True,
        timeout=300,
    )
    return next(folder.glob("*.tar.gz"))


def from_pillow(path: Path) -> Iterator[tuple[str, bytes]]:
    """The pictures that Pillow is tested with, those that once crashed it among them, read in memory."""
    with tarfile.open(path) as archive:
        for member in archive:
            if member.isfile() and "/Tests/" in member.name and not member.name.endswith((".py", ".md")):
                file = archive.extractfile(member)
                assert file is not None
                yield "pillow", file.read()
