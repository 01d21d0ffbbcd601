"""The whole daemon among marked content: nothing of it is found; and when it leaks, that is found."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2]

LEAKY = """
import sys
from monitor.telegram import convert
whole = convert.message
def message(tl, context):
    print("debug:", repr(getattr(tl, "message", None)), file=sys.stderr, flush=True)
    return whole(tl, context)
convert.message = message
"""
"""A defect of the kind that this test exists for, put in from outside when the interpreter starts."""


def selftest(folder: Path, extra: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "monitor", "selftest", "no-content", "--seconds", "20", "--out", "out"],
        capture_output=True,
        text=True,
        timeout=420,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{PACKAGE}{os.pathsep}{extra}"},
    )


@pytest.mark.prove
@pytest.mark.timeout(500)
def test_no_content_is_found(tmp_path: Path) -> None:
    done = selftest(tmp_path, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("no content: 0 hits; searched ")


@pytest.mark.prove
@pytest.mark.timeout(500)
def test_a_daemon_that_logs_what_it_reads_is_caught(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(LEAKY)
    done = selftest(tmp_path, tmp_path)
    assert done.returncode == 4, done.stdout + done.stderr
    assert re.search(r"^hit: text of a message in file .*/output-\d+\.log \(utf-8\)$", done.stdout, re.M)
