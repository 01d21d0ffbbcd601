"""What goes between a decoder and who started it, and what it may say.

`HEAD` (what is asked, the length of the item, and the width and height of its original or zeros). Of a picture the
bytes follow. A film stays with who asks: the decoder says by `Piece` what it wants to read next, and is sent that
much; so a film is in memory once. Back come four bytes of length, then an `Answer` in msgpack, or at the start an
`InForce`. Fixed types and lengths: what a decoder says is checked as if it came from an enemy.
"""

import math
import struct

import msgspec

from monitor.matching import MAX_SIDE, Film, ImageHashes, Sampling
from monitor.model import Algorithm

LENGTH = 4
"""Bytes of a length, big-endian."""
LONGEST_ANSWER = 16 * 1024
"""Bytes of an answer without frames."""
A_FRAME = 64
"""Bytes that each frame may take in it."""
LONGEST_PIECE = 64 * 1024 * 1024
HEAD = struct.Struct(">BIHH")
"""Before an item: what it is, its length in bytes, and the sides of its original in pixels, 0 for none."""
PICTURE, FILM = 0, 1
ALIVE_SECONDS = 2.0
"""Wall time after which a decoder that is at work on a film says so."""


class Settings(msgspec.Struct, frozen=True):
    """What a decoder is started with, on its command line as JSON."""

    parent: int
    max_pixels: int
    memory: int
    cpu_seconds: int
    required: bool
    sampling: Sampling


class Answer(msgspec.Struct, frozen=True, tag=True):
    """For one item: a picture's hashes or a film's frames, or neither for undecodable. `last` when the decoder will
    take no more.
    """

    found: ImageHashes | None = None
    film: Film | None = None
    last: bool = False


class Piece(msgspec.Struct, frozen=True, tag=True):
    """Send so many bytes of the film from here on. None are wanted where the decoder only says that it is at work."""

    offset: int
    size: int


def plausible(found: ImageHashes) -> bool:
    """Whether a decoder can have found this."""
    lengths = (len(found.pdq), len(found.phash), len(found.dhash))
    return (
        lengths == (Algorithm.PDQ.size, Algorithm.PHASH.size, Algorithm.DHASH.size)
        and 0 <= found.pdq_quality <= 100
        and 0 < found.width <= MAX_SIDE
        and 0 < found.height <= MAX_SIDE
    )


def plausible_film(film: Film, sampling: Sampling) -> bool:
    """Whether a decoder can have seen this."""
    sides = (film.width, film.height)
    return (
        len(film.frames) <= sampling.max_frames
        and all(side is None or 0 < side <= MAX_SIDE for side in sides)
        and all(math.isfinite(f.second) and f.second >= 0 and 0 <= f.quality <= 100 for f in film.frames)
    )
