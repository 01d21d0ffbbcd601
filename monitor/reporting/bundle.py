"""Bundles: what was exported, with the proof that it was, as one archive that verifies without us.

The order is what makes it whole: files, manifest, the export's event with the manifest's digest, the log up to that
event, proofs. A bundle without its event cannot be; an event without its bundle is left by a crash between them. That
the rest fits on the disk is seen to before the event.
"""

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib.resources import files as resources
from pathlib import Path
from typing import IO

from monitor.model import EventType, Scalar
from monitor.reporting.custody import Handover, custody
from monitor.reporting.encryption import encrypting, fingerprint, recipient
from monitor.reporting.files import Written, writing
from monitor.reporting.scratch import scratch_beside
from monitor.reportlog import Checkpoint, Opening, Published, Signer, locked, parse_checkpoint, project
from monitor.reportlog.archive import NAME, Content, Writer, pieces
from monitor.reportlog.bundles import (
    CHECKPOINT,
    CONSISTENCY,
    DIGEST,
    MANIFEST,
    OPENINGS,
    PROOFS,
    STAMPS,
    VERIFIER,
    verify_archive,
    verify_bundle,
)
from monitor.reportlog.leaf import canonical
from monitor.reportlog.proof import SUFFIX
from monitor.reportlog.stamps import kept
from monitor.store import SqlStore

PLACES = ("data/", "schema/")
"""Where the files that are handed in lie."""
_PROOF_ROOM = 4096
"""Bytes that one proof takes with its headers, at most: 64 hashes, a note, a leaf."""


