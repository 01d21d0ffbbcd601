"""Exchanges on loopback, each speaking its protocol: pages, changes, withdrawals, and trouble on request.

What they hold is made up: a hash is a digest of a number.
"""

import base64
import hashlib
import json
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from xml.sax.saxutils import quoteattr

from monitor.exchange import Access
from monitor.model import Algorithm

PAGE = 3
START = int(time.time()) - 40 * 86400
"""When the first entry was made; each change comes a second later."""


def value(number: int, algorithm: Algorithm = Algorithm.PDQ) -> bytes:
    """A hash that nothing has."""
    return hashlib.sha256(f"{algorithm}{number}".encode()).digest()[: algorithm.size]


@dataclass
class Entry:
    """An entry as the exchange keeps it: hashes by the exchange's names of their kinds."""

    number: int
    hashes: dict[str, str]
    changed: int
    gone: bool = False


class Refused(Exception):
    """Answer with this status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass
class Server:
    """One exchange. `troubles` are taken one a request: a status, "cut", "malformed", "hold" (until `held` is set)
    or None for an ordinary answer."""

    entries: list[Entry] = field(default_factory=list)
    troubles: deque[int | str | None] = field(default_factory=deque)
    asked: list[str] = field(default_factory=list)
    held: threading.Event = field(default_factory=threading.Event)
    holding: threading.Event = field(default_factory=threading.Event)
    url: str = ""
    clock: int = START

    kind = ""
    picture = ""
    """What the exchange calls a PDQ."""
    closed = ""
    """A kind that nobody else can compute."""

    def time_passes(self) -> None:
        """What changes from now on changes about now, and not when the first entries were made."""
        self.clock = max(self.clock, int(time.time()) - 60)

    def put(self, *numbers: int, **more: str) -> None:
        """Add entries."""
        for number in numbers:
            self.clock += 1
            self.entries.append(Entry(number, {self.picture: value(number).hex()} | more, self.clock))

    def withdraw(self, number: int) -> None:
        """Withdraw an entry, which counts as a change."""
        self.clock += 1
        (entry,) = (entry for entry in self.entries if entry.number == number)
        entry.gone, entry.changed = True, self.clock
        self.entries.sort(key=lambda entry: entry.changed)

    def forget(self, number: int) -> None:
        """Remove an entry without a trace."""
        self.entries = [entry for entry in self.entries if entry.number != number]

    def access(self) -> Access:
        raise NotImplementedError

    def settings(self) -> dict[str, Any]:
        """Its keys in a configuration, with secrets in files of their own."""
        raise NotImplementedError

    def answer(self, path: str, query: dict[str, str], headers: Any) -> str:
        raise NotImplementedError

    # -- http

    def respond(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        posted = handler.rfile.read(int(handler.headers.get("content-length", 0))).decode()
        query = {key: values[0] for key, values in parse_qs(posted or parts.query).items()}
        signing_in = handler.command == "POST"
        trouble = None
        if not signing_in:
            self.asked.append(handler.path)
            trouble = self.troubles.popleft() if self.troubles else None
        if trouble == "hold":
            self.holding.set()
            self.held.wait(60)
        if isinstance(trouble, int):
            return self._send(handler, trouble, "trouble")
        try:
            text = self.answer(parts.path, query, handler.headers)
        except Refused as e:
            return self._send(handler, e.status, "no")
        if trouble == "malformed":
            text = text[: len(text) // 2]
        return self._send(handler, 200, text, cut=trouble == "cut")

    def _send(self, handler: BaseHTTPRequestHandler, status: int, text: str, *, cut: bool = False) -> None:
        body = text.encode()
        handler.send_response(status)
        handler.send_header("content-length", str(len(body)))
        handler.send_header("connection", "close")
        handler.end_headers()
        handler.wfile.write(body[: len(body) // 2] if cut else body)
        handler.close_connection = True


class Ncmec(Server):
    """NCMEC hash sharing v2. Entries come in no order of time."""

    kind, picture, closed = "ncmec", "pdq", "pdna"
    widest = 10**10
    """Seconds of a range above which the exchange fails."""

    def access(self) -> Access:
        return Access("ncmec", f"{self.url}/npo", "us", secrets={"password": "secret"})

    def settings(self) -> dict[str, Any]:
        return {"kind": "ncmec", "url": f"{self.url}/npo", "username": "us", "password": "secret"}

    def answer(self, path: str, query: dict[str, str], headers: Any) -> str:
        if headers.get("authorization") != "Basic " + base64.b64encode(b"us:secret").decode():
            raise Refused(401)
        if path != "/npo/v2/entries":
            raise Refused(404)
        first, last = (_moment(query[name]) for name in ("from", "to"))
        if last - first > self.widest:
            raise Refused(500)
        found = [entry for entry in self.entries if first <= entry.changed <= last]
        random.Random(5).shuffle(found)
        start = int(query.get("start", 0))
        shown, rest = found[start : start + PAGE], found[start + PAGE :]
        paging = ""
        if rest:
            more = query | {"start": str(start + PAGE), "size": str(PAGE), "max": str(len(found))}
            paging = f"<paging><next>/v2/entries?{urlencode(more).replace('&', '&amp;')}</next></paging>"
        newest = max((entry.changed for entry in shown), default=last)
        return (
            '<?xml version="1.0"?><queryResult xmlns="https://hashsharing.ncmec.org/hashsharing/v2">'
            f'<images count="{len(shown)}" maxTimestamp={quoteattr(_written(newest))}>'
            f"{''.join(map(self._entry, shown))}</images>{paging}</queryResult>"
        )

    def _entry(self, entry: Entry) -> str:
        tag = "deletedImage" if entry.gone else "image"
        prints = "".join(f"<{kind}>{text}</{kind}>" for kind, text in entry.hashes.items())
        known = (
            "" if entry.gone else f"<classification>A1</classification><fingerprints>{prints}</fingerprints>"
        )
        return (
            f'<{tag}><member id="42">Somebody</member><timestamp>{_written(entry.changed)}</timestamp>'
            f"<id>image{entry.number}</id>{known}</{tag}>"
        )


class StopNcii(Server):
    """StopNCII's FetchHashes."""

    kind, picture, closed = "stopncii", "ImagePDQ", "VideoTMK"

    def access(self) -> Access:
        return Access("stopncii", self.url, secrets={"subscription_key": "sub", "function_key": "fun"})

    def settings(self) -> dict[str, Any]:
        return {"kind": "stopncii", "url": self.url, "subscription_key": "sub", "function_key": "fun"}

    def answer(self, path: str, query: dict[str, str], headers: Any) -> str:
        if (headers.get("x-functions-key"), headers.get("ocp-apim-subscription-key")) != ("fun", "sub"):
            raise Refused(401)
        if path != "/FetchHashes":
            raise Refused(404)
        found = [entry for entry in self.entries if entry.changed >= int(query["startTimestamp"])]
        start = int(query.get("nextPageToken", "page-0").removeprefix("page-"))
        shown, more = found[start : start + PAGE], len(found) > start + PAGE
        records = [record for entry in shown for record in self._records(entry)]
        return json.dumps(
            {
                "count": len(records),
                "nextPageToken": f"page-{start + PAGE}" if more else None,
                "nextSetTimestamp": self.clock,
                "hasMoreRecords": more,
                "hashRecords": records,
            }
        )

    def _records(self, entry: Entry) -> Iterator[dict[str, Any]]:
        for kind, text in entry.hashes.items():
            status = "Withdrawn" if entry.gone else "Active"
            yield {
                "lastModtimestamp": entry.changed,
                "signalType": kind,
                "hashValue": text,
                "hashStatus": status,
                "caseNumbers": [],
            }


