"""Notices on paper: each printed by Chromium, and the PDF read as the person would who gets it."""

import asyncio
import os
import re
import shutil
import subprocess
import unicodedata
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import pytest

from monitor.model import Category, OperatorDetails, Route
from monitor.reporting.notices import REQUIREMENTS, Templates, information_sheet, load_register
from monitor.reporting.notices.notice import TOOL
from tests.e2e.site import Site
from tests.e2e.test_cases import ok
from tests.e2e.test_report_notices import fill
from tests.unit.reporting.reported import DETAILS, PARTICULARS, PHOTO, notice, sightings

pytestmark = pytest.mark.prove

TEMPLATES = Templates()
EVERY = [(route, category) for route, needs in REQUIREMENTS.items() for category in sorted(needs.categories)]
# Of each route one category: the others differ in a few words. Of DSA both, with and without a sender.
PRINTED = [
    (route, category)
    for route, category in EVERY
    if category is min(REQUIREMENTS[route].categories) or (route, category) == (Route.DSA, Category.CHILD)
]
MARK = "Confidential: addresses of reported posts. Case 12."
KOREAN_MARK = f"대외비: 제보 대상 게시물의 주소가 포함되어 있습니다. 사건 번호 12 / {MARK}"
A4 = (595.0, 842.0)
"""Points: 210 by 297 mm."""
SIDE = 18 / 25.4 * 72
CHROMIUM = [
    *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--no-pdf-header-footer",
]
RULE = re.compile("-{3,}")


@dataclass(frozen=True)
class Word:
    """A word where it stands, in points from the top left corner."""

    left: float
    top: float
    right: float
    bottom: float
    text: str


@dataclass(frozen=True)
class Sheet:
    """A page of a PDF: its text without blanks, in the order in which it was drawn, and its words."""

    text: str
    words: tuple[Word, ...]


@dataclass(frozen=True)
class Pdf:
    """A PDF as poppler reads it. `about` is what it says of itself."""

    about: str
    links: list[str]
    sheets: tuple[Sheet, ...]

    @property
    def text(self) -> str:
        """All of it, without blanks."""
        return "".join(sheet.text for sheet in self.sheets)


def bare(text: str) -> str:
    """A text without blanks: where a line breaks is the printer's business."""
    return "".join(unicodedata.normalize("NFC", text).split())


