"""A proof that one leaf is in the log, as a file that stands for itself: c2sp.org/tlog-proof@v1.

    c2sp.org/tlog-proof@v1
    extra <base64>                 JSON: the leaf, the verifier keys that signed, and the opening where one is given
    index 73894
    <base64>                       the path, from the leaf's sibling upwards
                                   (an empty line, then the checkpoint)

What stands in `extra` is trusted for nothing: the leaf counts when the path leads from it to a signed root, the
opening when it gives the leaf's commitment, and the keys only as far as the reader knows them.
"""

import base64
import json
import re
from dataclasses import dataclass
from typing import Any

from monitor.errors import VerificationError
from monitor.reportlog.leaf import SALT_BYTES, Leaf, Opening, canonical, canonical_object, decode
from monitor.reportlog.note import Checkpoint, VerifierKey, decoded, one_hash, parse_checkpoint, verifier_key
from monitor.reportlog.tree import leaf_hash, root_from

HEADER = "c2sp.org/tlog-proof@v1"
SUFFIX = ".tlog-proof"
LONGEST_PROOF = 1_000_000
"""Bytes; a longer proof is refused unread."""
_HEAD = re.compile(
    rf"{re.escape(HEADER)}\nextra ([A-Za-z0-9+/=]+)\nindex (0|[1-9][0-9]{{0,18}})\n((?:[A-Za-z0-9+/=]{{44}}\n)*)"
)


@dataclass(frozen=True, slots=True)
class Proof:
    """A leaf, where it stands, and the way from it to the root that the checkpoint's note signs."""

    index: int
    path: tuple[bytes, ...]
    note: bytes
    leaf: bytes
    keys: tuple[VerifierKey, ...]
    opening: Opening | None = None

    def encode(self) -> bytes:
        """The proof as a file."""
        extra: dict[str, Any] = {
            "keys": [str(key) for key in self.keys],
            "leaf": json.loads(self.leaf),
        }
        if self.opening is not None:
            extra["opening"] = {"body": self.opening.body, "salt": self.opening.salt.hex()}
        lines = [
            HEADER,
            f"extra {base64.b64encode(canonical(extra)).decode()}",
            f"index {self.index}",
            *(base64.b64encode(step).decode() for step in self.path),
            "",
        ]
        return "\n".join(lines).encode() + b"\n" + self.note

    def check(self) -> tuple[Checkpoint, Leaf]:
        """What is proved: the checkpoint, and the leaf in it. Raises VerificationError, naming what is wrong."""
        checkpoint = parse_checkpoint(self.note)
        if tuple(checkpoint.signers(self.keys)) != self.keys:
            raise VerificationError("the proof names other keys than signed its checkpoint")
        return checkpoint, self.included(checkpoint)

    def included(self, checkpoint: Checkpoint) -> Leaf:
        """The leaf, found to be in the tree of a checkpoint that was verified. Raises VerificationError."""
        leaf = decode(self.leaf)
        if root_from(leaf_hash(self.leaf), self.index, checkpoint.size, self.path) != checkpoint.root:
            raise VerificationError("the path does not lead from the leaf to the root that is signed")
        if self.opening is not None and self.opening.commitment != leaf.commitment:
            raise VerificationError("the opening is not what the leaf commits to")
        return leaf


def parse_proof(data: bytes) -> Proof:
    """The proof in a file, not yet checked. Raises VerificationError for any but the one spelling of it."""
    wrong = VerificationError("is not a tlog-proof with leaf and keys")
    try:
        text = data[:LONGEST_PROOF].decode()
    except UnicodeDecodeError:
        raise VerificationError("is not UTF-8 text") from None
    found = _HEAD.match(text)
    if found is None or text[found.end() : found.end() + 1] != "\n":
        raise wrong
    extra = canonical_object(decoded(found[1], "extra"))
    if not {"keys", "leaf"} <= extra.keys() <= {"keys", "leaf", "opening"}:
        raise wrong
    keys = extra["keys"]
    if not isinstance(keys, list) or not keys or not all(isinstance(key, str) for key in keys):
        raise wrong
    path = tuple(one_hash(step, "the path") for step in found[3].split())
    proof = Proof(
        int(found[2]),
        path,
        text[found.end() + 1 :].encode(),
        canonical(extra["leaf"]),
        tuple(verifier_key(key) for key in keys),
        opening(extra["opening"]) if "opening" in extra else None,
    )
    if proof.encode() != data:
        raise wrong
    return proof


def opening(value: object) -> Opening:
    """An opening from its JSON object. Raises VerificationError."""
    if isinstance(value, dict) and value.keys() == {"body", "salt"}:
        body, salt = value["body"], value["salt"]
        if isinstance(body, dict) and isinstance(salt, str) and re.fullmatch(r"[0-9a-f]{64}", salt):
            return Opening(bytes.fromhex(salt), body)
    raise VerificationError(f"an opening is not a body with its salt of {SALT_BYTES} bytes")
