"""A list is loaded whole, or refused with the numbers of its bad lines."""

import hashlib
import os
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.errors import HashListError
from monitor.matching import HashList, load_list
from monitor.model import Algorithm, ListAction, Terms

TERMS = Terms("Partner A", "DSA-12", frozenset({"detect"}))


def value(seed: int, size: int = 32) -> bytes:
    return random.Random(seed).randbytes(size)


def loaded(path: Path, **changes: Any) -> HashList:
    given: dict[str, Any] = {
        "name": "partner-a",
        "format": "csv",
        "algorithm": Algorithm.PDQ,
        "action": ListAction.FLAG,
        "terms": TERMS,
    }
    return load_list(path, **(given | changes))


def written(folder: Path, text: str | bytes, name: str = "list.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(0o600)
    return path


def rows(hashes: HashList) -> list[tuple[str, bytes, str | None]]:
    return [(entry.entry, entry.hash.value, entry.label) for entry in hashes]


def refusal(path: Path, **changes: Any) -> str:
    with pytest.raises(HashListError) as caught:
        loaded(path, **changes)
    return str(caught.value)


A, B, C = value(1), value(2), value(3)


# -- formats


def test_text_holds_a_hash_a_line_with_comments(tmp_path: Path) -> None:
    path = written(tmp_path, f"# ours\n\n{A.hex()}\n  {B.hex().upper()}  \n", "list.txt")
    ids = [hashlib.sha256(v).hexdigest()[:16] for v in (A, B)]
    assert rows(loaded(path, format="text")) == [(ids[0], A, None), (ids[1], B, None)]


def test_csv_without_a_header_has_hash_and_entry(tmp_path: Path) -> None:
    path = written(tmp_path, f"{A.hex()},e-1\n{B.hex()}\n\n{C.hex()},\n")
    assert [row[0] for row in rows(loaded(path))] == [
        "e-1",
        hashlib.sha256(B).hexdigest()[:16],
        hashlib.sha256(C).hexdigest()[:16],
    ]


@pytest.mark.parametrize("column", ["pdq", "Hash", " VALUE "])
@pytest.mark.parametrize("identifier", ["entry", "id"])
def test_a_header_names_the_columns(tmp_path: Path, column: str, identifier: str) -> None:
    text = f"label,{identifier},note,{column}\nA1,e-1,x,{A.hex()}\n,e-2,,{B.hex()}\nB2,,y,{C.hex()}\n"
    assert rows(loaded(written(tmp_path, text))) == [
        ("e-1", A, "A1"),
        ("e-2", B, None),
        (hashlib.sha256(C).hexdigest()[:16], C, "B2"),
    ]


def test_the_algorithms_own_column_comes_before_hash(tmp_path: Path) -> None:
    text = f"hash,pdq\n{A.hex()},{B.hex()}\n"
    assert rows(loaded(written(tmp_path, text)))[0][1] == B
    assert rows(loaded(written(tmp_path, text), algorithm=Algorithm.SHA256))[0][1] == A


def test_a_tsv_file_has_tabs(tmp_path: Path) -> None:
    path = written(tmp_path, f"entry\thash\tlabel\nx\t{A.hex()}\ta, b\n", "list.TSV")
    assert rows(loaded(path)) == [("x", A, "a, b")]


def test_quotes_mark_of_order_and_carriage_returns_are_taken(tmp_path: Path) -> None:
    text = "\ufeff" + f'"hash","entry","label"\r\n"{A.hex()}","e","two, words ""so"""\r\n'
    assert rows(loaded(written(tmp_path, text))) == [("e", A, 'two, words "so"')]


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_every_algorithm_has_its_length(tmp_path: Path, algorithm: Algorithm) -> None:
    made = [value(seed, algorithm.size) for seed in range(3)]
    path = written(tmp_path, "\n".join(v.hex() for v in made))
    assert [row[1] for row in rows(loaded(path, algorithm=algorithm))] == made
    assert f"line 1: not the {algorithm.size * 2} hex digits" in refusal(
        written(tmp_path, "ab" * (algorithm.size + 1)), algorithm=algorithm
    )


# -- version


def test_the_version_is_count_and_digest_of_the_file(tmp_path: Path) -> None:
    data = f"{A.hex()},e\n{B.hex()},f\n".encode()
    version = loaded(written(tmp_path, data)).version
    assert (version.count, version.sha256) == (2, hashlib.sha256(data).digest())
    assert (version.name, version.terms, version.action) == ("partner-a", TERMS, ListAction.FLAG)
    assert (version.max_distance, version.min_quality) == (31, 50)


def test_the_same_pair_counts_once_and_others_stay(tmp_path: Path) -> None:
    text = f"{A.hex()},e\n{A.hex().upper()},e\n{A.hex()},f\n{B.hex()},e\n"
    hashes = loaded(written(tmp_path, text))
    assert [row[:2] for row in rows(hashes)] == [("e", A), ("f", A), ("e", B)]
    assert hashes.version.count == len(hashes) == 3


@pytest.mark.parametrize(
    ("algorithm", "defaults"),
    [(Algorithm.MD5, (0, 0)), (Algorithm.DHASH, (8, 50)), (Algorithm.PDQ, (31, 50))],
)
def test_thresholds_have_defaults(tmp_path: Path, algorithm: Algorithm, defaults: tuple[int, int]) -> None:
    version = loaded(written(tmp_path, value(1, algorithm.size).hex()), algorithm=algorithm).version
    assert (version.max_distance, version.min_quality) == defaults


@pytest.mark.parametrize(
    ("algorithm", "changes"),
    [
        (Algorithm.PDQ, {"max_distance": 257}),
        (Algorithm.PDQ, {"max_distance": -1}),
        (Algorithm.PHASH, {"max_distance": 65}),
        (Algorithm.SHA1, {"max_distance": 1}),
        (Algorithm.PDQ, {"min_quality": 101}),
        (Algorithm.PDQ, {"name": "two words"}),
        (Algorithm.PDQ, {"format": "xml"}),
    ],
)
def test_impossible_settings_are_refused(
    tmp_path: Path, algorithm: Algorithm, changes: dict[str, Any]
) -> None:
    path = written(tmp_path, value(1, algorithm.size).hex())
    assert str(path) in refusal(path, algorithm=algorithm, **changes)


# -- bad lines and files


def test_bad_lines_are_named_by_number_and_never_quoted(tmp_path: Path) -> None:
    good = A.hex()
    lines = [good, "zanzibar", f"{good},two words", f'{good},"e', f"{good},e", good[:-1] + "g", "x", "y", "z"]
    path = written(tmp_path, "\n".join(lines))
    hexes = "not the 64 hex digits of pdq"
    assert refusal(path) == (
        f"{path}: 7 bad lines, nothing was loaded: line 2: {hexes};"
        " line 3: the entry is not made of letters, digits and . _ : -, at most 64;"
        f" line 4: quotes that do not match; line 6: {hexes}; line 7: {hexes}; and 2 more"
    )


@pytest.mark.parametrize("label", ["x" * 65, "a\x07b"])
def test_a_label_is_short_and_printable(tmp_path: Path, label: str) -> None:
    assert "line 2: the label" in refusal(written(tmp_path, f"hash,label\n{A.hex()},{label}\n"))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "holds no entry"),
        (b"\xef\xbb\xbf", "holds no entry"),
        (b"hash,entry\n", "holds no entry"),
        (b"\n \n\r\n", "holds no entry"),
        (A.hex().encode("utf-16"), "not UTF-8"),
        (A.hex().encode() + b"\n\xff\n", "line 2 is not UTF-8"),
        (A.hex().encode() + b"\n\0\n", "line 2 holds a zero byte"),
        (b"a" * 5000, "line 1 is longer than 4096 bytes"),
        (A.hex().encode() + b",a b\n", "1 bad line, nothing"),
        (A.hex().encode() + b"\rx", "1 bad line, nothing"),
        (f"{A.hex()[:62]} 0".encode(), "line 1: not the 64 hex digits"),
        (f"{A.hex()[:62]}\u0660\u0660".encode(), "line 1: not the 64 hex digits"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_a_file_that_is_no_list_is_one_clear_error(tmp_path: Path, data: bytes, reason: str) -> None:
    path = written(tmp_path, data)
    message = refusal(path)
    assert message.startswith(f"{path}: ")
    assert reason in message


def test_what_is_not_a_file_is_one_clear_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "No such file" in refusal(tmp_path / "missing.csv")
    assert "not a file" in refusal(tmp_path)
    assert "not a file" in refusal(tmp_path / "pipe")
    assert "not a path" in refusal(Path("a\0b"))


@settings(
    derandomize=True,
    deadline=None,
    max_examples=300,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    data=st.one_of(
        st.binary(max_size=300),
        st.lists(
            st.sampled_from(
                [A.hex(), "hash", ",", '"', "\n", "\r", "\t", "#", " ", "\ufeff", "e-1", "é", "\0"]
            )
        )
        .map("".join)
        .map(str.encode),
    ),
    format=st.sampled_from(["csv", "text"]),
    suffix=st.sampled_from(["csv", "tsv"]),
)
def test_noise_is_a_list_or_an_error(tmp_path: Path, data: bytes, format: str, suffix: str) -> None:
    path = written(tmp_path, data, f"noise.{suffix}")
    try:
        hashes = loaded(path, format=format)
    except HashListError as e:
        assert str(path) in str(e)
    else:
        assert {row[1] for row in rows(hashes)} == {A}


def test_a_loaded_list_cannot_be_changed(tmp_path: Path) -> None:
    hashes = loaded(written(tmp_path, A.hex()))
    for column in (hashes.values, hashes.names, hashes.labels):
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 0


@pytest.mark.prove
def test_a_million_lines_take_seconds(tmp_path: Path) -> None:
    import time

    data = random.Random(4).randbytes(32_000_000)
    path = written(tmp_path, "".join(f"{data[i : i + 32].hex()},e-{i}\n" for i in range(0, len(data), 32)))
    start = time.monotonic()
    hashes = loaded(path)
    assert len(hashes) == 1_000_000
    assert time.monotonic() - start < 20
