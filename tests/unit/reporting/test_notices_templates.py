"""An operator's own templates: they replace ours, they are named where they are broken, and they reach nothing."""

from pathlib import Path

import pytest

from monitor.errors import InputError
from monitor.model import Route
from monitor.reporting.notices import Templates, eml
from monitor.reporting.notices.templates import LONGEST
from tests.unit.reporting.reported import notice


def refusal(folder: Path, text: str, name: str = "hotline.txt.j2") -> str:
    (folder / name).write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        notice(Route.HOTLINE, templates=Templates(folder))
    return str(caught.value)


def test_a_file_of_the_same_name_replaces_ours_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "hotline.txt.j2").write_text(
        "Ours to {{ addresses | length }}\n\n{% include '_record.txt.j2' %}"
    )
    (tmp_path / "_record.txt.j2").write_text("  File: {{ case }}/2026\n")
    (tmp_path / "README.md").write_text("not a template")
    own = Templates(tmp_path)
    made = notice(Route.HOTLINE, templates=own)
    assert made.text == "Ours to 3\n\n  File: 12/2026\n"
    assert made.title == "Ours to 3"
    assert "  File: 12/2026\n" in notice(Route.NCMEC, templates=own).text
    assert notice(Route.NCMEC).text.startswith("Sheet for the public form")


def test_a_page_of_ones_own_is_escaped_as_ours_is(tmp_path: Path) -> None:
    (tmp_path / "page.html.j2").write_text("<p>{{ title }}</p>")
    (tmp_path / "hotline.txt.j2").write_text("<script>&\n")
    assert notice(Route.HOTLINE, templates=Templates(tmp_path)).html == "<p>&lt;script&gt;&amp;</p>"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("one\n{% if case %}\n", 2, "end of template"),
        ("one\ntwo {{ case\n", 2, "unexpected"),
        ("one\n\n{% unknown %}", 3, "unknown tag"),
        ("one\n{{ cas }}", 2, "'cas' is undefined"),
        ("one\n{{ groups[0].hash }}", 2, "hash"),
        ("one\n\n{{ case + 1 }}", 3, "TypeError"),
        ("one\n{{ 1 / 0 }}", 2, "ZeroDivisionError"),
        ("one\n{{ case | random }}", 2, "random"),
        ("one\n{% include 'none.txt.j2' %}", 2, "none.txt.j2"),
    ],
)
def test_a_broken_template_is_one_line_with_file_and_line(
    tmp_path: Path, text: str, line: int, words: str
) -> None:
    said = refusal(tmp_path, text)
    assert said.startswith(f"{tmp_path / 'hotline.txt.j2'}, line {line}: ")
    assert words in said
    assert "\n" not in said


def test_an_error_in_a_part_names_the_part(tmp_path: Path) -> None:
    said = refusal(tmp_path, "x\ny\n{{ nothing }}", "_record.txt.j2")
    assert said.startswith(f"{tmp_path / '_record.txt.j2'}, line 3: ")


def test_a_template_that_includes_itself_ends(tmp_path: Path) -> None:
    assert "RecursionError" in refusal(tmp_path, "x\n{% include 'hotline.txt.j2' %}")


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ details.__init__.__globals__ }}",
        "{{ groups[0].items.__class__ }}",
        "{{ self.__init__ }}",
        "{{ self._TemplateReference__context }}",
        "{{ (case | attr('__class__')) }}",
        "{{ '{0.__class__}'.format(case) }}",
        "{{ '%s' | format(case.__class__) }}",
        "{{ lipsum.__globals__ }}",
        "{{ cycler.__init__ }}",
        "{{ range(10) }}",
        "{{ namespace() }}",
        "{{ details.__setattr__('email', 'x') }}",
        "{% set details.email = 'x' %}",
        "{{ category.update({'english': 'x'}) }}",
        "{{ category.clear() }}",
        "{% include '/etc/hostname' %}",
        "{% include '../recipients.toml' %}",
        "{% import 'os' as os %}",
        "{% from '../../config.py' import Config %}",
        "{% do category.clear() %}",
        "{{ joiner }}",
        "{{ dict(a=1) }}",
    ],
)
def test_a_template_reaches_no_python_no_file_and_changes_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "hotline.txt.j2").write_text(f"Title\n{text}\n")
    before = notice(Route.HOTLINE).text
    with pytest.raises(InputError, match=r"hotline\.txt\.j2, line \d: "):
        notice(Route.HOTLINE, templates=Templates(tmp_path))
    assert notice(Route.HOTLINE).text == before


def test_a_file_that_replaces_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "hotlines.txt.j2").write_text("x")
    with pytest.raises(InputError, match=r"hotlines\.txt\.j2: replaces no template; there are _basis"):
        Templates(tmp_path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere: cannot be read as a folder"):
        Templates(tmp_path / "nowhere")


def test_what_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "dsa.txt.j2").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"dsa\.txt\.j2: cannot be read as UTF-8"):
        Templates(tmp_path)


def test_a_template_is_a_page_or_two(tmp_path: Path) -> None:
    (tmp_path / "dsa.txt.j2").write_text("x" * (LONGEST + 1))
    with pytest.raises(InputError, match="longer than 200,000 characters"):
        Templates(tmp_path)


def test_a_notice_has_a_title(tmp_path: Path) -> None:
    assert "its first line is empty" in refusal(tmp_path, "\n\n")


def test_a_title_of_ones_own_stays_one_header(tmp_path: Path) -> None:
    (tmp_path / "hotline.txt.j2").write_text(
        "=?utf-8?q?=0D=0ABcc:_a@b.example?= \x85Bcc: x {{ details.organisation }}"
    )
    mail = eml(notice(Route.HOTLINE, templates=Templates(tmp_path)))
    assert b"\nBcc" not in mail


def test_our_templates_are_whole_and_can_be_shown() -> None:
    ours = Templates()
    assert len(ours.names) == 19
    assert "{% include" in ours.source("dsa.txt.j2")
    with pytest.raises(InputError, match=r"x\.j2: no such template"):
        ours.source("x.j2")
