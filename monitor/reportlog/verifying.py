"""Verifying a log: every hash computed anew, every file accounted for, every signature and time stamp checked."""

import os
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor.errors import InputError, VerificationError
from monitor.reportlog import stamps
from monitor.reportlog.leaf import Leaf, are_leaves, commitment
from monitor.reportlog.note import Checkpoint, VerifierKey
from monitor.reportlog.proof import Proof
from monitor.reportlog.published import Published, known_keys
from monitor.reportlog.stamps import Stamp
from monitor.reportlog.tiles import (
    CHECKPOINT,
    ENTRIES,
    KEYS,
    TIMESTAMPS,
    WIDTH,
    Tree,
    read_entries,
    read_tile,
    tile_name,
    tiles,
)
from monitor.reportlog.tree import HASH_BYTES, check_consistency, folded

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


@dataclass(frozen=True, slots=True)
class Verified:
    """What holds. `keys` signed the checkpoint; `pinned` says that one of them was known beforehand."""

    checkpoint: Checkpoint
    keys: tuple[VerifierKey, ...]
    pinned: bool
    stamps: tuple[Stamp, ...] = ()
    open_stamps: int = 0
    """Checkpoints that were to be stamped, and that no authority has stamped yet."""
    unchecked_stamps: int = 0
    """Time stamps that cannot be read here, as rfc3161-client is not installed."""


def verify_log(
    folder: Path,
    *,
    pinned: VerifierKey | None = None,
    since: Checkpoint | None = None,
    trusted: "Mapping[str, Sequence[Certificate]] | Sequence[Certificate]" = (),
) -> Verified:
    """Verify all that lies in a log's folder. `since`: a checkpoint kept from before; `trusted`: certificates that time
    stamps are checked with, for all authorities or by their names.

    Raises VerificationError for the first thing that is wrong.
    """
    published = Published(folder)
    checkpoint, keys = published.checkpoint, known_keys(folder)
    see_pinned(published.signers, pinned)
    _see_files(folder, checkpoint.size)
    _see_hashes(folder, checkpoint.size)
    if Tree(folder, checkpoint.size).root() != checkpoint.root:
        raise VerificationError(f"{CHECKPOINT}: its root is not that of the {checkpoint.size} leaves")
    if since is not None:
        see_continued(published, since, keys)
    found: list[Stamp] = []
    waiting = unchecked = 0
    for earlier, answers in stamps.kept(folder):
        see_continued(published, earlier, keys)
        waiting += not answers
        if not stamps.available():
            unchecked += len(answers)
            continue
        for authority, answer in answers:
            certificates = trusted.get(authority, ()) if isinstance(trusted, Mapping) else trusted
            found.append(stamps.check_token(answer, earlier.note, earlier.size, authority, certificates))
    return Verified(
        checkpoint, tuple(published.signers), pinned is not None, tuple(found), waiting, unchecked
    )


def verify_proof(
    proof: Proof, *, pinned: VerifierKey | None = None, since: Checkpoint | None = None
) -> tuple[Verified, Leaf]:
    """Verify a proof that stands alone; with the leaf that it proves. Raises VerificationError."""
    checkpoint, leaf = proof.check()
    see_pinned(proof.keys, pinned)
    see_same(checkpoint, since, proof.keys)
    return Verified(checkpoint, proof.keys, pinned is not None), leaf


async def verify_events(rows: AsyncIterator[Mapping[Any, Any]], folder: Path, size: int) -> tuple[int, int]:
    """Compare the leaves with the events of a store, from number 0 on: type, time and commitment, and that body and
    salt give the commitment unless they were erased. Returns how many are erased, and how many not yet in the log.

    Raises VerificationError.
    """
    tree, seq, erased = Tree(folder, size), 0, 0
    async for row in rows:
        if row["seq"] != seq:
            raise VerificationError(f"event {seq}: is missing in the store")
        salt, body = row["salt"], row["body"]
        if (salt is None) != (body is None):
            raise VerificationError(f"event {seq}: of body and salt one is there without the other")
        erased += body is None
        if body is not None and commitment(salt, body) != row["commitment"]:
            raise VerificationError(f"event {seq}: its body in the store is not what was logged")
        if seq < size and Leaf(row["type"], row["at"], row["commitment"]).encode() != tree.leaf(seq):
            raise VerificationError(f"event {seq}: the store has it otherwise than leaf {seq} of the log")
        seq += 1
    if seq < size:
        raise VerificationError(f"event {seq}: is missing in the store, while the log has it")
    return erased, seq - size


