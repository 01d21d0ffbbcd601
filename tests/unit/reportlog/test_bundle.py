"""A bundle stands for itself, binds every bit of itself, and opens nothing but what it was made for."""

import asyncio
import contextlib
import hashlib
import io
import json
import os
import random
import resource
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pyrage
import pytest

from monitor.errors import InputError, VerificationError
from monitor.reporting import bundle as bundles
from monitor.reporting.bundle import LogAccess, write_bundle
from monitor.reporting.custody import Handover
from monitor.reportlog import standalone
from monitor.reportlog.archive import Archive, Member, Writer, directory, local_header
from monitor.reportlog.bundles import verify_bundle
from monitor.store import open_store
from tests.contract.making import CHANNEL, later
from tests.unit.reportlog.making import (
    HANDOVER,
    OTHER_SIGNER,
    SIGNER,
    bits,
    bundled,
    erase,
    execute,
    flipped,
    with_flags,
)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return asyncio.run(bundled(tmp_path_factory.mktemp("original"))).path


@pytest.fixture
def made(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(original, tmp_path / "bundle.zip"))


def alone(bundle: Path) -> subprocess.CompletedProcess[str]:
    """Run the verifier that a bundle brings, as a recipient would."""
    with zipfile.ZipFile(bundle) as archive:
        assert archive.testzip() is None
        (bundle.parent / "verify.py").write_bytes(archive.read("verify.py"))
    return tried(bundle)


def tried(bundle: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "verify.py", bundle.name, "--key", str(SIGNER.key)]
    return subprocess.run(command, cwd=bundle.parent, capture_output=True, text=True)


def agreed(path: Path, wrong: str | None = None) -> None:
    """Both verifiers refuse it; ours in these words."""
    with pytest.raises(VerificationError, match=wrong):
        verify_bundle(path)
    with open(path, "rb") as file, pytest.raises((standalone.Wrong, ValueError)):
        standalone.check_bundle(file)


async def test_a_bundle_verifies_by_ours_and_by_the_verifier_in_it(tmp_path: Path) -> None:
    done = await bundled(tmp_path)
    assert done.sha256 == hashlib.sha256(done.path.read_bytes()).hexdigest()
    assert stat.S_IMODE(done.path.stat().st_mode) == 0o600
    assert (done.opened, done.erased, done.key) == (4, 0, str(SIGNER.key))
    found = verify_bundle(done.path, pinned=SIGNER.key, since=done.checkpoint)
    assert (found.seq, found.opened, found.body["handed_to"]) == (done.seq, 4, "Police, cyber bureau")
    assert found.body["rows"] == 1
    fine = alone(done.path)
    assert (fine.returncode, fine.stderr) == (0, "")
    assert "Police, cyber bureau" in fine.stdout and SIGNER.key.fingerprint in fine.stdout
    done.path.write_bytes(flipped(done.path.read_bytes(), 4_000))
    assert tried(done.path).returncode == 4


def test_making_a_bundle_leaves_nothing_else_behind(made: Path, original: Path) -> None:
    assert sorted(os.listdir(original.parent)) == ["bundle.zip", "state"]


def test_a_bundle_opens_its_events_and_no_other(made: Path) -> None:
    with zipfile.ZipFile(made) as archive:
        names = archive.namelist()
        opened = [json.loads(line) for line in archive.read("openings.jsonl").splitlines()]
        custody = json.loads(archive.read("custody.json"))
        sheet = archive.read("custody.txt").decode()
        manifest = json.loads(archive.read("manifest.json"))["files"]
    assert not [name for name in names if "tile" in name or "entries" in name]
    assert len(opened) == 4 and all(event["body"]["channel_id"] == CHANNEL for event in opened)
    proofs = [name for name in names if name.startswith("proofs/")]
    assert len(proofs) == 5
    assert set(names) == set(manifest) | set(proofs) | {"manifest.json", "checkpoint"}
    assert custody["recipient"] in sheet and custody["purpose"] in sheet and custody["operator"] in sheet
    assert custody["viewed"] is False and "No person here has viewed any item" in sheet