@dataclass(frozen=True, slots=True)
class LogAccess:
    """The report log that a bundle's export is written into, and the certificates of those who time-stamp it: PEM, by
    `monitor.reportlog.stamps.authority_name`."""

    folder: Path
    signer: Signer
    certificates: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that was written: SHA-256 of the file in hex, the sequence number of its event, the checkpoint in it,
    the key that a recipient may pin; events opened, and those that could not be as they were erased. `plain_sha256` is
    that of the archive that was encrypted, None where nothing was."""

    path: Path
    sha256: str
    seq: int
    checkpoint: Checkpoint
    key: str
    opened: int
    erased: int
    plain_sha256: str | None = None


async def write_bundle(
    store: SqlStore,
    log: LogAccess,
    path: Path,
    files: Mapping[str, Content],
    handover: Handover,
    *,
    opened: Iterable[int],
    at: datetime,
    facts: Mapping[str, Scalar] | None = None,
    marking: str | None = None,
    encrypt_to: str | None = None,
) -> Bundle:
    """Write a bundle of these files ("data/…", "schema/…": open files, or bytes) and open these events in it.

    `facts` are added to the export's event (what, rows, addresses …); `marking` says on the custody sheet what must
    not go further. The file (0600) appears whole, verified, after its event is durable, or not at all. With
    `encrypt_to`, a public key of age, it is the archive encrypted; nothing of it lies on the disk in the clear. Raises
    InputError, and what the log raises.
    """
    for name in files:
        if not NAME.fullmatch(name) or not name.startswith(PLACES):
            raise ValueError(f"a bundle has no place for {name}")
    handover.check()
    if encrypt_to is not None:
        recipient(encrypt_to)
    with scratch_beside(path) as scratch, writing(path) as file:
        openings = scratch()
        seqs, erased = await _open(store, openings, opened)
        contents: dict[str, Content] = {**files, OPENINGS: openings, VERIFIER: verifier(), **_stamped(log)}
        contents |= custody(files, handover, log.signer, at, len(seqs), erased, marking)
        manifest, size = await asyncio.to_thread(_manifest, contents)
        file.reserve(size + len(manifest) + (len(seqs) + len(contents) + 2) * _PROOF_ROOM)
        body: dict[str, Scalar] = {
            "what": "bundle",
            **(facts or {}),
            DIGEST: hashlib.sha256(manifest).hexdigest(),
            "opened": len(seqs),
            "operator": handover.operator,
            "handed_to": handover.recipient,
            "purpose": handover.purpose,
        }
        if encrypt_to is not None:
            body["recipient"] = fingerprint(encrypt_to)
        seq = await store.append(EventType.EXPORT_MADE, body, at)
        await project(store.reader.leaves, log.folder, log.signer)
        with locked(log.folder, shared=True):
            published = Published(log.folder)
        own = [row async for row in store.reader.opened([seq])]
        opening = Opening(own[0]["salt"], json.loads(own[0]["body"]))
        contents |= {MANIFEST: manifest, CHECKPOINT: published.checkpoint.note}
        if f"{STAMPS}{CHECKPOINT}" in contents:
            contents[CONSISTENCY] = _consistency(contents, published)
        members = _members(contents, seqs, seq, opening, published)
        digest, plain = await asyncio.to_thread(_write, file, members, encrypt_to, scratch)
    key = str(published.signers[-1])
    return Bundle(path, digest, seq, published.checkpoint, key, len(seqs), erased, plain)


def verifier() -> bytes:
    """The verifier that goes into every bundle: one file, which needs nothing of ours."""
    return resources("monitor.reportlog").joinpath("standalone.py").read_bytes()


async def _open(store: SqlStore, file: IO[bytes], wanted: Iterable[int]) -> tuple[list[int], int]:
    """Write salt and body of these events to a file; which they are, and how many were erased."""
    seqs, erased = [], 0
    async for row in store.reader.opened(list(wanted)):
        if row["body"] is None:
            erased += 1
            continue
        line = {"body": json.loads(row["body"]), "salt": row["salt"].hex(), "seq": row["seq"]}
        file.write(canonical(line) + b"\n")
        seqs.append(row["seq"])
    return seqs, erased


def _stamped(log: LogAccess) -> dict[str, Content]:
    """The newest checkpoint that was time-stamped under the key in use, with the answers; nothing where none was."""
    found: dict[str, Content] = {}
    for checkpoint, answers in kept(log.folder):
        named = f"— {log.signer.name} ".encode()
        ours = (
            checkpoint.note.count(b"\n" + named) == 1 and log.signer.line(checkpoint.text) in checkpoint.note
        )
        if answers and ours:
            found = {f"{STAMPS}{CHECKPOINT}": checkpoint.note}
            for authority, answer in answers:
                found[f"{STAMPS}{authority}.tsr"] = answer
                if authority in log.certificates:
                    found[f"{STAMPS}{authority}.pem"] = log.certificates[authority]
    return found


def _consistency(contents: Mapping[str, Content], published: Published) -> bytes:
    earlier = parse_checkpoint(b"".join(pieces(contents[f"{STAMPS}{CHECKPOINT}"])))
    steps = published.consistency(earlier.size)
    return b"".join(base64.b64encode(step) + b"\n" for step in steps)


def _manifest(contents: Mapping[str, Content]) -> tuple[bytes, int]:
    """Size and digest of each file, as JSON; and how many bytes they are together."""
    files, total = {}, 0
    for name, content in sorted(contents.items()):
        digest, size = hashlib.sha256(), 0
        for piece in pieces(content):
            digest.update(piece)
            size += len(piece)
        files[name] = {"sha256": digest.hexdigest(), "size": size}
        total += size
    return json.dumps({"files": files, "v": 1}, indent=1, sort_keys=True).encode() + b"\n", total


def _members(
    contents: Mapping[str, Content], seqs: Iterable[int], own: int, opening: Opening, published: Published
) -> Iterator[tuple[str, Content]]:
    """All files of the archive in their order, proofs made one by one."""
    proofs = {f"{PROOFS}{seq}{SUFFIX}": seq for seq in (*seqs, own)}
    for name in sorted(contents.keys() | proofs.keys()):
        if name in contents:
            yield name, contents[name]
        else:
            seq = proofs[name]
            yield name, published.proof(seq, opening if seq == own else None).encode()


def _write(
    file: Written,
    members: Iterable[tuple[str, Content]],
    encrypt_to: str | None,
    scratch: Callable[[], IO[bytes]],
) -> tuple[str, str | None]:
    """Write the archive, verify it, and put it in its place; SHA-256 of the file in hex, and of what was encrypted."""

    def archived(write: Callable[[bytes], object]) -> None:
        archive = Writer(write)
        for name, content in members:
            archive.add(name, content)
        archive.finish()

    if encrypt_to is None:
        archived(file.write)
        digest, plain = file.close(), None
        verify_bundle(file.place)
    else:
        # What is encrypted to somebody else cannot be verified any more here.
        archive = scratch()
        archived(archive.write)
        verify_archive(archive)
        with encrypting(file, encrypt_to) as out:
            for piece in pieces(archive):
                out.write(piece)
        digest, plain = file.close(), out.hexdigest()
    file.keep()
    return digest, plain
