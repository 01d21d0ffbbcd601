"""A log that was tampered with is found out, in words; by ours and by the stand-alone verifier alike."""

import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.errors import InputError, VerificationError
from monitor.reportlog import (
    Published,
    known_keys,
    locked,
    open_log,
    parse_checkpoint,
    parse_proof,
    standalone,
)
from monitor.reportlog.log import write_keys
from monitor.reportlog.note import signed_checkpoint
from monitor.reportlog.tiles import CHECKPOINT, tile_name
from monitor.reportlog.verifying import verify_log, verify_proof
from tests.unit.reportlog.making import OTHER_SIGNER, SIGNER, bits, files, flipped, leaves, made

SIZE = 300


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("original") / "log", 100, SIZE)


@pytest.fixture
def log(original: Path, tmp_path: Path) -> Path:
    shutil.copytree(original, tmp_path / "log")
    return tmp_path / "log"


def agreed(log: Path, wrong: str | None = None) -> None:
    """Both verifiers refuse the log; ours in these words."""
    with pytest.raises(VerificationError, match=wrong):
        verify_log(log)
    with pytest.raises(standalone.Wrong):
        standalone.check(str(log))


def test_a_log_that_nobody_touched_verifies(log: Path) -> None:
    verified = verify_log(log)
    assert verified.checkpoint.size == SIZE and verified.keys == (SIGNER.key,) and not verified.pinned
    assert verify_log(log, pinned=SIGNER.key).pinned
    assert standalone.check(str(log))["size"] == SIZE


def test_every_file_that_lacks_is_named(log: Path, original: Path) -> None:
    for name, content in files(original).items():
        (log / name).unlink()
        agreed(log, f"{name}: is missing")
        (log / name).write_bytes(content)
    verify_log(log)


@pytest.mark.parametrize(
    "name", ["tile/0/001", "tile/0/000.p/9", "tile/7/000", "more", "tile/entries/x001/000"]
)
def test_a_file_too_many_is_named(log: Path, name: str) -> None:
    (log / name).parent.mkdir(parents=True, exist_ok=True)
    (log / name).write_bytes(b"")
    agreed(log, f"{name}: is no part of a log of {SIZE} leaves")


def _shorter(data: bytes) -> bytes:
    return data[:-1]


def _longer(data: bytes) -> bytes:
    return data + b"\0"


@pytest.mark.parametrize(
    "change", [_shorter, _longer, bytes.swapcase], ids=["shorter", "longer", "other letters"]
)
def test_no_file_can_be_changed(log: Path, original: Path, change: Callable[[bytes], bytes]) -> None:
    for name, content in files(original).items():
        if change(content) != content:
            (log / name).write_bytes(change(content))
            agreed(log)
            (log / name).write_bytes(content)


@pytest.mark.parametrize(
    "count", [200, pytest.param(1000, marks=[pytest.mark.prove, pytest.mark.timeout(600)])]
)
def test_no_bit_can_be_flipped(log: Path, original: Path, count: int) -> None:
    chance, contents = random.Random(20261122), files(original)
    for _ in range(count):
        name = chance.choice(list(contents))
        bit = bits(contents[name], 1, chance)[0]
        (log / name).write_bytes(flipped(contents[name], bit))
        agreed(log)
        (log / name).write_bytes(contents[name])
    verify_log(log)


def test_a_leaf_of_another_form_is_refused_though_it_is_signed_for(tmp_path: Path) -> None:
    for text in (b"a word", leaves(1)[0].encode().replace(b'"v":1', b'"v":2'), b""):
        folder = tmp_path / text.hex()[:8] / "log"
        with open_log(folder, SIGNER) as log:
            log.add([leaves(1)[0].encode(), text])
            log.commit()
        agreed(folder, "leaf 1 is not one of this format")


