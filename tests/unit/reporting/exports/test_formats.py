"""Every format holds the same rows; none of them runs, rounds or loses anything."""

import csv
import hashlib
import io
import json
import re
import sqlite3
import subprocess
import sys
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.errors import InputError
from monitor.reporting.columns import Column, Value
from monitor.reporting.formats import FORMATS, Head, Page, Writer
from monitor.reporting.formats.csv import csv_cell
from monitor.reporting.formats.parquet import GROUP
from monitor.reporting.formats.xlsx import XlsxWriter
from monitor.reporting.sheets import SHEETS
from monitor.reporting.spelling import moment
from monitor.store import SqlStore
from monitor.store.columns import from_micros
from tests.contract.making import START, batch, later, message, picture, span
from tests.unit.reporting.exports.taking import PURPOSE, objects, take

TABLES = ("csv", "jsonl", "parquet", "xlsx")
COLUMNS = (
    Column("number", "integer", "a number"),
    Column("truth", "boolean", "yes or no"),
    Column("at", "time", "when"),
    Column("words", "text", "what an operator wrote"),
)
HEAD = Head("flags", COLUMNS, START)


def written(kind: str, *pages: Page, head: Head = HEAD) -> bytes:
    """What a format makes of pages."""
    out = io.BytesIO()
    return finished(FORMATS[kind].open(out, head), out, pages)


def finished(writer: Writer, out: io.BytesIO, pages: tuple[Page, ...]) -> bytes:
    for page in pages:
        writer.write(page)
    writer.finish()
    return out.getvalue()


def by_column(rows: list[tuple[Value, ...]]) -> Page:
    return list(zip(*rows, strict=True)) if rows else [(), (), (), ()]


def as_objects(kind: str, data: bytes) -> list[dict[str, Any]]:
    """The rows as JSON Lines would have them; numbers of a spreadsheet that are text become numbers again."""
    if kind == "jsonl":
        return [json.loads(line) for line in data.decode().split("\n")[:-1]]
    if kind == "parquet":
        rows: list[dict[str, Any]] = pq.read_table(pa.BufferReader(data)).to_pylist()
        return [
            {
                n: v.isoformat().replace("+00:00", "Z") if hasattr(v, "isoformat") else v
                for n, v in row.items()
            }
            for row in rows
        ]
    sheets = openpyxl.load_workbook(io.BytesIO(data))
    found = []
    for sheet in sheets:
        names, *values = sheet.iter_rows(values_only=True)
        found += [dict(zip(names, row, strict=True)) for row in values]
    for row in found:
        for name, value in row.items():
            if isinstance(value, str) and name.endswith(("number", "_id")) and value.lstrip("-").isdigit():
                row[name] = int(value)
    return found


@pytest.mark.parametrize("kind", ["parquet", "xlsx"])
@pytest.mark.parametrize("what", ["flags", "cases", "messages", "channels", "observations"])
async def test_every_format_says_what_json_lines_say(
    store: SqlStore, database: Path, tmp_path: Path, what: str, kind: str
) -> None:
    more = PURPOSE if what in ("flags", "messages", "observations") else {}
    await take(store, database, what, "jsonl", tmp_path / "a", **more)
    assert await take(store, database, what, kind, tmp_path / "b", **more) == len(objects(tmp_path / "a"))
    assert as_objects(kind, (tmp_path / "b").read_bytes()) == objects(tmp_path / "a")


@pytest.mark.parametrize("kind", TABLES)
async def test_nothing_to_export_is_a_file_all_the_same(
    store: SqlStore, database: Path, tmp_path: Path, kind: str
) -> None:
    assert await take(store, database, "observations", kind, tmp_path / "out") == 0
    data = (tmp_path / "out").read_bytes()
    if kind == "csv":
        assert data == b'"channel_id","observed_at","outcome","source"\r\n'
    else:
        assert as_objects(kind, data) == []