def told(*command: str, home: Path) -> str:
    """What a program says. A program that is not there fails the test: there is no printing without it."""
    assert shutil.which(command[0]), f"{command[0]}: apt-get install chromium poppler-utils fonts-nanum"
    environment = os.environ | {"HOME": str(home), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=240, check=False, env=environment, cwd=home
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def printed(html: str, folder: Path) -> Pdf:
    """A page as Chromium prints it, with a new profile each time."""
    assert not re.search(r"(?i)\b(src|href|srcset|action)=|url\(|@import", html), (
        "it refers to something outside"
    )
    page, pdf = folder / "notice.html", folder / "notice.pdf"
    page.write_text(html, encoding="utf-8")
    told(
        *CHROMIUM,
        f"--user-data-dir={folder / 'profile'}",
        f"--print-to-pdf={pdf}",
        page.as_uri(),
        home=folder,
    )
    raw = told("pdftotext", "-raw", str(pdf), "-", home=folder).split("\f")[:-1]
    boxes = told("pdftotext", "-bbox", str(pdf), "-", home=folder).split("</page>")[:-1]
    sheets = tuple(Sheet(bare(text), _words(box)) for text, box in zip(raw, boxes, strict=True))
    assert folder.name not in "".join(raw), "the file's own address is on it"
    links = told("pdfinfo", "-url", str(pdf), home=folder).splitlines()[1:]
    return Pdf(told("pdfinfo", str(pdf), home=folder), links, sheets)


def _words(box: str) -> tuple[Word, ...]:
    found = re.findall(r'<word xMin="(.*?)" yMin="(.*?)" xMax="(.*?)" yMax="(.*?)">(.*?)</word>', box)
    return tuple(Word(float(a), float(b), float(c), float(d), text) for a, b, c, d, text in found)


def lines(text: str) -> list[str]:
    """The lines of a notice, as they stand on a sheet: without dashes, and a field's label beside its value."""
    found = [line.strip() for line in text.splitlines() if line and not RULE.fullmatch(line)]
    return [bare(line.removeprefix("- ").replace(": ", "", 1)) for line in found]


def headings(text: str) -> list[str]:
    found = pairwise(text.splitlines())
    return [bare(line) for line, below in found if RULE.fullmatch(below)]


def check(pdf: Pdf, text: str, mark: str) -> None:
    """What holds of every notice on paper."""
    size = re.search(r"Page size: +([\d.]+) x ([\d.]+)", pdf.about)
    assert size is not None
    assert tuple(round(float(points)) for points in size.groups()) == A4
    assert pdf.links == []
    assert re.search(r"JavaScript: +no", pdf.about)
    # A field's label may have a colon of its own on paper, where none was taken away as a field's.
    whole = [sheet.text.replace(":", "") for sheet in pdf.sheets]
    for line in lines(text):
        assert any(line.replace(":", "") in sheet for sheet in whole), f"not whole on any sheet: {line}"
    for address in re.findall(r"https://t\.me/\S+", text):
        assert pdf.text.count(address) == bare(text).count(address), address
    for number, sheet in enumerate(pdf.sheets, 1):
        of = f"{number}/{len(pdf.sheets)}"
        assert sheet.text.startswith(of), f"sheet {number} has no number"
        assert sheet.text.endswith(bare(mark)), f"sheet {number} is not marked"
        body = sheet.text.removeprefix(of).removesuffix(bare(mark))
        assert body, f"sheet {number} is empty"
        assert not body.endswith(tuple(headings(text))), f"sheet {number} ends with a heading"
        _within(sheet, number)


def _within(sheet: Sheet, number: int) -> None:
    """No word beyond the margins, and none over another."""
    placed = sorted(sheet.words, key=lambda word: word.top)
    for position, word in enumerate(placed):
        inside = SIDE - 1 <= word.left and word.right <= A4[0] - SIDE + 1 and word.bottom <= A4[1]
        assert inside, f"sheet {number}: {word} is off the page"
        for other in placed[position + 1 :]:
            if other.top > word.bottom:
                break
            across = min(word.right, other.right) - max(word.left, other.left)
            down = min(word.bottom, other.bottom) - other.top
            assert across < 2 or down < 4, f"sheet {number}: {word} lies over {other}"


def mark_of(route: Route) -> str:
    if route is Route.KR_VICTIM_CENTRE:
        return "사건 번호 / Case 12"
    return KOREAN_MARK if route in (Route.KR_POLICE, Route.KR_REVIEW_BODY) else MARK


def test_this_machine_has_letters_for_korean(tmp_path: Path) -> None:
    assert told("fc-list", ":lang=ko", "family", home=tmp_path), "apt-get install fonts-nanum"


@pytest.mark.parametrize(("route", "category"), PRINTED)
def test_every_notice_is_whole_on_paper(route: Route, category: Category, tmp_path: Path) -> None:
    to = "kr-victim-centre" if route is Route.KR_VICTIM_CENTRE else None
    made = notice(route, category, recipient=to, templates=TEMPLATES)
    pdf = printed(made.html, tmp_path)
    check(pdf, made.text, mark_of(route))
    assert len(pdf.sheets) <= 4
    assert bare(made.title) in bare(pdf.about), "the title is the document's name"


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_sheet_for_victims_is_one_sheet(language: str, tmp_path: Path) -> None:
    made = information_sheet(load_register(), language, PARTICULARS.made_at, TEMPLATES)
    pdf = printed(made.html, tmp_path)
    check(pdf, made.text, TOOL)
    assert len(pdf.sheets) == 1


@pytest.mark.parametrize("route", [Route.KR_POLICE, Route.HOTLINE])
def test_of_many_posts_none_is_parted_and_each_sheet_says_what_matched(route: Route, tmp_path: Path) -> None:
    made = notice(route, found=sightings(count=200), templates=TEMPLATES)
    pdf = printed(made.html, tmp_path)
    check(pdf, made.text, mark_of(route))
    item, distance, head = (
        ("번호/Item", "거리/Distance", "해시목록항목A-77/MatchwithentryA-77")
        if route is Route.KR_POLICE
        else ("Item", "Distance", "MatchwithentryA-77")
    )
    begun = [len(re.findall(rf"{item}\d", sheet.text)) for sheet in pdf.sheets]
    assert sum(begun) == 200
    for number, sheet in enumerate(pdf.sheets):
        assert len(re.findall(rf"{distance}\d", sheet.text)) == begun[number], (
            f"an item is parted on {number + 1}"
        )
        if begun[number]:
            assert sheet.text.index(head) < sheet.text.index(item)
    assert len(pdf.sheets) <= 80


@pytest.mark.parametrize("route", [Route.KR_REVIEW_BODY, Route.DSA])
def test_no_long_word_is_cut_or_pushes_a_table_off_the_page(route: Route, tmp_path: Path) -> None:
    long = f"https://t.me/city_pictures/120?{'0123456789' * 30}end"
    details = OperatorDetails(
        organisation="기관" * 60,
        address=f"{'1_Example_Street_' * 12}end",
        contact_name="A. Example",
        email=f"{'r' * 60}@{'long-label-' * 5}x.example.org",
        phone=DETAILS.phone,
    )
    found = tuple(
        replace(
            s, link=long if s == PHOTO else s.link, category=Category.ADULT_FILMED, licensor="Partner" * 40
        )
        for s in sightings()
    )
    made = notice(route, Category.ADULT_FILMED, found, details, templates=TEMPLATES)
    pdf = printed(made.html, tmp_path)
    check(pdf, made.text, mark_of(route))
    assert pdf.text.count(long) == 2


def test_no_heading_stays_behind_when_what_follows_goes_to_the_next_sheet(tmp_path: Path) -> None:
    """By a template of one's own: sections of all kinds and lengths, so that headings fall everywhere on a sheet."""
    kinds = ("A paragraph.\n\n", "- an item\n", "  Label: value\n", "한국어.\n\nEnglish.\n\n")
    sections = "".join(f"\nSection {n:03} begins\n---\n{kinds[n % 4] * (1 + n * 7 % 11)}" for n in range(200))
    (tmp_path / "generic.txt.j2").write_text(f"A notice of sections\n{sections}", encoding="utf-8")
    made = notice(Route.GENERIC, templates=Templates(tmp_path))
    pdf = printed(made.html, tmp_path)
    assert len(pdf.sheets) > 20
    check(pdf, made.text, MARK)


def test_both_clocks_stand_in_one_column(tmp_path: Path) -> None:
    pdf = printed(notice(Route.KR_POLICE, templates=TEMPLATES).html, tmp_path)
    for clock in ("KST", "UTC"):
        rows = [word for sheet in pdf.sheets for word in sheet.words if word.text.strip("),") == clock]
        assert len(rows) >= 10
        assert max(word.left for word in rows) - min(word.left for word in rows) < 1, clock


def test_a_report_out_of_the_store_prints_as_it_reads(tmp_path: Path) -> None:
    place = Site(tmp_path)
    place.write(
        operator="anna",
        reporting={"undo_seconds": 0},
        operator_details={
            "organisation": "한국 연구소",
            "contact_name": "홍길동",
            "email": "reports@example.org",
        },
    )
    asyncio.run(fill(place.database))
    ok(place, "cases", "accept", "1")
    ok(place, "report", "prepare", "1", "--route", "kr_police")
    ok(place, "report", "approve", "1")
    out = tmp_path / "police.html"
    ok(place, "report", "notice", "1", "--format", "html", "--out", str(out))
    text = ok(place, "report", "notice", "1")
    (tmp_path / "paper").mkdir()
    pdf = printed(out.read_text(encoding="utf-8"), tmp_path / "paper")
    check(pdf, text, KOREAN_MARK.replace("12", "1"))
    assert "홍길동" in pdf.text
