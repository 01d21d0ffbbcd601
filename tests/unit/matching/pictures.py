"""Generated, benign pictures. Integer arithmetic only: the same on every machine and every version of
numpy.
"""

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]


def noise(seed: int, height: int, width: int) -> npt.NDArray[np.int64]:
    """Random values 0–255 by splitmix64 of position and seed."""
    z = np.arange(height * width, dtype=np.uint64) + np.uint64(seed << 32)
    z = (z + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) & np.uint64(255)).astype(np.int64).reshape(height, width)


def smooth(seed: int, height: int, width: int, cells: int) -> npt.NDArray[np.int64]:
    """A random lattice of `cells` × `cells`, interpolated: values 0–255."""
    lattice = noise(seed, cells + 1, cells + 1)
    y, x = np.arange(height) * cells * 256 // height, np.arange(width) * cells * 256 // width
    i, j, fy, fx = y >> 8, x >> 8, (y & 255)[:, None], x & 255
    top = lattice[i][:, j] * (256 - fx) + lattice[i][:, j + 1] * fx
    bottom = lattice[i + 1][:, j] * (256 - fx) + lattice[i + 1][:, j + 1] * fx
    return (top * (256 - fy) + bottom * fy) >> 16


def photo(seed: int, width: int = 640, height: int = 480) -> Pixels:
    """Something like a photograph: shades and textures at five scales, and a few shapes with edges."""
    planes = []
    for channel in range(3):
        total = np.zeros((height, width), np.int64)
        for octave, (cells, weight) in enumerate(((3, 7), (6, 6), (12, 5), (24, 3), (60, 1))):
            shared = smooth(seed * 97 + octave, height, width, cells)
            own = smooth(seed * 97 + 31 + channel * 7 + octave, height, width, cells)
            total += weight * (3 * shared + own)
        planes.append(np.clip((total // (4 * 22) - 128) * 2 + 128, 0, 255))
    picture = np.stack(planes, axis=-1)
    draw = noise(seed + 5000, 8, 8).tolist()
    y, x = np.mgrid[:height, :width]
    for a, b, c, d, *colour, kind in draw:
        cx, cy, rx, ry = a * width // 256, b * height // 256, c * width // 1024 + 3, d * height // 1024 + 3
        round_one = ((x - cx) * ry) ** 2 + ((y - cy) * rx) ** 2 < (rx * ry) ** 2
        inside = round_one if kind & 1 else (abs(x - cx) < rx) & (abs(y - cy) < ry)
        picture[inside] = (picture[inside] + np.array(colour[:3])) // 2
    return picture.astype(np.uint8)


def picture(kind: str, width: int, height: int, seed: int) -> Pixels:
    """A picture of one of KINDS, uint8 (height, width, 3)."""
    y, x = np.mgrid[:height, :width]
    if kind == "photo":
        return photo(seed, width, height)
    if kind == "noise":
        return np.stack([noise(seed + c, height, width) for c in range(3)], -1).astype(np.uint8)
    if kind == "grey noise":
        plane = noise(seed, height, width)
    elif kind == "flat":
        plane = np.full((height, width), seed % 256)
    elif kind == "gradient":
        plane = (x * (seed % 5) * 255 // width + y * (seed % 3) * 255 // height) % 256
    elif kind == "stripes":
        plane = ((x if seed % 2 else y) // (seed % 37 + 1) % 2) * 255
    elif kind == "checks":
        plane = ((x // (seed % 29 + 1) + y // (seed % 29 + 1)) % 2) * 255
    elif kind == "text":
        # Dark marks on white, like a page.
        plane = 255 - 230 * (
            (noise(seed, height // 5 + 1, width // 3 + 1)[y // 5, x // 3] > 150) & (y // 5 % 2 == 0)
        )
    elif kind == "symmetric":
        half = smooth(seed, height, width, 7)
        plane = (half + half[:, ::-1] + half[::-1] + half[::-1, ::-1]) // 4
    elif kind == "soft":
        plane = 80 + smooth(seed, height, width, 12) // 4
    else:
        raise ValueError(kind)
    return np.repeat(plane[..., None], 3, axis=-1).astype(np.uint8)


KINDS = ("photo", "noise", "grey noise", "flat", "gradient", "stripes", "checks", "text", "symmetric", "soft")
