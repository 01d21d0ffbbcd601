"""What a log shows: its checkpoint, its keys, and proofs made of its tiles."""

from pathlib import Path

from monitor.errors import VerificationError
from monitor.reportlog.leaf import Opening
from monitor.reportlog.note import LONGEST_NOTE, Checkpoint, VerifierKey, parse_checkpoint, verifier_key
from monitor.reportlog.proof import Proof
from monitor.reportlog.tiles import CHECKPOINT, KEYS, Tree, read
from monitor.reportlog.tree import consistency_ranges, inclusion_ranges


def known_checkpoint(folder: Path) -> Checkpoint | None:
    """The checkpoint of a log, its signatures not verified; None where none was signed yet.

    Raises VerificationError when it cannot be read.
    """
    if not (folder / CHECKPOINT).exists():
        return None
    return parse_checkpoint(read(folder, CHECKPOINT, LONGEST_NOTE))


def known_keys(folder: Path) -> tuple[VerifierKey, ...]:
    """The verifier keys of a log, the newest last. Raises VerificationError."""
    data = read(folder, KEYS, LONGEST_NOTE)
    try:
        lines = data.decode("ascii").splitlines()
        keys = tuple(verifier_key(line) for line in lines)
    except UnicodeDecodeError:
        keys = ()
    if not keys or b"".join(b"%b\n" % str(key).encode() for key in keys) != data:
        raise VerificationError(f"{KEYS}: does not hold verifier keys, one a line")
    if len({key.name for key in keys}) > 1:
        raise VerificationError(f"{KEYS}: holds keys of different logs")
    return keys


class Published:
    """A log as it is signed, and proofs of it. Take it up under the log's lock, where others may add to the log."""

    def __init__(self, folder: Path) -> None:
        """Raises VerificationError when the checkpoint is missing, damaged or signed by no key of the log."""
        checkpoint = known_checkpoint(folder)
        if checkpoint is None:
            raise VerificationError(f"{CHECKPOINT}: is missing")
        self.checkpoint = checkpoint
        self.signers = checkpoint.signers(known_keys(folder))
        self._tree = Tree(folder, checkpoint.size)

    def proof(self, index: int, opening: Opening | None = None) -> Proof:
        """The proof that a leaf is in the log; with an opening, that it stands for this body."""
        path = [self._tree.root(*part) for part in inclusion_ranges(index, self.checkpoint.size)]
        return Proof(
            index, tuple(path), self.checkpoint.note, self._tree.leaf(index), tuple(self.signers), opening
        )

    def consistency(self, old: int) -> list[bytes]:
        """The proof that the log of `old` leaves is the beginning of this one."""
        if not 0 < old <= self.checkpoint.size:
            return []
        return [self._tree.root(*part) for part in consistency_ranges(old, self.checkpoint.size)]
