"""Excel workbooks (ECMA-376, SpreadsheetML), written as they come.

By hand: a workbook is a zip of XML, and the library for it puts every sheet into a plain temporary file first, where
addresses have no business, and takes ten times as long. Texts are inline strings, which no program evaluates, so there
are no formulas. Times are text, the same as in CSV: a date cell knows no zone and no microseconds. Integers of more
than 15 digits, which a cell would round, are text as well.
"""

import re
import zipfile
from collections.abc import Callable, Iterable
from typing import IO
from xml.sax.saxutils import escape

from monitor.errors import InputError
from monitor.reporting.columns import Cells, Column, Value
from monitor.reporting.formats import Head, Out, Page
from monitor.reporting.formats.forward import Forward
from monitor.reporting.spelling import spelled

ROWS = 1_048_576
"""Rows of a sheet, its header among them; what is more goes on another."""
_EXACT = 10**15
_LONGEST = 32_767
_WHEN = (1980, 1, 1, 0, 0, 0)
_WIDTHS = {"integer": 14, "boolean": 9, "time": 28, "text": 24}
# What XML 1.0 cannot hold, and what reads like the escape for it (ECMA-376 part 1, 22.9.2.19).
_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff\ud800-\udfff]|_(?=x[0-9A-Fa-f]{4}_)")
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_STYLES = (
    f'<styleSheet xmlns="{_MAIN}"><fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="2"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)


def _inline(text: str) -> str:
    if len(text) > _LONGEST:
        raise InputError(
            f"format xlsx: a cell takes {_LONGEST:,} characters, and a text has more; take csv, jsonl or parquet"
        )
    text = _UNFIT.sub(lambda found: f"_x{ord(found[0]):04X}_", text)
    return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(text)}</t></is></c>'


def _number(value: Value) -> str:
    if value is None:
        return "<c/>"
    return f"<c><v>{value}</v></c>" if abs(int(value)) < _EXACT else _inline(str(value))


def _boolean(value: Value) -> str:
    return "<c/>" if value is None else f'<c t="b"><v>{int(value)}</v></c>'


def _text(value: Value) -> str:
    return "<c/>" if value is None else _inline(str(value))


_CELL: dict[str, Callable[[Value], str]] = {"integer": _number, "boolean": _boolean}


class XlsxWriter:
    """One workbook of as many sheets as its rows need; the header stays in view and stands on every page.

    A marking stands above every printed page.
    """

    def __init__(self, out: Out, head: Head, rows: int = ROWS) -> None:
        self._head = head
        self._most = rows
        self._zip = zipfile.ZipFile(Forward(out), "w", zipfile.ZIP_DEFLATED, compresslevel=6)
        self._sheets: list[str] = []
        self._left = 0
        self._sheet = self._begin()

    def write(self, page: Page) -> None:
        """Take the next rows."""
        lines = zip(*map(_cells, self._head.columns, spelled(self._head.columns, page)), strict=True)
        spelled_rows = [f"<row>{''.join(line)}</row>" for line in lines]
        while spelled_rows:
            if not self._left:
                self._end()
                self._sheet = self._begin()
            some, spelled_rows = spelled_rows[: self._left], spelled_rows[self._left :]
            self._left -= len(some)
            self._sheet.write("".join(some).encode())

    def finish(self) -> None:
        """The last sheet's end, and the parts that name all sheets."""
        self._end()
        for name, text in _parts(self._sheets):
            with self._open(name) as part:
                part.write((_XML + text).encode())
        self._zip.close()

    def _open(self, name: str) -> IO[bytes]:
        # One time for all: the same rows give the same bytes.
        part = zipfile.ZipInfo(name, _WHEN)
        part.compress_type = zipfile.ZIP_DEFLATED
        opened: IO[bytes] = self._zip.open(part, "w", force_zip64=True)
        return opened

    def _begin(self) -> IO[bytes]:
        number = len(self._sheets) + 1
        self._sheets.append(self._head.what if number == 1 else f"{self._head.what} {number}")
        sheet = self._open(f"xl/worksheets/sheet{number}.xml")
        titles = "".join(_inline(c.name).replace("<c ", '<c s="1" ', 1) for c in self._head.columns)
        widths = "".join(
            f'<col min="{n}" max="{n}" width="{_WIDTHS[c.kind]}" customWidth="1"/>'
            for n, c in enumerate(self._head.columns, 1)
        )
        sheet.write(
            (
                f'{_XML}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
                '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
                f"</sheetView></sheetViews><cols>{widths}</cols><sheetData><row>{titles}</row>"
            ).encode()
        )
        self._left = self._most - 1
        return sheet

    def _end(self) -> None:
        marking = self._head.marking or ""
        # 255 characters are what a header takes; an ampersand begins a code, and there are no escapes.
        text = escape("&C" + _UNFIT.sub(" ", marking[:200]).replace("&", "&&") + "&R&P / &N")
        self._sheet.write(
            (
                '</sheetData><pageSetup orientation="landscape"/>'
                f"<headerFooter><oddHeader>{text}</oddHeader></headerFooter></worksheet>"
            ).encode()
        )
        self._sheet.close()


def _cells(column: Column, cells: Cells) -> Iterable[str]:
    return map(_CELL.get(column.kind, _text), cells)


def _parts(sheets: list[str]) -> Iterable[tuple[str, str]]:
    numbers = range(1, len(sheets) + 1)
    overrides = "".join(
        f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{_TYPE}.worksheet+xml"/>'
        for n in numbers
    )
    yield (
        "[Content_Types].xml",
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/>{overrides}</Types>',
    )
    yield (
        "_rels/.rels",
        f'<Relationships xmlns="{_RELATIONS}"><Relationship Id="rId1" Type="{_OFFICE}/officeDocument"'
        ' Target="xl/workbook.xml"/></Relationships>',
    )
    listed = "".join(
        f'<sheet name="{name}" sheetId="{n}" r:id="rId{n}"/>' for n, name in enumerate(sheets, 1)
    )
    repeated = "".join(
        f'<definedName name="_xlnm.Print_Titles" localSheetId="{n}">\'{name}\'!$1:$1</definedName>'
        for n, name in enumerate(sheets)
    )
    yield (
        "xl/workbook.xml",
        f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{listed}</sheets>'
        f"<definedNames>{repeated}</definedNames></workbook>",
    )
    related = "".join(
        f'<Relationship Id="rId{n}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n in numbers
    )
    yield (
        "xl/_rels/workbook.xml.rels",
        f'<Relationships xmlns="{_RELATIONS}">{related}<Relationship Id="rId{len(sheets) + 1}"'
        f' Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>',
    )
    yield "xl/styles.xml", _STYLES
