"""`monitor lists …` and `monitor hash --to-list`, as people and scripts call them."""

import asyncio
import hashlib
import json
import os
import pty
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from monitor.matching import load_lists
from monitor.model import ListAction, Terms
from monitor.store import open_store
from monitor.testdc import scenario
from monitor.testdc.films import film
from monitor.testdc.pictures import picture
from tests.e2e.site import Site, channel, eventually, lines, site, stop

TERMS = ["--licensor", "Partner A", "--reference", "DSA-12", "--permits", "detect,report"]
CASE = ["--case-reference", "C-17", "--consent-reference", "K-17"]
DESK = ["--to-list", "desk", *CASE, "--minor-shown", "no"]
HEAD = "# what we watch\nstate_dir: ./state   # private\nhash_lists: []   # none yet\n"
NAME = "her-own-words.png"
PATIENCE = 90.0
"""Seconds: other tests share the machine."""


def value(seed: int, size: int) -> str:
    return random.Random(seed).randbytes(size).hex()


def private(path: Path, text: str) -> Path:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.touch(0o600)
    path.write_text(text)
    return path


@pytest.fixture
def place(tmp_path: Path) -> Site:
    """A configuration that says nothing yet, and a list's file beside it."""
    private(tmp_path / "config.yaml", HEAD)
    rows = [f"e-{n},A1,{value(n, 16)},{value(n, 32)}" for n in range(3)]
    private(tmp_path / "lists" / "a.csv", "\n".join(["entry,label,md5,pdq", *rows, ""]))
    return Site(tmp_path)


def with_store(place: Site) -> Site:
    async def made() -> None:
        async with open_store(place.database):
            pass

    asyncio.run(made())
    return place


def done(place: Site, *arguments: str, answers: str | None = None) -> str:
    found = place.monitor(*arguments, answers=answers)
    assert found.returncode == 0, found.stderr
    return found.stdout


def refused(place: Site, *arguments: str, code: int = 2) -> str:
    before = place.config.read_text()
    found = place.monitor(*arguments)
    assert (found.returncode, found.stdout) == (code, "")
    assert place.config.read_text() == before
    return found.stderr


def add(place: Site, *more: str) -> str:
    return done(place, "lists", "add", "partner-a", "lists/a.csv", *TERMS, *more)


def events(place: Site) -> list[tuple[str, dict[str, Any]]]:
    found = place.rows("SELECT type, CAST(body AS TEXT) FROM events ORDER BY seq")
    return [(kind, json.loads(body)) for kind, body in found]


# -- lists add, remove, show, verify


def test_a_list_is_read_then_declared_and_the_comments_stay(place: Site) -> None:
    said = add(place, "--label", "A1=child", "--expires", "2099-12-31", "--action", "review")
    assert "next: monitor reload" in said
    assert [line.split()[1:3] for line in said.splitlines()[1:3]] == [["md5", "3"], ["pdq", "3"]]
    text = place.config.read_text()
    assert text.startswith(
        "# what we watch\nstate_dir: ./state   # private\nhash_lists:   # none yet\n  - name: partner-a\n"
    )
    assert place.config.stat().st_mode & 0o777 == 0o600
    (row,) = lines(done(place, "lists", "show", "--json"))
    assert (row["algorithms"], row["within"]) == ({"md5": 3, "pdq": 3}, {"md5": 0, "pdq": 31})
    assert (row["action"], row["licensor"], row["expires"]) == ("review", "Partner A", "2099-12-31T23:59:59Z")
    assert (row["loaded_version"], row["warnings"]) == (None, [])
    assert "is declared already" in refused(place, "lists", "add", "partner-a", "lists/a.csv", *TERMS)
    (found,) = lines(done(place, "lists", "match", f"md5:{value(1, 16)}", "--json"))
    assert (found["entry"], found["action"]) == ("e-1", "review")
    after = place.monitor("lists", "remove", "partner-a")
    assert (after.returncode, place.config.read_text()) == (0, HEAD)
    assert f"left as it is: {place.folder}/lists/a.csv" in after.stderr
    assert (place.folder / "lists" / "a.csv").exists()
    assert "is not declared" in refused(place, "lists", "remove", "partner-a")


