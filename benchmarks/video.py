"""Films to frames, against decoding alone and against vPDQ's way; how near the frames are; the peak of memory.

In a process of its own, one thread, by processor time. The films are generated: the view moves over photographs that
scikit-image carries, another one every four seconds. vpdq itself is compared with where it is installed; it has no
wheel for Linux, and its source needs FFmpeg's headers of another version than what PyAV brings. Where it is not, its
steps are: every frame decoded, one a second brought to RGB by swscale, that hashed by pdqhash.
"""

import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks.table import Row
from monitor.matching import Sampling, film_of
from tests.unit.matching.photographs import mosaic

SEED = 7
ROUNDS = 5
WIDTH, HEIGHT, RATE, SECONDS = 1280, 720, 25, 12
LARGE = 200_000_000
"""Bytes of the film whose memory is measured."""
ALONE, PEER, MEAN, MOST = 0.9, 1.0, 1.0, 10


def measure() -> list[Row]:
    """Medians of alternating runs."""
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "benchmarks.video"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=env)
    return [Row(**row) for row in json.loads(done.stdout)]


def _measure() -> Iterator[Row]:
    data = _film({"preset": "medium", "crf": "23"})
    about = f"{SECONDS} s of {WIDTH} × {HEIGHT}, H.264 with B frames, {len(data) / 1e6:.1f} MB, seed {SEED}"
    peer, called = _peer()
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "film.mp4"
        path.write_bytes(data)
        ours, alone, theirs = _medians(lambda: film_of(data), lambda: _decoded(data), lambda: peer(path))
        yield Row(
            "a frame a second of a film, against decoding alone",
            f"{SECONDS / ours:.0f} against {SECONDS / alone:.0f} × real time; {about}",
            alone / ours,
            f"at least {ALONE} ×",
            alone / ours >= ALONE,
        )
        yield Row(
            f"the same, against {called}",
            f"{SECONDS / ours:.0f} against {SECONDS / theirs:.0f} × real time",
            theirs / ours,
            f"at least {PEER:.0f} ×",
            theirs / ours >= PEER,
        )
    keys = _medians(lambda: film_of(data, Sampling(keyframes_only=True)))[0]
    yield Row(
        "keyframes alone, which screen and do not clear",
        f"{SECONDS / keys:.0f} × real time",
        ours / keys,
        "no target",
        True,
    )
    yield from _distances(data)
    # Large by what each second takes: one that is large by its length would take longer to decode.
    yield _memory(_film({"preset": "ultrafast", "crf": "1"}))


def _peer() -> tuple[Callable[[Path], object], str]:
    with contextlib.suppress(ImportError):
        import vpdq  # type: ignore[import-not-found] # has no wheel

        return (lambda path: vpdq.computeHash(str(path), seconds_per_hash=1)), "vpdq"
    import pdqhash

    def steps(path: Path) -> list[Any]:
        with av.open(str(path)) as file:
            _one_thread(file)
            frames = enumerate(file.decode(video=0))
            return [pdqhash.compute(_rgb(frame)) for number, frame in frames if number % RATE == 0]

    return steps, "vPDQ's steps by PyAV and pdqhash (vpdq is not installed)"


def _distances(data: bytes) -> Iterator[Row]:
    import pdqhash

    apart, qualities = [], []
    recoded = _film({"preset": "veryfast", "crf": "33"}, seed=SEED + 1)
    for film in (data, recoded):
        seen = film_of(film)
        with av.open(io.BytesIO(film)) as file:
            wanted = [frame for number, frame in enumerate(file.decode(video=0)) if number % RATE == 0]
        for ours, frame in zip(seen.frames, wanted, strict=True):
            bits, quality = pdqhash.compute(_rgb(frame))
            theirs = int.from_bytes(np.packbits(bits).tobytes(), "big")
            apart.append((int.from_bytes(ours.pdq, "big") ^ theirs).bit_count())
            qualities.append(abs(ours.quality - quality))
    detail = f"{len(apart)} frames, qualities {max(qualities)} apart at most"
    mean, most = statistics.mean(apart), max(apart)
    what = "frames from luma, against pdqhash on the same frames in RGB"
    yield Row(f"{what}, on average", detail, mean, f"at most {MEAN:.0f} bit", mean <= MEAN)
    yield Row(f"{what}, at most", detail, most, f"at most {MOST} bits", most <= MOST)


