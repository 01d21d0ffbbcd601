"""Hash algorithms and their values."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass


class Algorithm(enum.StrEnum):
    """A hash algorithm, by the name that lists and configurations use."""

    MD5 = "md5"
    SHA1 = "sha1"
    SHA256 = "sha256"
    PDQ = "pdq"
    PHASH = "phash"
    DHASH = "dhash"
    VPDQ = "vpdq"
    """PDQ of a frame of a film; an entry of a list has one for each of its frames."""

    @property
    def size(self) -> int:
        """Length of a value in bytes."""
        return _HASH_BYTES[self]

    @property
    def exact(self) -> bool:
        """True for digests of bytes, false for perceptual hashes."""
        return self in (Algorithm.MD5, Algorithm.SHA1, Algorithm.SHA256)


_HASH_BYTES: Mapping[str, int] = {
    "md5": 16,
    "sha1": 20,
    "sha256": 32,
    "pdq": 32,
    "phash": 8,
    "dhash": 8,
    "vpdq": 32,
}


@dataclass(frozen=True, slots=True)
class Hash:
    """A hash value with its algorithm."""

    algorithm: Algorithm
    value: bytes

    def __post_init__(self) -> None:
        if len(self.value) != self.algorithm.size:
            raise ValueError(f"{self.algorithm} takes {self.algorithm.size} bytes, not {len(self.value)}")
