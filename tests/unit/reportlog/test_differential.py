"""Roots, proofs and signatures as others compute them: pymerkle, sigstore's verifier, OpenSSL."""

import base64
import random
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from monitor.reportlog import Published
from monitor.reportlog.standalone import both_roots
from monitor.reportlog.tree import leaf_hash
from tests.unit.reportlog.making import OTHER_SIGNER, SIGNER, flipped, leaves, made

SIZES = (1, 2, 3, 7, 255, 256, 257, 300, 512, 700)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Published]:
    base = tmp_path_factory.mktemp("logs")
    return {size: Published(made(base / str(size), size)) for size in SIZES}


@pytest.fixture(scope="module")
def tree() -> Any:
    pymerkle = pytest.importorskip("pymerkle")
    found = pymerkle.InmemoryTree(algorithm="sha256")
    for leaf in leaves(max(SIZES)):
        found.append_entry(leaf.encode())
    return found


@pytest.mark.parametrize("size", SIZES)
def test_pymerkle_finds_the_same_roots_and_paths(size: int, logs: dict[int, Published], tree: Any) -> None:
    published, chance = logs[size], random.Random(size)
    root = published.checkpoint.root
    assert tree.get_root(size) == root
    for index in chance.sample(range(size), min(size, 20)):
        theirs = tree.prove_inclusion(index + 1, size)  # counted from one there
        ours = published.proof(index)
        theirs.verify(leaf_hash(ours.leaf), root)
        assert set(theirs.path) == {*ours.path, leaf_hash(ours.leaf)}
    for old in chance.sample(range(1, size + 1), min(size, 20)):
        theirs = tree.prove_consistency(old, size)
        theirs.verify(tree.get_root(old), root)
        before = tree.get_root(old)
        # Theirs is cut otherwise; ours must lead from their root to their root.
        assert both_roots(old, size, published.consistency(old), before) == (before, root)


@pytest.mark.parametrize("size", SIZES)
def test_sigstore_accepts_our_proofs_and_refuses_changed_ones(size: int, logs: dict[int, Published]) -> None:
    merkle = pytest.importorskip("sigstore._internal.merkle")
    refused = pytest.importorskip("sigstore.errors").VerificationError
    published = logs[size]
    for index in random.Random(size).sample(range(size), min(size, 20)):
        proof = published.proof(index)
        inclusion = SimpleNamespace(
            log_index=index, tree_size=size, hashes=list(proof.path), root_hash=published.checkpoint.root
        )
        entry = SimpleNamespace(
            _inner=SimpleNamespace(inclusion_proof=inclusion, canonicalized_body=proof.leaf)
        )
        merkle.verify_merkle_inclusion(entry)
        entry._inner.canonicalized_body = flipped(proof.leaf, index % 64)
        with pytest.raises(refused):
            merkle.verify_merkle_inclusion(entry)


def test_sigstore_reads_and_verifies_our_checkpoint(logs: dict[int, Published]) -> None:
    module = pytest.importorskip("sigstore._internal.rekor.checkpoint")
    trust = pytest.importorskip("sigstore._internal.trust")
    refused = pytest.importorskip("sigstore.errors").VerificationError
    newest = logs[300].checkpoint
    signed = module.SignedCheckpoint.from_text(newest.note.decode())
    assert (signed.checkpoint.origin, signed.checkpoint.log_size) == (newest.origin, newest.size)
    assert signed.checkpoint.log_hash == newest.root.hex()

    def keyring(public: bytes) -> Any:
        spki = Ed25519PublicKey.from_public_bytes(public).public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        details = trust.common_v1.PublicKeyDetails.PKIX_ED25519
        return trust.Keyring(
            [trust.common_v1.PublicKey(raw_bytes=base64.b64encode(spki), key_details=details)]
        )

    signed.signed_note.verify(keyring(SIGNER.key.public), SIGNER.key.id + bytes(28))
    with pytest.raises(refused):
        signed.signed_note.verify(keyring(OTHER_SIGNER.key.public), SIGNER.key.id + bytes(28))


def test_openssl_verifies_the_signature_of_a_checkpoint(tmp_path: Path, logs: dict[int, Published]) -> None:
    newest = logs[300].checkpoint
    key = Ed25519PublicKey.from_public_bytes(SIGNER.key.public)
    (tmp_path / "key.pem").write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    signature = base64.b64decode(newest.note.decode().splitlines()[-1].split()[-1])[4:]
    (tmp_path / "signature").write_bytes(signature)

    def verified(text: bytes) -> bool:
        (tmp_path / "text").write_bytes(text)
        command = "openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in text -sigfile signature"
        return subprocess.run(command.split(), cwd=tmp_path, capture_output=True).returncode == 0

    assert verified(newest.text)
    assert not verified(flipped(newest.text, 5))