def _memory(data: bytes) -> Row:
    """The peak of `monitor hash` and its decoder, in proportional shares (PSS), pages that both use counted once."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "large.mp4"
        size = _repeated(data, path)
        command = [sys.executable, "-m", "monitor", "hash", "--json", str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
            peak = 0
            while running.poll() is None:
                peak = max(peak, sum(map(_held, _family(running.pid))))
                time.sleep(0.02)
            assert running.stdout is not None
            row = json.loads(running.stdout.read())
    assert row["outcome"] == "hashed"
    limit = 1.3 * size + 150e6
    return Row(
        f"peak memory of a film of {size / 1e6:.0f} MB, all processes of monitor hash",
        f"{peak / 1e6:.0f} MB, {len(row['vpdq'])} frames",
        peak / limit,
        "at most 1 × (1.3 × its size + 150 MB)",
        peak <= limit,
    )


def _film(options: dict[str, str], seed: int = SEED) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        stream: Any = file.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(SECONDS * RATE):
            if number % (4 * RATE) == 0:
                wide = np.asarray(mosaic(seed * 100 + number, WIDTH * 2, HEIGHT * 2))
            step = number % (4 * RATE)
            left, top = WIDTH * step // (16 * RATE), HEIGHT * step // (16 * RATE)
            part = np.ascontiguousarray(wide[top : top + HEIGHT, left : left + WIDTH])
            file.mux(stream.encode(av.VideoFrame.from_ndarray(part, format="rgb24")))
        file.mux(stream.encode())
    return out.getvalue()


def _repeated(data: bytes, path: Path) -> int:
    """Write the film over and over, each time behind the last, until it has LARGE bytes; its size in bytes."""
    with av.open(io.BytesIO(data)) as file, av.open(str(path), "w", format="mp4") as large:
        source = file.streams.video[0]
        packets = [packet for packet in file.demux(source) if packet.size]
        stream = large.add_stream_from_template(source)
        lasts = max(p.pts for p in packets if p.pts is not None) + (packets[0].duration or 0)
        for turn in range(-(-LARGE // len(data))):
            for packet in packets:
                copy = av.Packet(bytes(packet))
                copy.stream, copy.time_base = stream, packet.time_base
                copy.is_keyframe, copy.duration = packet.is_keyframe, packet.duration
                copy.pts, copy.dts = (packet.pts or 0) + turn * lasts, (packet.dts or 0) + turn * lasts
                large.mux(copy)
    return path.stat().st_size


def _decoded(data: bytes) -> int:
    with av.open(io.BytesIO(data)) as file:
        _one_thread(file)
        return sum(1 for _ in file.decode(video=0))


def _one_thread(file: Any) -> None:
    file.streams.video[0].codec_context.thread_count = 1


def _rgb(frame: av.VideoFrame) -> Any:
    return frame.to_ndarray(format="rgb24", threads=1)


def _medians(*calls: Callable[[], object]) -> list[float]:
    taken: list[list[float]] = [[] for _ in calls]
    for _ in range(ROUNDS):
        for call, found in zip(calls, taken, strict=True):
            started = time.process_time()
            call()
            found.append(time.process_time() - started)
    return [statistics.median(found) for found in taken]


def _family(process: int) -> list[int]:
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        return [process, *(int(child) for child in children)]
    return [process]


def _held(process: int) -> int:
    """Bytes of memory that a process holds, its share of what it shares."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    print(json.dumps([asdict(row) for row in _measure()]))
