"""What a configuration says of a hash list is what it is read with."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from monitor.config import Config, load
from monitor.errors import ConfigError, HashListError
from monitor.matching import HashList, encrypt_list
from monitor.model import Algorithm, Category, Provenance
from monitor.prepare import read_list

TERMS = {"licensor": "Partner A", "reference": "DSA-12", "permitted_uses": ["detect"]}
MD5, PDQ = "0f" * 16, "0e" * 32
TEXT = f"entry,label,md5,pdq\ne-1,1,{MD5},{PDQ}\n"


def private(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.touch(0o600)
    path.write_text(text)
    return path


def configured(folder: Path, **keys: Any) -> Config:
    private(folder / "lists" / "a.csv", TEXT)
    entry = {"name": "partner-a", "file": "lists/a.csv", "terms": TERMS} | keys
    settings = {"hash_lists": [entry], "matching": {"pdq": {"max_distance": 25, "min_quality": 40}}}
    return load(private(folder / "config.yaml", json.dumps(settings)))


def read(folder: Path, **keys: Any) -> tuple[HashList, ...]:
    config = configured(folder, **keys)
    return read_list(config, config.hash_lists[0])


def test_a_list_of_several_algorithms_needs_none_declared(tmp_path: Path) -> None:
    assert [hashes.version.algorithm for hashes in read(tmp_path)] == [Algorithm.MD5, Algorithm.PDQ]
    assert [hashes.version.algorithm for hashes in read(tmp_path, algorithm="pdq")] == [Algorithm.PDQ]


def test_a_lists_own_thresholds_come_before_those_of_all(tmp_path: Path) -> None:
    def limits(**keys: Any) -> tuple[int, int]:
        version = read(tmp_path, **keys)[1].version
        return version.max_distance, version.min_quality

    assert limits() == (25, 40)
    assert limits(max_distance=10) == (10, 40)
    assert limits(min_quality=0) == (25, 0)
    assert read(tmp_path, max_distance=10)[0].version.max_distance == 0


def test_thresholds_of_a_digest_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="belong to perceptual hashes, not to md5"):
        configured(tmp_path, algorithm="md5", max_distance=3)


def test_labels_provenance_and_staleness_are_taken(tmp_path: Path) -> None:
    # A label that is a number needs no quotes.
    found = read(tmp_path, labels={1: "child"}, provenance="cpp-512", stale_after=3)[1]
    assert found.category(0) is Category.CHILD
    assert found.version.provenance is Provenance.CPP_512
    assert found.stale_at is not None and (found.stale_at - found.modified).days == 3


def test_a_list_whose_terms_have_ended_is_not_opened(tmp_path: Path) -> None:
    assert read(tmp_path, expires="2026-01-31", file="no such file") == ()
    (md5, _) = read(tmp_path, expires="2099-12-31")
    assert md5.version.expires is not None and md5.version.expires.hour == 23


def test_a_manifest_stands_beside_the_configuration(tmp_path: Path) -> None:
    private(tmp_path / "SHA256SUMS", f"{hashlib.sha256(TEXT.encode()).hexdigest()}  lists/a.csv\n")
    assert len(read(tmp_path, manifest="SHA256SUMS")) == 2
    private(tmp_path / "SHA256SUMS", f"{hashlib.sha256(b'').hexdigest()}  lists/a.csv\n")
    with pytest.raises(HashListError, match="is not the file that"):
        read(tmp_path, manifest="SHA256SUMS")


def test_an_encrypted_list_is_read_with_its_key(tmp_path: Path) -> None:
    key = os.urandom(32)
    private(tmp_path / "lists.key", key.hex())
    encrypt_list(private(tmp_path / "lists" / "a.csv", TEXT), tmp_path / "lists" / "a.csv.sealed", key)
    sealed = {"file": "lists/a.csv.sealed", "key": {"file": "lists.key"}}
    assert [h.version.version for h in read(tmp_path, **sealed)] == [
        h.version.version for h in read(tmp_path)
    ]
    (tmp_path / "lists.key").chmod(0o644)
    with pytest.raises(ConfigError, match=r"list partner-a: key: .* is open to others; run: chmod 600"):
        read(tmp_path, **sealed)
    private(tmp_path / "state" / "lists.key", key.hex())
    with pytest.raises(ConfigError, match="lies in the state directory"):
        read(tmp_path, **sealed | {"key": {"file": "state/lists.key"}})
