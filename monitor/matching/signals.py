"""The signal types by name: what each reads from a file, and how near two of its values must be.

One table for what is built in, what imagehash brings, and what other packages add: an entry point of the group
`channel_monitor.signals` that names a `SignalType`, or a call of `register`. See docs/matching.md.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from monitor.errors import ConfigError
from monitor.matching.film import film_of
from monitor.matching.image import hash_image
from monitor.matching.picture import decode
from monitor.matching.thresholds import MAX_DISTANCE
from monitor.model import IDENTIFIER, Algorithm

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

GROUP = "channel_monitor.signals"
"""The group of entry points in which other packages name their signal types."""


def hamming(one: bytes, other: bytes) -> int:
    """Bits in which two values of one length differ."""
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count()


@dataclass(frozen=True, slots=True)
class SignalType:
    """A kind of hash.

    `name` is made of letters, digits and . _ : -; a value has `size` bytes. `values` gives the values of a
    file's bytes, several where the kind has several for one picture, and raises MediaUndecodable; a picture
    is best read by `picture.decode`, which normalises it. `distance` compares two values; those within
    `max_distance` match unless a list says otherwise, 0 for digests.
    """

    name: str
    size: int
    values: Callable[[bytes], tuple[bytes, ...]]
    max_distance: int = 0
    distance: Callable[[bytes, bytes], float] = hamming

    def __post_init__(self) -> None:
        if not IDENTIFIER.fullmatch(self.name) or self.size < 1 or self.max_distance < 0:
            raise ValueError("a signal type has a short name, at least one byte and no negative distance")


def register(signal: SignalType) -> None:
    """Add a signal type to the table. Raises ConfigError when its name is taken by another one."""
    if _table().setdefault(signal.name, signal) is not signal:
        raise ConfigError(f"two signal types are named {signal.name}")


def signal_names() -> tuple[str, ...]:
    """All names, sorted; packages that add some are asked, but not loaded."""
    return tuple(sorted({*_table(), *(entry.name for entry in _entries())}))


def signal_type(name: str) -> SignalType:
    """The signal type of this name. Raises ConfigError when there is none, or two packages add it.

    The built-in ones cannot be replaced.
    """
    if found := _table().get(name):
        return found
    entries = [entry for entry in _entries() if entry.name == name]
    if len(entries) != 1:
        why = "two packages add it" if entries else f"there are {', '.join(signal_names())}"
        raise ConfigError(f"no signal type {name}: {why}")
    [entry] = entries
    found = entry.load()
    if not isinstance(found, SignalType) or found.name != name:
        raise ConfigError(f"the entry point {name} of {GROUP} names no signal type of that name")
    register(found)
    return found


def hash_signal(data: bytes, name: str) -> tuple[bytes, ...]:
    """The values of one signal type for a file's bytes. Raises MediaUndecodable, ConfigError."""
    signal = signal_type(name)
    found = signal.values(data)
    if any(len(value) != signal.size for value in found):
        raise ConfigError(f"signal type {name} gave a value that has not its {signal.size} bytes")
    return found


@cache
def _table() -> dict[str, SignalType]:
    built_in = [
        *(SignalType(a.value, a.size, partial(_digest, a.value)) for a in Algorithm if a.exact),
        *(
            SignalType(a.value, a.size, partial(_perceptual, a.value), MAX_DISTANCE[a])
            for a in Algorithm
            if not a.exact and a is not Algorithm.VPDQ
        ),
        # One value a second of a film.
        SignalType("vpdq", 32, _frames, MAX_DISTANCE[Algorithm.VPDQ]),
        # As imagehash computes them by default, of the upright RGB picture.
        SignalType("ahash", 8, partial(_imagehash, "average_hash"), 5),
        SignalType("whash", 8, partial(_imagehash, "whash"), 5),
        # 42 bits; six zeros stand before them.
        SignalType("colorhash", 6, partial(_imagehash, "colorhash"), 3),
        # A difference hash of each segment; imagehash takes those within a quarter of their bits for the same.
        SignalType("crop_resistant", 8, partial(_imagehash, "crop_resistant_hash"), 16),
    ]
    return {signal.name: signal for signal in built_in}


def _entries() -> "EntryPoints":
    from importlib.metadata import entry_points

    return entry_points(group=GROUP)


def _digest(algorithm: str, data: bytes) -> tuple[bytes, ...]:
    return (hashlib.new(algorithm, data, usedforsecurity=False).digest(),)


def _perceptual(algorithm: str, data: bytes) -> tuple[bytes, ...]:
    value: bytes = getattr(hash_image(data), algorithm)
    return (value,)


def _frames(data: bytes) -> tuple[bytes, ...]:
    return tuple(frame.pdq for frame in film_of(data).frames)


def _imagehash(function: str, data: bytes) -> tuple[bytes, ...]:
    import imagehash

    found: Any = getattr(imagehash, function)(decode(data))
    return tuple(_packed(each.hash) for each in getattr(found, "segment_hashes", [found]))


def _packed(bits: "np.ndarray[Any, np.dtype[np.bool_]]") -> bytes:
    """The bytes of imagehash's hex."""
    flat = bits.ravel()
    return np.packbits(np.pad(flat, (-len(flat) % 8, 0))).tobytes()