def test_what_cannot_be_compared_and_what_is_withdrawn_is_counted_and_named(place: Site) -> None:
    def media(n: int, **more: str) -> dict[str, Any]:
        return {"MediaID": n, "Category": 1, "MD5": value(n, 16)} | more

    text = json.dumps({"value": [media(1), media(2, PhotoDNA="AAAA"), media(3, PhotoDNA="BBBB")]})
    private(place.folder / "v.json", text)
    said = done(place, "lists", "add", "v", "v.json", "--format", "vics", *TERMS)
    assert "cannot be compared here: 2 PhotoDNA" in said
    private(place.folder / "v.json", '{"value": [{"MediaID": 1, "Category": 1, "PhotoDNA": "AAAA"}]}')
    (row,) = lines(done(place, "lists", "show", "v", "--json"))
    assert "kept aside: 1 PhotoDNA" in row["warnings"][0]


@pytest.mark.prove
@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--permits", "report"], "permitted_uses lacks detect"),
        (["--permits", "detect,sell"], "permitted_uses"),
        (["--format", "xml"], "the format must be one of csv, local, misp"),
        (["--algorithm", "md4"], "algorithm: "),
        (["--action", "delete"], "action: "),
        (["--expires", "soon"], "expires: is not a date"),
        (["--expires", "2020-01-01"], "its terms ended on 2020-01-01"),
        (["--label", "A1"], "is not of the form LABEL=CATEGORY"),
        (["--label", "A1=minor"], "labels.A1"),
        (["--manifest", "missing"], "the manifest: No such file"),
        (["--key", "missing"], "missing cannot be read"),
        (["--format", "nsrl"], "declare action: ignore"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(place: Site, more: list[str], words: str) -> None:
    # Of an option that stands twice the last one counts.
    said = refused(place, "lists", "add", "partner-a", "lists/a.csv", *TERMS, *more)
    assert words in said
    assert len(said.splitlines()) == 1
    assert ", line " not in said


def test_a_list_that_is_open_to_others_missing_or_broken_is_not_added(place: Site) -> None:
    path = place.folder / "lists" / "a.csv"
    path.chmod(0o640)
    assert "chmod 600" in refused(place, "lists", "add", "a", "lists/a.csv", *TERMS)
    assert "No such file" in refused(place, "lists", "add", "a", "lists/b.csv", *TERMS)
    path.chmod(0o600)
    path.write_text(path.read_text() + "e-9,A1,zz\n")
    said = refused(place, "lists", "add", "a", "lists/a.csv", *TERMS)
    assert "line 5: not the 32 hex digits of md5" in said
    assert "zz" not in said


def test_a_configuration_in_a_form_that_is_not_changed_by_command_is_left_alone(place: Site) -> None:
    place.config.write_text(
        "hash_lists: [{name: b, file: lists/a.csv, terms: {licensor: L, reference: R, "
        "permitted_uses: [detect]}}]\n"
    )
    assert "edit the file" in refused(place, "lists", "add", "a", "lists/a.csv", *TERMS)


@pytest.mark.prove
def test_verify_reads_the_files_as_they_are_now(place: Site) -> None:
    path = place.folder / "lists" / "a.csv"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    private(place.folder / "lists" / "SHA256SUMS", f"{digest}  a.csv\n")
    add(place, "--manifest", "lists/SHA256SUMS")
    (row,) = lines(done(place, "lists", "verify", "--json"))
    assert (row["stands"], row["entries"], row["manifest"]) == ("never_loaded", 6, "agrees")
    assert row["sha256"] == digest
    path.write_text(path.read_text() + f"e-9,A1,{value(9, 16)},\n")
    found = place.monitor("lists", "verify", "partner-a", "--json")
    (row,) = lines(found.stdout)
    assert (found.returncode, row["stands"]) == (2, "broken")
    assert "is not the file that" in found.stderr
    path.write_text("entry,md5\ne-1,0\ne-2,1\n")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    private(place.folder / "lists" / "SHA256SUMS", f"{digest}  a.csv\n")
    found = place.monitor("lists", "verify")
    assert found.returncode == 2
    assert "line 2: not the 32 hex digits of md5; line 3: " in found.stderr
    assert "no such list; declared are partner-a" in refused(place, "lists", "verify", "other")


def test_an_encrypted_copy_is_read_back_and_its_key_lies_apart(place: Site) -> None:
    add(place)
    assert "lies in the state directory" in refused(
        place, "lists", "encrypt", "partner-a", "--key", "state/lists.key"
    )
    said = place.monitor("lists", "encrypt", "partner-a", "--key", "lists.key")
    assert (said.returncode, "written and read back" in said.stdout) == (0, True)
    assert "file: lists/a.csv.sealed, key: {file: lists.key}" in said.stderr
    assert "delete the plain file" in said.stderr
    key = place.folder / "lists.key"
    assert (key.stat().st_mode & 0o777, len(key.read_text().strip())) == (0o600, 64)
    assert "exists already" in refused(place, "lists", "encrypt", "partner-a", "--key", "lists.key")
    text = place.config.read_text()
    text = text.replace("lists/a.csv\n", "lists/a.csv.sealed\n    key: {file: lists.key}\n")
    place.config.write_text(text)
    (place.folder / "lists" / "a.csv").unlink()
    (row,) = lines(done(place, "lists", "verify", "--json"))
    assert row["entries"] == 6
    # Another list with the same key, which is not made anew.
    private(place.folder / "b.txt", value(1, 32))
    done(place, "lists", "encrypt", "b.txt", "--key", "lists.key")
    assert key.read_text().strip() not in said.stdout + said.stderr
    done(
        place,
        "lists",
        "add",
        "b",
        "b.txt.sealed",
        "--format",
        "text",
        "--algorithm",
        "pdq",
        *TERMS,
        "--key",
        "lists.key",
    )


@pytest.mark.prove
def test_check_and_status_say_what_a_list_lacks(place: Site) -> None:
    add(place)
    text = place.config.read_text()
    for name, keys in {
        "ended": {"expires": "2020-01-01"},
        "soon": {"expires": "2026-12-01"},
        "stale": {"stale_after": 1},
    }.items():
        keys |= {"labels": {"A1": "child"}, "provenance": "python-pdqhash"}
        entry = {"name": name, "file": "lists/a.csv", "terms": {"licensor": "L", "reference": "R"}} | keys
        entry["terms"] |= {"permitted_uses": ["detect", "report"]}
        text += f"  - {json.dumps(entry)}\n"
    place.config.write_text(text)
    (place.folder / "pseudonym.key").touch(0o600)
    os.utime(place.folder / "lists" / "a.csv", (0, 0))
    found = {
        (row["what"].removeprefix("hash list "), row["level"], row["detail"][:24])
        for row in lines(place.monitor("check", "--json").stdout)
        if row["what"].startswith("hash list ")
    }
    assert {
        ("partner-a", "warning", "1 label means nothing he"),
        ("partner-a", "note", "who computed its PDQ is "),
        ("ended", "warning", "its terms ended on 2020-"),
        ("stale", "warning", "stale since 1970-01-02: "),
    } <= found
    assert not [row for row in found if row[0] in ("soon", "stale") and row[1] == "note"]
    with_store(place)
    (said,) = lines(done(place, "status", "--json"))
    assert any(what.startswith("list ended: its terms ended") for what in said["warnings"])
    assert any(what.startswith("list stale: stale since") for what in said["warnings"])


# -- looking up


@pytest.mark.prove
def test_a_look_up_is_on_record_without_its_hash_and_so_many_an_hour(place: Site) -> None:
    add(place)
    with_store(place)
    text = place.config.read_text() + "matching: {lookups_per_hour: 3}\noperator: "
    known, other = value(1, 32), value(99, 32)
    place.config.write_text(f"{text}analyst-7\n")
    done(place, "lists", "match", known, other)
    (event,) = events(place)
    assert event == (
        "list_looked_up",
        {"operator": "analyst-7", "algorithm": "pdq+sha256+vpdq", "hashes": 2, "matched": 1},
    )
    said = refused(place, "lists", "match", known, other)
    assert "analyst-7 may look up 3 hashes an hour" in said
    assert "2 can be looked up after" in said
    assert len(events(place)) == 1
    done(place, "lists", "match", known)
    place.config.write_text(f"{text}analyst-8\n")
    done(place, "lists", "match", known, other)
    for path in place.folder.rglob("*"):
        if path.is_file() and path.suffix != ".csv":
            assert bytes.fromhex(known) not in path.read_bytes()
            assert known.encode() not in path.read_bytes()


# -- hashes kept on a local list


@pytest.fixture
def files(place: Site) -> dict[str, Path]:
    made = {NAME: picture(3, 300, 200, kind="PNG"), "film.mp4": film(1, 3, 160, 120), "words.txt": b"none"}
    folder = place.folder / "handed-in"
    folder.mkdir()
    for name, data in made.items():
        (folder / name).write_bytes(data)
    Image.new("RGB", (200, 200)).save(folder / "flat.png")
    return {path.name: path for path in folder.iterdir()}


def local(place: Site) -> dict[str, list[str]]:
    """Algorithms of each entry of the local list, as it is loaded."""
    found = load_lists(
        place.folder / "lists" / "desk.csv",
        name="desk",
        format="local",
        action=ListAction.REVIEW,
        terms=Terms("x", "x", frozenset({"detect"})),
    )
    kept: dict[str, list[str]] = {}
    for each in found:
        for entry in each:
            kept.setdefault(entry.entry, []).append(each.version.algorithm.value)
    return kept


def test_of_a_file_its_hashes_are_kept_and_nothing_else(place: Site, files: dict[str, Path]) -> None:
    with_store(place)
    order = [NAME, "film.mp4", "flat.png", "words.txt"]
    said = place.monitor(
        "hash", *(str(files[name]) for name in order), *DESK, "--expires", "2099-01-31", "--category",
        "adult_synthetic", "--json",
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    rows = lines(said.stdout)
    assert [(row["file"], row["algorithms"], row["outcome"]) for row in rows] == [
        (1, ["sha256", "pdq"], "hashed"),
        (2, ["sha256", "vpdq"], "hashed"),
        (3, ["sha256"], "low_quality"),
        (4, ["sha256"], "no_picture"),
    ]
    assert "source photograph does not match a fake" in said.stderr
    assert "desk is declared now, with action review" in said.stderr
    held = {entry: sorted(set(algorithms)) for entry, algorithms in local(place).items()}
    assert held == {row["entry"]: sorted(row["algorithms"]) for row in rows}
    kept = place.folder / "lists" / "desk.csv"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert len(events(place)) == 4
    kind, body = events(place)[0]
    assert (kind, body["operator"], body["hash_list"], body["hashes"]) == (
        "list_entry_added",
        "operator",
        "desk",
        2,
    )
    assert (body["case_reference"], body["consent_reference"]) == ("C-17", "K-17")
    assert (body["expires"], body["category"]) == ("2099-01-31T23:59:59Z", "adult_synthetic")
    # Neither the files nor their names are anywhere but where they were.
    for path in place.folder.rglob("*"):
        if path.is_file() and path.parent.name != "handed-in":
            data = path.read_bytes()
            assert not any(name.encode() in data for name in files)
            assert files[NAME].read_bytes()[:64] not in data
    assert not any(name in said.stdout + said.stderr for name in files)
    # It is matched as any other list is.
    (match,) = lines(done(place, "lists", "match", hashlib.sha256(b"none").hexdigest(), "--json"))
    assert (match["hash_list"], match["entry"], match["action"]) == ("desk", rows[3]["entry"], "review")


@pytest.mark.prove
def test_the_same_file_in_the_same_case_is_the_same_entry(place: Site, files: dict[str, Path]) -> None:
    def keep(*more: str) -> dict[str, Any]:
        (row,) = lines(done(place, "hash", str(files["words.txt"]), *DESK, *more, "--json"))
        return row

    first = keep("--expires", "2099-01-31")
    again = keep("--consent-reference", "K-18")
    other = keep("--case-reference", "C-18")
    assert (again["entry"], again["renewed"], other["renewed"]) == (first["entry"], True, False)
    text = (place.folder / "lists" / "desk.csv").read_text()
    # What was agreed on holds until something else is said.
    assert f"{first['entry']},,2099-01-31T23:59:59Z,C-17,K-18,sha256," in text
    assert set(local(place)) == {first["entry"], other["entry"]}
    shown = done(place, "lists", "show", "desk")
    assert "K-18" in shown and "2099-01-31" in shown
    (described,) = lines(done(place, "lists", "show", "desk", "--json"))
    assert [(each["entry"], each["case"], each["consent"], each["over"]) for each in described["kept"]] == [
        (first["entry"], "C-17", "K-18", False),
        (other["entry"], "C-18", "K-17", False),
    ]


@pytest.mark.prove
@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--minor-shown", "yes"], "Take It Down"),
        (["--minor-shown", "unsure"], "Report Remove"),
        (["--minor-shown", "perhaps"], "takes yes or no"),
        (["--minor-shown", ""], "takes yes or no"),
        (["--case-reference", "Jane Doe"], "no name"),
        (["--consent-reference", ""], "no name"),
        (["--expires", "2020-01-01"], "is over"),
        (["--expires", "later"], "is not a date"),
        (["--category", "child"], "a minor belongs on no list"),
        (["--to-list", "two words"], "name: takes letters"),
        (["--to-list", "partner-a"], "is the list of Partner A"),
    ],
)
def test_what_may_not_be_kept_is_refused_and_nothing_is(
    place: Site, files: dict[str, Path], more: list[str], words: str
) -> None:
    add(place)
    said = refused(place, "hash", str(files[NAME]), *DESK, *more)
    assert words in said
    assert not (place.folder / "lists" / "desk.csv").exists()


