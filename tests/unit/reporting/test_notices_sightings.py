"""Sightings from a file: what is written is read back, and what is wrong is named by line and field."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.errors import InputError
from monitor.model import Category
from monitor.reporting.notices import read_sightings
from tests.unit.reporting.reported import PHOTO, json_lines, sightings


@pytest.mark.parametrize("category", Category)
def test_what_is_written_is_read_back(tmp_path: Path, category: Category) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text(json_lines(sightings(category, 30)) + "\n", encoding="utf-8")
    assert read_sightings(path) == sightings(category, 30)


def test_what_may_be_absent_may_be_left_out(tmp_path: Path) -> None:
    row = json.loads(json_lines([PHOTO]))
    for name in ("username", "mime", "size", "quality", "error_bound", "rendition", "category"):
        del row[name]
    path = tmp_path / "s.jsonl"
    path.write_text(json.dumps(row))
    (read,) = read_sightings(path)
    assert read.category is read.username is read.size is None


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not an object"),
        ("{}", "flag_id: is missing"),
        ('{"flag_id": 1}', "channel_id: is missing"),
        ('{"caption": "x"}', "caption: unknown field"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, words: str) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text(json_lines([PHOTO]) + line)
    with pytest.raises(InputError) as caught:
        read_sightings(path)
    assert str(caught.value).startswith(f"{path}, line 2: {words}")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("message_id", -1, "is no number"),
        ("flag_id", 2**63, "is no number"),
        ("size", "big", "is no number"),
        ("size", True, "is no number"),
        ("distance", 1.5, "is no number"),
        ("posted_at", "2026-11-01T12:00:00", "has no time zone"),
        ("posted_at", 3, "is no time"),
        ("link", "https://t.me/x/1?a=<b>", "is not of its form"),
        ("link", "https://t.me/x/1\n", "is not of its form"),
        ("link", "http://evil.example/1", "is not of its form"),
        ("username", "two words", "is not of its form"),
        ("entry", "a b", "is not of its form"),
        ("rendition", "a b", "is not of its form"),
        ("algorithm", "crc", "is none of md5"),
        ("algorithm", ["pdq"], "is none of md5"),
        ("media_kind", 3, "is none of photo"),
        ("category", "odd", "is none of child"),
        ("licensor", "", "is no text"),
        ("licensor", "x" * 501, "is no text"),
        ("mime", "Words of mine", "is not of its form"),
    ],
)
def test_a_bad_field_is_named(tmp_path: Path, name: str, value: object, words: str) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text(json.dumps(json.loads(json_lines([PHOTO])) | {name: value}))
    with pytest.raises(InputError) as caught:
        read_sightings(path)
    assert str(caught.value).startswith(f"{path}, line 1: {name}: {words}")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none: cannot be read"):
        read_sightings(tmp_path / "none")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(noise=st.binary(max_size=60), at=st.integers(0, 600))
def test_noise_is_refused_and_never_a_crash(tmp_path: Path, noise: bytes, at: int) -> None:
    data = json_lines([PHOTO]).encode()
    path = tmp_path / "s.jsonl"
    path.write_bytes(data[:at] + noise + data[at + len(noise) :])
    try:
        read_sightings(path)
    except InputError as e:
        assert str(path) in str(e)
