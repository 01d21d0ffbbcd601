"""Leaves, notes, keys, proofs, paths of tiles: one spelling each, and vectors of others."""

import base64
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import MonitorError, VerificationError
from monitor.reportlog import (
    Leaf,
    Opening,
    Published,
    Signer,
    extend,
    parse_checkpoint,
    parse_proof,
    standalone,
    verifier_key,
)
from monitor.reportlog.leaf import canonical, decode
from monitor.reportlog.note import signed_checkpoint
from monitor.reportlog.tiles import ENTRIES, tile_name, tiles
from monitor.store.events import canonical as canonical_in_the_store
from tests.unit.reportlog.making import OTHER_SIGNER, SIGNER, START, flipped, leaves, made

# The example in the documentation of golang.org/x/mod/sumdb/note.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = (
    b"If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
)
GO_SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
BODIES = st.dictionaries(
    st.text(max_size=9), st.none() | st.booleans() | st.integers() | st.text(max_size=30), max_size=5
)


def test_a_verifier_key_and_a_signature_made_by_go_hold() -> None:
    key, signature = verifier_key(GO_KEY), base64.b64decode(GO_SIGNATURE)
    assert str(key) == GO_KEY
    assert signature[:4] == key.id
    assert key.signed(GO_TEXT, signature[4:])
    assert not key.signed(GO_TEXT + b" ", signature[4:])


@pytest.mark.parametrize("bit", range(0, len(GO_KEY) * 8, 5))
def test_a_damaged_verifier_key_is_refused(bit: int) -> None:
    damaged = flipped(GO_KEY.encode(), bit).decode("latin-1")
    with pytest.raises(VerificationError):
        verifier_key(damaged)


def test_a_leaf_has_one_spelling() -> None:
    leaf = Leaf("flag_raised", datetime(2026, 11, 22, 8, tzinfo=UTC), bytes(32))
    encoded = leaf.encode()
    assert encoded == (
        b'{"at":"2026-11-22T08:00:00.000000Z","commitment":"' + b"0" * 64 + b'","type":"flag_raised","v":1}'
    )
    assert decode(encoded) == leaf
    elsewhere = leaf.at.astimezone(timezone(timedelta(hours=9)))
    assert Leaf(leaf.type, elsewhere, leaf.commitment).encode() == encoded
    for other in (
        encoded + b" ",
        encoded.replace(b'"v":1', b'"v":2'),
        encoded.replace(b":00.000000Z", b":60.000000Z"),
        encoded.replace(b"-11-22", b"-13-22"),
        encoded.replace(b"flag_raised", b"Flag"),
        encoded.replace(b'{"at"', b'{ "at"'),
    ):
        with pytest.raises(VerificationError):
            decode(other)


@given(BODIES)
def test_store_and_log_encode_a_body_in_the_same_way(body: dict[str, str | int | bool | None]) -> None:
    assert canonical(body) == canonical_in_the_store(body)


def test_tiles_are_named_as_the_specification_says() -> None:
    assert tile_name(0, 1_234_067) == "tile/0/x001/x234/067"
    assert tile_name(ENTRIES, 0, 7) == "tile/entries/000.p/7"
    # The examples of c2sp.org/tlog-tiles.
    found = [tile for tile in tiles(70_000) if tile[0] != ENTRIES]
    assert sum(level == 0 and width == 256 for level, _, width in found) == 273
    assert (0, 273, 112) in found and (1, 0, 256) in found and (1, 1, 17) in found and (2, 0, 1) in found
    assert len(found) == 277
    assert [tile for tile in tiles(256) if tile[0] >= 0] == [(0, 0, 256), (1, 0, 1)]
    assert list(tiles(0)) == []


def test_a_checkpoint_is_a_short_note_that_its_key_signs() -> None:
    made = signed_checkpoint(SIGNER.name, 7, bytes(32), SIGNER)
    assert made.note.decode().splitlines()[:3] == [
        "example.org/monitor",
        "7",
        base64.b64encode(bytes(32)).decode(),
    ]
    assert len(made.note) < 250
    read = parse_checkpoint(made.note)
    assert read == made and read.signers([OTHER_SIGNER.key, SIGNER.key]) == [SIGNER.key]
    with pytest.raises(VerificationError, match="not known here"):
        read.signers([OTHER_SIGNER.key])
    with pytest.raises(VerificationError, match="not known here"):
        signed_checkpoint("example.org/other", 7, bytes(32), SIGNER).signers([SIGNER.key])


def test_every_bit_of_a_checkpoint_counts() -> None:
    note = signed_checkpoint(SIGNER.name, 7, bytes(32), SIGNER, OTHER_SIGNER).note
    for bit in range(len(note) * 8):
        with pytest.raises(VerificationError):
            parse_checkpoint(flipped(note, bit)).signers([SIGNER.key, OTHER_SIGNER.key])


def test_every_bit_of_a_proof_counts(tmp_path: Path) -> None:
    proof = Published(made(tmp_path / "log", 300)).proof(17).encode()
    parse_proof(proof).check()
    for bit in range(0, len(proof) * 8, 3):
        with pytest.raises(VerificationError):
            parse_proof(flipped(proof, bit)).check()


def test_a_proof_says_which_leaf_it_proves(tmp_path: Path) -> None:
    published = Published(made(tmp_path / "log", 300))
    for index in (0, 255, 256, 299):
        checkpoint, leaf = parse_proof(published.proof(index).encode()).check()
        assert checkpoint.size == 300 and leaf == leaves(300)[index]
    with pytest.raises(VerificationError):
        published.proof(300)


def test_an_opening_is_what_the_leaf_commits_to(tmp_path: Path) -> None:
    shown = Opening(bytes(32), {"operator": "analyst-1", "rows": 7})
    extend(tmp_path / "log", SIGNER, 0, [Leaf("export_made", START, shown.commitment)])
    published = Published(tmp_path / "log")
    assert parse_proof(published.proof(0, shown).encode()).opening == shown
    published.proof(0, shown).check()
    standalone.check_proof(published.proof(0, shown).encode(), "proof")
    for other in (
        Opening(bytes(32), {"operator": "analyst-2", "rows": 7}),
        Opening(bytes(32), {"operator": "analyst-1"}),
        Opening(bytes(31) + b"\1", shown.body),
    ):
        with pytest.raises(VerificationError, match="not what the leaf commits to"):
            published.proof(0, other).check()
        with pytest.raises(standalone.Wrong, match="not what the leaf commits to"):
            standalone.check_proof(published.proof(0, other).encode(), "proof")


@given(st.binary(max_size=300), st.sampled_from([b"", b"c2sp.org/tlog-proof@v1\nextra e30=\nindex 0\n\n"]))
def test_noise_is_refused_in_words(noise: bytes, head: bytes) -> None:
    for read in (parse_checkpoint, parse_proof, decode):
        with pytest.raises(MonitorError):
            read(head + noise)


def test_a_signer_shows_no_secret() -> None:
    assert "seed" not in repr(Signer("a", b"secret"))
