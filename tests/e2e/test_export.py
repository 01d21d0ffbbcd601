"""`monitor export`, as people and scripts call it."""

import asyncio
import csv
import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import openpyxl
import pyarrow.parquet as pq
import pyrage
import pytest
import stix2

from monitor.model import Algorithm
from monitor.store import open_store
from tests.contract.making import (
    MD5,
    START,
    batch,
    declared,
    hash_list,
    matched,
    message,
    picture,
    profile,
    span,
)
from tests.e2e.site import Site, lines

HANDOVER = ["--recipient", "Police, cyber bureau", "--purpose", "request 2026-17"]
TERMS = {"licensor": "Partner A", "reference": "DSA-12", "permitted_uses": ["detect", "report"]}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A store with three messages, one of them flagged by an entry with an MD5 and a PDQ hash."""
    made = Site(tmp_path)
    (tmp_path / "md5.csv").write_text(f"{'ab' * 16},e1\n{'cd' * 16},e2\n")
    (tmp_path / "md5.csv").chmod(0o600)
    (tmp_path / "log.key").write_text("07" * 32)
    (tmp_path / "log.key").chmod(0o600)
    (tmp_path / "pdq.csv").write_text(f"{'0f' * 32},p1\n")
    made.write(
        state_dir="state",
        report_log={"origin": "example.org/monitor", "key": {"file": "log.key"}},
        hash_lists=[
            {"name": "partner-a", "file": "md5.csv", "algorithm": "md5", "terms": TERMS},
            {"name": "partner-b", "file": "pdq.csv", "algorithm": "pdq", "terms": TERMS},
        ],
    )
    asyncio.run(_fill(made.database))
    return made


async def _fill(database: Path) -> None:
    async with open_store(database) as store:
        await store.declare([declared()], START)
        await store.joined("example_one", profile(), "main", START)
        await store.list_loaded(hash_list(algorithm=Algorithm.MD5), START)
        await store.record([batch(*(message(n, media=picture(50 + n)) for n in (1, 2, 3)), span=span(0, 3))])
        await store.examined(matched(51, MD5))


def export(site: Site, what: str, *options: str, out: str = "out") -> "subprocess.CompletedProcess[str]":
    return site.monitor("export", what, "--out", str(site.folder / out), *options)


def ok(done: "subprocess.CompletedProcess[str]") -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


FORMATS = {"flags": ("csv", "jsonl", "parquet", "xlsx", "stix", "misp")}


@pytest.mark.prove
@pytest.mark.parametrize("what", ["flags", "cases", "reports", "messages", "channels", "log", "observations"])
def test_everything_comes_in_every_format_it_fits(site: Site, what: str) -> None:
    for kind in FORMATS.get(what, ("csv", "jsonl", "parquet", "xlsx")):
        (told,) = lines(ok(export(site, what, "--format", kind, "--json", out=f"out.{kind}")))
        path = site.folder / f"out.{kind}"
        assert told == {
            "out": str(path),
            "rows": told["rows"],
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "plain_sha256": None,
        }
        assert path.stat().st_mode & 0o777 == 0o600
    # The log has grown by one event with each.
    rows = told["rows"] - (3 if what == "log" else 0)
    assert len(lines((site.folder / "out.jsonl").read_text())) == told["rows"] - (2 if what == "log" else 0)
    with (site.folder / "out.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == rows
    assert pq.read_metadata(site.folder / "out.parquet").num_rows == rows + (2 if what == "log" else 0)
    assert openpyxl.load_workbook(site.folder / "out.xlsx")[what].max_row == told["rows"] + 1
    if what == "flags":
        stix2.parse((site.folder / "out.stix").read_text(), allow_custom=False)
        assert len(json.loads((site.folder / "out.misp").read_text())["Event"]["Object"]) == 1


@pytest.mark.prove
def test_filters_narrow_what_is_written(site: Site) -> None:
    assert ok(export(site, "messages", "--channel", "@Example_One")).startswith("3 rows in ")
    assert ok(export(site, "messages", "--since", "2026-11-01T12:00:02")).startswith("2 rows in ")
    assert ok(export(site, "messages", "--until", "2026-11-01")).startswith("3 rows in ")
    assert ok(export(site, "messages", "--until", "2026-10-31")).startswith("0 rows in ")
    assert ok(export(site, "flags", "--list", "partner-a", "--state", "open")).startswith("1 rows in ")


@pytest.mark.parametrize(
    ("what", "options", "says"),
    [
        ("people", [], "export people: not known; choose one of flags"),
        ("flags", ["--format", "xml"], "format xml: not known; choose one of csv"),
        ("messages", ["--format", "stix"], "format stix: holds flags alone"),
        ("messages", ["--list", "partner-a"], "--list: does not apply to messages"),
        ("messages", ["--category", "child"], "--category: does not apply to messages"),
        ("messages", ["--case", "1"], "--case: does not apply to messages"),
        ("flags", ["--case", "7"], "--case 7: there is none"),
        ("flags", ["--category", "odd"], "--category odd: not known; choose one of child"),
        ("flags", ["--since", "yesterday"], "--since: is not a date"),
        ("flags", ["--since", "2026-11-02", "--until", "2026-11-01"], "--until: lies before --since"),
        ("flags", ["--channel", "nobody"], "--channel nobody: is not on record"),
        ("flags", ["--with-addresses"], "--with-addresses: needs a purpose"),
        ("flags", ["--with-hashes"], "--with-hashes: needs a purpose"),
        ("cases", ["--with-hashes", "--purpose", "x"], "export cases: has no hashes"),
        ("flags", ["--encrypt-to", "age1x"], "--encrypt-to: is no public key of age"),
        ("flags", ["--recipient", "Police"], "--recipient: is said of a bundle"),
        ("messages", ["--format", "bundle", *HANDOVER], "format bundle: holds flags, cases, reports, log"),
        ("cases", ["--format", "bundle", "--purpose", "x"], "a bundle names its recipient"),
        ("cases", ["--format", "bundle", "--recipient", "x"], "a bundle names its purpose"),
        (
            "cases",
            ["--format", "bundle", *HANDOVER, "--encrypt-to", "age1x"],
            "--encrypt-to: is no public key of age",
        ),
    ],
)
def test_what_cannot_be_is_one_line_and_no_file(site: Site, what: str, options: list[str], says: str) -> None:
    done = export(site, what, *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"monitor: {says}")
    assert len(done.stderr.splitlines()) == 1
    assert not (site.folder / "out").exists()


def test_a_bundle_is_verified_by_ours_and_by_the_verifier_in_it(site: Site) -> None:
    options = ["--format", "bundle", *HANDOVER, "--case", "1"]
    (told,) = lines(ok(export(site, "flags", *options, "--with-addresses", "--json", out="b.zip")))
    path = site.folder / "b.zip"
    assert (told["rows"], told["opened"], told["erased"]) == (1, 1, 0)
    assert told["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    (verified,) = lines(ok(site.monitor("log", "verify", str(path), "--key", told["key"], "--json")))
    assert (verified["what"], verified["opened"], verified["export"]) == ("bundle", 1, told["export"])
    assert (verified["handed_to"], verified["purpose"]) == ("Police, cyber bureau", "request 2026-17")
    with zipfile.ZipFile(path) as archive:
        (site.folder / "verify.py").write_bytes(archive.read("verify.py"))
        (row,) = csv.DictReader(io.StringIO(archive.read("data/flags.csv").decode(), newline=""))
        (event,) = lines(archive.read("openings.jsonl").decode())
    assert (row["case_id"], int(row["channel_id"])) == ("1", event["body"]["channel_id"])
    command = [sys.executable, "-I", "verify.py", "b.zip"]
    alone = subprocess.run(command, cwd=site.folder, capture_output=True, text=True)
    assert (alone.returncode, alone.stderr) == (0, "")
    path.write_bytes(path.read_bytes().replace(b"Police", b"Polite", 1))
    alone = subprocess.run(command, cwd=site.folder, capture_output=True, text=True)
    assert (alone.returncode, site.monitor("log", "verify", str(path)).returncode) == (4, 4)


def test_a_bundle_needs_a_report_log(site: Site) -> None:
    del site.settings["report_log"]
    site.write()
    done = export(site, "cases", "--format", "bundle", *HANDOVER)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "report_log: is not there" in done.stderr


def test_a_bundle_is_taken_out_by_an_exporter(site: Site) -> None:
    site.write(operator="root")
    for name, role in (("root", "admin"), ("vera", "viewer"), ("emil", "exporter")):
        ok(site.monitor("operators", "add", name, "--role", role, "--as", "root"))
    options = ["--format", "bundle", *HANDOVER]
    assert export(site, "cases", *options, "--as", "vera").returncode == 5
    shown = ok(export(site, "cases", *options, "--as", "emil", out="b.zip"))
    assert shown.startswith("1 rows and 0 events in ") and "to verify it: monitor log verify" in shown


def test_hashes_are_those_of_the_list(site: Site) -> None:
    ok(export(site, "flags", "--with-hashes", "--purpose", "a report", "--format", "jsonl"))
    (row,) = lines((site.folder / "out").read_text())
    assert (row["entry"], row["hash"]) == ("e1", "ab" * 16)
    assert row["marking"] == "contains hashes of a list; only for: a report"
    assert "channel_id" not in row


def test_a_list_that_may_not_be_used_to_report_gives_no_hash(site: Site) -> None:
    site.settings["hash_lists"][0]["terms"] = TERMS | {"permitted_uses": ["detect"]}
    site.write()
    done = export(site, "flags", "--with-hashes", "--purpose", "a report")
    assert done.returncode == 2
    assert "the terms of list partner-a do not permit to report" in done.stderr


def test_two_exports_can_be_joined_by_the_keyed_name_until_the_key_changes(site: Site) -> None:
    ok(export(site, "flags", "--format", "jsonl", out="flags"))
    ok(export(site, "cases", "--format", "jsonl", out="cases"))
    (flag,), (case,) = (lines((site.folder / name).read_text()) for name in ("flags", "cases"))
    assert flag["entry_hmac"] == case["entry_hmac"]
    (site.folder / "pseudonym.key").write_text("f" * 64)
    ok(export(site, "flags", "--format", "jsonl", out="later"))
    (later,) = lines((site.folder / "later").read_text())
    assert later["entry_hmac"] != flag["entry_hmac"]
    assert later["entry_hmac"][:8] != flag["entry_hmac"][:8]


def test_without_the_key_nothing_is_exported(site: Site) -> None:
    (site.folder / "pseudonym.key").unlink()
    done = export(site, "flags")
    assert done.returncode == 2
    assert "pseudonym_key" in done.stderr


def test_an_encrypted_bundle_is_verified_once_it_is_decrypted(site: Site) -> None:
    identity = pyrage.x25519.Identity.generate()
    options = ["--format", "bundle", *HANDOVER, "--encrypt-to", str(identity.to_public())]
    (told,) = lines(ok(export(site, "flags", *options, "--with-addresses", "--json", out="b.age")))
    sealed = site.folder / "b.age"
    assert told["sha256"] == hashlib.sha256(sealed.read_bytes()).hexdigest()
    assert sealed.stat().st_mode & 0o777 == 0o600
    refused = site.monitor("log", "verify", str(sealed))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        f"monitor: {sealed}: is encrypted; decrypt it first: age -d -i KEY -o BUNDLE.zip {sealed}\n"
    )
    path = site.folder / "b.zip"
    path.write_bytes(pyrage.decrypt(sealed.read_bytes(), [identity]))
    assert told["plain_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    ok(site.monitor("log", "verify", str(path), "--key", told["key"]))
    with zipfile.ZipFile(path) as archive:
        (site.folder / "verify.py").write_bytes(archive.read("verify.py"))
    command = [sys.executable, "-I", "verify.py"]
    alone = subprocess.run([*command, "b.zip"], cwd=site.folder, capture_output=True, text=True)
    assert (alone.returncode, alone.stderr) == (0, "")
    alone = subprocess.run([*command, "b.age"], cwd=site.folder, capture_output=True, text=True)
    assert (alone.returncode, alone.stderr.splitlines()[0][:24]) == (4, "WRONG: it is encrypted; ")


@pytest.mark.parametrize("kind", ["csv", "parquet", "xlsx", "bundle"])
def test_an_encrypted_export_writes_no_other_file(site: Site, kind: str) -> None:
    """Every file that the command opens to write to is told by the interpreter itself."""
    identity = pyrage.x25519.Identity.generate()
    bundle = kind == "bundle"
    if not bundle:
        # The report log is written to as well, after the export; it holds no row of it.
        del site.settings["report_log"]
        site.write()
    code = """
import os, sys
def told(event, arguments):
    if event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR):
        print(arguments[0], file=sys.stderr)
sys.addaudithook(told)
from monitor.cli import main
main()
"""
    options = ["--with-addresses", "--purpose", "a report", "--encrypt-to", str(identity.to_public())]
    options += ["--recipient", "Police"] * bundle
    done = subprocess.run(
        [sys.executable, "-c", code, "export", "flags", "--format", kind, "--out", "out.age", *options],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=site.folder,
    )
    assert done.returncode == 0, done.stderr
    # Numbers are pipes and files that are open already.
    opened = [line for line in done.stderr.splitlines() if not line.isdigit() and line != os.devnull]
    state = site.folder / "state"
    outside = {Path(line) for line in opened if not (bundle and Path(line).is_relative_to(state))}
    # The folder stands for nameless files in it; tests/unit/reporting/exports/test_scratch.py reads them.
    named = outside - {site.folder} if bundle else outside
    assert [path.name[:9] for path in named] == [".out.age."], done.stderr
    assert pyrage.decrypt((site.folder / "out.age").read_bytes(), [identity])