async def test_what_was_erased_is_not_opened(tmp_path: Path) -> None:
    async with open_store(tmp_path / "state" / "monitor.db") as store:
        await with_flags(store)
        flags = [e.seq async for e in store.reader.events() if e.type == "flag_raised"]
        await erase(store, flags[0])
        access = LogAccess(tmp_path / "state" / "log", SIGNER)
        done = await write_bundle(
            store, access, tmp_path / "b.zip", {}, HANDOVER, opened=flags, at=later(100)
        )
    assert (done.opened, done.erased) == (len(flags) - 1, 1)
    assert verify_bundle(done.path).opened == len(flags) - 1


async def test_a_store_whose_events_were_changed_gives_no_bundle(tmp_path: Path) -> None:
    async with open_store(tmp_path / "state" / "monitor.db") as store:
        await with_flags(store)
        await execute(store, "UPDATE events SET body = CAST('{}' AS BLOB) WHERE seq = 3")
        access = LogAccess(tmp_path / "state" / "log", SIGNER)
        with pytest.raises(VerificationError, match=r"openings\.jsonl, line 1: is not what leaf 3"):
            await write_bundle(store, access, tmp_path / "b.zip", {}, HANDOVER, opened=(3,), at=later(100))
    assert sorted(os.listdir(tmp_path)) == ["state"]


