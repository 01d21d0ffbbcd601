"""What goes between a decoder and who started it, and what it may say.

`HEAD` (the length of the item, and the width and height of its original or zeros), then the item's bytes; back
four bytes of length, then an `Answer` in msgpack, or at the start an `InForce`. Fixed types and lengths: an
answer is checked as if it came from an enemy.
"""

import struct

import msgspec

from monitor.matching import MAX_SIDE, ImageHashes
from monitor.model import Algorithm

LENGTH = 4
"""Bytes of a length, big-endian."""
LONGEST_ANSWER = 16 * 1024
HEAD = struct.Struct(">IHH")
"""Before an item: its length in bytes, and the sides of its original in pixels, 0 for none."""


class Settings(msgspec.Struct, frozen=True):
    """What a decoder is started with, on its command line as JSON."""

    parent: int
    max_pixels: int
    memory: int
    cpu_seconds: int
    required: bool


class Answer(msgspec.Struct, frozen=True):
    """For one item: its hashes, or None for undecodable. `last` when the decoder will take no more."""

    found: ImageHashes | None
    last: bool = False


def plausible(found: ImageHashes) -> bool:
    """Whether a decoder can have found this."""
    lengths = (len(found.pdq), len(found.phash), len(found.dhash))
    return (
        lengths == (Algorithm.PDQ.size, Algorithm.PHASH.size, Algorithm.DHASH.size)
        and 0 <= found.pdq_quality <= 100
        and 0 < found.width <= MAX_SIDE
        and 0 < found.height <= MAX_SIDE
    )
