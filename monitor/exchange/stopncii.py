"""StopNCII: JSON, by pages. Hashes are submitted by the people whom a picture shows; withdrawing one is their right."""

import functools
import json
from collections.abc import Iterator
from typing import Any, Final

import requests
from threatexchange.exchanges.clients.stopncii import api

from monitor.errors import HashListError
from monitor.exchange.records import Access, Page, Record, hashes, named
from monitor.exchange.sessions import asked, limited
from monitor.model import Algorithm

_KINDS = {
    api.StopNCIISignalType.ImagePDQ: Algorithm.PDQ,
    # The MD5 of a film's file.
    api.StopNCIISignalType.VideoMD5: Algorithm.MD5,
}
_GONE: Final = {api.StopNCIICaseStatus.Withdrawn, api.StopNCIICaseStatus.Deleted}


class _Client(api.StopNCIIAPI):  # type: ignore[misc]  # the package has no types
    """Counts what an answer held: the client passes over records that it does not understand."""

    held = 0

    def __init__(self, access: Access) -> None:
        super().__init__(
            access.secrets["subscription_key"],
            access.secrets["function_key"],
            base_url_override=access.url and access.url.rstrip("/"),
        )

    def _get_session(self, endpoint: Any) -> requests.Session:
        return limited(super()._get_session(endpoint), self._base_url)

    def _get(self, endpoint: Any, **params: Any) -> Any:
        answer = super()._get(endpoint, **params)
        self.held = len(answer["hashRecords"])
        return answer


def address(access: Access) -> str:
    """Where the exchange is."""
    return access.url or str(api.StopNCIIAPI.BASE_URL)


def pages(access: Access, checkpoint: str | None, position: str | None) -> Iterator[Page]:
    """See records.Pages. A checkpoint is a time, a position a time and the token of a page."""
    client = _Client(access)
    start, token = json.loads(position) if position is not None else (int(checkpoint or 0), "")
    while True:
        answer = asked(
            functools.partial(
                client.fetch_hashes, start_timestamp=start or client.DEFAULT_START_TIME, next_page=token
            )
        )
        records = tuple(map(_record, answer.hashRecords))
        unread = client.held - len(records)
        if not answer.hasMoreRecords:
            yield Page(records, checkpoint=str(max(start, answer.nextSetTimestamp)), unread=unread)
            return
        if not answer.nextPageToken or answer.nextPageToken == token:
            raise HashListError("the exchange has more and does not say where; the list stays as it is")
        token = answer.nextPageToken
        yield Page(records, position=json.dumps([start, token]), unread=unread)


def _record(found: Any) -> Record:
    kind = _KINDS.get(found.signalType, found.signalType.value)
    # The exchange has no identifiers: a hash is its own.
    entry = named(f"{found.signalType.value} {found.hashValue.strip().lower()}")
    cases = found.caseNumbers.values()
    if found.hashStatus in _GONE or (cases and all(status in _GONE for status in cases)):
        return Record(entry)
    return Record(entry, hashes([(kind, found.hashValue)]))