@pytest.mark.parametrize("kind", TABLES)
async def test_the_same_rows_give_the_same_bytes(
    store: SqlStore, database: Path, tmp_path: Path, kind: str
) -> None:
    for name in "ab":
        await take(store, database, "messages", kind, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


async def test_more_rows_than_a_page_come_in_order(store: SqlStore, database: Path, tmp_path: Path) -> None:
    rows = max(form.rows for form in FORMATS.values()) + 1_000
    await store.record(
        [batch(*(message(n, media=picture(1000 + n)) for n in range(4, rows)), span=span(3, rows))]
    )
    for kind in ("csv", "jsonl", "parquet"):
        assert await take(store, database, "messages", kind, tmp_path / kind) == rows
    numbers = [row["message_id"] for row in objects(tmp_path / "jsonl")]
    assert numbers == [*range(1, rows), 9]
    assert pq.read_table(tmp_path / "parquet")["message_id"].to_pylist() == numbers
    with (tmp_path / "csv").open(encoding="utf-8", newline="") as file:
        assert [int(row["message_id"]) for row in csv.DictReader(file)] == numbers


def test_columns_have_real_types_in_parquet() -> None:
    table = pq.read_table(pa.BufferReader(written("parquet", by_column([(1, True, 5, "a")]))))
    assert table.schema.types == [
        pa.int64(),
        pa.bool_(),
        pa.timestamp("us", tz="UTC"),
        pa.dictionary(pa.int32(), pa.string()),
    ]
    assert table.schema.field("at").metadata == {b"meaning": b"when"}


def test_row_groups_are_bounded() -> None:
    page = [[1] * 10_000, [True] * 10_000, [0] * 10_000, ["a"] * 10_000]
    found = pq.ParquetFile(pa.BufferReader(written("parquet", *[page] * 20))).metadata
    sizes = [found.row_group(n).num_rows for n in range(found.num_row_groups)]
    assert (sum(sizes), max(sizes)) == (200_000, GROUP)


def test_a_row_group_is_written_as_soon_as_it_is_full() -> None:
    out = io.BytesIO()
    writer = FORMATS["parquet"].open(out, HEAD)
    for _ in range(GROUP // 8_192):
        assert out.tell() == len(b"PAR1")
        writer.write([[1] * 8_192, [True] * 8_192, [0] * 8_192, ["a"] * 8_192])
    assert out.tell() > len(b"PAR1")
    writer.finish()


def test_a_parquet_file_without_the_library_says_what_to_install() -> None:
    # Another process: here it is loaded.
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from monitor.reporting.formats import FORMATS, Head\n"
        "FORMATS['parquet'].open(None, Head('flags', (), None))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "InputError: format parquet: needs pyarrow; pip install 'channel-monitor[export]'" in done.stderr


# -- workbooks


def workbook(rows: list[tuple[Value, ...]], most: int = 1_000, marking: str | None = None) -> bytes:
    out = io.BytesIO()
    head = Head("flags", COLUMNS, START, marking)
    return finished(XlsxWriter(out, head, most), out, (by_column(rows),))


def test_rows_go_on_in_further_sheets() -> None:
    data = workbook([(n, None, None, None) for n in range(25)], most=11)
    found = openpyxl.load_workbook(io.BytesIO(data))
    assert found.sheetnames == ["flags", "flags 2", "flags 3"]
    assert [sheet.max_row for sheet in found] == [11, 11, 6]
    assert [row["number"] for row in as_objects("xlsx", data)] == list(range(25))


@pytest.mark.parametrize("rows", [10, 20])
def test_a_sheet_that_is_just_full_has_no_empty_one_after_it(rows: int) -> None:
    data = workbook([(n, None, None, None) for n in range(rows)], most=11)
    assert len(openpyxl.load_workbook(io.BytesIO(data)).sheetnames) == rows // 10


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "=cmd|'/c calc'!A1", "\t=1", "_x0041_", "a\x00b"]
)
def test_no_text_is_a_formula_in_a_workbook(text: str) -> None:
    data = workbook([(1, True, 0, text)])
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        sheet = parts.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert 't="inlineStr"' in sheet
    cell = openpyxl.load_workbook(io.BytesIO(data))["flags"]["D2"]
    assert cell.data_type != "f" or "<f" not in sheet
    assert unescaped(str(cell.value)) == text


