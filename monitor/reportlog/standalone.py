"""Verify a bundle, a report log or a proof of Channel Monitor. Needs Python 3.11 and the package cryptography alone.

    python -I verify.py BUNDLE.zip | LOG-FOLDER | FILE.tlog-proof [--key VERIFIER-KEY]

Exit code 0: everything holds. 4: something does not; the first thing that is wrong is named. 2: bad arguments.
It was written apart from the program that makes these files, along RFC 6962 and the C2SP formats: signed-note,
tlog-checkpoint, tlog-tiles, tlog-proof. A verifier that comes with what it verifies proves little to those who
distrust the sender: compare this file with the project's own.

Time stamps (RFC 3161) are not verified here but with OpenSSL; the command is printed.
"""

import base64
import hashlib
import json
import os
import re
import struct
import sys
import zlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Found = dict[str, tuple[int, int, str]]
"""Of each file of an archive: where its bytes begin, how many there are, SHA-256 in hex."""

UNCOVERED = ("manifest.json", "checkpoint")
REQUIRED = ("checkpoint", "custody.json", "custody.txt", "manifest.json", "openings.jsonl", "verify.py")
LEAF = re.compile(
    rb'\{"at":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)","commitment":"([0-9a-f]{64})",'
    rb'"type":"([a-z][a-z0-9_]{0,63})","v":1\}'
)


class Wrong(Exception):
    """What does not hold, in words."""


def need(holds: object, words: str) -> None:
    if not holds:
        raise Wrong(words)


