"""Time stamps of checkpoints by others (RFC 3161): asked for, kept beside the log, verified.

    timestamps/<size>/checkpoint                           what was sent to be stamped (its SHA-256)
    timestamps/<size>/<authority>-<32 hex digits>.tsr      an answer; the digits are of its own SHA-256

A checkpoint there without the answer of an authority is a request that stays open.
"""

import hashlib
import http.client
import importlib.util
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from monitor.errors import ConfigError, InputError, NoNetwork, VerificationError
from monitor.reportlog.log import locked, replace
from monitor.reportlog.note import LONGEST_NOTE, Checkpoint, parse_checkpoint
from monitor.reportlog.tiles import CHECKPOINT, TIMESTAMPS, read

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

TIMEOUT = 20.0
"""Seconds for one attempt."""
PAUSES = (1.0, 3.0)
"""Seconds before the second and the third attempt."""
LONGEST_ANSWER = 200_000
"""Bytes; a longer answer is refused unread."""
_TOKEN = re.compile(r"([a-z0-9.-]+-[0-9a-f]{8})-([0-9a-f]{32})\.tsr")


@dataclass(frozen=True, slots=True)
class Stamp:
    """A checkpoint of `size` leaves existed at this time, an authority says; `trusted`: its certificates agree."""

    size: int
    authority: str
    at: datetime
    trusted: bool


def authority_name(url: str) -> str:
    """What an authority's answers are called: its host, and eight digits that tell two addresses of it apart."""
    host = re.sub(r"[^a-z0-9.-]", "-", (urlsplit(url).hostname or "authority").lower())
    return f"{host}-{hashlib.sha256(url.encode()).hexdigest()[:8]}"


def certificates(path: Path) -> "list[Certificate]":
    """The certificates of a PEM file. Raises ConfigError."""
    from cryptography.x509 import load_pem_x509_certificates

    try:
        return load_pem_x509_certificates(path.read_bytes())
    except OSError as e:
        raise ConfigError(f"{path}: cannot be read ({e.strerror}); name the authority's certificates") from e
    except ValueError as e:
        raise ConfigError(f"{path}: holds no certificates in PEM; ask the authority for them") from e


def obtain(
    folder: Path,
    checkpoint: Checkpoint,
    url: str,
    trusted: "Sequence[Certificate]",
    sleep: Callable[[float], None] = time.sleep,
) -> Stamp:
    """Have a checkpoint stamped and keep the answer; the one that is there already, if so.

    Raises NoNetwork when the authority does not answer after three attempts, VerificationError when its answer does
    not hold, InputError when rfc3161-client is not installed. The request stays open then.
    """
    _needed()
    import rfc3161_client as client

    place, name = folder / TIMESTAMPS / str(checkpoint.size), authority_name(url)
    with locked(folder):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (place / CHECKPOINT).exists():
            replace(place / CHECKPOINT, checkpoint.note)
    note = read(place, CHECKPOINT, LONGEST_NOTE)
    for answered, token in _tokens(place):
        if answered == name:
            return check_token(token, note, checkpoint.size, name, trusted)
    request = client.TimestampRequestBuilder().data(note).hash_algorithm(client.HashAlgorithm.SHA256).build()
    answer = _ask(url, request.as_bytes(), sleep)
    stamp = check_token(answer, note, checkpoint.size, name, trusted, nonce=request.nonce)
    with locked(folder):
        replace(place / f"{name}-{hashlib.sha256(answer).hexdigest()[:32]}.tsr", answer)
    return stamp


def check_token(
    answer: bytes,
    note: bytes,
    size: int,
    authority: str,
    trusted: "Sequence[Certificate]",
    nonce: int | None = None,
) -> Stamp:
    """What an answer proves of a checkpoint's note. Without certificates: what it says, and of which digest.

    Raises VerificationError when it is damaged, of another note, or not signed under the certificates.
    """
    _needed()
    import rfc3161_client as client
    from rfc3161_client.errors import VerificationError as NotVerified

    where = f"the time stamp by {authority}"
    try:
        response = client.decode_timestamp_response(_in_order(answer))
        info = response.tst_info
        imprint, at = info.message_imprint.message, info.gen_time
    except (ValueError, IndexError):
        raise VerificationError(f"{where}: cannot be read") from None
    if imprint != hashlib.sha256(note).digest():
        raise VerificationError(f"{where}: is of something else than the checkpoint of {size} leaves")
    if trusted:
        own = [one for one in trusted if one.issuer == one.subject]
        roots = own or list(trusted)
        others = [one for one in trusted if one not in roots]
        verifier = client.VerifierBuilder(roots=roots, intermediates=others, nonce=nonce).build()
        try:
            verifier.verify_message(response, note)
        except (NotVerified, ValueError) as e:
            raise VerificationError(
                f"{where}: is not signed under the certificates that are given for it"
            ) from e
    return Stamp(size, authority, at.astimezone(UTC), bool(trusted))


