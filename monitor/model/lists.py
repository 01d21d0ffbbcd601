"""Hash lists: terms, entries, versions."""

import enum
from dataclasses import dataclass
from datetime import datetime

from monitor.model.hashes import Algorithm, Hash


class ListAction(enum.StrEnum):
    """What a match with a list leads to."""

    FLAG = "flag"
    REVIEW = "review"
    IGNORE = "ignore"


class Category(enum.StrEnum):
    """What the items under a list's label are; it decides to whom they can be reported."""

    CHILD = "child"
    ADULT_FILMED = "adult_filmed"
    ADULT_SYNTHETIC = "adult_synthetic"
    TERRORISM = "terrorism"
    UNKNOWN = "unknown"


class Provenance(enum.StrEnum):
    """Which implementation computed a list's PDQ hashes: they differ by some bits.

    CPP_512 is the tool of the reference in C++, which brings a picture to 512 × 512 first: 5 to 8 bits from
    the others on average, 28 at most.
    """

    UNKNOWN = "unknown"
    OWN = "channel-monitor"
    PYTHON_PDQHASH = "python-pdqhash"
    CPP_512 = "cpp-512"


@dataclass(frozen=True, slots=True)
class Terms:
    """Under which terms a list is held."""

    licensor: str
    reference: str
    permitted_uses: frozenset[str]


@dataclass(frozen=True, slots=True)
class HashEntry:
    """One entry of a list: an identifier, its hash and, where the list gives one, a label."""

    entry: str
    hash: Hash
    label: str | None = None


@dataclass(frozen=True, slots=True)
class ListVersion:
    """A hash list in the state in which it was loaded. `version` is made of count and digest.

    A file with hashes of several algorithms is as many lists of one name and one version; `count` is that of
    all. Its terms end with `expires`. `added` and `withdrawn` count the hashes that an exchange has ever added and
    withdrawn, so that two versions tell what lies between them; None for a file, which does not say.
    """

    name: str
    algorithm: Algorithm
    action: ListAction
    count: int
    sha256: bytes
    terms: Terms
    max_distance: int
    min_quality: int
    provenance: Provenance = Provenance.UNKNOWN
    expires: datetime | None = None
    added: int | None = None
    withdrawn: int | None = None

    @property
    def version(self) -> str:
        """Count and the first twelve hex digits of the SHA-256 of the file, e.g. "1200-9f86d081884c"."""
        return f"{self.count}-{self.sha256.hex()[:12]}"
