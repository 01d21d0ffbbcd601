"""A list's file is private, may be encrypted, and is the one that its manifest names."""

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.errors import HashListError
from monitor.matching import encrypt_list
from monitor.matching.list_file import check_manifest, open_list
from monitor.matching.sealed import MAGIC

KEY, OTHER_KEY = bytes(range(32)), bytes(32)
CHUNK = 65_536


def private(path: Path, data: bytes) -> Path:
    path.touch(0o600)
    path.write_bytes(data)
    return path


def content(path: Path, key: bytes | None = None) -> bytes:
    with open_list(path, key) as file:
        return b"".join(iter(file.read, b""))


def refusal(path: Path, key: bytes | None = None) -> str:
    with pytest.raises(HashListError) as caught:
        content(path, key)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o610, 0o602, 0o644])
def test_a_list_that_others_can_reach_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    path = private(tmp_path / "a list.csv", b"x")
    path.chmod(mode)
    assert f"run: chmod 600 '{path}'" in refusal(path)
    path.chmod(0o400)
    assert content(path) == b"x"


def test_the_digest_is_of_every_byte_whatever_was_read(tmp_path: Path) -> None:
    data = os.urandom(700_000)
    path = private(tmp_path / "list", data)
    with open_list(path, None) as file:
        file.read()
        assert file.sha256() == hashlib.sha256(data).digest()


# -- encrypted


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_what_was_encrypted_is_read_again(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    plain, sealed = private(tmp_path / "plain", data), tmp_path / "sealed"
    os.utime(plain, (1_700_000_000, 1_700_000_000))
    encrypt_list(plain, sealed, KEY)
    assert content(sealed, KEY) == data
    assert sealed.stat().st_mode & 0o777 == 0o600
    assert sealed.stat().st_mtime == 1_700_000_000
    with open_list(sealed, KEY) as file:
        assert file.sha256() == hashlib.sha256(data).digest()


def test_the_same_list_encrypted_twice_shares_nothing_but_the_magic(tmp_path: Path) -> None:
    plain = private(tmp_path / "plain", b"x" * 100)
    for name in ("one", "two"):
        encrypt_list(plain, tmp_path / name, KEY)
    one, two = (tmp_path / "one").read_bytes(), (tmp_path / "two").read_bytes()
    assert one[:16] == two[:16] == MAGIC
    assert not any(a == b for a, b in zip(pieces(one[16:]), pieces(two[16:]), strict=True))


def pieces(data: bytes) -> list[bytes]:
    return [data[at : at + 8] for at in range(0, len(data) - 8, 8)]


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    encrypt_list(private(tmp_path / "plain", b"x"), tmp_path / "sealed", KEY)
    assert "the key is another" in refusal(tmp_path / "sealed", OTHER_KEY)
    assert "encrypted; name its key" in refusal(tmp_path / "sealed")
    assert "not encrypted, though a key" in refusal(tmp_path / "plain", KEY)
    with pytest.raises(HashListError, match="32 bytes"):
        content(tmp_path / "sealed", b"short")


@settings(derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_one_flipped_bit_is_seen(tmp_path: Path, data: st.DataObject) -> None:
    sealed = sealed_three_chunks(tmp_path)
    whole = bytearray(sealed.read_bytes())
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    whole[bit // 8] ^= 1 << bit % 8
    sealed.write_bytes(whole)
    assert refusal(sealed, KEY)


@pytest.mark.parametrize("part", ["first", "last", "middle", "end", "doubled", "swapped", "more"])
def test_chunks_cannot_be_dropped_added_or_moved(tmp_path: Path, part: str) -> None:
    sealed = sealed_three_chunks(tmp_path)
    whole = sealed.read_bytes()
    head, one, two, three = whole[:32], *(whole[32 + n * (CHUNK + 16) :][: CHUNK + 16] for n in range(3))
    changed = {
        "first": head + two + three,
        "middle": head + one + three,
        "last": head + one + two,
        "end": whole[:-1],
        "doubled": head + one + one + two + three,
        "swapped": head + two + one + three,
        "more": whole + b"\0",
    }
    sealed.write_bytes(changed[part])
    assert "the file was changed or cut" in refusal(sealed, KEY)


def sealed_three_chunks(folder: Path) -> Path:
    plain, sealed = private(folder / "plain", bytes(2 * CHUNK + 5)), folder / "sealed"
    sealed.unlink(missing_ok=True)
    encrypt_list(plain, sealed, KEY)
    return sealed


def test_encrypting_leaves_what_is_there_and_leaves_no_half(tmp_path: Path) -> None:
    plain, there = private(tmp_path / "plain", b"x"), private(tmp_path / "there", b"y")
    with pytest.raises(HashListError, match="exists already"):
        encrypt_list(plain, there, KEY)
    assert there.read_bytes() == b"y"
    with pytest.raises(HashListError, match="No such file"):
        encrypt_list(tmp_path / "missing", tmp_path / "new", KEY)
    with pytest.raises(HashListError, match="32 bytes"):
        encrypt_list(plain, tmp_path / "new", b"short")
    assert not (tmp_path / "new").exists()
    encrypt_list(plain, tmp_path / "new", KEY)
    with pytest.raises(HashListError, match="encrypted already"):
        encrypt_list(tmp_path / "new", tmp_path / "twice", KEY)


# -- manifests


def checked(manifest: Path, path: Path, key: bytes | None = None) -> None:
    with open_list(path, key) as file:
        check_manifest(manifest, file)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_manifest_holds_what_sha256sum_writes(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    path = private(tmp_path / "sub" / "two words.csv", b"x")
    manifest = tmp_path / "SHA256SUMS"
    manifest.write_text(f"{digest(b'y')}  other.csv\n{digest(b'x')} *sub/two words.csv\n")
    checked(manifest, path)
    encrypt_list(path, tmp_path / "sub" / "two words.csv.sealed", KEY)
    checked(manifest, tmp_path / "sub" / "two words.csv.sealed", KEY)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is missing in"),
        (f"{digest(b'x')}  elsewhere/list.csv\n", "is missing in"),
        (f"{digest(b'y')}  list.csv\n", "is not the file that"),
        (f"{digest(b'x')}  a\n\n{digest(b'x')[1:]}  list.csv\n", "line 3: not a line"),
        (f"{digest(b'x')} list.csv\n", "line 1: not a line"),
        (f"{'g' * 64}  list.csv\n", "line 1: not a line"),
        ("\udcff", "not UTF-8"),
    ],
)
def test_a_list_that_its_manifest_does_not_name_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = private(tmp_path / "list.csv", b"x")
    manifest = tmp_path / "SHA256SUMS"
    manifest.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(HashListError, match=reason):
        checked(manifest, path)


def test_a_manifest_that_cannot_be_read_refuses_the_list(tmp_path: Path) -> None:
    path = private(tmp_path / "list.csv", b"x")
    os.mkfifo(tmp_path / "pipe")
    for manifest, reason in ((tmp_path / "none", "No such file"), (tmp_path / "pipe", "not a file")):
        with pytest.raises(HashListError, match=reason):
            checked(manifest, path)