@pytest.mark.parametrize(
    "count", [200, pytest.param(1000, marks=[pytest.mark.prove, pytest.mark.timeout(600)])]
)
def test_no_bit_can_be_flipped(made: Path, count: int) -> None:
    good, chance = made.read_bytes(), random.Random(20261122)
    with zipfile.ZipFile(made) as archive:
        directory_at = archive.start_dir
    chosen = bits(good, count, chance)
    # Contents are most of it: headers and directory as often again.
    chosen += [directory_at * 8 + bit for bit in bits(good[directory_at:], count // 4, chance)]
    for bit in chosen:
        made.write_bytes(flipped(good, bit))
        agreed(made)
    made.write_bytes(good)
    verify_bundle(made)


def _packed_again(data: bytes, **changes: bytes | None) -> bytes:
    """The archive in its form, with members changed, added, or left out (None)."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        contents: dict[str, bytes | None] = {name: archive.read(name) for name in archive.namelist()}
    writer = Writer(out.write)
    for name, content in sorted((contents | {k.replace("__", "/"): v for k, v in changes.items()}).items()):
        if content is not None:
            writer.add(name, content)
    writer.finish()
    return out.getvalue()


def _deflated(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return out.getvalue()


def _commented(data: bytes) -> bytes:
    out = io.BytesIO(data)
    with zipfile.ZipFile(out, "a") as archive:
        archive.comment = b"seen by nobody"
    return out.getvalue()


def _doubled(data: bytes) -> bytes:
    out = io.BytesIO(data)
    with zipfile.ZipFile(out, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("data/flags.csv", b"flag_id,entry\n1,e1\n")
    return out.getvalue()


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data + b"\0",
        lambda data: b"\0" + data,
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: data[:4],
        _deflated,
        _commented,
        _doubled,
    ],
    ids="trailing leading cut halved head deflated commented doubled".split(),
)
def test_the_archive_has_one_form(made: Path, change: Callable[[bytes], bytes]) -> None:
    made.write_bytes(change(made.read_bytes()))
    agreed(made)


def test_the_archive_packed_again_is_the_same(made: Path) -> None:
    assert _packed_again(made.read_bytes()) == made.read_bytes()


NEW = b'{"files": {}, "v": 1}'


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"data__flags.csv": b"flag_id,entry\n2,e1\n"}, "data/flags.csv: is not as the manifest has it"),
        ({"data__more.csv": b""}, "data/more.csv: is not in the manifest"),
        ({"data__flags.csv": None}, "data/flags.csv: is missing"),
        ({"verify.py": b"print('verified')\n"}, "verify.py: is not as the manifest has it"),
        ({"verify.py": None}, "verify.py: is missing"),
        ({"manifest.json": NEW}, "custody.json: is not in the manifest"),
        ({"manifest.json": b"["}, "manifest.json: cannot be read"),
        ({"checkpoint": b"?"}, "not a signed note"),
        ({"proofs__77.tlog-proof": b"?"}, "proofs/77.tlog-proof: is not"),
        ({"proofs__notes.txt": b"?"}, "proofs/notes.txt: is not the name of a proof"),
        ({"proofs__consistency": b""}, "one is there without the other"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_no_file_can_be_changed_added_or_taken_out(
    made: Path, changes: dict[str, bytes | None], wrong: str
) -> None:
    made.write_bytes(_packed_again(made.read_bytes(), **changes))
    agreed(made, wrong)


async def test_files_and_manifest_of_one_export_do_not_pass_with_the_proof_of_another(tmp_path: Path) -> None:
    one, other = await bundled(tmp_path, "one.zip"), await bundled(tmp_path, "other.zip")
    with zipfile.ZipFile(one.path) as archive:
        manifest = archive.read("manifest.json")
    with zipfile.ZipFile(other.path) as archive:
        assert archive.read("manifest.json") == manifest, "the same files at the same time"
    forged = {"data__flags.csv": b"flag_id,entry\n9,e9\n"}
    with zipfile.ZipFile(one.path) as archive:
        known = json.loads(manifest)
    content = forged["data__flags.csv"]
    known["files"]["data/flags.csv"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    changed = json.dumps(known, indent=1, sort_keys=True).encode() + b"\n"
    one.path.write_bytes(_packed_again(one.path.read_bytes(), **forged, **{"manifest.json": changed}))
    agreed(one.path, "manifest.json: is not the one whose digest the log holds")


def test_each_opened_event_needs_its_proof_and_each_proof_its_opening(made: Path) -> None:
    good = made.read_bytes()
    with zipfile.ZipFile(made) as archive:
        proofs = sorted(name for name in archive.namelist() if name.startswith("proofs/"))
    for name in proofs:
        made.write_bytes(_packed_again(good, **{name.replace("/", "__"): None}))
        agreed(made)


def test_a_pinned_key_must_have_signed_a_bundle(made: Path) -> None:
    with pytest.raises(VerificationError, match="not by the key that you gave"):
        verify_bundle(made, pinned=OTHER_SIGNER.key)


async def test_a_bundle_names_whom_it_is_for_and_why(tmp_path: Path) -> None:
    async with open_store(tmp_path / "monitor.db") as store:
        access = LogAccess(tmp_path / "log", SIGNER)
        for handover in (Handover("a", " ", "why"), Handover("a", "who", "")):
            with pytest.raises(InputError, match="a bundle names its"):
                await write_bundle(store, access, tmp_path / "b.zip", {}, handover, opened=(), at=later(1))
        with pytest.raises(ValueError, match="no place for"):
            await write_bundle(
                store, access, tmp_path / "b.zip", {"../x": b""}, HANDOVER, opened=(), at=later(1)
            )
        with pytest.raises(InputError, match="no such folder"):
            await write_bundle(store, access, tmp_path / "no" / "b.zip", {}, HANDOVER, opened=(), at=later(1))
        assert await store.reader.next_event() == 0


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow beyond a megabyte, as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("sealed", [False, True])
async def test_what_does_not_fit_on_the_disk_leaves_neither_bundle_nor_event(
    tmp_path: Path, small_files: None, sealed: bool
) -> None:
    key = str(pyrage.x25519.Identity.generate().to_public()) if sealed else None
    async with open_store(tmp_path / "monitor.db") as store:
        access, data = LogAccess(tmp_path / "log", SIGNER), {"data/flags.csv": bytes(2 << 20)}
        with pytest.raises(InputError, match=r"b\.zip: cannot be written"):
            await write_bundle(
                *(store, access, tmp_path / "b.zip", data, HANDOVER), opened=(), at=later(1), encrypt_to=key
            )
        assert await store.reader.next_event() == 0
    assert not [name for name in os.listdir(tmp_path) if "b.zip" in name]


async def test_a_bundle_for_a_recipient_is_whole_once_decrypted_and_not_in_parts(tmp_path: Path) -> None:
    identity = pyrage.x25519.Identity.generate()
    key, canary = str(identity.to_public()), b"a canary that must not be on the disk, "
    seen: list[bytes] = []

    class Told(io.BytesIO):
        """Data of which each reading looks at all that lies on the disk by then."""

        def read(self, size: int | None = -1) -> bytes:
            seen.extend(on_disk(tmp_path))
            return super().read(size)

    async with open_store(tmp_path / "monitor.db") as store:
        access, data = LogAccess(tmp_path / "log", SIGNER), {"data/flags.csv": Told(canary * 70_000)}
        done = await write_bundle(
            *(store, access, tmp_path / "b.age", data, HANDOVER), opened=(), at=later(1), encrypt_to=key
        )
    sealed = done.path.read_bytes()
    assert len(seen) > 3
    assert not [part for part in [*seen, sealed] if canary in part or part.startswith(b"PK")]
    path = tmp_path / "b.zip"
    path.write_bytes(pyrage.decrypt(sealed, [identity]))
    assert done.plain_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    verified = verify_bundle(path, pinned=SIGNER.key)
    assert verified.body["recipient"] == hashlib.sha256(key.encode()).hexdigest()
    for bit in bits(sealed, 20, random.Random(7)):
        with pytest.raises(pyrage.DecryptError):
            pyrage.decrypt(flipped(sealed, bit), [identity])


def on_disk(folder: Path) -> list[bytes]:
    """What every file holds that this process has open in a folder, and those without a name."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/self/fd/{number}").startswith(str(folder)):
                found.append(Path(f"/proc/self/fd/{number}").read_bytes())
    return found


def test_the_stand_alone_verifier_knows_what_ours_requires() -> None:
    assert bundles.verifier() == Path(standalone.__file__).read_bytes()


# -- the archive where numbers no longer fit in 32 or 16 bits ------------------------------------------------


def test_headers_of_large_members_are_zip64(tmp_path: Path) -> None:
    size = 5 * 2**30
    path = tmp_path / "large.zip"
    member = Member("data/large", size, 0, "", 0)
    small = Member("data/small", 1, 0x8CDC1683, "", len(local_header("data/large", size, 0)) + size)
    with open(path, "wb") as file:
        file.write(local_header("data/large", size, 0))
        file.truncate(small.offset)  # a hole: nothing is stored
        file.seek(small.offset)
        file.write(local_header("data/small", 1, small.crc) + b"A")
        file.write(directory([member, small], file.tell()))
    with zipfile.ZipFile(path) as archive:
        assert [(i.filename, i.file_size, i.header_offset) for i in archive.infolist()] == [
            ("data/large", size, 0),
            ("data/small", 1, small.offset),
        ]


@pytest.mark.prove
@pytest.mark.timeout(300)
def test_an_archive_may_have_more_members_than_16_bits_count() -> None:
    out = io.BytesIO()
    writer = Writer(out.write)
    for number in range(70_000):
        writer.add(f"proofs/{number:05}", b"%d" % number)
    writer.finish()
    assert len(Archive(out).members) == 70_000
    out.seek(0)
    assert len(standalone.walk(out)) == 70_000
    with zipfile.ZipFile(out) as archive:
        assert len(archive.namelist()) == 70_000