# -- encodings -----------------------------------------------------------------------------------------------


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def unbase64(text: str, where: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise Wrong(f"{where}: damaged base64") from None
    need(base64.b64encode(data).decode() == text, f"{where}: damaged base64")
    return data


def unjson(data: bytes, where: str) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        raise Wrong(f"{where}: no JSON") from None


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def text_of(data: bytes, where: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Wrong(f"{where}: no UTF-8") from None


def is_leaf(data: bytes) -> bool:
    """Whether these are a leaf's bytes, which have one spelling."""
    found = LEAF.fullmatch(data)
    try:
        return found is not None and datetime.fromisoformat(found[1].decode()) is not None
    except ValueError:
        return False


# -- RFC 6962, by its definitions ----------------------------------------------------------------------------


def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right)


def split(size: int) -> int:
    """The largest power of two below the size."""
    half = 1
    while half * 2 < size:
        half *= 2
    return half


def tree_hash(hashes: list[bytes]) -> bytes:
    """MTH over the hashes of equal subtrees, the last of which may be smaller (2.1)."""
    while len(hashes) > 1:
        last = hashes[-1:] if len(hashes) % 2 else []
        hashes = [node(left, right) for left, right in zip(hashes[::2], hashes[1::2], strict=False)] + last
    return hashes[0]


def root_by_path(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """The root that the path leads to (2.1.1), from the root downwards."""
    if size == 1:
        need(not path, "the path is too long")
        return leaf
    need(path, "the path is too short")
    half = split(size)
    if index < half:
        return node(root_by_path(leaf, index, half, path[:-1]), path[-1])
    return node(path[-1], root_by_path(leaf, index - half, size - half, path[:-1]))


def both_roots(old: int, size: int, steps: list[bytes], known: bytes | None) -> tuple[bytes, bytes]:
    """The roots of the older and of the newer tree that a consistency proof gives (2.1.2)."""
    if old == size:
        need(len(steps) == (known is None), "the proof of consistency has another length")
        root = steps[0] if known is None else known
        return root, root
    need(steps, "the proof of consistency is too short")
    half = split(size)
    if old <= half:
        before, after = both_roots(old, half, steps[:-1], known)
        return before, node(after, steps[-1])
    before, after = both_roots(old - half, size - half, steps[:-1], None)
    return node(steps[-1], before), node(steps[-1], after)


# -- signed notes --------------------------------------------------------------------------------------------


def key_parts(text: str) -> tuple[str, bytes, bytes]:
    """Name, id and public key of a verifier key."""
    parts = text.split("+", 2)
    need(len(parts) == 3, "a verifier key is name+id+base64")
    data = unbase64(parts[2], "a verifier key")
    need(len(data) == 33 and data[0] == 1, "a verifier key is not one of Ed25519")
    key_id = sha256(parts[0].encode() + b"\n" + data)[:4]
    need(key_id.hex() == parts[1], "a verifier key is damaged")
    return parts[0], key_id, data[1:]


def check_note(note: bytes, keys: list[str], where: str) -> tuple[str, int, bytes, list[str]]:
    """Origin, size and root of a checkpoint, and who signed it: each signature is by one of these keys."""
    text, blank, signatures = text_of(note, where).partition("\n\n")
    lines = text.split("\n")
    need(blank and len(lines) == 3 and signatures.endswith("\n"), f"{where}: no checkpoint")
    known = {key_parts(key)[:2]: key for key in keys}
    signers = []
    for line in signatures[:-1].split("\n"):
        found = re.fullmatch(r"— (\S+) (\S+)", line)
        if found is None:
            raise Wrong(f"{where}: a line that is no signature")
        data = unbase64(found[2], where)
        key = known.get((found[1], data[:4]))
        if key is None or found[1] != lines[0]:
            raise Wrong(f"{where}: signed by a key that is not named")
        signers.append(key)
        try:
            Ed25519PublicKey.from_public_bytes(key_parts(key)[2]).verify(data[4:], text.encode() + b"\n")
        except InvalidSignature:
            raise Wrong(f"{where}: its signature is wrong") from None
    need(re.fullmatch(r"0|[1-9]\d{0,18}", lines[1]), f"{where}: no size")
    root = unbase64(lines[2], where)
    need(len(root) == 32, f"{where}: no root")
    return lines[0], int(lines[1]), root, signers


# -- proofs --------------------------------------------------------------------------------------------------


def check_proof(data: bytes, where: str) -> dict[str, Any]:
    """Verify a tlog-proof; its index, checkpoint, keys, leaf and, where there is one, opening."""
    head, blank, note = text_of(data, where).partition("\n\n")
    lines = head.split("\n")
    need(
        blank and len(lines) >= 3 and lines[0] == "c2sp.org/tlog-proof@v1" and lines[1].startswith("extra "),
        f"{where}: no tlog-proof of ours",
    )
    need(re.fullmatch(r"index (0|[1-9]\d{0,18})", lines[2]), f"{where}: no index")
    raw = unbase64(lines[1][6:], where)
    extra = unjson(raw, where)
    need(
        isinstance(extra, dict)
        and {"keys", "leaf"} <= extra.keys() <= {"keys", "leaf", "opening"}
        and isinstance(extra["keys"], list)
        and all(isinstance(key, str) for key in extra["keys"])
        and canonical(extra) == raw,
        f"{where}: extra is not what it should be",
    )
    origin, size, root, signers = check_note(note.encode(), extra["keys"], where)
    need(signers == extra["keys"], f"{where}: names other keys than signed")
    leaf = canonical(extra["leaf"])
    need(is_leaf(leaf), f"{where}: no leaf of this format")
    index, path = int(lines[2][6:]), [unbase64(line, where) for line in lines[3:]]
    need(index < size and all(len(step) == 32 for step in path), f"{where}: no path")
    try:
        found = root_by_path(sha256(b"\x00" + leaf), index, size, path)
    except Wrong as e:
        raise Wrong(f"{where}: {e}") from None
    need(found == root, f"{where}: the path does not lead to the signed root")
    if "opening" in extra:
        check_opening(extra["opening"], extra["leaf"]["commitment"], where)
    return {**extra, "index": index, "note": note.encode(), "origin": origin, "size": size, "root": root}


def check_opening(opening: Any, commitment: str, where: str) -> None:
    need(
        isinstance(opening, dict)
        and opening.keys() == {"body", "salt"}
        and isinstance(opening["body"], dict)
        and re.fullmatch("[0-9a-f]{64}", str(opening["salt"])),
        f"{where}: no opening",
    )
    given = sha256(bytes.fromhex(opening["salt"]) + canonical(opening["body"]))
    need(given.hex() == commitment, f"{where}: not what the leaf commits to")


# -- archives: every header is derived anew and compared -----------------------------------------------------


def walk(file: BinaryIO) -> Found:
    """The files of a bundle's archive. Stored, sorted, without gaps, comments, or anything else."""
    found: Found = {}
    central, at, last = b"", 0, ""
    records = []
    while (fixed := file.read(30))[:4] == b"PK\3\4":
        need(len(fixed) == 30, "the archive ends too early")
        crc, size, _, long_name, long_extra = struct.unpack("<14x3I2H", fixed)
        name = text_of(file.read(long_name), "a file's name")
        extra = file.read(long_extra)
        if long_extra:
            need(long_extra == 20 and len(extra) == 20, f"{name}: its header is damaged")
            size = struct.unpack("<4xQ8x", extra)[0]
        need(
            re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)*", name, re.ASCII) and name > last,
            f"file {len(found)}: name",
        )
        wide = size >= 0xFFFFFFFF
        shown = min(size, 0xFFFFFFFF)
        both = struct.pack(
            "<5H3I2H", 45 if wide else 20, 0, 0, 0, 33, crc, shown, shown, long_name, 20 * wide
        )
        need(
            fixed[4:] == both and extra == struct.pack("<HHQQ", 1, 16, size, size) * wide,
            f"{name}: its header is damaged",
        )
        begin, left, actual, digest = at + 30 + long_name + long_extra, size, 0, hashlib.sha256()
        while left:
            piece = file.read(min(left, 1 << 20))
            need(piece, "the archive ends too early")
            left, actual = left - len(piece), zlib.crc32(piece, actual)
            digest.update(piece)
        need(actual == crc, f"{name}: is damaged (checksum)")
        records.append((name, size, crc, at))
        found[name] = begin, size, digest.hexdigest()
        at, last = begin + size, name
    for name, size, crc, offset in records:
        large = [size, size] * (size >= 0xFFFFFFFF) + [offset] * (offset >= 0xFFFFFFFF)
        extra = struct.pack(f"<HH{len(large)}Q", 1, 8 * len(large), *large) if large else b""
        version, size, offset = 45 if large else 20, min(size, 0xFFFFFFFF), min(offset, 0xFFFFFFFF)
        central += struct.pack("<4s6H", b"PK\1\2", 768 + version, version, 0, 0, 0, 33)
        central += struct.pack("<3I5H", crc, size, size, len(name), len(extra), 0, 0, 0)
        central += struct.pack("<2I", 0o100600 << 16, offset) + name.encode() + extra
    count, length = len(records), len(central)
    if count >= 0xFFFF or length >= 0xFFFFFFFF or at >= 0xFFFFFFFF:
        central += struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 813, 45, 0, 0, count, count, length, at)
        central += struct.pack("<4sIQI", b"PK\6\7", 0, at + length, 1)
    few = min(count, 0xFFFF)
    central += struct.pack("<4s4H", b"PK\5\6", 0, 0, few, few)
    central += struct.pack("<2IH", min(length, 0xFFFFFFFF), min(at, 0xFFFFFFFF), 0)
    file.seek(at)
    need(found and file.read(len(central) + 1) == central, "the archive's directory does not fit its files")
    return found


