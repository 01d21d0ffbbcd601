"""Meta's ThreatExchange, which GIFCT's members share too: JSON, the updates of one privacy group in order of time."""

from collections.abc import Callable, Iterator
from typing import Any

import requests
from threatexchange.exchanges.clients.fb_threatexchange import api, threat_updates

from monitor.errors import HashListError
from monitor.exchange.records import MAX_LABEL, Access, Page, Record, hashes, label, named
from monitor.exchange.sessions import asked, at_home, limited
from monitor.model import Algorithm

PAGE = 500
OVERLAP = 1
"""Seconds that are asked for once more, as several updates share a second."""
_KINDS = {
    "HASH_MD5": Algorithm.MD5,
    "HASH_SHA1": Algorithm.SHA1,
    "HASH_SHA256": Algorithm.SHA256,
    "HASH_PDQ": Algorithm.PDQ,
    "HASH_VIDEO_MD5": Algorithm.MD5,
    "HASH_VIDEO_SHA256": Algorithm.SHA256,
}


class _Client(api.ThreatExchangeAPI):  # type: ignore[misc]  # the package has no types
    def __init__(self, access: Access) -> None:
        super().__init__(access.secrets["token"], endpoint_override=access.url and access.url.rstrip("/"))

    def get_json_from_url(
        self, url: str, params: Any = None, *, json_obj_hook: Callable[..., Any] | None = None
    ) -> Any:
        # The client's own asks outside its session: without a timeout, and wherever an answer points.
        with limited(requests.Session(), self._base_url) as session:
            response = session.get(at_home(url, self._base_url), params=params or {})
            response.raise_for_status()
            return response.json(object_hook=json_obj_hook)


def address(access: Access) -> str:
    """Where the exchange is."""
    return access.url or str(api.ThreatExchangeAPI._TE_BASE_URL)


def pages(access: Access, checkpoint: str | None, position: str | None) -> Iterator[Page]:
    """See records.Pages. Checkpoint and position are times: what the exchange calls the next page is an address
    with the token in it, which is not kept."""
    client = _Client(access)
    newest = int(position or checkpoint or 0)
    cursor = client.get_threat_updates(
        access.privacy_group,
        start_time=max(0, newest - OVERLAP) or None,
        page_size=PAGE,
        fields=threat_updates.ThreatUpdateJSON.te_threat_updates_fields(),
        decode_fn=threat_updates.ThreatUpdateJSON,
    )
    while True:
        page = cursor.next_url
        records, times = asked(lambda: _next(cursor))
        newest = max([newest, *times])
        if cursor.done:
            yield Page(records, checkpoint=str(newest))
            return
        if cursor.next_url == page:
            raise HashListError("the exchange gives the same page again; the list stays as it is")
        yield Page(records, position=str(newest))


def _next(cursor: Any) -> tuple[tuple[Record, ...], list[int]]:
    """The records of the next page, and when they changed."""
    updates = cursor.next()
    return tuple(map(_record, updates)), [update.time for update in updates]


def _record(update: Any) -> Record:
    entry = named(str(update.id))
    if update.should_delete:
        return Record(entry)
    said = update.raw_json["descriptors"]["data"]
    # In force for as long as one of those who speak of it does not call it harmless.
    if all(one["status"] == "NON_MALICIOUS" for one in said):
        return Record(entry)
    kind = _KINDS.get(update.threat_type, update.threat_type)
    return Record(entry, hashes([(kind, update.indicator)]), _label(said))


def _label(said: list[Any]) -> str | None:
    """The tags that the entry has, as many as there is room for."""
    found: set[str] = set()
    for one in said:
        tags = one.get("tags") or []
        found |= {tag["text"] for tag in tags["data"]} if isinstance(tags, dict) else set(tags)
    words = sorted(found)
    while words and len(",".join(words)) > MAX_LABEL:
        words.pop()
    return label(",".join(words))