def test_without_an_answer_or_a_reference_it_refuses(place: Site, files: dict[str, Path]) -> None:
    path = str(files[NAME])
    assert "was not answered" in refused(place, "hash", path, "--to-list", "desk", *CASE)
    assert "--case-reference: is missing" in refused(place, "hash", path, "--to-list", "desk")
    assert "go with --to-list" in refused(place, "hash", path, *CASE)
    said = refused(place, "hash", path, str(place.folder / "missing"), *DESK)
    assert "nothing is kept of any file" in said
    assert not (place.folder / "lists" / "desk.csv").exists()


@pytest.mark.parametrize(("answer", "code"), [("yes", 2), ("no", 0)])
def test_on_a_terminal_it_asks(place: Site, files: dict[str, Path], answer: str, code: int) -> None:
    command = [sys.executable, "-m", "monitor", "hash", str(files[NAME]), "--to-list", "desk", *CASE]
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(
            [*command, "--config", str(place.config)],
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as asked:
            os.write(ours, f"{answer}\n".encode())
            _, said = asked.communicate(timeout=60)
    finally:
        os.close(ours)
        os.close(theirs)
    assert (asked.returncode, "under 18" in said) == (code, True)
    assert ("1366" in said) == (answer == "yes")
    assert (place.folder / "lists" / "desk.csv").exists() == (answer == "no")


@pytest.mark.prove
def test_a_running_daemon_takes_up_a_local_list_and_a_withdrawn_consent(tmp_path: Path) -> None:
    world: dict[str, Any] = {"seed": 7, "channels": [{"username": "news_two", "posts": 20, "documents": 0.5}]}
    data = next(iter(scenario.build(world).world.files.values())).data
    handed_in = tmp_path / "handed-in.bin"
    handed_in.write_bytes(data)
    private(tmp_path / "first.txt", "0" * 64)
    with site(tmp_path, world, channels=[channel("news_two")], hash_lists=[]) as place:
        place.login()
        done(place, "lists", "add", "first", "first.txt", "--format", "text", "--algorithm", "sha256", *TERMS)
        with place.running() as daemon:

            def settled() -> bool:
                waits = place.rows("SELECT count(*) FROM media WHERE outcome = 'pending'")
                return place.count() > 20 and waits == [(0,)]

            def flags() -> int:
                return len(place.rows("SELECT * FROM flags"))

            eventually(settled, "everything examined", PATIENCE)
            (row,) = lines(done(place, "hash", str(handed_in), *DESK, "--json"))
            (said,) = lines(done(place, "reload", "--json"))
            assert said["lists_added"] == ["desk"]
            done(place, "rescan", "--since", "2000-01-01", "--list", "desk", "--json")
            eventually(lambda: flags() > 0, "the flag", PATIENCE)
            assert place.rows("SELECT hash_list, entry FROM cases") == [("desk", row["entry"])]
            described, *past = lines(done(place, "lists", "show", "desk", "--json"))
            assert described["version"] == described["loaded_version"] == past[0]["version"]
            (verified,) = lines(done(place, "lists", "verify", "desk", "--json"))
            assert verified["stands"] == "as_loaded"
            done(place, "lists", "remove-entry", "desk", row["entry"], "--reason", "consent withdrawn")
            assert "no such entry" in refused(
                place, "lists", "remove-entry", "desk", row["entry"], "--reason", "x"
            )
            assert "is not a local list" in refused(
                place, "lists", "remove-entry", "first", "e", "--reason", "x"
            )
            (verified,) = lines(done(place, "lists", "verify", "desk", "--json"))
            assert (verified["stands"], verified["entries"]) == ("changed", 0)
            done(place, "reload")
            assert local(place) == {}
            assert stop(daemon) == 0
    removed = [body for kind, body in events(place) if kind == "list_entry_removed"]
    assert [(body["entry"], body["explanation"]) for body in removed] == [(row["entry"], "consent withdrawn")]
