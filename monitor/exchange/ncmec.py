"""NCMEC hash sharing (report.cybertip.org/hashsharing/v2/documentation.pdf): XML, by ranges of time.

An entry has several fingerprints. Entries of a range come in no order of time, so a range counts only when all
of it has come. The client writes local time and calls it UTC: its process must run with TZ=UTC.
"""

import json
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, Final

import requests
from threatexchange.exchanges.clients.ncmec import hash_api

from monitor.errors import ConfigError, HashListError
from monitor.exchange.records import Access, Page, Record, hashes, label, named
from monitor.exchange.sessions import Overtaxed, asked, limited
from monitor.model import Algorithm

OVERLAP = 3600
"""Seconds that are asked for once more: what an exchange takes in late is dated earlier."""
SETTLED = 5
"""Seconds before now at which a range ends, as entries of this very second may still come."""
SMALLEST = 24 * 3600
"""Seconds below which a range is not cut any further."""
EARLIEST = 946_684_800
"""2000-01-01: no exchange of hashes is older."""
_CUT: Final = 4
_EXACT = {"md5": Algorithm.MD5, "sha1": Algorithm.SHA1}


class _Client(hash_api.NCMECHashAPI):  # type: ignore[misc]  # the package has no types
    def __init__(self, access: Access, base: str) -> None:
        super().__init__(access.username, access.secrets["password"], SimpleNamespace(value=base))

    def _get_session(self) -> requests.Session:
        return limited(super()._get_session(), self._base_url)


def address(access: Access) -> str:
    """Where the exchange is; NCMEC has several. Raises ConfigError when none is named."""
    if access.url is None:
        raise ConfigError("exchanges: ncmec needs its url")
    return access.url.rstrip("/")


def pages(access: Access, checkpoint: str | None, position: str | None) -> Iterator[Page]:
    """See records.Pages. A checkpoint is a time, a position a range of time and the page in it."""
    if time.timezone or time.daylight:
        raise RuntimeError("NCMEC's client must run with TZ=UTC")
    client = _Client(access, address(access))
    if position is not None:
        start, end, until, page = json.loads(position)
    else:
        start, until, page = max(EARLIEST, int(checkpoint or 0) - OVERLAP), int(time.time()) - SETTLED, ""
        end = until
    while True:
        try:
            answer = _ask(client, start, end, page)
        except Overtaxed:
            # A range that holds millions takes the exchange longer than it allows itself.
            if page or end - start <= SMALLEST:
                raise
            end = start + max(SMALLEST, (end - start) // _CUT)
            continue
        records = tuple(_record(update) for update in answer.updates)
        if answer.next:
            page = answer.next
        elif end >= until:
            yield Page(records, checkpoint=str(until))
            return
        else:
            # No wider again: the next one would fail too, and empty ranges cost little.
            start, end, page = end, min(until, end + (end - start)), ""
        yield Page(records, position=json.dumps([start, end, until, page]))


def _ask(client: Any, start: int, end: int, page: str) -> Any:
    if page and not page.startswith("/"):
        raise HashListError("the exchange sends us to another host; nothing was asked there")
    return asked(lambda: client.get_entries(start_timestamp=start, end_timestamp=end, next_=page))


def _record(update: Any) -> Record:
    entry = named(f"{update.member_id}-{update.id}")
    if update.deleted:
        return Record(entry)
    picture = update.entry_type is hash_api.NCMECEntryType.image
    return Record(
        entry,
        hashes((_kind(name.lower(), picture=picture), text) for name, text in update.fingerprints.items()),
        label(update.classification),
    )


def _kind(name: str, *, picture: bool) -> Algorithm | str:
    if name == "pdq" and picture:
        return Algorithm.PDQ
    return _EXACT.get(name, name)