class ThreatExchange(Server):
    """Graph API's threat_updates of one privacy group."""

    kind, picture, closed = "threatexchange", "HASH_PDQ", "HASH_PHOTODNA"

    def access(self) -> Access:
        return Access("threatexchange", self.url, privacy_group=77, secrets={"token": "12345678|secret"})

    def settings(self) -> dict[str, Any]:
        return {"kind": "threatexchange", "url": self.url, "privacy_group": 77, "token": "12345678|secret"}

    def answer(self, path: str, query: dict[str, str], headers: Any) -> str:
        if query.get("access_token") != "12345678|secret":
            raise Refused(403)
        if path != "/77/threat_updates/":
            raise Refused(404)
        found = [entry for entry in self.entries if entry.changed >= int(query.get("start_time", 0))]
        start = int(query.get("after", 0))
        shown, more = found[start : start + PAGE], len(found) > start + PAGE
        paging = {}
        if more:
            paging["next"] = f"{self.url}{path}?{urlencode(query | {'after': str(start + PAGE)})}"
        data = [update for entry in shown for update in self._updates(entry)]
        return json.dumps({"data": data, "paging": paging})

    def _updates(self, entry: Entry) -> Iterator[dict[str, Any]]:
        for at, (kind, text) in enumerate(entry.hashes.items()):
            update: dict[str, Any] = {
                "id": str(entry.number * 100 + at),
                "indicator": text,
                "type": kind,
                "last_updated": entry.changed,
                "should_delete": entry.gone,
            }
            if not entry.gone:
                one = {"id": "9", "owner": {"id": "3"}, "status": "MALICIOUS", "tags": ["media_type_photo"]}
                update["descriptors"] = {"data": [one]}
            yield update


