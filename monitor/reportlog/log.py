"""Adding to a log: leaves into tiles, tiles onto the disk, and only then the checkpoint that counts them.

What lies beyond the checkpoint is no part of the log: a crash leaves the log as the checkpoint has it, and the next
one to add writes over the rest. One process at a time, under a lock beside the folder.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from monitor.errors import ConfigError, LogUnavailable, VerificationError
from monitor.reportlog.leaf import Leaf
from monitor.reportlog.note import Checkpoint, Signer, VerifierKey, signed_checkpoint
from monitor.reportlog.published import known_checkpoint, known_keys
from monitor.reportlog.tiles import (
    CHECKPOINT,
    ENTRIES,
    KEYS,
    TILES,
    TIMESTAMPS,
    WIDTH,
    Tree,
    partial_tiles,
    read_entries,
    read_tile,
    tile_name,
    tiles,
)
from monitor.reportlog.tree import HASH_BYTES, folded, leaf_hash

LOCK_PATIENCE = 30.0
"""Seconds to wait for another process that adds to the log."""
_NEW = ".new"
"""What the name of a file ends with until it is renamed."""


@contextlib.contextmanager
def locked(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """Keep others from adding to the log; with `shared` let others read it as well.

    Raises LogUnavailable when another process holds it for too long.
    """
    with _mapped(folder):
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(folder.with_name(f"{folder.name}.lock"), "a", opener=_private) as file:
            deadline = time.monotonic() + LOCK_PATIENCE
            while True:
                try:
                    fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
                    break
                except BlockingIOError as e:
                    if time.monotonic() > deadline:
                        raise LogUnavailable(f"{folder}: another process holds the log; try again") from e
                    time.sleep(0.01)
            yield


@contextlib.contextmanager
def open_log(folder: Path, signer: Signer) -> Iterator["Log"]:
    """The log in that folder, to add to; made when there is none.

    Raises LogUnavailable, ConfigError when it is another log's folder or was signed with another key,
    VerificationError when its end is not what its checkpoint says.
    """
    with locked(folder):
        with _mapped(folder):
            log = Log(folder, signer)
        yield log


class Log:
    """A log under its lock. What is added counts when it is committed; after an error begin anew."""

    def __init__(self, folder: Path, signer: Signer) -> None:
        self.folder = folder
        self._signer = signer
        folder.mkdir(mode=0o700, exist_ok=True)
        if not (folder / CHECKPOINT).exists():
            _fsync(folder.parent)  # in which this folder may be new
        self._introduce()
        self.checkpoint = known_checkpoint(folder)
        self.size = self._committed = self.checkpoint.size if self.checkpoint else 0
        self._bundle = bytearray()
        self._levels: list[bytearray] = [bytearray()]
        self._changed: list[Path] = []
        if self.checkpoint is not None:
            self._take_up(self.checkpoint)

    def add(self, leaves: Iterable[bytes]) -> None:
        """Put leaves at the end; on the disk when their tile is full, part of the log when they are committed."""
        coming, hashes, bundle = iter(leaves), self._levels[0], self._bundle
        with _mapped(self.folder):
            while some := list(islice(coming, WIDTH - self.size % WIDTH)):
                hashes += b"".join([leaf_hash(leaf) for leaf in some])
                bundle += b"".join([len(leaf).to_bytes(2, "big") + leaf for leaf in some])
                self.size += len(some)
                if self.size % WIDTH == 0:
                    self._write(ENTRIES, self.size // WIDTH - 1, WIDTH, bundle)
                    bundle.clear()
                    self._carry()

    def commit(self, *also: Signer) -> Checkpoint:
        """Make what was added durable and sign for it; then it is the log. `also` sign too."""
        with _mapped(self.folder):
            # What the checkpoint on the disk counts is not touched: a crash would leave it without.
            there = set(partial_tiles(self._committed))
            for tile in partial_tiles(self.size):
                if tile not in there:
                    self._write(*tile, self._bundle if tile[0] == ENTRIES else self._levels[tile[0]])
            self._sync()
            root = Tree(self.folder, self.size).root()
            checkpoint = signed_checkpoint(self._signer.name, self.size, root, self._signer, *also)
            replace(self.folder / CHECKPOINT, checkpoint.note)
            self._forget(self._committed)
        self.checkpoint, self._committed = checkpoint, self.size
        return checkpoint

    def _introduce(self) -> None:
        """See that the key is among those of the log: known before anything is signed with it."""
        known = known_keys(self.folder) if (self.folder / KEYS).exists() else ()
        if known and known[0].name != self._signer.name:
            raise ConfigError(
                f"report_log.origin: the log in {self.folder} is {known[0].name}, which stays its name"
            )
        if not known and (self.folder / CHECKPOINT).exists():
            raise VerificationError(f"{self.folder}: {KEYS}: is missing")
        if not known:
            write_keys(self.folder, (self._signer.key,))
        elif known[-1] != self._signer.key:
            raise ConfigError(
                f"report_log.key: the log in {self.folder} is signed with another key; "
                "monitor log rotate-key changes it"
            )

    def _take_up(self, checkpoint: Checkpoint) -> None:
        """Read the partial tiles at the end, and see that they are what was signed."""
        checkpoint.signers(known_keys(self.folder))
        if Tree(self.folder, self.size).root() != checkpoint.root:
            raise VerificationError(f"{self.folder}: the tiles at the end are not those of the checkpoint")
        for level, number, width in partial_tiles(self.size):
            if level == ENTRIES:
                for leaf in read_entries(self.folder, number, width):
                    self._bundle += len(leaf).to_bytes(2, "big") + leaf
                continue
            while len(self._levels) <= level:
                self._levels.append(bytearray())
            self._levels[level] += read_tile(self.folder, level, number, width)

    def _carry(self) -> None:
        """Write the tile that has become full, and put its root into the one above; that may be full by now."""
        level = 0
        while len(self._levels[level]) == WIDTH * HASH_BYTES:
            hashes = self._levels[level]
            self._write(level, (self.size >> 8 * (level + 1)) - 1, WIDTH, hashes)
            if len(self._levels) == level + 1:
                self._levels.append(bytearray())
            self._levels[level + 1] += folded(hashes)
            hashes.clear()
            level += 1

    def _write(self, level: int, number: int, width: int, data: bytearray) -> None:
        path = self.folder / tile_name(level, number, width)
        try:
            file = open(path, "wb", opener=_private)
        except FileNotFoundError:
            for place in reversed(path.parents):
                if place.is_relative_to(self.folder):
                    place.mkdir(mode=0o700, exist_ok=True)
            file = open(path, "wb", opener=_private)
        with file:
            file.write(data)
        self._changed.append(path)

    def _sync(self) -> None:
        """Files first, then the folders in which they stand, up to the log's own."""
        folders: set[Path] = set()
        for path in self._changed:
            _fsync(path)
            folders.update(parent for parent in path.parents if parent.is_relative_to(self.folder))
        for folder in folders:
            _fsync(folder)
        self._changed.clear()

    def _forget(self, size: int) -> None:
        """Remove the partial tiles of an older checkpoint. Those that a crash leaves, `tidy` removes."""
        kept = set(partial_tiles(self.size))
        for tile in set(partial_tiles(size)) - kept:
            _unlink(self.folder / tile_name(*tile))


