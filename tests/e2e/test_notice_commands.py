"""`monitor notice …`, as people and scripts call it."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.model import Category
from tests.e2e.site import lines
from tests.unit.reporting.reported import json_lines, sightings

DETAILS = """
operator_details:
  organisation: Example Institute
  contact_name: A. Example
  email: reports@example.org
  phone: "+82 2 0000 0000"
"""
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / "config.yaml").write_text(DETAILS, encoding="utf-8")

    def call(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "monitor", "notice", *arguments]
        environment = os.environ | {"MONITOR_CONFIG": str(tmp_path / "config.yaml")}
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, env=environment
        )

    return call


def file(folder: Path, category: Category = Category.CHILD) -> str:
    """The examples as a file, one object a line."""
    path = folder / "sightings.jsonl"
    path.write_text(json_lines(sightings(category)), encoding="utf-8")
    return str(path)


def test_list_names_routes_what_they_lack_and_old_entries(run: Run) -> None:
    done = run("list", "--json")
    assert done.returncode == 0, done.stderr
    rows = {row["route"]: row for row in lines(done.stdout)}
    assert rows["ncmec"]["categories"] == ["child"]
    assert rows["kr_police"]["recipients"] == ["kr-police"]
    assert rows["telegram_mail"]["lacks"] == []
    shown = run("list").stdout
    assert "telegram-stopca*" in shown
    assert "were not compared" in shown


def test_what_is_lacking_is_listed_before_anybody_needs_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("operator_details: {organisation: X}")
    rows = {row["route"]: row["lacks"] for row in lines(run("list", "--json").stdout)}
    assert rows["dsa"] == ["email"]
    assert rows["kr_victim_centre"] == ["contact_name", "phone"]
    assert rows["hotline"] == []


def test_show_gives_an_entry_a_route_or_a_template(run: Run) -> None:
    (entry,) = lines(run("show", "iwf", "--json").stdout)
    assert (entry["url"], entry["stale"]) == ("https://report.iwf.org.uk/", True)
    assert [row["id"] for row in lines(run("show", "hotline", "--json").stdout)] == ["iwf", "inhope"]
    assert "{% include" in run("show", "dsa.txt.j2").stdout
    assert "checked_on:   never" in run("show", "iwf").stdout
    refused = run("show", "nobody")
    assert refused.returncode == 2
    assert "nobody: no such recipient" in refused.stderr


def test_render_prints_a_notice(run: Run, tmp_path: Path) -> None:
    done = run("render", "kr_police", "--sightings", file(tmp_path), "--case", "12")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("[제보] 해시 목록과 일치한 아동·청소년성착취물 의심 게시물 3건")
    assert "https://t.me/city_pictures/120" in done.stdout


@pytest.mark.parametrize(
    ("kind", "start"), [("eml", "From: "), ("html", "<!DOCTYPE html>"), ("text", "Report of 3")]
)
def test_render_writes_a_private_file(run: Run, tmp_path: Path, kind: str, start: str) -> None:
    out = tmp_path / "notice"
    done = run(
        *("render", "telegram_mail", "--sightings", file(tmp_path, Category.ADULT_FILMED), "--case", "12"),
        *("--to", "telegram-abuse", "--format", kind, "--out", str(out)),
    )
    assert done.returncode == 0, done.stderr
    assert out.read_bytes().decode().startswith(start)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert done.stdout == ""


def test_the_sheet_for_victims_needs_no_case(run: Run, tmp_path: Path) -> None:
    assert run("render", "victim_services").stdout.startswith("Services that only the person shown can use")
    (tmp_path / "config.yaml").write_text("operator_details: {language: ko}")
    assert run("render", "victim_services").stdout.startswith("피해자 본인만 이용할 수 있는 서비스 안내")


def test_what_is_missing_is_named_line_by_line_and_nothing_is_written(run: Run, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("")
    out = tmp_path / "notice.txt"
    done = run("render", "kr_police", "--sightings", file(tmp_path), "--case", "1", "--out", str(out))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 3
    assert "kr_police: operator_details.email: needed by the recipient, to ask back" in done.stderr
    assert not out.exists()


def test_a_bad_file_is_one_line_that_says_where(run: Run, tmp_path: Path) -> None:
    path = file(tmp_path)
    with open(path, "a", encoding="utf-8") as more:
        more.write('{"caption": "x"}')
    done = run("render", "hotline", "--sightings", path, "--case", "1")
    assert done.returncode == 2
    assert done.stderr.startswith(f"monitor: {path}, line 4: caption: unknown field")
    assert len(done.stderr.splitlines()) == 1


def test_bad_arguments_are_named(run: Run, tmp_path: Path) -> None:
    for arguments, words in (
        (("render", "pigeon"), "pigeon: no such route; there are telegram"),
        (("render", "dsa"), "add --sightings FILE and --case ID"),
        (("render", "dsa", "--format", "pdf"), "--format: pdf is none of"),
        (
            ("render", "telegram", "--sightings", file(tmp_path), "--case", "1"),
            "the report is sent in the app",
        ),
        (("render", "dsa", "--sightings", str(tmp_path / "none"), "--case", "1"), "none: cannot be read"),
    ):
        done = run(*arguments)
        assert done.returncode == 2
        assert words in done.stderr


def test_templates_and_recipients_of_ones_own_are_taken(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "hotline.txt.j2").write_text("Mine for {{ to.name }}\n")
    (tmp_path / "mine.toml").write_text('[[recipient]]\nid = "iwf"\nname = "Renamed"\n')
    (tmp_path / "config.yaml").write_text("notices: {templates: mine, recipients: mine.toml}")
    done = run("render", "hotline", "--sightings", file(tmp_path), "--case", "1", "--to", "iwf")
    assert done.stdout == "Mine for Renamed\n"
    (tmp_path / "mine" / "hotline.txt.j2").write_text("Mine\n{{ too.name }}\n")
    done = run("render", "hotline", "--sightings", file(tmp_path), "--case", "1")
    assert done.returncode == 2
    assert done.stderr == f"monitor: {tmp_path / 'mine' / 'hotline.txt.j2'}, line 2: 'too' is undefined\n"
