"""Merkle trees of RFC 6962, section 2.1, as arithmetic over SHA-256 hashes: nothing is read or written.

A tree of `size` leaves is cut at the largest power of two below its size, and so on in both parts. Ranges are
[first, end) of leaf indexes.
"""

import hashlib
from collections.abc import Sequence

from monitor.errors import VerificationError

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
"""The root of the tree without leaves."""

Range = tuple[int, int]


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf: SHA-256(0x00 ‖ data)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node: SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def folded(hashes: bytes | bytearray) -> bytes:
    """The root over hashes of equal trees that lie one after the other, 32 bytes each; of at least one.

    A last one without a partner goes up as it is, which gives the tree of RFC 6962.
    """
    sha256, level = hashlib.sha256, bytes(hashes)
    while len(level) > HASH_BYTES:
        pairs = len(level) & -64
        above = b"".join([sha256(b"\x01" + level[at : at + 64]).digest() for at in range(0, pairs, 64)])
        level = above + level[pairs:]
    return level


def cut(size: int) -> int:
    """The largest power of two below `size`, which is at least 2."""
    return 1 << ((size - 1).bit_length() - 1)


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """The ranges whose roots prove that the leaf is in the tree, from the leaf's sibling upwards (2.1.1)."""
    first, end, found = 0, size, []
    while end - first > 1:
        middle = first + cut(end - first)
        if index < middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((first, middle))
            first = middle
    return found[::-1]


def consistency_ranges(old: int, size: int) -> list[Range]:
    """The ranges whose roots prove that the tree of `old` leaves, at least 1, is the beginning of this one (2.1.2)."""
    first, end, whole, found = 0, size, True, []
    while old < end:
        middle = first + cut(end - first)
        if old <= middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((first, middle))
            first, whole = middle, False
    if not whole:
        found.append((first, end))
    return found[::-1]


def root_from(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that an inclusion proof leads to (RFC 9162, section 2.1.3.2). `leaf` is the leaf's hash.

    Raises VerificationError for a path of another length than the leaf has.
    """
    if not 0 <= index < size or len(path) != len(inclusion_ranges(index, size)):
        raise VerificationError(f"the path does not lead from leaf {index} to the root of {size} leaves")
    node, last, found = index, size - 1, leaf
    for other in path:
        if node & 1 or node == last:
            found = node_hash(other, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, other)
        node, last = node >> 1, last >> 1
    return found


def check_consistency(old: int, old_root: bytes, size: int, root: bytes, hashes: Sequence[bytes]) -> None:
    """See that the older tree is the beginning of the newer one (RFC 9162, section 2.1.4.2).

    Raises VerificationError.
    """
    if not 0 <= old <= size or len(hashes) != (len(consistency_ranges(old, size)) if old else 0):
        raise VerificationError(f"the proof is not one from {old} to {size} leaves")
    if old == 0:
        # Every tree begins with the empty one.
        if old_root != EMPTY_ROOT:
            raise VerificationError("the older root is not that of an empty log")
        return
    if old == size:
        if old_root != root:
            raise VerificationError(f"two logs of {size} leaves have different roots")
        return
    steps = list(hashes)
    node, last = old - 1, size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    before = after = steps.pop(0) if node else old_root
    for other in steps:
        if node & 1 or node == last:
            before, after = node_hash(other, before), node_hash(other, after)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            after = node_hash(after, other)
        node, last = node >> 1, last >> 1
    if before != old_root or after != root:
        raise VerificationError(f"the log of {old} leaves is not the beginning of the one of {size}")
