"""Limits on every request to an exchange, and its errors as ours.

The clients' own limits leave holes: one of them waits without end, all of them follow an answer anywhere and
obey any Retry-After, hours too. A message of ours never quotes what an exchange or a library says: it may hold
a hash, a token, or both.
"""

import socket
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import requests
from threatexchange.exchanges.clients.utils.common import TimeoutHTTPAdapter
from urllib3.util.retry import Retry

from monitor.errors import ConfigError, HashListError, SourceUnavailable

TIMEOUT = 60
"""Seconds without a byte."""
RETRIES = Retry(
    total=3,
    status_forcelist=[500, 502, 503, 504],
    allowed_methods=["GET"],
    backoff_factor=0.2,
    raise_on_status=False,
    respect_retry_after_header=False,
)

T = TypeVar("T")


class Overtaxed(SourceUnavailable):
    """The exchange failed on this very question, or took too long over it; a smaller one may do."""


def limited(session: requests.Session, base: str) -> requests.Session:
    """The session with the limits above, and on no other host than that of `base`: it carries credentials."""
    adapter: Any = TimeoutHTTPAdapter(timeout=TIMEOUT, max_retries=RETRIES)
    for prefix in list(session.adapters):
        session.mount(prefix, adapter)

    def stay(response: requests.Response, **_: object) -> None:
        if response.is_redirect:
            at_home(urljoin(response.url, response.headers["location"]), base)

    session.hooks["response"].append(stay)
    return session


def at_home(url: str, base: str) -> str:
    """The address, when it is on the host of `base`. Raises HashListError."""
    if urlsplit(url)[:2] != urlsplit(base)[:2]:
        raise HashListError("the exchange sends us to another host; nothing was asked there")
    return url


def asked(question: Callable[[], T]) -> T:
    """The answer to a question that a client asks.

    Raises ConfigError when the credentials are refused, SourceUnavailable when there is no answer now, and
    HashListError for an answer that is not understood.
    """
    try:
        return question()
    except (HashListError, ConfigError):
        raise
    except requests.HTTPError as e:
        raise _by_status(0 if e.response is None else e.response.status_code) from e
    except requests.exceptions.InvalidJSONError as e:
        raise HashListError("the exchange's answer is not JSON; the list stays as it is") from e
    except requests.Timeout as e:
        raise Overtaxed("the exchange takes too long to answer; it is asked again later") from e
    except requests.exceptions.SSLError as e:
        raise SourceUnavailable(
            "the exchange's certificate is not trusted; where it is one of your own, name its authority in"
            " REQUESTS_CA_BUNDLE"
        ) from e
    except requests.RequestException as e:
        raise SourceUnavailable("the exchange cannot be reached; it is asked again later") from e
    except Exception as e:
        # The clients raise whatever their parsers do, a bare Exception among it.
        raise HashListError("the exchange's answer is not understood; the list stays as it is") from e


def _by_status(status: int) -> Exception:
    if status in (401, 403):
        return ConfigError(f"the exchange refuses these credentials (HTTP {status}); see exchanges")
    if status == 429:
        return SourceUnavailable("the exchange asks for a pause (HTTP 429)")
    if status >= 500:
        return Overtaxed(f"the exchange fails (HTTP {status}); it is asked again later")
    return HashListError(f"the exchange does not understand the question (HTTP {status})")


def reach(url: str) -> tuple[int, ...]:
    """Ask for the address behind an exchange's name, or that of the proxy which the environment names, and keep to
    it from now on: a confined process can ask nobody. Returns the ports that will be connected to.

    Raises SourceUnavailable when there is no such name. For a process that asks this one exchange alone.
    """
    proxy = requests.utils.get_environ_proxies(url).get(urlsplit(url).scheme)
    parts = urlsplit(proxy or url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except OSError as e:
        raise SourceUnavailable("the exchange's name cannot be resolved; it is asked again later") from e

    def pinned(*_: object, **__: object) -> Any:
        return found

    # urllib3 has no setting for it.
    socket.getaddrinfo = pinned
    return (port,)