class Tat(Server):
    """Tech Against Terrorism's hash list v2."""

    kind, picture, closed = "tat", "PDQ", "PHOTODNA"

    def access(self) -> Access:
        return Access("tat", self.url, "us", secrets={"password": "secret"})

    def settings(self) -> dict[str, Any]:
        return {"kind": "tat", "url": self.url, "username": "us", "password": "secret"}

    def answer(self, path: str, query: dict[str, str], headers: Any) -> str:
        if path == "/token-auth/tcap/":
            if (query["username"], query["password"]) != ("us", "secret"):
                raise Refused(401)
            return json.dumps({"user": {}, "token": "t0ken"})
        if headers.get("authorization") != "Bearer t0ken":
            raise Refused(401)
        if path != "/api/hash-list/v2/all":
            raise Refused(404)
        after = tuple(int(part) for part in query["after"].split(",")) if query.get("after") else (0, 0)
        found = [entry for entry in self.entries if (entry.changed, entry.number) > after]
        shown, more = found[:PAGE], len(found) > PAGE
        last = (shown[-1].changed, shown[-1].number) if shown else after
        return json.dumps(
            {
                "count": len(found),
                "next": f"limit={PAGE}&offset={PAGE}" if more else None,
                "previous": None,
                "checkpoint": ",".join(map(str, last)) if shown else "",
                "results": [record for entry in shown for record in self._records(entry)],
            }
        )

    def _records(self, entry: Entry) -> Iterator[dict[str, Any]]:
        for at, (kind, text) in enumerate(entry.hashes.items()):
            yield {
                "hash_digest": text,
                "algorithm": kind,
                "ideology": "far-right",
                "file_type": "jpg",
                "deleted": entry.gone,
                "updated_on": float(entry.changed),
                "created_on": "2026-01-01T00:00:00Z",
                "id": entry.number * 100 + at,
            }


KINDS: dict[str, Callable[[], Server]] = {
    "ncmec": Ncmec,
    "stopncii": StopNcii,
    "threatexchange": ThreatExchange,
    "tat": Tat,
}


@contextmanager
def served(kind: str) -> Iterator[Server]:
    """An exchange of this kind, until the block ends."""
    exchange = KINDS[kind]()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            exchange.respond(self)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        exchange.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield exchange
        finally:
            exchange.held.set()
            server.shutdown()
            thread.join(10)


def _moment(text: str) -> int:
    return int(datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp())


def _written(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
