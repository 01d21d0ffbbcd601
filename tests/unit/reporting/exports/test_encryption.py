"""Exports to a recipient's key: only they can read it, and the plain text never lies on the disk."""

import errno
import hashlib
import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pyrage
import pytest

from monitor.errors import InputError
from monitor.reporting.encryption import encrypting, fingerprint
from monitor.store import SqlStore
from tests.contract.making import batch, message, span
from tests.unit.reporting.exports.taking import PURPOSE, exports, names, objects, take

KINDS = ("csv", "jsonl", "parquet", "xlsx", "stix", "misp")


@pytest.fixture
def recipient() -> "pyrage.x25519.Identity":
    return pyrage.x25519.Identity.generate()


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert "export:encrypt" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize("kind", KINDS)
async def test_the_recipient_gets_what_an_open_export_holds(
    store: SqlStore, database: Path, tmp_path: Path, recipient: "pyrage.x25519.Identity", kind: str
) -> None:
    key = str(recipient.to_public())
    await take(store, database, "flags", kind, tmp_path / "plain", **PURPOSE)
    await take(store, database, "flags", kind, tmp_path / "sealed", encrypt_to=key, **PURPOSE)
    plain, sealed = (tmp_path / "plain").read_bytes(), (tmp_path / "sealed").read_bytes()
    assert sealed.startswith(b"age-encryption.org/v1\n")
    assert b"example_one" not in sealed
    assert pyrage.decrypt(sealed, [recipient]) == plain
    _, event = await exports(store)
    assert event.body["sha256"] == hashlib.sha256(sealed).hexdigest()
    assert event.body["plain_sha256"] == hashlib.sha256(plain).hexdigest()
    assert event.body["recipient"] == fingerprint(key) == hashlib.sha256(key.encode()).hexdigest()


async def test_a_large_export_goes_through(
    store: SqlStore, database: Path, tmp_path: Path, recipient: "pyrage.x25519.Identity"
) -> None:
    await store.record([batch(*(message(n) for n in range(4, 9_000)), span=span(3, 8_999))])
    path = tmp_path / "m"
    rows = await take(store, database, "messages", "jsonl", path, encrypt_to=str(recipient.to_public()))
    path.write_bytes(pyrage.decrypt(path.read_bytes(), [recipient]))
    assert len(objects(path)) == rows == 9_000


@pytest.mark.parametrize("key", ["", "age1", "age1qqqq", "AGE-SECRET-KEY-1QQ", "ssh-ed25519 AAAA", "a b"])
async def test_what_is_no_key_is_refused_and_not_quoted(
    store: SqlStore, database: Path, tmp_path: Path, key: str
) -> None:
    with pytest.raises(InputError, match="no public key of age") as refused:
        await take(store, database, "flags", "csv", tmp_path / "f", encrypt_to=key)
    assert len(key) < 5 or key not in str(refused.value)
    assert names(tmp_path) == ["state"]
    assert await exports(store) == []


class Full(io.BytesIO):
    """A disk that is full after some bytes."""

    def write(self, data: bytes) -> int:  # type: ignore[override]  # bytes alone come here
        if self.tell() > 100_000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)


def test_a_full_disk_is_told_as_such(recipient: "pyrage.x25519.Identity") -> None:
    with pytest.raises(OSError, match="No space left") as failed:
        with encrypting(Full(), str(recipient.to_public())) as plain:
            for _ in range(1_000):
                plain.write(b"x" * 10_000)
    assert failed.value.errno == errno.ENOSPC


def test_a_failure_on_the_way_is_that_failure(recipient: "pyrage.x25519.Identity") -> None:
    with pytest.raises(ZeroDivisionError):
        with encrypting(io.BytesIO(), str(recipient.to_public())) as plain:
            plain.write(b"x")
            raise ZeroDivisionError
