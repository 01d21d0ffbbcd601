"""Benign photographs: those that scikit-image's package carries, and pictures made from them by a seed.

The files are read where the package lies; it is not imported. Their licences stand in its data/README.txt.
"""

import importlib.util
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from tests.unit.matching import pictures

NAMES = (
    *("astronaut.png", "brick.png", "camera.png", "chelsea.png", "coffee.png", "coins.png", "grass.png"),
    *("gravel.png", "hubble_deep_field.jpg", "ihc.png", "moon.png", "motorcycle_left.png", "page.png"),
    *("retina.jpg", "rocket.jpg", "text.png", "motorcycle_right.png", "clock_motion.png"),
)


def photographs() -> list[Image.Image]:
    """All of them, in RGB. Raises LookupError where scikit-image is not installed."""
    found = importlib.util.find_spec("skimage")
    if found is None or not found.submodule_search_locations:
        raise LookupError("scikit-image is not installed; it is in the dependency groups prove and bench")
    folder = Path(found.submodule_search_locations[0]) / "data"
    return [Image.open(folder / name).convert("RGB") for name in NAMES]


def assorted(count: int, seed: int, longest: int) -> Iterator[tuple[Image.Image, random.Random]]:
    """`count` pictures whose longer side has `longest` pixels, and what chance decides next for each.

    Three of four are cut out of photographs, at 4:3 to 16:9, upright or not; the others are generated.
    """
    taken = photographs()
    for number in range(count):
        chosen = random.Random(f"{seed}:{longest}:{number}")
        if number % 4 == 3:
            image = Image.fromarray(pictures.photo(seed * 1000 + number))
        else:
            image = taken[number % len(taken)]
        ratio = chosen.uniform(4 / 3, 16 / 9)
        sides = (longest, round(longest / ratio))
        width, height = sides if chosen.random() < 0.6 else sides[::-1]
        scale = min(image.width / width, image.height / height) * chosen.uniform(0.6, 1)
        cut = round(width * scale), round(height * scale)
        left, top = chosen.randint(0, image.width - cut[0]), chosen.randint(0, image.height - cut[1])
        box = (left, top, left + cut[0], top + cut[1])
        yield image.resize((width, height), Image.Resampling.LANCZOS, box), chosen


def mosaic(seed: int, width: int, height: int) -> Image.Image:
    """Photographs side by side at the size they have: with the detail of a photograph of that size."""
    taken = photographs()
    chosen = random.Random(f"mosaic {seed}")
    whole = Image.new("RGB", (width, height))
    for top in range(0, height, 480):
        for left in range(0, width, 640):
            part = chosen.choice([each for each in taken if each.width >= 500])
            whole.paste(part.resize((640, 480), Image.Resampling.LANCZOS), (left, top))
    return whole


def edited(image: Image.Image, chosen: random.Random) -> Image.Image:
    """A copy as people pass them on: smaller, lighter or darker, cut a little, with a banner, or all of it."""
    width, height = image.size
    if chosen.random() < 0.5:
        cut = chosen.uniform(0, 0.04)
        box = (round(width * cut), round(height * cut / 2), width, height)
        image = image.crop(box)
    if chosen.random() < 0.5:
        scale = chosen.uniform(0.5, 1)
        image = image.resize((round(image.width * scale), round(image.height * scale)))
    if chosen.random() < 0.5:
        gain, lift = chosen.uniform(0.8, 1.2), chosen.uniform(-20, 20)
        image = image.point(lambda value: value * gain + lift)
    if chosen.random() < 0.5:
        banner = np.asarray(image).copy()
        banner[: round(image.height * chosen.uniform(0.05, 0.12))] = chosen.choice((0, 128, 255))
        image = Image.fromarray(banner)
    return image
