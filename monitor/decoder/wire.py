"""What goes between a decoder and who started it, and what it may say.

Four bytes of length, then the item's bytes; back four bytes of length, then an `Answer` in msgpack, or at
the start an `InForce`. Fixed types and lengths: an answer is checked as if it came from an enemy.
"""

import msgspec

from monitor.matching import MAX_SIDE, ImageHashes
from monitor.model import Algorithm

LENGTH = 4
"""Bytes of a length, big-endian."""
LONGEST_ANSWER = 16 * 1024


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