def extend(folder: Path, signer: Signer, first: int, leaves: list[Leaf]) -> Checkpoint | None:
    """Bring a log up to these leaves, the first of which has the index `first`; those that it has already count.

    Returns the checkpoint, None for a log without leaves. Raises as `open_log`, and VerificationError when the
    log ends before `first`, or has other leaves.
    """
    with open_log(folder, signer) as opened:
        encoded = [leaf.encode() for leaf in leaves]
        known, wanted = encoded[: max(0, opened.size - first)], encoded[max(0, opened.size - first) :]
        tree = Tree(folder, opened.size)
        for index, leaf in enumerate(known, first):
            if tree.leaf(index) != leaf:
                raise VerificationError(
                    f"{folder}: leaf {index} is not the event of that number in the store"
                )
        if opened.size > first + len(leaves):
            raise VerificationError(
                f"{folder}: has {opened.size} leaves, and the store {first + len(leaves)} events; "
                "was an older backup of the store restored?"
            )
        if opened.size < first:
            raise VerificationError(f"{folder}: has {opened.size} leaves, and had {first} before")
        if wanted:
            opened.add(wanted)
            return opened.commit()
        return opened.checkpoint


def tidy(folder: Path) -> int:
    """Remove what an interrupted writer left beyond or beside the log; returns how many files.

    Only what can be tiles: anything else stays, for a verification to name. Raises LogUnavailable.
    """
    with locked(folder), _mapped(folder):
        checkpoint = known_checkpoint(folder)
        wanted = {tile_name(*tile) for tile in tiles(checkpoint.size if checkpoint else 0)}
        removed = 0
        for path in sorted((folder / TILES).rglob("*"), reverse=True):
            if path.is_file() and path.relative_to(folder).as_posix() not in wanted:
                _unlink(path)
                removed += 1
        for name in (CHECKPOINT, KEYS):
            if (folder / f"{name}{_NEW}").exists():
                _unlink(folder / f"{name}{_NEW}")
                removed += 1
        return removed


def write_keys(folder: Path, keys: Iterable[VerifierKey]) -> None:
    """Say which keys are those of the log, the newest last."""
    replace(folder / KEYS, "".join(f"{key}\n" for key in keys).encode())


def replace(path: Path, data: bytes) -> None:
    """Put a file (0600) in the place of another, in one step and durably. Raises OSError."""
    new = path.with_name(path.name + _NEW)
    with open(new, "wb", opener=_private) as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)
    _fsync(path.parent)


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # others are in it
        path.parent.rmdir()


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


@contextlib.contextmanager
def _mapped(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise LogUnavailable(
            f"{folder}: the report log cannot be read or written ({e.strerror}); see to the disk and its rights"
        ) from e


__all__ = ["TIMESTAMPS", "Log", "extend", "locked", "open_log", "replace", "tidy", "write_keys"]
