"""The register of recipients: dated, complete, old entries warn, an operator's file lies over it."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from monitor.errors import InputError
from monitor.model import Category, Route
from monitor.reporting.notices import REQUIREMENTS, load_register, stale

REGISTER = load_register()


def own(folder: Path, text: str) -> Path:
    path = folder / "recipients.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_route_but_generic_has_a_recipient_for_each_of_its_categories() -> None:
    for route, needs in REQUIREMENTS.items():
        for category in needs.categories:
            assert bool(REGISTER.on(route, category)) is (route is not Route.GENERIC)


def test_no_entry_is_of_a_day_to_come_or_without_a_source() -> None:
    for recipient in REGISTER.recipients:
        assert recipient.source
        assert recipient.languages
        assert recipient.checked_on is None or recipient.checked_on <= REGISTER.dated
        assert recipient.url or recipient.email or recipient.phone


def test_what_could_not_be_confirmed_says_so_and_is_never_fresh() -> None:
    body = REGISTER.recipient("kr-review-body")
    assert body.url is None
    assert body.notes is not None
    assert "could be confirmed" in body.notes
    assert body in stale(REGISTER, date(2000, 1, 1))


def test_a_dsa_notice_has_no_mail_address_to_go_to() -> None:
    # The representative's is for authorities alone.
    for recipient in REGISTER.on(Route.DSA):
        assert recipient.email is None
        assert "edsr" not in str(recipient).lower()


def test_a_recipient_of_one_category_is_not_offered_for_others() -> None:
    assert [r.id for r in REGISTER.on(Route.TELEGRAM_MAIL, Category.TERRORISM)] == ["telegram-abuse"]
    assert len(REGISTER.on(Route.TELEGRAM_MAIL)) == 2
    assert [r.id for r in REGISTER.for_victims] == ["stopncii", "take-it-down", "us-take-it-down-act"]


def test_entries_older_than_180_days_warn(tmp_path: Path) -> None:
    register = load_register(own(tmp_path, '[[recipient]]\nid = "iwf"\nchecked_on = 2026-01-10\n'))
    iwf, day = register.recipient("iwf"), date(2026, 1, 10)
    assert iwf not in stale(register, day + timedelta(days=180))
    assert iwf in stale(register, day + timedelta(days=181))


def test_an_entry_of_ones_own_changes_the_keys_that_it_names(tmp_path: Path) -> None:
    text = (
        'dated = 2026-12-01\n[[recipient]]\nid = "kr-review-body"\nurl = "https://review.example.kr/"\n'
        'checked_on = 2026-12-01\n[[recipient]]\nid = "my-hotline"\nname = "Hotline"\nroute = "hotline"\n'
        'jurisdiction = "DE"\nlanguages = ["de", "en"]\nsource = "its page"\nemail = "tips@hotline.example"\n'
        'categories = ["child"]\n'
    )
    register = load_register(own(tmp_path, text))
    body = register.recipient("kr-review-body")
    assert body.url == "https://review.example.kr/"
    assert body.phone == "1377"
    assert body not in stale(register, date(2026, 12, 2))
    assert [r.id for r in register.on(Route.HOTLINE)] == ["iwf", "inhope", "my-hotline"]
    assert register.recipient("my-hotline").email == "tips@hotline.example"
    assert register.dated == date(2026, 12, 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("dated = 2026-11-22\nid = !", "not valid TOML: Invalid value \\(at line 2"),
        ("recipients = []", "recipients: unknown key"),
        ("dated = 'today'", "dated: is missing or no day"),
        ("dated = 2026-12-01T10:00:00", "dated: is missing or no day"),
        ("recipient = 3", "write each entry under"),
        ("[[recipient]]\nname = 'x'", "entry 1: id: is missing"),
        ("[[recipient]]\nid = 'two words'", "entry 1: id: is missing or no identifier"),
        ("[[recipient]]\nid = 'iwf'\n[[recipient]]\nid = 'iwf'", "iwf: stands twice"),
        ("[[recipient]]\nid = 'x'\nname = 'x'", "x: jurisdiction: is missing"),
        ("[[recipient]]\nid = 'iwf'\nmail = 'a@b.example'", "iwf: mail: unknown key"),
        ("[[recipient]]\nid = 'iwf'\nemail = 'a b@c.example'", "iwf: email: is no mail address"),
        ("[[recipient]]\nid = 'iwf'\nurl = 'http://c.example'", "iwf: url: is no plain https"),
        ("[[recipient]]\nid = 'iwf'\nroute = 'post'", "iwf: route: post is none of telegram"),
        ("[[recipient]]\nid = 'iwf'\ncategories = ['all']", "iwf: categories: all is none of child"),
        ("[[recipient]]\nid = 'iwf'\nlanguages = 'en'", "iwf: languages: is no list"),
        ("[[recipient]]\nid = 'iwf'\nchecked_on = '2026'", "iwf: checked_on: is no day"),
        ("[[recipient]]\nid = 'iwf'\nname = ''", "iwf: name: is no text"),
        ("[[recipient]]\nid = 'iwf'\nname = 3", "iwf: name: is no text"),
    ],
)
def test_a_bad_file_is_one_line_that_says_where(tmp_path: Path, text: str, words: str) -> None:
    path = own(tmp_path, text)
    with pytest.raises(InputError, match=words) as caught:
        load_register(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml: cannot be read"):
        load_register(tmp_path / "none.toml")


def test_an_unknown_recipient_is_named_with_those_that_there_are() -> None:
    with pytest.raises(InputError, match="nobody: no such recipient; the register has telegram-abuse"):
        REGISTER.recipient("nobody")
