"""Bundles: what was exported, with the proof that it was, as one archive that verifies without us.

The order is what makes it whole: files, manifest, the export's event with the manifest's digest, the log up to that
event, proofs. An event without a bundle can be left by a crash; a bundle without its event cannot.
"""

import asyncio
import base64
import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

from monitor import __version__
from monitor.errors import InputError
from monitor.model import EventType, Scalar
from monitor.reporting.files import writing
from monitor.reportlog import Checkpoint, Opening, Published, Signer, locked, parse_checkpoint, project
from monitor.reportlog.archive import NAME, Writer, pieces
from monitor.reportlog.bundles import (
    CHECKPOINT,
    CONSISTENCY,
    CUSTODY,
    DIGEST,
    MANIFEST,
    OPENINGS,
    PROOFS,
    SHEET,
    STAMPS,
    VERIFIER,
    verify_bundle,
)
from monitor.reportlog.leaf import canonical
from monitor.reportlog.proof import SUFFIX
from monitor.reportlog.stamps import kept
from monitor.store import SqlStore
from monitor.store.events import LONGEST_DECLARED

Content = bytes | Path
PLACES = ("data/", "schema/")
"""Where the files that are handed in lie."""


@dataclass(frozen=True, slots=True)
class LogAccess:
    """The report log that a bundle's export is written into, and the certificates of those who time-stamp it: PEM, by
    `monitor.reportlog.stamps.authority_name`."""

    folder: Path
    signer: Signer
    certificates: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Handover:
    """Who takes what out, for whom and what for. In the operator's own words but for the operator's name."""

    operator: str
    recipient: str
    purpose: str

    def check(self) -> None:
        """Raises InputError unless recipient and purpose are said, in no more words than an event takes."""
        for what, words in (("recipient", self.recipient), ("purpose", self.purpose)):
            if not words.strip():
                raise InputError(f"a bundle names its {what}; say it with --{what}")
            if len(words) > LONGEST_DECLARED:
                raise InputError(f"--{what}: takes {LONGEST_DECLARED:,} characters")


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that was written: SHA-256 of the file in hex, the sequence number of its event, the checkpoint in it,
    the key that a recipient may pin; events opened, and those that could not be as they were erased."""

    path: Path
    sha256: str
    seq: int
    checkpoint: Checkpoint
    key: str
    opened: int
    erased: int


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
) -> Bundle:
    """Write a bundle of these files ("data/…", "schema/…": paths, or bytes) and open these events in it.

    `facts` are added to the export's event (what, rows, addresses …); `marking` says on the custody sheet what must
    not go further. The file (0600) appears whole, verified, after its event is durable, or not at all. Raises
    InputError, and what the log raises.
    """
    for name in files:
        if not NAME.fullmatch(name) or not name.startswith(PLACES):
            raise ValueError(f"a bundle has no place for {name}")
    handover.check()
    with tempfile.TemporaryDirectory(dir=folder_of(path), prefix=f".{path.name}.") as parts:
        openings = Path(parts) / OPENINGS
        seqs, erased = await _open(store, openings, opened)
        contents: dict[str, Content] = {
            **files,
            OPENINGS: openings,
            VERIFIER: verifier(),
            **_stamped(log),
        }
        contents |= _custody(contents, handover, log, at, len(seqs), erased, marking)
        manifest = await asyncio.to_thread(_manifest, contents)
        body: dict[str, Scalar] = {
            "what": "bundle",
            **(facts or {}),
            DIGEST: hashlib.sha256(manifest).hexdigest(),
            "opened": len(seqs),
            "operator": handover.operator,
            "handed_to": handover.recipient,
            "purpose": handover.purpose,
        }
        seq = await store.append(EventType.EXPORT_MADE, body, at)
        await project(store.reader.leaves, log.folder, log.signer)
        with locked(log.folder, shared=True):
            published = Published(log.folder)
        own = [row async for row in store.reader.opened([seq])]
        opening = Opening(own[0]["salt"], json.loads(own[0]["body"]))
        contents |= {MANIFEST: manifest, CHECKPOINT: published.checkpoint.note}
        if f"{STAMPS}{CHECKPOINT}" in contents:
            contents[CONSISTENCY] = _consistency(contents, published)
        digest = await asyncio.to_thread(_write, path, contents, seqs, seq, opening, published)
    key = str(published.signers[-1])
    return Bundle(path, digest, seq, published.checkpoint, key, len(seqs), erased)


def verifier() -> bytes:
    """The verifier that goes into every bundle: one file, which needs nothing of ours."""
    return resources("monitor.reportlog").joinpath("standalone.py").read_bytes()


async def _open(store: SqlStore, path: Path, wanted: Iterable[int]) -> tuple[list[int], int]:
    """Write salt and body of these events to a file; which they are, and how many were erased."""
    seqs, erased = [], 0
    with path.open("wb") as file:
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


def _custody(
    contents: Mapping[str, Content],
    handover: Handover,
    log: LogAccess,
    at: datetime,
    opened: int,
    erased: int,
    marking: str | None,
) -> dict[str, Content]:
    """Who handed what to whom, for programs and for people."""
    moment = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    names = sorted(name for name in contents if name.startswith(PLACES))
    known: dict[str, Any] = {
        "at": moment,
        "events_erased": erased,
        "events_opened": opened,
        "files": names,
        "key": str(log.signer.key),
        "key_fingerprint": log.signer.key.fingerprint,
        "log": log.signer.name,
        "marking": marking,
        "operator": handover.operator,
        "purpose": handover.purpose,
        "recipient": handover.recipient,
        "tool": f"channel-monitor {__version__}",
        "v": 1,
        "viewed": False,
    }
    sheet = [
        "CHAIN OF CUSTODY",
        "",
        *((marking.upper(), "") if marking else ()),
        f"Handed over by   {handover.operator}",
        f"To               {handover.recipient}",
        f"For              {handover.purpose}",
        f"At               {moment} (clock of the machine that made it)",
        f"Made with        {known['tool']}",
        f"Log              {log.signer.name}",
        f"Signed by        {log.signer.key}",
        f"Fingerprint      SHA-256 {log.signer.key.fingerprint}",
        f"Events opened    {opened:,}" + (f" ({erased:,} more were erased before)" if erased else ""),
        "",
        "Every match is one of hashes. No person here has viewed any item.",
        "",
        "Files (SHA-256 of each: manifest.json)",
        *(f"  {name}" for name in names),
        "",
        "To verify it: python -I verify.py BUNDLE.zip, or: monitor log verify BUNDLE.zip",
        "Compare the fingerprint with one that the sender gives you by another way: the bundle alone proves that it is",
        "whole and signed by this key, not whose key that is.",
        "",
        "Received by      ______________________________   on ____________________",
        "",
    ]
    return {
        CUSTODY: json.dumps(known, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n",
        SHEET: "\n".join(sheet).encode(),
    }


def _manifest(contents: Mapping[str, Content]) -> bytes:
    files = {}
    for name, content in sorted(contents.items()):
        digest, size = hashlib.sha256(), 0
        for piece in pieces(content):
            digest.update(piece)
            size += len(piece)
        files[name] = {"sha256": digest.hexdigest(), "size": size}
    return json.dumps({"files": files, "v": 1}, indent=1, sort_keys=True).encode() + b"\n"


def _write(
    path: Path,
    contents: Mapping[str, Content],
    seqs: Iterable[int],
    own: int,
    opening: Opening,
    published: Published,
) -> str:
    """Write the archive, verify it, and put it in its place; its SHA-256 in hex."""
    proofs = {f"{PROOFS}{seq}{SUFFIX}": seq for seq in (*seqs, own)}

    def members() -> Iterator[tuple[str, Content]]:
        for name in sorted(contents.keys() | proofs.keys()):
            if name in contents:
                yield name, contents[name]
            else:
                seq = proofs[name]
                yield name, published.proof(seq, opening if seq == own else None).encode()

    with writing(path) as file:
        archive = Writer(file.write)
        for name, content in members():
            archive.add(name, content)
        archive.finish()
        digest = file.close()
        verify_bundle(file.place)
        file.keep()
    return digest


def folder_of(path: Path) -> Path:
    """Where a bundle is written, its parts before it. Raises InputError when there is no such folder."""
    folder = path.absolute().parent
    if not folder.is_dir():
        raise InputError(f"{path}: cannot be written: no such folder; create it first")
    return folder
