"""The arithmetic of RFC 6962, against the definitions themselves and against vectors of others."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import VerificationError
from monitor.reportlog.tree import (
    EMPTY_ROOT,
    check_consistency,
    consistency_ranges,
    folded,
    inclusion_ranges,
    leaf_hash,
    node_hash,
    root_from,
)

# The reference trees of Certificate Transparency (merkle_tree_test.cc): eight inputs, and the roots after each.
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def mth(hashes: list[bytes]) -> bytes:
    """The definition of section 2.1, word by word."""
    if len(hashes) == 1:
        return hashes[0]
    k = max(2**n for n in range(20) if 2**n < len(hashes))
    return node_hash(mth(hashes[:k]), mth(hashes[k:]))


def some(count: int) -> list[bytes]:
    return [leaf_hash(b"%d" % number) for number in range(count)]


def test_the_reference_trees_have_the_reference_roots() -> None:
    hashes = [leaf_hash(bytes.fromhex(data)) for data in INPUTS]
    for size, root in enumerate(ROOTS, 1):
        assert folded(b"".join(hashes[:size])).hex() == root
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@given(st.integers(1, 300))
def test_folding_gives_the_tree_of_the_definition(size: int) -> None:
    assert folded(b"".join(some(size))) == mth(some(size))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 33])
def test_each_leaf_is_proved_and_no_other_in_its_place(size: int) -> None:
    hashes = some(size)
    for index in range(size):
        path = [mth(hashes[a:b]) for a, b in inclusion_ranges(index, size)]
        assert root_from(hashes[index], index, size, path) == mth(hashes)
        for other in range(size):
            if other != index and len(path) == len(inclusion_ranges(other, size)):
                assert root_from(hashes[index], other, size, path) != mth(hashes)
        with pytest.raises(VerificationError):
            root_from(hashes[index], index, size, [*path, hashes[0]])
    with pytest.raises(VerificationError):
        root_from(hashes[0], size, size, [])


@pytest.mark.parametrize("size", [1, 2, 3, 8, 13, 33])
def test_each_earlier_log_is_proved_to_be_the_beginning_and_no_other_is(size: int) -> None:
    hashes = some(size)
    root = mth(hashes)
    for old in range(1, size + 1):
        proof = [mth(hashes[a:b]) for a, b in consistency_ranges(old, size)]
        check_consistency(old, mth(hashes[:old]), size, root, proof)
        forged = hashlib.sha256(b"another past").digest()
        with pytest.raises(VerificationError):
            check_consistency(old, forged, size, root, proof)
        for at in range(len(proof)):
            with pytest.raises(VerificationError):
                check_consistency(old, mth(hashes[:old]), size, root, [*proof[:at], forged, *proof[at + 1 :]])
        with pytest.raises(VerificationError):
            check_consistency(old, mth(hashes[:old]), size, root, [*proof, forged])


def test_every_log_begins_with_the_empty_one() -> None:
    check_consistency(0, EMPTY_ROOT, 8, mth(some(8)), [])
    with pytest.raises(VerificationError, match="not that of an empty log"):
        check_consistency(0, bytes(32), 8, mth(some(8)), [])
    with pytest.raises(VerificationError):
        check_consistency(9, mth(some(9)), 8, mth(some(8)), [])