def test_a_log_that_was_written_anew_is_seen_by_who_kept_a_checkpoint(tmp_path: Path, log: Path) -> None:
    kept = parse_checkpoint((made(tmp_path / "kept", 100) / CHECKPOINT).read_bytes())
    assert verify_log(log, since=kept).checkpoint.size == SIZE
    forged = tmp_path / "forged"
    with open_log(forged, SIGNER) as anew:
        anew.add(leaf.encode() for leaf in leaves(SIZE, seed=2))
        anew.commit()
    verify_log(forged)  # by itself it is a log like any other: hence the witness
    with pytest.raises(VerificationError, match="is not the beginning"):
        verify_log(forged, since=kept)
    with pytest.raises(VerificationError, match="its end is cut off"):
        verify_log(made(tmp_path / "cut", 99), since=kept)
    with pytest.raises(VerificationError, match="not known here"):
        verify_log(log, since=signed_checkpoint(SIGNER.name, 100, kept.root, OTHER_SIGNER))
    with pytest.raises(VerificationError, match=r"is of example\.org/other"):
        verify_log(log, since=signed_checkpoint("example.org/other", 100, kept.root, SIGNER))


def test_a_pinned_key_must_have_signed(log: Path) -> None:
    with pytest.raises(VerificationError, match="not by the key that you gave"):
        verify_log(log, pinned=OTHER_SIGNER.key)


def test_after_another_key_took_over_both_and_then_the_new_one_hold(log: Path) -> None:
    before = parse_checkpoint((log / CHECKPOINT).read_bytes())
    with locked(log):
        write_keys(log, (*known_keys(log), OTHER_SIGNER.key))
    with open_log(log, OTHER_SIGNER) as open_:
        open_.commit(SIGNER)
    assert verify_log(log, pinned=SIGNER.key).keys == verify_log(log, pinned=OTHER_SIGNER.key).keys
    assert standalone.check(str(log))["keys"] == [str(OTHER_SIGNER.key), str(SIGNER.key)]
    parse_proof(Published(log).proof(3).encode()).check()
    with open_log(log, OTHER_SIGNER) as open_:
        open_.add([leaves(SIZE + 1)[-1].encode()])
        open_.commit()
    assert verify_log(log, since=before).keys == (OTHER_SIGNER.key,)
    with pytest.raises(VerificationError, match="not by the key that you gave"):
        verify_log(log, pinned=SIGNER.key)


def test_a_proof_alone_can_be_compared_with_a_checkpoint_of_its_size(tmp_path: Path, log: Path) -> None:
    proof = Published(log).proof(3)
    assert standalone.check_proof(proof.encode(), "proof")["index"] == 3
    verified, leaf = verify_proof(proof, pinned=SIGNER.key, since=Published(log).checkpoint)
    assert leaf == leaves(4)[3] and verified.pinned
    with pytest.raises(InputError, match="only the log itself"):
        verify_proof(proof, since=Published(made(tmp_path / "kept", 100)).checkpoint)
    split = signed_checkpoint(SIGNER.name, SIZE, bytes(32), SIGNER)
    with pytest.raises(VerificationError, match="different roots"):
        verify_proof(proof, since=split)


def test_the_stand_alone_verifier_is_one_file_that_needs_nothing_of_ours(tmp_path: Path, log: Path) -> None:
    alone = tmp_path / "verify.py"
    shutil.copy(standalone.__file__, alone)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-I", str(alone), *arguments], capture_output=True, text=True, cwd=tmp_path
        )

    assert "monitor" not in [
        line.split()[1] for line in alone.read_text().splitlines() if line.startswith("from ")
    ]
    fine = run("log", "--key", str(SIGNER.key))
    assert (fine.returncode, fine.stderr) == (0, "")
    assert f"log of {SIZE} leaves" in fine.stdout and SIGNER.key.fingerprint in fine.stdout
    assert run("log", "--key", str(OTHER_SIGNER.key)).returncode == 4
    (log / tile_name(0, 0)).write_bytes(bytes(8192))
    tampered = run("log")
    assert tampered.returncode == 4 and "tile/0/000" in tampered.stderr
    assert run().returncode == 2 and run("nowhere").returncode == 4