def kept(folder: Path) -> Iterator[tuple[Checkpoint, list[tuple[str, bytes]]]]:
    """Every checkpoint that was sent to be stamped, by size, with authorities and their answers.

    Raises VerificationError for a file that is neither, or is not what its name says.
    """
    places = (folder / TIMESTAMPS).iterdir() if (folder / TIMESTAMPS).exists() else ()
    for place in sorted(places, key=lambda path: (len(path.name), path.name)):
        where = f"{TIMESTAMPS}/{place.name}"
        if not place.is_dir():
            raise VerificationError(f"{where}: is no part of a log")
        try:
            checkpoint = parse_checkpoint(read(place, CHECKPOINT, LONGEST_NOTE))
        except VerificationError as e:
            raise VerificationError(f"{where}: {e}") from None
        if str(checkpoint.size) != place.name:
            raise VerificationError(f"{where}: holds a checkpoint of {checkpoint.size} leaves")
        yield checkpoint, list(_tokens(place))


def _tokens(place: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(place.iterdir()):
        if path.name == CHECKPOINT:
            continue
        found, where = _TOKEN.fullmatch(path.name), f"{TIMESTAMPS}/{place.name}/{path.name}"
        if found is None:
            raise VerificationError(f"{where}: is no part of a log")
        data = read(place, path.name, LONGEST_ANSWER)
        if hashlib.sha256(data).hexdigest()[:32] != found[2]:
            raise VerificationError(f"{where}: is damaged")
        yield found[1], data


def _in_order(answer: bytes) -> bytes:
    """The answer with its certificates in the order that DER asks for.

    OpenSSL leaves them in the order of its configuration, and the parser is strict. No signature covers the order.
    """
    # TimeStampResp, timeStampToken, [0], SignedData (RFC 3161, 2.4.2; RFC 5652, 5.1)
    response = _parts(answer, *_content(answer, 0))
    token = _parts(answer, *_content(answer, response[1][0]))
    signed = _content(answer, _content(answer, token[1][0])[0])
    for start, end in _parts(answer, *signed):
        if answer[start] == 0xA0:
            inside = _content(answer, start)
            ordered = sorted(answer[a:b] for a, b in _parts(answer, *inside))
            return answer[: inside[0]] + b"".join(ordered) + answer[end:]
    return answer


def _content(data: bytes, at: int) -> tuple[int, int]:
    """Where the content of the DER value at that byte begins and ends."""
    length, start = data[at + 1], at + 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[at + 2 : start], "big")
    return start, start + length


def _parts(data: bytes, start: int, end: int) -> list[tuple[int, int]]:
    """Where each of the DER values that lie there begins and ends."""
    found = []
    while start < end:
        after = _content(data, start)[1]
        found.append((start, after))
        start = after
    return found


def _ask(url: str, request: bytes, sleep: Callable[[float], None]) -> bytes:
    """An authority's answer over HTTP (RFC 3161, section 3.4)."""
    headers = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
    # The configuration allows http and https alone.
    asked = urllib.request.Request(url, request, headers)  # noqa: S310
    why = ""
    for pause in (0.0, *PAUSES):
        sleep(pause)
        try:
            with urllib.request.urlopen(asked, timeout=TIMEOUT) as answer:  # noqa: S310
                return bytes(answer.read(LONGEST_ANSWER))
        except urllib.error.HTTPError as e:
            with e:
                why = f"it answers {e.code}"
        except (OSError, http.client.HTTPException) as e:
            reason = getattr(e, "reason", e)
            why = getattr(reason, "strerror", None) or type(reason).__name__
    raise NoNetwork(f"{url}: no time stamp ({why}); the request stays open: run monitor log timestamp again")


def available() -> bool:
    """Whether what reads time stamps is installed."""
    return importlib.util.find_spec("rfc3161_client") is not None


def _needed() -> None:
    if not available():
        raise InputError("time stamps need rfc3161-client; run: pip install 'channel-monitor[timestamp]'")
