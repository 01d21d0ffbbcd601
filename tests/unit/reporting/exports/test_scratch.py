"""What is on its way to a file can be read by nobody else, and leaves nothing."""

import io
import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.errors import InputError
from monitor.reporting.scratch import scratch_beside
from tests.unit.reporting.exports.taking import names


@given(
    st.lists(st.binary(max_size=3_000), max_size=20),
    st.lists(st.tuples(st.integers(0, 9_000), st.integers(0, 99))),
)
@settings(max_examples=50, deadline=None)
def test_it_reads_as_a_file_does(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], reads: list[tuple[int, int]]
) -> None:
    plain = io.BytesIO()
    with scratch_beside(tmp_path_factory.getbasetemp() / "out") as scratch:
        file = scratch()
        for part in parts:
            assert file.write(part) == plain.write(part)
        for at, size in reads:
            assert (file.seek(at), file.read(size)) == (plain.seek(at), plain.read(size))
        assert file.seek(0, os.SEEK_END) == plain.seek(0, os.SEEK_END)


def test_nothing_of_it_lies_on_the_disk(tmp_path: Path) -> None:
    text = random.Random(7).randbytes(64) * 40_000
    with scratch_beside(tmp_path / "out") as scratch:
        one, two = scratch(), scratch()
        for file in (one, two):
            file.write(text)
            file.flush()
        sealed = [os.pread(file.fileno(), len(text), 0) for file in (one, two)]
        assert names(tmp_path) == []
    assert [len(each) for each in sealed] == [len(text)] * 2
    blocks = {each[at : at + 16] for each in (*sealed, text[:64]) for at in range(0, len(each), 16)}
    # No block comes twice: neither of the text, nor of one key stream in two places or in two files.
    assert len(blocks) == 2 * len(text) // 16 + 4


def test_what_was_written_stays(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="can be appended to"), scratch_beside(tmp_path / "out") as scratch:
        file = scratch()
        file.write(b"one")
        file.seek(0)
        file.write(b"two")


def test_where_there_is_no_folder_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"), scratch_beside(tmp_path / "no" / "out"):
        pass
