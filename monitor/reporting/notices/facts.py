"""What a template is given: the sightings as texts, grouped by entry, in one order, each address once."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from itertools import groupby

from monitor.model import Authorization, Basis, CaseId, Category, ChannelId, OperatorDetails, Sighting
from monitor.reporting.notices.words import ALGORITHM, BASIS, BASIS_KOREAN, KIND_KOREAN

KST = timezone(timedelta(hours=9))
"""Korea's time: nine hours before UTC, without summer time since 1988."""
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_SPLITTING = frozenset({"Cc", "Cs", "Zl", "Zp", "Zs"})


@dataclass(frozen=True, slots=True)
class Particulars:
    """What a notice says besides its sightings. `made_at` dates it; nothing else of it depends on the clock.

    `authorizations`: on what each channel is watched, where that is to be told. `report_id` where the notice
    belongs to a report: only such a one can be mailed.
    """

    case_id: CaseId
    made_at: datetime
    report_id: int | None = None
    authorizations: Mapping[ChannelId, Authorization] | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One address. Times as text, in UTC and in KST; what is absent is None."""

    number: int
    address: str
    channel: str
    message: int
    posted: str
    posted_kst: str
    first_seen: str
    first_seen_kst: str
    flagged: str
    flagged_kst: str
    kind: str
    kind_korean: str
    distance: int
    quality: int | None
    error_bound: int | None
    watched_under: str | None
    watched_under_korean: str | None


@dataclass(frozen=True, slots=True)
class Group:
    """Items that matched one entry of one version of a list by one algorithm. `bits` that its hashes have."""

    hash_list: str
    list_version: str
    licensor: str
    list_reference: str
    entry: str
    algorithm: str
    exact: bool
    threshold: int
    bits: int
    items: tuple[Item, ...]


def plain(text: str) -> str:
    """A text on one line, without characters that break lines, hide, or turn the direction of what follows."""
    kept = ("" if c in _BIDI else " " if unicodedata.category(c) in _SPLITTING else c for c in text)
    return " ".join("".join(kept).split())


def plain_details(details: OperatorDetails | None) -> OperatorDetails:
    """The operator's details, each on one line; what is empty is absent."""
    found = details or OperatorDetails()
    return OperatorDetails(
        organisation=_told(found.organisation),
        address=_told(found.address),
        contact_name=_told(found.contact_name),
        email=_told(found.email),
        phone=_told(found.phone),
        language=found.language,
    )


def groups(sightings: Sequence[Sighting], particulars: Particulars) -> tuple[Group, ...]:
    """The sightings by list and entry; within, by time, channel and message, numbered through.

    Of several sightings of one entry at one address the closest is told.
    """
    told = sorted(_closest(sightings), key=lambda s: (_key(s), s.posted_at, s.channel_id, s.message_id))
    made, number = [], 0
    for _, of_entry in groupby(told, key=_key):
        members = list(of_entry)
        items = tuple(_item(number + n, s, particulars) for n, s in enumerate(members, 1))
        number += len(members)
        made.append(_group(members[0], items))
    return tuple(made)


def addresses(found: Iterable[Group]) -> tuple[str, ...]:
    """Every address once, in the order of the items."""
    return tuple(dict.fromkeys(item.address for group in found for item in group.items))


def utc(moment: datetime) -> str:
    """A time as notices tell it: 2026-11-01 12:00:05 UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def kst(moment: datetime) -> str:
    """A time in Korea: 2026-11-01 21:00:05 KST."""
    return moment.astimezone(KST).strftime("%Y-%m-%d %H:%M:%S KST")


def period(sightings: Sequence[Sighting]) -> tuple[datetime, datetime]:
    """When the first and the last of them was posted."""
    times = [s.posted_at for s in sightings]
    return min(times), max(times)


def category_of(sightings: Sequence[Sighting]) -> Category | None:
    """The category that all have in common; None when they have none, or several."""
    found = {s.category for s in sightings}
    return found.pop() if len(found) == 1 else None


def _key(s: Sighting) -> tuple[str, ...]:
    return (
        s.hash_list,
        s.entry,
        s.list_version,
        s.algorithm.value,
        f"{s.threshold:04}",
        s.licensor,
        s.list_reference,
    )


def _closest(sightings: Sequence[Sighting]) -> Iterable[Sighting]:
    best: dict[tuple[object, ...], Sighting] = {}
    for s in sorted(sightings, key=lambda s: (not s.algorithm.exact, s.distance, s.flagged_at, s.flag_id)):
        best.setdefault((s.channel_id, s.message_id, s.hash_list, s.entry), s)
    return best.values()


def _item(number: int, s: Sighting, particulars: Particulars) -> Item:
    details = [s.mime] if s.mime else []
    details += [f"{s.size:,} bytes"] if s.size is not None else []
    name = f"@{s.username} ({s.channel_id})" if s.username else str(s.channel_id)
    authorization = (particulars.authorizations or {}).get(s.channel_id)
    return Item(
        number=number,
        address=plain(s.link),
        channel=plain(name),
        message=s.message_id,
        posted=utc(s.posted_at),
        posted_kst=kst(s.posted_at),
        first_seen=utc(s.first_seen_at),
        first_seen_kst=kst(s.first_seen_at),
        flagged=utc(s.flagged_at),
        flagged_kst=kst(s.flagged_at),
        kind=plain(", ".join([s.media_kind.value, *details])),
        kind_korean=KIND_KOREAN.get(s.media_kind, s.media_kind.value),
        distance=s.distance,
        quality=s.quality,
        error_bound=s.error_bound,
        watched_under=_basis(authorization, BASIS),
        watched_under_korean=_basis(authorization, BASIS_KOREAN),
    )


def _told(value: str | None) -> str | None:
    return plain(value or "") or None


def _basis(authorization: Authorization | None, words: Mapping[Basis, str]) -> str | None:
    if authorization is None:
        return None
    return f"{words[authorization.basis]} ({plain(authorization.reference)})"


def _group(s: Sighting, items: tuple[Item, ...]) -> Group:
    return Group(
        hash_list=plain(s.hash_list),
        list_version=plain(s.list_version),
        licensor=plain(s.licensor),
        list_reference=plain(s.list_reference),
        entry=plain(s.entry),
        algorithm=ALGORITHM.get(s.algorithm, s.algorithm.value),
        exact=s.algorithm.exact,
        threshold=s.threshold,
        bits=s.algorithm.size * 8,
        items=items,
    )
