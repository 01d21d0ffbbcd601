"""Signed notes and checkpoints in the C2SP formats: c2sp.org/signed-note and c2sp.org/tlog-checkpoint, Ed25519.

    example.org/monitor            the origin: which log
    4096                           how many leaves
    CsUYapGGPo4dkMgIAUqom/Xa…=     the root, base64

    — example.org/monitor Az3grl…  the signature: key id (4 bytes) and Ed25519 over the three lines, base64

Each note has one spelling; every other one is refused, so that no bit of it goes unchecked.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from monitor.errors import VerificationError
from monitor.reportlog.tree import HASH_BYTES

ED25519 = b"\x01"
SEED_BYTES = 32
NAME = re.compile(r"[!-*,-~]{1,200}")
"""A key's name, which is the log's origin: printable ASCII without blanks and plus."""
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_SIGNATURE = re.compile(r"— ([!-*,-~]{1,200}) ([A-Za-z0-9+/]+={0,2})")
LONGEST_NOTE = 100_000
"""Bytes; a longer note is refused unread."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key and its name. As text "name+key id+base64(0x01 ‖ key)"."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """The first four bytes of SHA-256(name ‖ 0x0A ‖ 0x01 ‖ key)."""
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:4]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the 32 bytes of the key, in hex: to read out and compare."""
        return hashlib.sha256(self.public).hexdigest()

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(ED25519 + self.public).decode()}"

    def signed(self, text: bytes, signature: bytes) -> bool:
        """Whether this key made the signature over the text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text)
        except InvalidSignature:
            return False
        return True


def verifier_key(text: str) -> VerifierKey:
    """A verifier key from its text. Raises VerificationError."""
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    data = decoded(encoded, "the verifier key")
    key = VerifierKey(name, data[1:])
    if data[:1] != ED25519 or len(data) != 33 or not NAME.fullmatch(name) or key.id.hex() != key_id:
        raise VerificationError("the verifier key is not one of Ed25519, of the form name+id+base64")
    return key


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key and its name. `seed` are the 32 bytes of RFC 8032."""

    name: str
    seed: bytes = field(repr=False)

    @property
    def key(self) -> VerifierKey:
        """What others verify with."""
        public = Ed25519PrivateKey.from_private_bytes(self.seed).public_key()
        return VerifierKey(self.name, public.public_bytes(Encoding.Raw, PublicFormat.Raw))

    def line(self, text: bytes) -> bytes:
        """The signature line for a note's text."""
        signature = Ed25519PrivateKey.from_private_bytes(self.seed).sign(text)
        return f"— {self.name} {base64.b64encode(self.key.id + signature).decode()}\n".encode()


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed statement: the log of this origin has `size` leaves, and this root. `note` is the note itself."""

    origin: str
    size: int
    root: bytes
    note: bytes

    @property
    def text(self) -> bytes:
        """What is signed."""
        return self.note[: self.note.rindex(b"\n\n") + 1]

    def signers(self, keys: Iterable[VerifierKey]) -> list[VerifierKey]:
        """Those of the keys that signed it. Raises VerificationError when a signature is wrong or nobody's."""
        known = {(key.name, key.id): key for key in keys}
        found = []
        for line in self.note[len(self.text) + 1 :].decode().splitlines():
            name, data = _signature(line)
            key = known.get((name, data[:4]))
            if key is None or name != self.origin:
                raise VerificationError(
                    f"the checkpoint is signed by {name}, key {data[:4].hex()}, which is not known here"
                )
            if not key.signed(self.text, data[4:]):
                raise VerificationError("the checkpoint's signature is wrong")
            found.append(key)
        return found


def signed_checkpoint(origin: str, size: int, root: bytes, *signers: Signer) -> Checkpoint:
    """A checkpoint, signed."""
    text = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n".encode()
    return Checkpoint(origin, size, root, text + b"\n" + b"".join(signer.line(text) for signer in signers))


def parse_checkpoint(note: bytes) -> Checkpoint:
    """The checkpoint of a note, its signatures not yet verified. Raises VerificationError for any other text."""
    wrong = VerificationError("the checkpoint is not a signed note of three lines")
    if len(note) > LONGEST_NOTE or not note.endswith(b"\n"):
        raise wrong
    try:
        head, blank, signatures = note.decode().partition("\n\n")
    except UnicodeDecodeError:
        raise VerificationError("the checkpoint is not UTF-8 text") from None
    lines = head.split("\n")
    if not blank or not signatures or len(lines) != 3:
        raise wrong
    origin, size, root = lines
    if not NAME.fullmatch(origin) or not _SIZE.fullmatch(size):
        raise wrong
    for line in signatures[:-1].split("\n"):
        _signature(line)
    return Checkpoint(origin, int(size), one_hash(root, "the checkpoint"), note)


def one_hash(text: str, what: str) -> bytes:
    """The 32 bytes of a hash in base64. Raises VerificationError."""
    found = decoded(text, what)
    if len(found) != HASH_BYTES:
        raise VerificationError(f"{what} holds a hash that is not 32 bytes long")
    return found


def decoded(text: str, what: str) -> bytes:
    """What the base64 stands for, in its one spelling. Raises VerificationError."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if base64.b64encode(data).decode() != text:
        raise VerificationError(f"{what} holds base64 that is damaged")
    return data


def _signature(line: str) -> tuple[str, bytes]:
    """Name, and key id with signature."""
    found = _SIGNATURE.fullmatch(line)
    if found is None:
        raise VerificationError("the checkpoint has a line that is not a signature")
    return found[1], decoded(found[2], "the checkpoint's signature")
