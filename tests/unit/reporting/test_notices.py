"""Notices: what they say, that they say it in full, and that they never say more."""

import json
import re
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.errors import InputError
from monitor.model import ROUTES, Algorithm, CaseId, Category, MediaKind, MessageId, OperatorDetails, Route
from monitor.reporting.notices import (
    REQUIREMENTS,
    Particulars,
    Templates,
    category_of,
    eml,
    information_sheet,
    load_register,
    missing,
)
from monitor.reporting.notices.facts import addresses, groups, kst, plain, utc
from monitor.reporting.notices.layout import Block, blocks
from monitor.reporting.notices.words import ENGLISH, EUROPEAN_LAW, KOREAN, KOREAN_LAW
from tests.unit.reporting.reported import (
    DETAILS,
    DOCUMENT,
    GOLDEN,
    LATER,
    PARTICULARS,
    PHOTO,
    golden,
    notice,
    sightings,
)

TEMPLATES = Templates()
EVERY = [(route, category) for route, needs in REQUIREMENTS.items() for category in sorted(needs.categories)]
VOID = {"meta", "br", "col", "hr", "img", "input", "link"}


class Page(HTMLParser):
    """A page as a strict reader sees it: its text, its tags, and whether each was closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open and self._open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.words.append(data)


# -- the words ---------------------------------------------------------------------------------------------


def test_each_notice_is_word_for_word_what_was_read_and_agreed() -> None:
    made = dict(golden())
    assert sorted(path.name for path in GOLDEN.iterdir()) == sorted(made)
    for name, text in made.items():
        assert text == (GOLDEN / name).read_text(encoding="utf-8"), (
            f"{name}: python -m tests.fixtures.make_notices"
        )


@pytest.mark.parametrize(("route", "category"), EVERY)
def test_every_notice_tells_the_match_and_that_nobody_looked(route: Route, category: Category) -> None:
    made = notice(route, category, templates=TEMPLATES)
    text = " ".join(made.text.split())
    for word in ("partner-a", "Partner A", "A-77", "PDQ", "Our case: 12", "Our report: 7", "Channel Monitor"):
        assert word in text
    assert "No person here has viewed the files" in text
    assert "no copy" in text
    if route is not Route.KR_VICTIM_CENTRE:
        for word in (
            "1200-9f86d081884c",
            "DSA-12",
            "4 of at most 31 bits",
            "96",
            "off by up to 8 bits",
            "IRB-2026-014",
        ):
            assert word in text
        for sighting in sightings(category):
            assert f"{sighting.link}\n" in made.text
            assert utc(sighting.posted_at) in text


@pytest.mark.parametrize(("route", "category"), EVERY)
def test_no_notice_claims_what_a_picture_shows(route: Route, category: Category) -> None:
    text = notice(route, category, templates=TEMPLATES).text
    assert not re.search(
        r"(?i)\b(confirmed|verified|is|are|contains?|shows?) (child|csam|abuse|illegal|terroris)", text
    )
    assert not re.search(r"(?<![0-9a-f])[0-9a-f]{16,}(?![0-9a-f])", text), "a hash"
    assert "확인된 아동" not in text


@pytest.mark.parametrize("category", sorted(KOREAN))
@pytest.mark.parametrize("route", [Route.KR_REVIEW_BODY, Route.KR_POLICE, Route.KR_VICTIM_CENTRE])
def test_korean_notices_use_the_laws_word_and_both_clocks(route: Route, category: Category) -> None:
    text = notice(route, category, templates=TEMPLATES).text
    assert KOREAN[category] in text
    assert KOREAN_LAW[category] in text
    assert ENGLISH[category] in text
    assert "2026-11-02 00:30:05 KST (2026-11-01 15:30:05 UTC)" in text
    assert [w for c, w in KOREAN.items() if c is not category and w in text] == []


def test_the_tips_say_that_they_are_no_victims_request() -> None:
    assert "제3자의 제보" in notice(Route.KR_REVIEW_BODY).text
    police = notice(Route.KR_POLICE).text
    assert "고소장이나 고발장이 아닙니다" in police
    assert "neither a victim's complaint nor a formal\naccusation" in police


def test_the_referral_sheet_holds_no_address() -> None:
    made = notice(Route.KR_VICTIM_CENTRE, recipient="kr-victim-centre")
    assert "t.me" not in made.text + made.html
    assert "1366" in made.text


def test_a_dsa_notice_has_the_articles_four_parts() -> None:
    text = notice(Route.DSA, Category.ADULT_SYNTHETIC).text
    for part in (
        "(a) Reasons",
        "(b) Exact electronic location",
        "(c) Name and e-mail address",
        "(d) Good faith",
    ):
        assert f"{part}\n---" in text
    assert EUROPEAN_LAW[Category.ADULT_SYNTHETIC] in " ".join(text.split())
    assert "Name: Example Institute, A. Example\n" in text
    assert "E-mail: reports@example.org\n" in text


def test_a_dsa_notice_of_the_child_category_leaves_out_who_sends_it() -> None:
    made = notice(Route.DSA, Category.CHILD)
    assert made.sender is None
    for told in (made.text, made.html, eml(made).decode()):
        for value in (
            DETAILS.organisation,
            DETAILS.address,
            DETAILS.contact_name,
            DETAILS.email,
            DETAILS.phone,
        ):
            assert value is not None
            assert value not in told
    assert "as paragraph 2(c) allows" in made.text


def test_the_ncmec_sheet_has_each_field_of_the_form() -> None:
    text = notice(Route.NCMEC).text
    for field in (
        "Type of incident",
        "Time of incident",
        "Chat client: Telegram",
        "Chat room: @file_corner",
        "Hash: entry A-77",
    ):
        assert f"  {field}" in text
    assert "Classification: child sexual abuse material, as the list's owner has it" in text


@pytest.mark.parametrize(("language", "word"), [("en", "authorized to act for them"), ("ko", "누리집")])
def test_the_sheet_for_victims_names_services_and_no_case(language: str, word: str) -> None:
    made = information_sheet(load_register(), language, PARTICULARS.made_at, TEMPLATES)
    assert word in made.text
    for service in load_register().for_victims:
        assert service.url is not None
        assert service.url in made.text
    assert made.route is made.case_id is None
    assert f'lang="{language}"' in made.html


def test_a_sheet_in_a_language_that_there_is_not_is_in_english() -> None:
    made = information_sheet(load_register(), "fr", PARTICULARS.made_at, TEMPLATES)
    assert made.title == "Services that only the person shown can use"


# -- many sightings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 500])
@pytest.mark.parametrize("route", REQUIREMENTS)
def test_a_notice_holds_as_many_sightings_as_there_are(route: Route, count: int) -> None:
    made = notice(route, found=sightings(count=count), templates=TEMPLATES)
    assert f"Posts that matched: {count}\n" in made.text or made.text.count("Message: ") == count
    Page(made.html)
    assert len(eml(made)) < 2_000_000


@given(st.permutations(sightings(count=9)))
@settings(max_examples=20, deadline=None)
def test_the_order_of_the_sightings_changes_nothing(shuffled: list[object]) -> None:
    found = tuple(shuffled)
    assert notice(Route.DSA, found=found, templates=TEMPLATES) == notice(  # type: ignore[arg-type]
        Route.DSA, found=sightings(count=9), templates=TEMPLATES
    )


def test_an_address_is_told_once_by_its_closest_match() -> None:
    farther = replace(PHOTO, distance=9, error_bound=None, flagged_at=PHOTO.flagged_at - timedelta(hours=1))
    exact = replace(PHOTO, algorithm=Algorithm.SHA256, distance=0, threshold=0, quality=None)
    (group,) = groups((farther, PHOTO), PARTICULARS)
    assert [item.distance for item in group.items] == [4]
    (group,) = groups((farther, PHOTO, exact), PARTICULARS)
    assert group.exact
    other = replace(PHOTO, entry="B-1")
    found = groups((PHOTO, other), PARTICULARS)
    assert [g.entry for g in found] == ["A-77", "B-1"]
    assert addresses(found) == (PHOTO.link,)
    assert [item.number for g in found for item in g.items] == [1, 2]


def test_groups_part_what_was_compared_differently() -> None:
    found = groups(
        (LATER, DOCUMENT, PHOTO, replace(LATER, message_id=MessageId(1), list_version="9-a")), PARTICULARS
    )
    assert [(g.algorithm, g.list_version, len(g.items)) for g in found] == [
        ("PDQ", "1200-9f86d081884c", 2),
        ("SHA-256", "1200-9f86d081884c", 1),
        ("PDQ", "9-a", 1),
    ]


def test_within_an_entry_posts_stand_in_the_order_of_their_times() -> None:
    closer = replace(
        LATER, message_id=MessageId(150), distance=1, posted_at=LATER.posted_at + timedelta(hours=1)
    )
    (group,) = groups((closer, LATER, PHOTO), PARTICULARS)
    assert [item.message for item in group.items] == [120, 140, 150]


def test_times_are_told_in_utc_whatever_zone_they_come_in() -> None:
    moment = datetime.fromisoformat("2026-03-29T03:30:00+02:00")
    assert utc(moment) == "2026-03-29 01:30:00 UTC"
    assert kst(moment) == "2026-03-29 10:30:00 KST"


# -- what is missing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("route", "category"), EVERY)
def test_with_all_that_a_route_needs_nothing_is_missing(route: Route, category: Category) -> None:
    assert missing(route, DETAILS, sightings(category), category) == []


@pytest.mark.parametrize(("route", "category"), EVERY)
def test_what_a_route_needs_is_named_all_at_once(route: Route, category: Category) -> None:
    said = missing(route, None, sightings(category), category)
    needed = [n for n in REQUIREMENTS[route].needs if category not in n.unless]
    assert said == [f"operator_details.{n.field}: needed by {n.why}" for n in needed]
    for need in needed:
        one = missing(route, replace(DETAILS, **{need.field: None}), sightings(category), category)
        assert one == [f"operator_details.{need.field}: needed by {need.why}"]


def test_an_email_is_needed_for_a_dsa_notice_unless_of_the_child_category() -> None:
    without = replace(DETAILS, email=None)
    said = missing(Route.DSA, without, sightings(Category.TERRORISM), Category.TERRORISM)
    assert said == ["operator_details.email: needed by Article 16(2)(c) of the Digital Services Act"]
    assert missing(Route.DSA, without, sightings(), Category.CHILD) == []


@pytest.mark.parametrize("route", [Route.HOTLINE, Route.NCMEC])
@pytest.mark.parametrize("category", [c for c in Category if c is not Category.CHILD])
def test_hotlines_take_the_child_category_alone(route: Route, category: Category) -> None:
    (said,) = missing(route, DETAILS, sightings(category), category)
    assert said == f"category: {category}; {route} takes child"


@pytest.mark.parametrize("route", REQUIREMENTS)
def test_without_a_category_there_is_no_route(route: Route) -> None:
    found = tuple(replace(s, category=None) for s in sightings())
    (said,) = missing(route, DETAILS, found, None)
    assert said.startswith("category: none;")


def test_what_a_list_does_not_state_goes_to_no_one_who_must_act_on_it() -> None:
    takers = [r for r, needs in REQUIREMENTS.items() if Category.UNKNOWN in needs.categories]
    assert takers == [Route.GENERIC]


@pytest.mark.parametrize("category", sorted(Category))
def test_a_notice_can_be_made_on_each_route_that_is_open_to_a_category_and_on_no_other(
    category: Category,
) -> None:
    noticed = {route for route, needs in REQUIREMENTS.items() if category in needs.categories}
    # Nothing is open to unknown unless the configuration says so; then a generic notice can tell of it.
    more = {Route.GENERIC} if category is Category.UNKNOWN else set()
    assert noticed == set(ROUTES[category]) - {Route.TELEGRAM} | more
    assert set(REQUIREMENTS) == set(Route) - {Route.TELEGRAM}


def test_one_notice_has_one_category() -> None:
    mixed = (PHOTO, replace(LATER, category=Category.ADULT_FILMED))
    assert category_of(mixed) is None
    (said,) = missing(Route.TELEGRAM_MAIL, DETAILS, mixed, Category.CHILD)
    assert said == "flag 3: its category is adult_filmed, the notice's child; one notice has one category"


def test_an_item_without_a_public_address_is_named() -> None:
    hidden = replace(PHOTO, username=None)
    (said,) = missing(Route.HOTLINE, None, (hidden, LATER, replace(LATER, username=None)), Category.CHILD)
    assert said.startswith("flag 1, and 1 more: no public address")
    assert missing(Route.KR_VICTIM_CENTRE, DETAILS, (hidden,), Category.CHILD) == []


def test_nothing_to_report_and_nowhere_to_write_are_named() -> None:
    assert missing(Route.HOTLINE, DETAILS, (), Category.CHILD) == [
        "sightings: none; a notice tells of at least one"
    ]
    assert missing(Route.TELEGRAM, DETAILS, (PHOTO,), Category.CHILD) == [
        "there is no notice on this route; the report is sent in the app"
    ]


def test_what_is_missing_is_named_before_anything_is_rendered() -> None:
    with pytest.raises(InputError) as caught:
        notice(Route.KR_POLICE, details=OperatorDetails(organisation="X"))
    assert str(caught.value).splitlines() == [
        "kr_police: operator_details.contact_name: needed by the recipient, to ask back",
        "kr_police: operator_details.email: needed by the recipient, to ask back",
    ]


@pytest.mark.parametrize(
    ("route", "category", "recipient", "words"),
    [
        (Route.DSA, Category.CHILD, "iwf", "takes hotline, not dsa"),
        (Route.DSA, Category.CHILD, "stopncii", "takes no reports, not dsa"),
        (Route.TELEGRAM_MAIL, Category.TERRORISM, "telegram-stopca", "takes child, not terrorism"),
    ],
)
def test_a_notice_goes_to_no_one_who_does_not_take_it(
    route: Route, category: Category, recipient: str, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        notice(route, category, recipient=recipient)


def test_every_route_but_the_app_has_requirements() -> None:
    assert set(REQUIREMENTS) == set(Route) - {Route.TELEGRAM}
    for needs in REQUIREMENTS.values():
        for need in needs.needs:
            assert hasattr(OperatorDetails(), need.field)


# -- as a page ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("route", "category"), EVERY)
def test_a_page_loads_nothing_and_leads_nowhere(route: Route, category: Category) -> None:
    html = notice(route, category, templates=TEMPLATES).html
    page = Page(html)
    for tag, attributes in page.seen:
        assert tag not in ("a", "img", "script", "link", "iframe", "object", "svg", "form")
        assert not {"src", "href", "style", "onload"} & attributes.keys()
    assert not re.search(r"url\(|@import", html)
    assert "default-src 'none'" in html
    assert "@page" in html


@pytest.mark.parametrize(("route", "category"), EVERY)
def test_a_page_says_the_same_words_as_the_text(route: Route, category: Category) -> None:
    made = notice(route, category, templates=TEMPLATES)
    shown = "".join(" ".join(Page(made.html).words).split())
    for line in made.text.splitlines():
        if not re.fullmatch("-*", line):
            for part in line.strip().removeprefix("- ").split(": ", 1):
                assert "".join(part.split()) in shown


def test_every_page_that_holds_addresses_is_marked() -> None:
    marked = "Confidential: addresses of reported posts. Case 12."
    assert marked in notice(Route.HOTLINE).html
    assert (
        f"대외비: 제보 대상 게시물의 주소가 포함되어 있습니다. 사건 번호 12 / {marked}"
        in notice(Route.KR_POLICE).html
    )
    assert marked not in notice(Route.KR_VICTIM_CENTRE).html


def test_korean_stands_beside_english_on_a_page() -> None:
    html = notice(Route.KR_POLICE).html
    assert html.count('<p lang="ko">') == html.count('<p lang="en">') == 4
    assert '<html lang="ko">' in html


def test_a_text_falls_into_blocks() -> None:
    text = (
        "One\ntwo.\n\nHead\n----\n- a\n- b: c\n  L / M: v: w\n  K: x\nend\n\n"
        "Table\n---\n  A: 1\n  B: 2\n\n  A: 3\n\n한국어.\n\nEnglish.\n\n한국어만.\n"
    )
    assert blocks(text) == (
        Block("paragraph", ("One two.",)),
        Block("heading", ("Head",)),
        Block("list", ("a", "b: c")),
        Block("table", records=((("L / M", "v: w"), ("K", "x")),)),
        Block("paragraph", ("end",)),
        Block("table", ("Table",), ((("A", "1"), ("B", "2")), (("A", "3"),))),
        Block("pair", ("한국어.", "English.")),
        Block("paragraph", ("한국어만.",)),
    )


# -- as a mail ---------------------------------------------------------------------------------------------


def read_mail(data: bytes) -> EmailMessage:
    found = message_from_bytes(data, policy=policy.default)
    assert isinstance(found, EmailMessage)
    assert not found.defects
    return found


def test_a_mail_is_a_draft_with_text_and_page() -> None:
    made = notice(Route.TELEGRAM_MAIL, recipient="telegram-stopca")
    mail = read_mail(eml(made))
    assert mail["From"] == "Example Institute <reports@example.org>"
    assert mail["To"] == "stopCA@telegram.org"
    assert mail["Subject"] == made.title
    assert mail["X-Unsent"] == "1"
    assert mail["Date"].datetime == PARTICULARS.made_at
    assert mail["Message-ID"].endswith("@example.org>")
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    text, html = mail.iter_parts()
    assert text.get_content().replace("\r\n", "\n") == made.text  # type: ignore[attr-defined]
    assert html.get_content().replace("\r\n", "\n") == made.html  # type: ignore[attr-defined]


@pytest.mark.parametrize("route", REQUIREMENTS)
def test_the_same_facts_give_the_same_bytes(route: Route) -> None:
    first, second = notice(route, templates=Templates()), notice(route, templates=Templates())
    assert eml(first) == eml(second)
    assert first.sha256 == second.sha256
    later = notice(route, particulars=replace(PARTICULARS, case_id=CaseId(13)))
    assert eml(later) != eml(first)


@pytest.mark.parametrize("route", REQUIREMENTS)
def test_a_mail_keeps_to_the_lengths_and_letters_of_the_standard(route: Route) -> None:
    data = eml(notice(route, found=sightings(count=50)))
    assert data.isascii()
    assert max(len(line) for line in data.split(b"\r\n")) <= 998
    assert b"\n" not in data.replace(b"\r\n", b"")


def test_a_mail_to_nobody_who_takes_mail_has_no_to() -> None:
    assert read_mail(eml(notice(Route.HOTLINE, recipient="iwf")))["To"] is None


# -- whatever an operator writes ---------------------------------------------------------------------------

NASTY = [
    "A\r\nBcc: everybody@example.org",
    "A\nX-Injected: 1\n\nbody",
    "</title><script>alert(1)</script>",
    "{{ 7 * 7 }}{% raw %}",
    "\u202egro.elpmaxe",
    "\x00\x1b[31m\x85\u2028\u2029end",
    "\ud800 alone",
    '"quoted\\" <a@b.example>, more',
    "=?utf-8?q?=0D=0AEvil:_1?=",
    "한국 연구소 / ÄÖÜ 🙂",
    "- item\n-----\n  Item: forged",
    "x" * 500,
]
ANY_TEXT = st.text(min_size=1, max_size=60) | st.sampled_from(NASTY)
HEADERS = ["From", "Subject", "Date", "Message-ID", "X-Unsent", "MIME-Version", "Content-Type"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(organisation=ANY_TEXT, address=ANY_TEXT, contact=ANY_TEXT, phone=ANY_TEXT, licensor=ANY_TEXT)
def test_no_text_of_an_operator_breaks_out_of_its_place(
    organisation: str, address: str, contact: str, phone: str, licensor: str
) -> None:
    usual = notice(Route.TELEGRAM_MAIL, templates=TEMPLATES)
    details = OperatorDetails(f"a{organisation}", f"a{address}", f"a{contact}", DETAILS.email, f"a{phone}")
    found = tuple(replace(s, licensor=f"a{licensor}") for s in sightings())
    made = notice(Route.TELEGRAM_MAIL, found=found, details=details, templates=TEMPLATES)
    assert len(made.text.splitlines()) == len(usual.text.splitlines())
    assert f"  Organisation: {plain(f'a{organisation}')}\n" in made.text
    assert [tag for tag, _ in Page(made.html).seen] == [tag for tag, _ in Page(usual.html).seen]
    mail = read_mail(eml(made))
    assert mail.keys() == HEADERS
    assert mail["From"].addresses[0].addr_spec == DETAILS.email
    assert mail["Subject"] == usual.title


@pytest.mark.parametrize("nasty", NASTY)
@pytest.mark.parametrize("route", REQUIREMENTS)
def test_every_route_stands_nasty_details(route: Route, nasty: str) -> None:
    details = OperatorDetails(nasty, nasty, nasty, DETAILS.email, nasty)
    made = notice(route, details=details, templates=TEMPLATES)
    Page(made.html)
    assert not {"Bcc", "X-Injected", "Evil"} & set(read_mail(eml(made)).keys())


@pytest.mark.parametrize(
    "address",
    ["a@b", "a b@example.org", "a@example.org\r\nBcc: b@example.org", "<a@example.org>", "ä@example.org"],
)
def test_what_is_no_address_stands_in_no_header(address: str) -> None:
    with pytest.raises(InputError, match="mail address"):
        eml(notice(Route.GENERIC, details=replace(DETAILS, email=address)))


@pytest.mark.parametrize("kind", MediaKind)
def test_each_kind_of_media_has_a_name(kind: MediaKind) -> None:
    found = (replace(PHOTO, media_kind=kind, mime=None, size=None, quality=None, error_bound=None),)
    assert f"  Kind: {kind}\n" in notice(Route.HOTLINE, found=found, templates=TEMPLATES).text


def test_authorizations_are_told_only_where_they_are_given() -> None:
    bare = Particulars(CaseId(12), datetime(2026, 11, 22, 8, tzinfo=UTC))
    text = notice(Route.HOTLINE, particulars=bare).text
    assert "watched under" not in text
    assert "Our report" not in text


def test_sightings_are_all_that_a_template_learns_of_an_item() -> None:
    # A hash, a quality of the picture or a preview would need a field that there is not.
    told = json.dumps([asdict(g) for g in groups(sightings(), PARTICULARS)])
    assert not re.search(r"(?<![0-9a-f-])[0-9a-f]{16,}", told)