def see_pinned(signers: Iterable[VerifierKey], pinned: VerifierKey | None) -> None:
    """Raises VerificationError unless the pinned key, if any, is among those that signed."""
    signers = list(signers)
    if pinned is not None and pinned not in signers:
        names = ", ".join(map(str, signers))
        raise VerificationError(f"{CHECKPOINT}: is signed by {names}, and not by the key that you gave")


def see_continued(published: Published, old: Checkpoint, keys: Iterable[VerifierKey]) -> None:
    """Raises VerificationError unless the log begins with the one of an older checkpoint."""
    new = published.checkpoint
    _see_origin(old, new, keys)
    if old.size > new.size:
        raise VerificationError(
            f"the log has {new.size} leaves, and had {old.size} in a checkpoint that it signed: its end is cut off"
        )
    check_consistency(old.size, old.root, new.size, new.root, published.consistency(old.size))


def see_same(checkpoint: Checkpoint, since: Checkpoint | None, keys: Iterable[VerifierKey]) -> None:
    """Raises VerificationError when two checkpoints of one size differ; InputError when a proof would be needed."""
    if since is None:
        return
    _see_origin(since, checkpoint, keys)
    if since.size != checkpoint.size:
        raise InputError(
            f"--since: from {since.size} to {checkpoint.size} leaves only the log itself can be checked: "
            "monitor log verify LOG --since CHECKPOINT"
        )
    check_consistency(since.size, since.root, checkpoint.size, checkpoint.root, ())


def _see_origin(old: Checkpoint, new: Checkpoint, keys: Iterable[VerifierKey]) -> None:
    if old.origin != new.origin:
        raise VerificationError(f"the older checkpoint is of {old.origin}, the log is {new.origin}")
    old.signers(keys)


def _see_files(folder: Path, size: int) -> None:
    """Every file that a log of that size has, and no other."""
    wanted = {CHECKPOINT, KEYS, *(tile_name(*tile) for tile in tiles(size))}
    found = set(_files(folder))
    if missing := sorted(wanted - found):
        raise VerificationError(f"{missing[0]}: is missing")
    if extra := sorted(found - wanted):
        raise VerificationError(f"{extra[0]}: is no part of a log of {size} leaves")


def _files(folder: Path) -> Iterator[str]:
    for place, folders, names in os.walk(folder):
        where = Path(place).relative_to(folder).as_posix()
        if where == TIMESTAMPS:
            folders.clear()
            continue
        for name in names:
            yield name if where == "." else f"{where}/{name}"


def _see_hashes(folder: Path, size: int) -> None:
    """Leaves give the tiles at level 0, full tiles the hashes of the level above; to the last partial one."""
    levels = [bytearray()]
    for number in range(-(-size // WIDTH)):
        width = min(WIDTH, size - number * WIDTH)
        entries = read_entries(folder, number, width)
        _see_leaves(entries, number)
        levels[0] += b"".join([sha256(b"\x00" + entry).digest() for entry in entries])
        level = 0
        while len(levels[level]) == WIDTH * HASH_BYTES:
            _see_tile(folder, level, ((number + 1) >> 8 * level) - 1, WIDTH, levels[level])
            if len(levels) == level + 1:
                levels.append(bytearray())
            levels[level + 1] += folded(levels[level])
            levels[level].clear()
            level += 1
    for level, hashes in enumerate(levels):
        if hashes:
            _see_tile(folder, level, size >> 8 * (level + 1), len(hashes) // HASH_BYTES, hashes)


def _see_tile(folder: Path, level: int, number: int, width: int, hashes: bytearray) -> None:
    if read_tile(folder, level, number, width) != hashes:
        name = tile_name(level, number, width)
        below = "its entries" if level == 0 else "the tiles below"
        raise VerificationError(f"{name}: does not hold the hashes of {below}")


def _see_leaves(entries: Sequence[bytes], number: int) -> None:
    for at, entry in enumerate(() if are_leaves(entries) else entries):
        if not are_leaves([entry]):
            name = tile_name(ENTRIES, number, len(entries))
            raise VerificationError(f"{name}: leaf {number * WIDTH + at} is not one of this format")
