"""What the server's journal must not show, whatever went wrong."""

from collections.abc import Iterable, Iterator, Sequence

from monitor.testdc import Channel, Entry
from tests.faults.wire.trouble import Flood

TRANSIT = 0.01
"""Seconds that a request may have been on its way when the flood wait was given."""


def too_early(
    journal: Sequence[Entry], floods: Iterable[Flood], unheard: Sequence[tuple[float, float]]
) -> Iterator[str]:
    """Requests made before the end of a flood wait of their kind; not those of which the client cannot know,
    as the answer may have been lost on its way."""
    for flood in floods:
        if any(begin <= flood.at <= end for begin, end in unheard):
            continue
        phone = flood.account.phone if flood.account else None
        for entry in journal:
            if entry.name != flood.name or entry.account != phone:
                continue
            if flood.at + TRANSIT < entry.at < flood.until - TRANSIT:
                yield f"{entry.name} {flood.until - entry.at:.1f} s before the end of a flood wait"


def unasked(journal: Iterable[Entry], ours: Iterable[Channel], others: Iterable[Channel]) -> Iterator[str]:
    """Requests that name a channel nobody has authorized."""
    names, foreign = {channel.username for channel in ours}, {channel.id for channel in others}
    for entry in journal:
        if any(_names(value, foreign) for value in entry.parameters.values()):
            yield f"{entry.name} names a channel that is not authorized"
        if entry.name == "contacts.resolveUsername" and entry.parameters["username"] not in names:
            yield "a name was looked up that is not declared"


def _names(value: object, ids: set[int]) -> bool:
    if isinstance(value, list):
        return any(_names(item, ids) for item in value)
    return isinstance(value, int) and value in ids
