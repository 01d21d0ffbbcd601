"""What a person should know of the declared lists: the warnings of `monitor check` and `monitor status`."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monitor.config import Config, HashListEntry
    from monitor.matching import HashList

SOON = timedelta(days=14)
"""Before the end of a list's terms it is time to ask for more."""
_NAMED = 5
"""Labels that a line names."""


def of_declaration(config: "Config", entry: "HashListEntry", now: datetime) -> list[str]:
    """What can be told without reading the list: whether its terms end or have ended, and whether it is stale."""
    said = []
    if entry.expires is not None:
        day = f"{entry.expires:%Y-%m-%d}"
        if entry.expired(now):
            return [
                f"its terms ended on {day}: it is not opened and matches nothing; renew them, or remove it"
            ]
        if entry.expires - now <= SOON:
            said.append(f"its terms end on {day}: from then on it matches nothing")
    stale_at = _stale_at(config, entry)
    if stale_at is not None and stale_at < now:
        said.append(f"stale since {stale_at:%Y-%m-%d}: fetch it anew from {entry.terms.licensor}")
    return said


def of_contents(entry: "HashListEntry", loaded: "Sequence[HashList]") -> list[str]:
    """What reading the list has shown: nothing to compare, labels that lead nowhere. `loaded` is what it gave."""
    # A file of which this holds is refused.
    if entry.exchange is not None and not any(map(len, loaded)):
        return ["nothing of what its exchange gave can be compared here: it matches nothing"]
    if "report" not in entry.terms.permitted_uses:
        return []
    labels = sorted({label for found in loaded for label in found.label_names} - set(entry.labels))
    if not labels:
        return []
    shown = ", ".join(labels[:_NAMED]) + (" …" if len(labels) > _NAMED else "")
    return [
        f"{len(labels):,} label{'s mean' if len(labels) > 1 else ' means'} nothing here ({shown}), and what matches"
        " cannot be reported: name them under labels"
    ]


def notes(loaded: "Sequence[HashList]") -> list[str]:
    """What is no trouble, and good to know."""
    from monitor.model import Algorithm, Provenance

    perceptual = (Algorithm.PDQ, Algorithm.VPDQ)
    if any(f.version.algorithm in perceptual and f.version.provenance is Provenance.UNKNOWN for f in loaded):
        return ["who computed its PDQ is unknown: distances may be some bits larger (provenance)"]
    return []


def concerns(config: "Config", now: datetime) -> list[str]:
    """One sentence for each list that is not as it should be, as far as that shows without reading it."""
    return [
        f"list {entry.name}: {what}"
        for entry in config.hash_lists
        for what in of_declaration(config, entry, now)
    ]


def _stale_at(config: "Config", entry: "HashListEntry") -> datetime | None:
    """When the file is too old to be relied on. Of an exchange it is said with the exchange."""
    from datetime import UTC

    from monitor.errors import HashListError
    from monitor.matching.formats import find_format

    if entry.file is None:
        return None
    try:
        days = entry.stale_after or find_format(entry.format).stale_after
        modified = config.resolve(entry.file).stat().st_mtime
    except (HashListError, OSError):
        return None  # whoever reads it says so
    return None if days is None else datetime.fromtimestamp(modified, UTC) + timedelta(days=days)