def content(file: BinaryIO, found: Found, name: str) -> bytes:
    need(name in found, f"{name}: is missing")
    begin, size, _ = found[name]
    file.seek(begin)
    return file.read(size)


# -- bundles -------------------------------------------------------------------------------------------------


def check_bundle(file: BinaryIO) -> dict[str, Any]:
    """Verify a bundle. Returns what `say` tells."""
    found = walk(file)
    for name in REQUIRED:
        need(name in found, f"{name}: is missing")
    raw = content(file, found, "manifest.json")
    manifest = unjson(raw, "manifest.json")
    need(isinstance(manifest, dict) and isinstance(manifest.get("files"), dict), "manifest.json: no manifest")
    there = {
        name: {"sha256": digest, "size": size}
        for name, (_, size, digest) in found.items()
        if name not in UNCOVERED and not name.startswith("proofs/")
    }
    for name in sorted(there.keys() | manifest["files"].keys()):
        need(name in there, f"{name}: is missing")
        need(there[name] == manifest["files"].get(name), f"{name}: is not as the manifest has it")
    note = content(file, found, "checkpoint")
    proofs: dict[int, dict[str, Any]] = {}
    for name in found:
        if name.startswith("proofs/") and name != "proofs/consistency":
            proof = check_proof(content(file, found, name), name)
            need(name == f"proofs/{proof['index']}.tlog-proof", f"{name}: is the proof of another event")
            need(proof["note"] == note, f"{name}: has another checkpoint than the bundle")
            proofs[proof["index"]] = proof
    own = [proof for proof in proofs.values() if "opening" in proof]
    need(len(own) == 1, "the proof of the export itself: there is not exactly one")
    need(len({tuple(proof["keys"]) for proof in proofs.values()}) == 1, "the proofs name different keys")
    need(own[0]["leaf"]["type"] == "export_made", "the proof of the export is not of an export")
    body = own[0]["opening"]["body"]
    need(
        body.get("manifest_sha256") == hashlib.sha256(raw).hexdigest(),
        "manifest.json: is not the one whose digest the log holds",
    )
    opened = []
    for number, line in enumerate(content(file, found, "openings.jsonl").split(b"\n")[:-1], 1):
        where = f"openings.jsonl, line {number}"
        value = unjson(line, where)
        need(isinstance(value, dict) and canonical(value) == line and value.get("seq") in proofs, where)
        seq = value.pop("seq")
        check_opening(value, proofs[seq]["leaf"]["commitment"], where)
        opened.append(seq)
    need(
        opened == sorted(proofs.keys() - {own[0]["index"]}), "openings.jsonl: does not open what has a proof"
    )
    stamped = [name for name in found if name.startswith("timestamps/")]
    need(bool(stamped) == ("proofs/consistency" in found), "proofs/consistency: without time stamps")
    if stamped:
        earlier = content(file, found, "timestamps/checkpoint")
        origin, size, root, _ = check_note(earlier, own[0]["keys"], "timestamps/checkpoint")
        need(
            origin == own[0]["origin"] and 0 < size <= own[0]["size"], "timestamps/checkpoint: of another log"
        )
        lines = text_of(content(file, found, "proofs/consistency"), "proofs/consistency").split("\n")
        need(lines.pop() == "", "proofs/consistency: ends within a line")
        steps = [unbase64(line, "proofs/consistency") for line in lines]
        roots = both_roots(size, own[0]["size"], steps, root)
        need(roots == (root, own[0]["root"]), "the log does not begin with the one that was time-stamped")
    return own[0] | {"opened": len(opened), "body": body, "stamped": stamped}


