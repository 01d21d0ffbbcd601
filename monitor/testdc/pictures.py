"""Made pictures: smooth, photo-like, each seed another one, for the demo and the tests.

Waves and soft spots give large smooth structure, as photographs have and perceptual hashes look for; a few
shapes give edges. Positions are relative: one seed is the same picture at any size. The same machine makes
the same bytes; another one may differ in the last bit of a pixel.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

WAVES = 14
SPOTS = 6
SHAPES = 4
MAX_CYCLES = 5.0
GRAIN = 8
"""Grey levels by which a snapshot's pixels are off at most."""


def pixels(seed: int, width: int = 800, height: int = 600) -> NDArray[np.uint8]:
    """The picture of a seed, RGB, of shape (height, width, 3)."""
    random = np.random.default_rng(seed)
    x = np.linspace(0, 1, width, dtype=np.float32)
    y = np.linspace(0, 1, height, dtype=np.float32)
    # A wave over the plane is the real part of a product of two along the axes.
    cycles = random.uniform(-MAX_CYCLES, MAX_CYCLES, (2, WAVES))
    across = 2 * np.pi * np.outer(cycles[0], x)
    down = 2 * np.pi * np.outer(y, cycles[1]) + random.uniform(0, 2 * np.pi, WAVES)
    where = random.uniform(0, 1, (2, SPOTS))
    spread = random.uniform(0.06, 0.22, SPOTS)
    columns = np.vstack(
        (np.cos(across), -np.sin(across), np.exp(-(((x - where[0][:, None]) / spread[:, None]) ** 2)))
    ).astype(np.float32)
    rows = np.hstack((np.cos(down), np.sin(down), np.exp(-(((y[:, None] - where[1]) / spread) ** 2))))
    # Slow waves are the strong ones, and all colours share most of their light.
    strength = 1 / (1 + np.abs(cycles).max(axis=0)) * (1 + 0.35 * random.normal(size=(3, WAVES)))
    light = random.uniform(-0.45, 0.45, (3, 1)) + random.uniform(-1.2, 1.2, SPOTS)
    weights = np.hstack((strength, strength, light))
    planes = [(rows * weight).astype(np.float32) @ columns for weight in weights]
    picture = np.stack(planes, axis=-1)
    low, high = np.quantile(picture[::4, ::4], (0.01, 0.99))
    scaled = np.clip((picture - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    return _with_shapes(scaled, random)


def picture(
    seed: int, width: int = 800, height: int = 600, *, kind: str = "JPEG", quality: int = 92
) -> bytes:
    """The picture of a seed as a file; `kind` is a Pillow format such as JPEG, PNG or WEBP."""
    out = io.BytesIO()
    Image.fromarray(pixels(seed, width, height)).save(out, kind, quality=quality)
    return out.getvalue()


def snapshot(seed: int, width: int = 960, height: int = 720, *, quality: int = 88) -> bytes:
    """The picture of a seed as a camera would give it, JPEG: with grain, which most of its bytes are for.

    It is drawn at a quarter of its size, so that many are made soon.
    """
    drawn = Image.fromarray(pixels(seed, width // 4, height // 4)).resize((width, height))
    random = np.random.default_rng(seed)
    grain = random.integers(-GRAIN, GRAIN + 1, (height, width, 1), dtype=np.int16)
    out = io.BytesIO()
    grainy = np.clip(np.asarray(drawn) + grain, 0, 255).astype(np.uint8)
    Image.fromarray(grainy).save(out, "JPEG", quality=quality)
    return out.getvalue()


def _with_shapes(background: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    height, width = background.shape[:2]
    base = Image.fromarray(background)
    paint = base.copy()
    draw = ImageDraw.Draw(paint)
    for _ in range(SHAPES):
        colour = tuple(int(c) for c in random.integers(0, 256, 3))
        corners = random.uniform(0, 1, (4, 2)) * 0.3 + random.uniform(0, 0.7, 2)
        points = [(float(px) * width, float(py) * height) for px, py in corners]
        if random.random() < 0.5:
            draw.polygon(points, fill=colour)
        else:
            (left, top), (right, bottom) = points[0], points[1]
            box = (min(left, right), min(top, bottom), max(left, right), max(top, bottom))
            draw.ellipse(box, fill=colour)
    soft = paint.filter(ImageFilter.BoxBlur(max(width, height) / 500))
    return np.asarray(Image.blend(base, soft, 0.7))
