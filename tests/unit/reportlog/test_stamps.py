"""Time stamps: a real OpenSSL authority behind HTTP on loopback, and what may go wrong with one."""

import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from monitor.errors import ConfigError, NoNetwork, VerificationError
from monitor.reporting.bundle import LogAccess, write_bundle
from monitor.reportlog import Published, extend, standalone
from monitor.reportlog.bundles import verify_bundle
from monitor.reportlog.stamps import authority_name, certificates, check_token, kept, obtain
from monitor.reportlog.tiles import CHECKPOINT, TIMESTAMPS
from monitor.reportlog.verifying import verify_log
from monitor.store import open_store
from tests.contract.making import later
from tests.unit.reportlog.making import HANDOVER, SIGNER, flipped, leaves, made, with_flags

pytest.importorskip("rfc3161_client")
pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")

SETTINGS = """
[tsa]
default_tsa = one
[one]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
certs = {folder}/ca.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha512
ess_cert_id_alg = sha256
[extensions]
extendedKeyUsage = critical,timeStamping
"""


def openssl(command: str, folder: Path) -> None:
    done = subprocess.run(["openssl", *command.split()], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@dataclass
class Authority:
    """An authority: its folder, the address it listens at, and what it answers."""

    folder: Path
    url: str = ""
    statuses: list[int] = field(default_factory=list)
    """Answered first, in order, instead of a stamp."""
    change: Callable[[bytes], bytes] = bytes
    asked: int = 0

    @property
    def pem(self) -> Path:
        return self.folder / "ca.pem"

    def stamp(self, request: bytes) -> bytes:
        (self.folder / "request").write_bytes(request)
        openssl("ts -reply -config tsa.cnf -queryfile request -out answer", self.folder)
        return self.change((self.folder / "answer").read_bytes())


def authority(folder: Path, name: str) -> Authority:
    folder.mkdir()
    (folder / "tsa.cnf").write_text(SETTINGS.format(folder=folder))
    (folder / "serial").write_text("01\n")
    openssl(
        f"req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN={name}-ca", folder
    )
    openssl(f"req -newkey rsa:2048 -nodes -keyout tsa.key -out tsa.csr -subj /CN={name}", folder)
    openssl(
        "x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out tsa.pem"
        " -extfile tsa.cnf -extensions extensions",
        folder,
    )
    return Authority(folder)


@pytest.fixture(scope="module")
def made_authorities(tmp_path_factory: pytest.TempPathFactory) -> list[Authority]:
    base = tmp_path_factory.mktemp("authorities")
    return [authority(base / name, name) for name in ("first", "second")]


@pytest.fixture
def authorities(made_authorities: list[Authority]) -> Iterator[list[Authority]]:
    """Two authorities that listen on loopback."""
    servers = []
    for one in made_authorities:

        class Handler(BaseHTTPRequestHandler):
            serves = one

            def do_POST(self) -> None:
                self.serves.asked += 1
                request = self.rfile.read(int(self.headers["Content-Length"]))
                if self.serves.statuses:
                    self.send_error(self.serves.statuses.pop(0))
                    return
                assert self.headers["Content-Type"] == "application/timestamp-query"
                answer = self.serves.stamp(request)
                self.send_response(200)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *arguments: object) -> None:
                """Silent."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        one.url = f"http://127.0.0.1:{server.server_port}/tsr"
        one.statuses, one.change, one.asked = [], bytes, 0
        servers.append((server, thread))
    yield made_authorities
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


def no_pause(seconds: float) -> None:
    """Time is not waited for here."""


def test_two_authorities_stamp_a_checkpoint_and_both_hold(
    tmp_path: Path, authorities: list[Authority]
) -> None:
    log = made(tmp_path / "log", 300)
    newest = Published(log).checkpoint
    for one in authorities:
        stamp = obtain(log, newest, one.url, certificates(one.pem))
        assert stamp.trusted and abs(stamp.at - datetime.now(UTC)) < timedelta(minutes=5)
        assert obtain(log, newest, one.url, certificates(one.pem)) == stamp and one.asked == 1
    extend(log, SIGNER, 300, leaves(400)[300:])  # the log goes on; the stamps stay
    trusted = {authority_name(one.url): certificates(one.pem) for one in authorities}
    verified = verify_log(log, trusted=trusted)
    assert [(stamp.size, stamp.trusted) for stamp in verified.stamps] == [(300, True)] * 2
    assert [stamp.trusted for stamp in verify_log(log).stamps] == [False, False]
    assert standalone.check(str(log))["stamped"] == ["300"]
    with pytest.raises(VerificationError, match="not signed under the certificates"):
        verify_log(log, trusted=certificates(authorities[0].pem))


def test_openssl_accepts_what_is_kept(tmp_path: Path, authorities: list[Authority]) -> None:
    log, one = made(tmp_path / "log", 5), authorities[0]
    obtain(log, Published(log).checkpoint, one.url, certificates(one.pem))
    place = log / TIMESTAMPS / "5"
    (answer,) = place.glob("*.tsr")
    openssl(f"ts -verify -in {answer.name} -data checkpoint -CAfile {one.pem}", place)


def test_an_authority_that_fails_is_asked_again(tmp_path: Path, authorities: list[Authority]) -> None:
    log, one = made(tmp_path / "log", 5), authorities[0]
    one.statuses, pauses = [503, 500], list[float]()
    assert obtain(log, Published(log).checkpoint, one.url, certificates(one.pem), pauses.append).size == 5
    assert one.asked == 3 and pauses == [0, 1, 3]


def test_who_does_not_answer_is_named_and_the_request_stays_open(
    tmp_path: Path, authorities: list[Authority]
) -> None:
    log, one = made(tmp_path / "log", 5), authorities[0]
    newest = Published(log).checkpoint
    one.statuses = [503] * 3
    with pytest.raises(NoNetwork, match=r"tsr: no time stamp \(it answers 503\); the request stays open"):
        obtain(log, newest, one.url, certificates(one.pem), no_pause)
    with pytest.raises(NoNetwork, match="refused"):
        obtain(log, newest, "http://127.0.0.1:9/tsr", certificates(one.pem), no_pause)
    assert verify_log(log).open_stamps == 1
    obtain(log, newest, one.url, certificates(one.pem), no_pause)
    assert verify_log(log).open_stamps == 0


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (lambda answer: b"<html>", "cannot be read"),
        (lambda answer: answer[:-40], "cannot be read"),
        (lambda answer: flipped(answer, len(answer) * 8 - 9), "not signed under"),
    ],
    ids=["a page", "cut short", "a flipped bit"],
)
def test_a_stamp_that_does_not_hold_is_not_kept(
    tmp_path: Path, authorities: list[Authority], change: Callable[[bytes], bytes], wrong: str
) -> None:
    log, one = made(tmp_path / "log", 5), authorities[0]
    one.change = change
    with pytest.raises(VerificationError, match=wrong):
        obtain(log, Published(log).checkpoint, one.url, certificates(one.pem), no_pause)
    assert [answers for _, answers in kept(log)] == [[]]


def test_the_answer_to_another_request_is_not_taken(tmp_path: Path, authorities: list[Authority]) -> None:
    log, one = made(tmp_path / "log", 5), authorities[0]
    newest = Published(log).checkpoint
    obtain(log, newest, one.url, certificates(one.pem), no_pause)
    [(_, [(_, earlier)])] = kept(log)
    trusted = certificates(one.pem)
    with pytest.raises(VerificationError, match="not signed under"):
        check_token(earlier, newest.note, 5, "one", trusted, nonce=12345)
    with pytest.raises(VerificationError, match="something else than the checkpoint"):
        check_token(earlier, newest.note + b"\n", 5, "one", trusted)


def test_what_is_kept_cannot_be_changed_or_moved(tmp_path: Path, authorities: list[Authority]) -> None:
    log, one = made(tmp_path / "log", 5), authorities[0]
    obtain(log, Published(log).checkpoint, one.url, certificates(one.pem))
    place = log / TIMESTAMPS / "5"
    (answer,) = place.glob("*.tsr")
    good = answer.read_bytes()
    for bit in range(0, len(good) * 8, 997):
        answer.write_bytes(flipped(good, bit))
        with pytest.raises(VerificationError, match="is damaged"):
            verify_log(log)
        with pytest.raises(standalone.Wrong):
            standalone.check(str(log))
    answer.write_bytes(good)
    (place / "notes.txt").write_text("")
    with pytest.raises(VerificationError, match="no part of a log"):
        verify_log(log)
    (place / "notes.txt").unlink()
    forged = made(tmp_path / "forged", 5, 6)
    shutil.copytree(log / TIMESTAMPS, forged / TIMESTAMPS)
    verify_log(forged)
    other = Published(made(tmp_path / "other", 4)).checkpoint
    (place / CHECKPOINT).write_bytes(other.note)
    with pytest.raises(VerificationError, match="holds a checkpoint of 4 leaves"):
        verify_log(log)


def test_certificates_that_are_none_are_named(tmp_path: Path) -> None:
    (tmp_path / "text.pem").write_text("no certificate")
    with pytest.raises(ConfigError, match="holds no certificates"):
        certificates(tmp_path / "text.pem")
    with pytest.raises(ConfigError, match="cannot be read"):
        certificates(tmp_path / "nowhere.pem")


async def test_a_bundle_brings_the_newest_stamps_and_the_way_from_there(
    tmp_path: Path, authorities: list[Authority]
) -> None:
    log = tmp_path / "log"
    async with open_store(tmp_path / "monitor.db") as store:
        await with_flags(store)
        pems = {authority_name(one.url): one.pem.read_bytes() for one in authorities}
        access = LogAccess(log, SIGNER, pems)
        first = await write_bundle(
            store, access, tmp_path / "before.zip", {}, HANDOVER, opened=(), at=later(1)
        )
        for one in authorities:
            obtain(log, first.checkpoint, one.url, certificates(one.pem))
        done = await write_bundle(store, access, tmp_path / "b.zip", {}, HANDOVER, opened=(3,), at=later(2))
    assert verify_bundle(first.path).verified.stamps == ()
    both = [certificate for one in authorities for certificate in certificates(one.pem)]
    stamps = verify_bundle(done.path, trusted=both).verified.stamps
    assert [(stamp.size, stamp.trusted) for stamp in stamps] == [(first.checkpoint.size, True)] * 2
    stamped = standalone.check(str(done.path))["stamped"]
    assert len(stamped) == 5 and len([name for name in stamped if name.endswith(".pem")]) == 2
