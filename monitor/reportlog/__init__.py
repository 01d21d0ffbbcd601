"""An append-only log that strangers can verify: RFC 6962 in the C2SP formats. docs/report-log.md has the formats."""

from monitor.reportlog.leaf import Leaf, Opening
from monitor.reportlog.log import extend, locked, open_log, tidy
from monitor.reportlog.note import Checkpoint, Signer, VerifierKey, parse_checkpoint, verifier_key
from monitor.reportlog.projection import project
from monitor.reportlog.proof import Proof, parse_proof
from monitor.reportlog.published import Published, known_checkpoint, known_keys

__all__ = [
    "Checkpoint",
    "Leaf",
    "Opening",
    "Proof",
    "Published",
    "Signer",
    "VerifierKey",
    "extend",
    "known_checkpoint",
    "known_keys",
    "locked",
    "open_log",
    "parse_checkpoint",
    "parse_proof",
    "project",
    "tidy",
    "verifier_key",
]
