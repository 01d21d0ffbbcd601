"""Tech Against Terrorism's hash list: JSON, in order of change, after a checkpoint (terrorismanalytics.org/docs)."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from threatexchange.exchanges.clients.techagainstterrorism import api

from monitor.errors import HashListError
from monitor.exchange.records import Access, Page, Record, hashes, label, named
from monitor.exchange.sessions import asked, limited
from monitor.model import Algorithm

_KINDS = {
    "MD5": Algorithm.MD5,
    "SHA1": Algorithm.SHA1,
    "SHA256": Algorithm.SHA256,
    "PDQ": Algorithm.PDQ,
}


class _Client(api.TATHashListAPI):  # type: ignore[misc]  # the package has no types
    def __init__(self, access: Access) -> None:
        super().__init__(access.username, access.secrets["password"])
        if access.url is not None:
            self.BASE_URL = access.url.rstrip("/") + "/"

    @contextmanager
    def _get_session(self, auth_token: str | None = None) -> Iterator[requests.Session]:
        with super()._get_session(auth_token) as session:
            yield limited(session, self.BASE_URL)


def address(access: Access) -> str:
    """Where the exchange is."""
    return access.url or str(api.TATHashListAPI.BASE_URL)


def pages(access: Access, checkpoint: str | None, position: str | None) -> Iterator[Page]:
    """See records.Pages. Each page says after which time and id the next begins; that is checkpoint and position.

    The pages are asked for by that, not by the offset that the exchange offers: an entry that changes
    meanwhile moves to the end, and with offsets one further up would be passed over.
    """
    client = _Client(access)
    after = position or checkpoint or ""
    while True:
        answer = asked(functools.partial(client.fetch_hashes, after=after))
        records = asked(functools.partial(_records, answer))
        before, after = after, answer.checkpoint or after
        if not answer.next:
            yield Page(records, checkpoint=after)
            return
        if after == before:
            raise HashListError("the exchange gives the same page again; the list stays as it is")
        yield Page(records, position=after)


def _records(answer: Any) -> tuple[Record, ...]:
    return tuple(map(_record, answer.results))


def _record(found: Any) -> Record:
    entry = named(str(found.id))
    if found.deleted:
        return Record(entry)
    name = found.algorithm.upper().replace("-", "")
    return Record(entry, hashes([(_KINDS.get(name, name), found.hash_digest)]), label(_text(found.ideology)))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