def unescaped(text: str) -> str:
    """What a spreadsheet makes of ST_Xstring (openpyxl leaves it as it is)."""
    return re.sub("_x([0-9A-F]{4})_", lambda found: chr(int(found[1], 16)), text)


@pytest.mark.parametrize("number", [10**15 - 1, 10**15, 2**63 - 1, -(2**63), 0, -1])
def test_no_number_is_rounded_in_a_workbook(number: int) -> None:
    data = workbook([(number, None, None, None)])
    assert as_objects("xlsx", data)[0]["number"] == number
    # A number is held to 15 digits by every spreadsheet, whatever the file says.
    cell = openpyxl.load_workbook(io.BytesIO(data))["flags"]["A2"]
    assert isinstance(cell.value, str) == (abs(number) >= 10**15)


def test_a_marking_stands_on_every_page_of_every_sheet() -> None:
    marking = "contains addresses; only for: R&D <1>"
    found = openpyxl.load_workbook(
        io.BytesIO(workbook([(n, None, None, None) for n in range(25)], 11, marking))
    )
    assert [sheet.oddHeader.center.text for sheet in found] == ["contains addresses; only for: R&&D <1>"] * 3
    assert {sheet.print_title_rows for sheet in found} == {"$1:$1"}


def test_a_text_that_no_cell_takes_is_refused() -> None:
    with pytest.raises(InputError, match="take csv, jsonl or parquet"):
        workbook([(1, None, None, "x" * 40_000)])


@settings(deadline=None, max_examples=60)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_makes_a_sheet_that_can_be_read(text: str) -> None:
    with zipfile.ZipFile(io.BytesIO(workbook([(1, None, None, text)], marking=text))) as parts:
        sheet = ElementTree.fromstring(parts.read("xl/worksheets/sheet1.xml"))  # noqa: S314  # written here
    # XML reads a carriage return as a line feed where it is not escaped.
    assert unescaped("".join(sheet.itertext())).count(text) >= 1


# -- spelling

FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "\nx",
    "\uff1d1",
    "\uff0b1",
    "\uff0d1",
    "\uff20x",
    "  =1",
    "\u00a0=1",
    "\u3000\uff1d1",
]


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_text_that_a_spreadsheet_would_run_is_quoted(formula: str) -> None:
    assert csv_cell(formula) == "'" + formula
    (row,) = csv.DictReader(
        io.StringIO(written("csv", by_column([(1, None, None, formula)])).decode(), newline="")
    )
    assert row["words"] == "'" + formula


@pytest.mark.parametrize(
    "value", [-5, 0, 7, None, "word", "a=b", "IRB-1", "2026-11-01T12:00:00Z", "", " word"]
)
def test_numbers_and_plain_texts_stay_as_they_are(value: str | int | None) -> None:
    assert csv_cell(value) == value
    assert type(csv_cell(value)) is type(value)


ROWS = st.lists(
    st.tuples(
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | st.booleans(),
        st.none() | st.integers(-(2**50), 2**52),
        st.none() | st.text(st.characters(exclude_categories=["Cs"])),
    ),
    max_size=4,
)


@settings(deadline=None)
@given(ROWS)
def test_any_row_can_be_read_back(rows: list[tuple[Value, ...]]) -> None:
    plain = [
        {"number": n, "truth": t, "at": None if at is None else moment(int(at)), "words": w}
        for n, t, at, w in rows
    ]
    assert as_objects("jsonl", written("jsonl", by_column(rows))) == plain
    assert pq.read_table(pa.BufferReader(written("parquet", by_column(rows)))).to_pylist() == [
        row | {"at": None if made[2] is None else from_micros(int(made[2]))}
        for row, made in zip(plain, rows, strict=True)
    ]
    cells = list(csv.DictReader(io.StringIO(written("csv", by_column(rows)).decode(), newline="")))
    assert cells == [
        {name: "" if value is None else str(csv_cell(value)) for name, value in row.items()} for row in plain
    ]
    assert not any(re.match(r"\s*[=+@]", row["words"]) for row in cells)