# -- logs ----------------------------------------------------------------------------------------------------


def tile_path(level: int | str, number: int, width: int) -> str:
    path = f"{number % 1000:03}"
    while number := number // 1000:
        path = f"x{number % 1000:03}/{path}"
    return f"tile/{level}/{path}" + ("" if width == 256 else f".p/{width}")


def check_log(folder: str) -> dict[str, Any]:
    """Verify a log's folder. Returns what `say` tells."""
    seen = {"checkpoint", "keys"}

    def load(name: str) -> bytes:
        seen.add(name)
        try:
            with open(os.path.join(folder, name), "rb") as file:
                return file.read()
        except OSError as e:
            raise Wrong(f"{name}: cannot be read ({e.strerror})") from None

    keys = text_of(load("keys"), "keys")
    need(keys.endswith("\n"), "keys: ends within a line")
    named = keys[:-1].split("\n")
    note = load("checkpoint")
    origin, size, root, signers = check_note(note, named, "checkpoint")
    stamps: dict[int, bytes] = {}
    stamped = (
        sorted(os.listdir(os.path.join(folder, "timestamps"))) if "timestamps" in os.listdir(folder) else []
    )
    for entry in stamped:
        where = f"timestamps/{entry}"
        of, count, earlier, _ = check_note(load(f"{where}/checkpoint"), named, where)
        need(of == origin and str(count) == entry, f"{where}: of another log or size")
        stamps[count] = earlier
        for name in os.listdir(os.path.join(folder, where)):
            digest = hashlib.sha256(load(f"{where}/{name}")).hexdigest()[:32]
            need(name == "checkpoint" or name.endswith(f"-{digest}.tsr"), f"{where}/{name}: is damaged")
    levels: list[list[bytes]] = [[]]

    def full(level: int, number: int) -> None:
        """A tile is complete: compare it, and put its root into the level above."""
        hashes, name = levels[level], tile_path(level, number, len(levels[level]))
        need(load(name) == b"".join(hashes), f"{name}: does not hold the hashes of what lies below")
        if len(hashes) == 256:
            if len(levels) == level + 1:
                levels.append([])
            levels[level + 1].append(tree_hash(hashes))
            levels[level] = []
            if len(levels[level + 1]) == 256:
                full(level + 1, number // 256)

    for index, leaf in enumerate(leaves(load, size)):
        if not is_leaf(leaf):
            raise Wrong(f"leaf {index}: no leaf of this format")
        levels[0].append(sha256(b"\x00" + leaf))
        if len(levels[0]) == 256:
            full(0, index // 256)
        if index + 1 in stamps:
            need(
                whole(levels) == stamps[index + 1], f"timestamps/{index + 1}: the log has another root there"
            )
    need(whole(levels) == root, "checkpoint: its root is not that of the leaves")
    for level in range(len(levels)):
        if levels[level]:
            full(level, size >> 8 * (level + 1))
    need(all(count <= size for count in stamps), "the log had more leaves when it was time-stamped")
    for place, _, names in os.walk(folder):
        for name in names:
            found = os.path.relpath(os.path.join(place, name), folder).replace(os.sep, "/")
            need(found in seen, f"{found}: is no part of the log")
    return {"origin": origin, "size": size, "keys": signers, "note": note, "stamped": stamped}


def leaves(load: Any, size: int) -> Iterator[bytes]:
    """The entries of all bundles, in order."""
    for number in range(-(-size // 256)):
        width = min(256, size - 256 * number)
        name = tile_path("entries", number, width)
        data, at = load(name), 0
        for _ in range(width):
            if at + 2 > len(data):
                raise Wrong(f"{name}: is too short")
            length = int.from_bytes(data[at : at + 2], "big")
            yield data[at + 2 : at + 2 + length]
            at += 2 + length
        need(at == len(data), f"{name}: has another length than its leaves")


def whole(levels: list[list[bytes]]) -> bytes:
    """The root over what the levels hold: what lies in a lower one comes after what lies above."""
    rest: list[bytes] = []
    for hashes in levels:
        if hashes or rest:
            rest = [tree_hash(hashes + rest)]
    return rest[0] if rest else sha256(b"")


# -- the command ---------------------------------------------------------------------------------------------


def check(path: str) -> dict[str, Any]:
    """Verify what lies there, whatever it is."""
    if os.path.isdir(path):
        return check_log(path)
    try:
        with open(path, "rb") as file:
            if file.read(2) == b"PK":
                file.seek(0)
                return check_bundle(file)
            file.seek(0)
            need(
                file.read(14) != b"age-encryption", "it is encrypted; first: age -d -i KEY -o BUNDLE.zip FILE"
            )
            file.seek(0)
            return check_proof(file.read(1 << 20), os.path.basename(path)) | {"stamped": []}
    except OSError as e:
        raise Wrong(f"{path}: cannot be read ({e.strerror})") from None


def say(found: dict[str, Any]) -> None:
    print(f"verified: {found['origin']}, a log of {found['size']:,} leaves")
    if "opened" in found:
        print(f"  its event {found['index']:,} is this export, and binds every file of it")
        print(f"  events opened: {found['opened']:,}")
        for name in ("operator", "handed_to", "purpose"):
            print(f"  {name.replace('_', ' ')}: {found['body'].get(name)}")
    elif "leaf" in found:
        print(f"  leaf {found['index']:,}: {found['leaf']['type']} at {found['leaf']['at']}")
    for key in found["keys"]:
        print(f"  key: {key}")
        print(f"  fingerprint: SHA-256 {hashlib.sha256(key_parts(key)[2]).hexdigest()}")
    if found["stamped"]:
        print("  time stamps are there; verify each with the authority's certificates:")
        print("    openssl ts -verify -in ANSWER.tsr -data checkpoint -CAfile CERTIFICATES.pem")


def main(arguments: list[str]) -> int:
    if len(arguments) not in (1, 3) or (len(arguments) == 3 and arguments[1] != "--key"):
        print(
            "usage: verify.py BUNDLE.zip | LOG-FOLDER | FILE.tlog-proof [--key VERIFIER-KEY]", file=sys.stderr
        )
        return 2
    try:
        found = check(arguments[0])
        if len(arguments) == 3:
            need(arguments[2] in found["keys"], "it is not signed by the key that you gave")
    except Wrong as e:
        print(f"WRONG: {e}", file=sys.stderr)
        return 4
    except Exception as e:  # what nobody has thought of is no proof either
        print(f"WRONG: cannot be understood ({type(e).__name__})", file=sys.stderr)
        return 4
    say(found)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
