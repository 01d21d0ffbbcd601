"""What an exchange says, whichever it is: records, page by page."""

import binascii
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from monitor.model import IDENTIFIER, Algorithm

INVALID = "invalid"
"""The kind of a value that is not what its type says."""
MAX_LABEL = 64
_KIND = re.compile(r"[a-z][a-z0-9_]{0,31}")


@dataclass(frozen=True, slots=True)
class Access:
    """How an exchange is reached. `url` is None for the real one's own address, where it has but one."""

    kind: str
    url: str | None = None
    username: str = ""
    privacy_group: int = 0
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def source(self) -> str:
        """What a checkpoint belongs to: another address or group is another list."""
        return f"{self.kind} {self.url or '-'} {self.privacy_group} {self.username or '-'}"


@dataclass(frozen=True, slots=True)
class Record:
    """What an exchange says of one entry now; it takes the place of whatever it said before.

    `hashes` are pairs of kind and value. A kind that is no Algorithm has an empty value: such an entry is
    counted, and cannot be compared here. No hashes at all: the entry is withdrawn.
    """

    entry: str
    hashes: frozenset[tuple[str, bytes]] = frozenset()
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some records. `position` is where to go on, None after the last page; that one alone has a `checkpoint`,
    from which the next fetch asks for what has changed. `unread` records were there and not understood."""

    records: tuple[Record, ...]
    position: str | None = None
    checkpoint: str | None = None
    unread: int = 0


Pages = Callable[[Access, str | None, str | None], Iterator[Page]]
"""Access, checkpoint (None: everything) and position (None: from there) → the pages that follow."""


def named(key: str) -> str:
    """An entry's identifier from the exchange's own, which may be anything."""
    return key if IDENTIFIER.fullmatch(key) else hashlib.sha256(key.encode()).hexdigest()[:16]


def hashes(found: Iterable[tuple[Algorithm | str, object]]) -> frozenset[tuple[str, bytes]]:
    """Pairs of kind and hex digits → those of a record. What is no hash is INVALID, without its value."""
    return frozenset(_one(kind, text) for kind, text in found)


def _one(kind: Algorithm | str, text: object) -> tuple[str, bytes]:
    if not isinstance(kind, Algorithm):
        # Some kinds can be computed by nobody but their owner: counted, and the value is not kept.
        name = kind.lower()
        return (name if _KIND.fullmatch(name) and name not in set(Algorithm) else "other"), b""
    try:
        value = binascii.unhexlify(text.strip()) if isinstance(text, str) else b""
    except ValueError:
        value = b""
    return (kind.value, value) if len(value) == kind.size else (INVALID, b"")


def label(text: str | None) -> str | None:
    """A label as a list may have it; None for what is none."""
    cleaned = (text or "").strip()
    return cleaned if cleaned and len(cleaned) <= MAX_LABEL and cleaned.isprintable() else None