@given(st.integers(-(2**50), 2**52))
def test_times_are_spelled_as_the_standard_library_does(micros: int) -> None:
    assert moment(micros) == from_micros(micros).isoformat().replace("+00:00", "Z")


def test_lines_of_an_export_are_bytes_that_scripts_rely_on() -> None:
    page = by_column(
        [(7, True, 1_790_000_000_000_000, 'a "word"'), (None, False, 1_790_000_000_250_000, None)]
    )
    assert written("csv", page) == (
        b'"number","truth","at","words"\r\n'
        b'"7","true","2026-09-21T14:13:20Z","a ""word"""\r\n'
        b'"","false","2026-09-21T14:13:20.250000Z",""\r\n'
    )
    assert written("jsonl", page) == (
        b'{"number": 7, "truth": true, "at": "2026-09-21T14:13:20Z", "words": "a \\"word\\""}\n'
        b'{"number": null, "truth": false, "at": "2026-09-21T14:13:20.250000Z", "words": null}\n'
    )


# -- marking


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("what", ["flags", "messages", "log"])
async def test_what_holds_addresses_says_so_in_every_row(
    store: SqlStore, database: Path, tmp_path: Path, what: str, kind: str
) -> None:
    says = "contains addresses of flagged items; only for: a report to K"
    more = {"with_addresses": True, "purpose": " a report\nto K "}
    path = tmp_path / "out"
    await take(store, database, what, kind, path, **more)
    if kind == "csv":
        with path.open(encoding="utf-8", newline="") as file:
            found = [row["marking"] for row in csv.DictReader(file)]
    else:
        found = [row["marking"] for row in as_objects(kind, path.read_bytes())]
    assert set(found) == {says}
    if kind == "parquet":
        assert pq.read_schema(path).metadata[b"marking"] == says.encode()
    await take(store, database, what, kind, path)
    assert says.encode() not in path.read_bytes()
    assert "marking" not in [column.name for column in SHEETS[what].columns]


async def test_progress_is_told_row_by_page(store: SqlStore, database: Path, tmp_path: Path) -> None:
    await store.record([batch(*(message(n) for n in range(4, 2_500)), span=span(3, 2_499))])
    told: list[tuple[int, int]] = []
    await take(
        store,
        database,
        "messages",
        "csv",
        tmp_path / "m",
        progress=lambda rows, total: told.append((rows, total)),
    )
    assert told == [(2_000, 2_500), (2_500, 2_500)]


async def test_the_log_shows_what_it_commits_to(store: SqlStore, database: Path, tmp_path: Path) -> None:
    await take(store, database, "log", "jsonl", tmp_path / "plain")
    bare = objects(tmp_path / "plain")
    assert [row["seq"] for row in bare] == list(range(len(bare)))
    assert set(bare[0]) == {"seq", "at", "type", "commitment"}
    assert "flag_raised" in {row["type"] for row in bare}
    await take(store, database, "log", "jsonl", tmp_path / "full", **PURPOSE)
    full = objects(tmp_path / "full")
    for row in full:
        opened = hashlib.sha256(bytes.fromhex(row["salt"]) + row["body"].encode()).hexdigest()
        assert row["commitment"] == opened
    assert [row["commitment"] for row in full[: len(bare)]] == [row["commitment"] for row in bare]
    assert full[-1]["type"] == "export_made"
    assert later(100).isoformat().startswith(full[-1]["at"][:19])


async def test_an_erased_event_has_a_commitment_and_no_body(
    store: SqlStore, database: Path, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(database)) as conn, conn:
        conn.execute("UPDATE events SET salt = NULL, body = NULL WHERE seq = 0")
    await take(store, database, "log", "jsonl", tmp_path / "full", **PURPOSE)
    first = objects(tmp_path / "full")[0]
    assert (len(first["commitment"]), first["body"], first["salt"]) == (64, None, None)
    await take(store, database, "observations", "jsonl", tmp_path / "o")
