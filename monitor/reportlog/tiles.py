"""A log as files, after c2sp.org/tlog-tiles: hashes in tiles of 256, entries in bundles of 256.

    checkpoint                    the signed note: how much of what lies here is the log
    keys                          the verifier keys of the log, one a line, the newest last
    tile/<level>/<N>[.p/<W>]      hashes; <N> as x001/067; the last one of a level may be partial, W wide
    tile/entries/<N>[.p/<W>]      leaves, each with its length before it (2 bytes, big-endian)
    timestamps/<size>/…           checkpoints that others have time-stamped

Of partial tiles those of the newest checkpoint are kept: what older ones held is the beginning of these.
"""

import functools
from collections.abc import Iterator
from pathlib import Path

from monitor.errors import VerificationError
from monitor.reportlog.tree import EMPTY_ROOT, HASH_BYTES, cut, folded, node_hash

CHECKPOINT, KEYS, TILES, TIMESTAMPS = "checkpoint", "keys", "tile", "timestamps"
WIDTH = 256
_BITS = 8
ENTRIES = -1
"""The level, so to speak, at which the entries themselves lie."""


def tile_name(level: int, number: int, width: int = WIDTH) -> str:
    """Where a tile lies: "tile/0/x001/067", "tile/entries/000.p/7"."""
    parts = [f"{number % 1000:03}"]
    while number := number // 1000:
        parts.insert(0, f"x{number % 1000:03}")
    suffix = "" if width == WIDTH else f".p/{width}"
    return f"{TILES}/{'entries' if level == ENTRIES else level}/{'/'.join(parts)}{suffix}"


def tiles(size: int) -> Iterator[tuple[int, int, int]]:
    """Level, number and width of every tile of a log of that size; entries too."""
    level, count = 0, size
    while count:
        for kind in (ENTRIES, 0) if level == 0 else (level,):
            for number in range(count // WIDTH):
                yield kind, number, WIDTH
            if count % WIDTH:
                yield kind, count // WIDTH, count % WIDTH
        level, count = level + 1, count // WIDTH


def partial_tiles(size: int) -> Iterator[tuple[int, int, int]]:
    """Those of them that are partial: one a level at most."""
    level, count = 0, size
    while count:
        if width := count % WIDTH:
            if level == 0:
                yield ENTRIES, count // WIDTH, width
            yield level, count // WIDTH, width
        level, count = level + 1, count // WIDTH


def read(path: Path, name: str, most: int) -> bytes:
    """A file of a log. Raises VerificationError when it is missing, unreadable or longer than `most` bytes."""
    try:
        with open(path / name, "rb") as file:
            data = file.read(most + 1)
    except FileNotFoundError:
        raise VerificationError(f"{name}: is missing") from None
    except OSError as e:
        raise VerificationError(f"{name}: cannot be read ({e.strerror})") from e
    if len(data) > most:
        raise VerificationError(f"{name}: is longer than it can be")
    return data


def read_tile(folder: Path, level: int, number: int, width: int) -> bytes:
    """The hashes of one tile. Raises VerificationError when it has not as many as it should."""
    name = tile_name(level, number, width)
    data = read(folder, name, width * HASH_BYTES)
    if len(data) != width * HASH_BYTES:
        raise VerificationError(f"{name}: is shorter than its {width} hashes")
    return data


def read_entries(folder: Path, number: int, width: int) -> list[bytes]:
    """The leaves of one bundle. Raises VerificationError when it has not as many as it should."""
    name = tile_name(ENTRIES, number, width)
    data = read(folder, name, width * (2 + 0xFFFF))
    found, at, end = [], 0, len(data)
    while at + 2 <= end:
        start = at + 2
        at = start + (data[at] << 8 | data[at + 1])
        found.append(data[start:at])
    if at != end or len(found) != width:
        raise VerificationError(f"{name}: does not hold {width} leaves, each with its length")
    return found


class Tree:
    """The tree that stands in the tiles of a folder, of which the first `size` leaves count."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        self.size = size
        self._tile = functools.lru_cache(maxsize=64)(self._read)
        self._perfect = functools.lru_cache(maxsize=4096)(self._fold)
        self._bundle = functools.lru_cache(maxsize=4)(self._entries)
        # These alone go away when the log grows: taken up now, they are there for as long as this is.
        self._edge: dict[int, bytes] = {}
        self._last: list[bytes] = []
        for level, number, width in partial_tiles(size):
            if level == ENTRIES:
                self._last = read_entries(folder, number, width)
            else:
                self._edge[level] = read_tile(folder, level, number, width)

    def leaf(self, index: int) -> bytes:
        """One leaf, not checked. Raises VerificationError when there is none."""
        if not 0 <= index < self.size:
            raise VerificationError(f"leaf {index}: the log has {self.size} leaves")
        number = index // WIDTH
        return self._bundle(number)[index % WIDTH]

    def root(self, first: int = 0, end: int | None = None) -> bytes:
        """The root over the leaves from `first` to `end` (left out), which is a part that the tree is cut into;
        over all of them unless told."""
        end = self.size if end is None else end
        count = end - first
        if not count:
            return EMPTY_ROOT
        if count & (count - 1) == 0 and first % count == 0:
            return self._perfect(first, count)
        middle = first + cut(count)
        return node_hash(self.root(first, middle), self.root(middle, end))

    def _fold(self, first: int, count: int) -> bytes:
        level = (count.bit_length() - 1) // _BITS
        start, width = first >> _BITS * level, count >> _BITS * level
        tile = self._tile(level, start // WIDTH)
        at = start % WIDTH * HASH_BYTES
        return folded(tile[at : at + width * HASH_BYTES])

    def _read(self, level: int, number: int) -> bytes:
        if number == self.size >> _BITS * (level + 1):
            return self._edge[level]
        return read_tile(self.folder, level, number, WIDTH)

    def _entries(self, number: int) -> list[bytes]:
        if number == self.size // WIDTH:
            return self._last
        return read_entries(self.folder, number, WIDTH)
