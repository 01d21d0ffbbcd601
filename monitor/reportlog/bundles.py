"""Verifying a bundle: a zip archive that stands for itself.

    manifest.json                  size and SHA-256 of every other file but checkpoint and proofs
    checkpoint                     the log when the bundle was made
    proofs/<seq>.tlog-proof        that each event opened here is in the log; the export's own, with its opening
    proofs/consistency             from the time-stamped checkpoint to this one, where there is one
    openings.jsonl                 salt and body of each event opened
    timestamps/…                   the newest checkpoint that others had stamped, their answers and certificates
    custody.json, custody.txt      who handed it to whom, when, what for
    data/…, schema/…, verify.py

The manifest's digest stands in the export's event, which the log holds; so its signature covers every byte.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from monitor.errors import VerificationError
from monitor.model import EventType
from monitor.reportlog import stamps
from monitor.reportlog.archive import Archive
from monitor.reportlog.leaf import canonical_object, decode
from monitor.reportlog.note import LONGEST_NOTE, Checkpoint, VerifierKey, one_hash, parse_checkpoint
from monitor.reportlog.proof import LONGEST_PROOF, SUFFIX, Proof, opening, parse_proof
from monitor.reportlog.stamps import Stamp
from monitor.reportlog.tree import check_consistency
from monitor.reportlog.verifying import Verified, see_pinned, see_same

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

MANIFEST, CHECKPOINT, OPENINGS, VERIFIER = "manifest.json", "checkpoint", "openings.jsonl", "verify.py"
CUSTODY, SHEET = "custody.json", "custody.txt"
PROOFS, CONSISTENCY, STAMPS = "proofs/", "proofs/consistency", "timestamps/"
DIGEST = "manifest_sha256"
"""The key of the export's event under which the manifest's SHA-256 stands, in hex."""
REQUIRED = (CHECKPOINT, CUSTODY, SHEET, MANIFEST, OPENINGS, VERIFIER)
LONGEST_MANIFEST = 1 << 26
_PROOF = re.compile(rf"{PROOFS}(0|[1-9][0-9]{{0,18}}){re.escape(SUFFIX)}")
_TOKEN = re.compile(rf"{STAMPS}([a-z0-9.-]+-[0-9a-f]{{8}})\.tsr")


@dataclass(frozen=True, slots=True)
class VerifiedBundle:
    """What a bundle proves. `seq` and `body` are of the event of its own export; `opened` events it opens."""

    verified: Verified
    files: int
    opened: int
    seq: int
    body: Mapping[str, Any]


def covered(name: str) -> bool:
    """Whether the manifest covers a file of that name."""
    return name not in (MANIFEST, CHECKPOINT) and not name.startswith(PROOFS)


def verify_bundle(
    path: Path,
    *,
    pinned: VerifierKey | None = None,
    since: Checkpoint | None = None,
    trusted: "Sequence[Certificate]" = (),
) -> VerifiedBundle:
    """Verify a bundle, all of it. Raises VerificationError for the first thing that is wrong."""
    try:
        with open(path, "rb") as file:
            return verify_archive(file, pinned=pinned, since=since, trusted=trusted)
    except OSError as e:
        raise VerificationError(f"cannot be read ({e.strerror})") from e


def verify_archive(
    file: IO[bytes],
    *,
    pinned: VerifierKey | None = None,
    since: Checkpoint | None = None,
    trusted: "Sequence[Certificate]" = (),
) -> VerifiedBundle:
    """Verify a bundle that is open already; as `verify_bundle`."""
    archive = Archive(file)
    for name in REQUIRED:
        if name not in archive.members:
            raise VerificationError(f"{name}: is missing")
    manifest = _small(archive, MANIFEST, LONGEST_MANIFEST)
    _see_manifest(archive, manifest)
    note = _small(archive, CHECKPOINT, LONGEST_NOTE)
    checkpoint = parse_checkpoint(note)
    own, leaves = None, {}
    keys: tuple[VerifierKey, ...] = ()
    for name, index in _proofs(archive):
        proof = _proof(archive, name, index, note)
        if not keys:
            keys = proof.keys
            with within(name):
                proof.check()
        if proof.keys != keys:
            raise VerificationError(f"{name}: names other keys than the other proofs")
        with within(name):
            leaf = proof.included(checkpoint)
        if proof.opening is None:
            leaves[index] = leaf.commitment
        elif own is not None:
            raise VerificationError(f"{name}: is the second proof of an export")
        else:
            own = proof
    if own is None or own.opening is None:
        raise VerificationError("the proof of the export itself is missing")
    if decode(own.leaf).type != EventType.EXPORT_MADE:
        raise VerificationError(f"{PROOFS}{own.index}{SUFFIX}: is not of an export")
    if own.opening.body.get(DIGEST) != hashlib.sha256(manifest).hexdigest():
        raise VerificationError(f"{MANIFEST}: is not the one whose digest the log holds")
    see_pinned(keys, pinned)
    see_same(checkpoint, since, keys)
    _see_openings(archive, leaves)
    found, unchecked = _see_stamps(archive, checkpoint, keys, trusted)
    verified = Verified(checkpoint, keys, pinned is not None, found, unchecked_stamps=unchecked)
    return VerifiedBundle(verified, len(archive.members), len(leaves), own.index, own.opening.body)


def _see_manifest(archive: Archive, manifest: bytes) -> None:
    """Size and digest of each file that the manifest names; and that it names each."""
    try:
        files = json.loads(manifest)["files"]
        named = {name: (entry["sha256"], entry["size"]) for name, entry in files.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise VerificationError(f"{MANIFEST}: cannot be read") from None
    there = {member.name: member for member in archive.members.values() if covered(member.name)}
    if missing := sorted(named.keys() - there.keys()):
        raise VerificationError(f"{missing[0]}: is missing")
    if extra := sorted(there.keys() - named.keys()):
        raise VerificationError(f"{extra[0]}: is not in the manifest")
    for name, member in there.items():
        if named[name] != (member.sha256, member.size):
            raise VerificationError(f"{name}: is not as the manifest has it")


def _proofs(archive: Archive) -> Iterator[tuple[str, int]]:
    for name in archive.members:
        if name.startswith(PROOFS) and name != CONSISTENCY:
            found = _PROOF.fullmatch(name)
            if found is None:
                raise VerificationError(f"{name}: is not the name of a proof")
            yield name, int(found[1])


def _proof(archive: Archive, name: str, index: int, note: bytes) -> Proof:
    with within(name):
        proof = parse_proof(_small(archive, name, LONGEST_PROOF))
    if proof.index != index:
        raise VerificationError(f"{name}: is the proof of event {proof.index}")
    if proof.note != note:
        raise VerificationError(f"{name}: its checkpoint is not the one of the bundle")
    return proof


def _see_openings(archive: Archive, leaves: Mapping[int, bytes]) -> None:
    """Each event with a proof is opened, in order, and its leaf commits to what is shown."""
    opened = []
    for number, line in enumerate(lines(archive, OPENINGS), 1):
        where = f"{OPENINGS}, line {number}"
        with within(where):
            value = canonical_object(line)
            seq = value.pop("seq", None)
            shown = opening(value)
        if type(seq) is not int:
            raise VerificationError(f"{where}: does not say which event it opens")
        if leaves.get(seq) != shown.commitment:
            raise VerificationError(f"{where}: is not what leaf {seq} of the log commits to")
        opened.append(seq)
    if opened != sorted(leaves):
        raise VerificationError(f"{OPENINGS}: does not open the events that have proofs, each once, in order")


def _see_stamps(
    archive: Archive, checkpoint: Checkpoint, keys: Sequence[VerifierKey], trusted: "Sequence[Certificate]"
) -> tuple[tuple[Stamp, ...], int]:
    """What others said of an earlier checkpoint, from which the log goes on; how many answers cannot be read here."""
    names = [name for name in archive.members if name.startswith(STAMPS)]
    if bool(names) != (CONSISTENCY in archive.members):
        raise VerificationError(
            "of time stamps and their proof of consistency one is there without the other"
        )
    if not names:
        return (), 0
    earlier = parse_checkpoint(_small(archive, f"{STAMPS}checkpoint", LONGEST_NOTE))
    if earlier.origin != checkpoint.origin:
        raise VerificationError(f"{STAMPS}checkpoint: is of another log")
    earlier.signers(keys)
    steps = list(lines(archive, CONSISTENCY))
    hashes = [one_hash(step.decode("ascii", "replace"), CONSISTENCY) for step in steps]
    check_consistency(earlier.size, earlier.root, checkpoint.size, checkpoint.root, hashes)
    answers = [(name, found[1]) for name in names if (found := _TOKEN.fullmatch(name))]
    if not stamps.available():
        return (), len(answers)
    return tuple(
        stamps.check_token(
            _small(archive, name, stamps.LONGEST_ANSWER), earlier.note, earlier.size, authority, trusted
        )
        for name, authority in answers
    ), 0


def lines(archive: Archive, name: str) -> Iterator[bytes]:
    """The lines of a member, without their newlines. Raises VerificationError when the last one has none."""
    rest = b""
    for piece in archive.chunks(name):
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
    if rest:
        raise VerificationError(f"{name}: ends within a line")


@contextmanager
def within(where: str) -> Iterator[None]:
    """Say in which file something is wrong."""
    try:
        yield
    except VerificationError as e:
        raise VerificationError(f"{where}: {e}") from None


def _small(archive: Archive, name: str, most: int) -> bytes:
    if name not in archive.members:
        raise VerificationError(f"{name}: is missing")
    if archive.members[name].size > most:
        raise VerificationError(f"{name}: is longer than it can be")
    return archive.read(name)
