"""Photos per second from the wire to durable outcomes, against hashing alone of the same bytes in two threads.

The data centre runs in a process of its own, and the daemon with all of its: on two cores they share what hashing
alone has for itself. Every photo is another media item; a few pictures stand behind them. Each is fetched in full once,
and once as the daemon does it, by its small size.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.collecting import configure
from benchmarks.table import Row
from monitor.matching import hash_image, warm_up
from monitor.testdc.photos import Rendition, render
from monitor.testdc.pictures import picture
from monitor.testdc.process import Served, served

PHOTOS = 600
PICTURES = 24
"""Of the scenario, which draws from so many: monitor/testdc/scenario.py."""
ROUNDS = 3
TARGET = 0.5
CHANNEL = "bench_photos"


def measure() -> list[Row]:
    """Medians of alternating runs."""
    scenario = {
        "seed": 7,
        "users": [{"phone": "15550001", "code": "22222"}],
        "channels": [{"username": CHANNEL, "posts": PHOTOS, "photos": 1.0}],
    }
    shown = [render(picture(number)) for number in range(PICTURES)]
    rates: dict[str, list[float]] = {"full": [], "small": [], "alone": [], "alone small": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with served(scenario, folder) as place:
            for number in range(ROUNDS):
                for which in ("full", "small"):
                    rates[which].append(_daemon(folder, place, which, number))
                rates["alone"].append(_alone([sizes[-1] for sizes in shown], None))
                rates["alone small"].append(_alone([_small(sizes) for sizes in shown], shown[0][-1]))
    full, small, alone, alone_small = (statistics.median(found) for found in rates.values())
    bytes_full, bytes_small = (
        statistics.mean(len(found.data) for found in sizes)
        for sizes in ([s[-1] for s in shown], [_small(s) for s in shown])
    )
    return [
        Row(
            f"{PHOTOS} photos in full from the wire to durable outcomes, against decoding and hashing alone of the"
            " same bytes in two threads",
            f"{full:,.0f}/s against {alone:,.0f}/s, {bytes_full / 1000:.0f} KB each",
            full / alone,
            f"at least {TARGET} ×",
            full / alone >= TARGET,
        ),
        Row(
            "the same by their small size, against fetching them in full",
            f"{small:,.0f}/s against {full:,.0f}/s, {bytes_small / 1000:.0f} KB each;"
            f" hashing those alone: {alone_small:,.0f}/s",
            small / full,
            "more than 1 ×",
            small > full,
        ),
    ]


def _small(sizes: tuple[Rendition, ...]) -> Rendition:
    return next(size for size in sizes if size.letter == "m")


def _alone(shown: list[Rendition], original: Rendition | None) -> float:
    size = None if original is None else (original.width, original.height)
    warm_up()
    files = [shown[number % len(shown)].data for number in range(PHOTOS)]
    with ThreadPoolExecutor(2) as threads:
        began = time.perf_counter()
        list(threads.map(lambda data: hash_image(data, original_size=size), files))
        return PHOTOS / (time.perf_counter() - began)


def _daemon(folder: Path, place: Served, which: str, number: int) -> float:
    """Photos a second, from the first fetched to the last settled."""
    here = folder / f"{which}-{number}"
    here.mkdir()
    # Nothing matches: what is measured is the way of nearly every photo.
    (here / "list.csv").write_text(f"{'5a' * 32},entry-1\n")
    (here / "list.csv").chmod(0o600)
    terms = {"licensor": "Bench", "reference": "BENCH", "permitted_uses": ["detect"]}
    server = {**place.settings, "public_key": str(folder / place.settings["public_key"])}
    configure(
        here,
        place,
        CHANNEL,
        telegram={"server": server, "budgets": {"file_parts_per_hour": 1_000_000}},
        hash_lists=[{"name": "bench", "file": "list.csv", "algorithm": "pdq", "terms": terms}],
        media={"screen_photos": which == "small"},
    )
    command = [sys.executable, "-m", "benchmarks.photos_worker", str(here)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result = json.loads(done.stdout)
    if result["photos"] != PHOTOS:
        raise RuntimeError(f"{which}: {result['photos']} of {PHOTOS} photos")
    return float(result["photos"] / result["seconds"])
