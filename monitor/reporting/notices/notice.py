"""A notice: sightings of one category, for one route, as text and as a page that prints."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor import __version__
from monitor.errors import InputError
from monitor.model import CaseId, Category, OperatorDetails, Route, Sighting
from monitor.reporting.notices.facts import (
    Particulars,
    addresses,
    groups,
    kst,
    period,
    plain,
    plain_details,
    utc,
)
from monitor.reporting.notices.layout import blocks, split_title, tidy
from monitor.reporting.notices.register import Recipient, Register
from monitor.reporting.notices.requirements import REQUIREMENTS, missing
from monitor.reporting.notices.templates import Templates
from monitor.reporting.notices.words import ENGLISH, EUROPEAN_LAW, KOREAN, KOREAN_LAW

TOOL = f"Channel Monitor {__version__}"
_PAGE = "page.html.j2"
_SHEET = "victim_services"
_KOREAN_ROUTES = (Route.KR_REVIEW_BODY, Route.KR_POLICE, Route.KR_VICTIM_CENTRE)


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice that can be printed, handed over or mailed; the same facts give the same notice, byte for byte.

    `text` is all of it, `title` its first line, `html` the same words as a page that loads nothing and leads
    nowhere. `sender` is None where the notice leaves out who sends it; an information sheet has no route.
    """

    route: Route | None
    title: str
    text: str
    html: str
    made_at: datetime
    case_id: CaseId | None = None
    report_id: int | None = None
    sender: OperatorDetails | None = None
    recipient: Recipient | None = None

    @property
    def sha256(self) -> str:
        """Digest of the text in UTF-8, as hex digits: what a record of the report can keep of it."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def render(
    route: Route,
    sightings: Sequence[Sighting],
    *,
    category: Category | None,
    details: OperatorDetails | None,
    particulars: Particulars,
    recipient: Recipient | None = None,
    templates: Templates,
) -> Notice:
    """The notice of a route. Raises InputError naming all that is missing, or the template that is broken."""
    lacks = missing(route, details, sightings, category)
    if lacks or category is None:
        raise InputError("\n".join(f"{route}: {what}" for what in lacks))
    if recipient is not None:
        recipient.check(route, category)
    anonymous = category in REQUIREMENTS[route].anonymous
    sender = None if anonymous else plain_details(details)
    facts = _facts(sightings, category, particulars) | {
        "details": sender or OperatorDetails(),
        "anonymous": anonymous,
        "to": recipient,
    }
    title, text = _text(templates, f"{route.value}.txt.j2", facts)
    language = "ko" if route in _KOREAN_ROUTES else "en"
    return Notice(
        route=route,
        title=title,
        text=text,
        html=_page(templates, text, _mark(route, particulars.case_id, language), language),
        made_at=particulars.made_at,
        case_id=particulars.case_id,
        report_id=particulars.report_id,
        sender=sender,
        recipient=recipient,
    )


def information_sheet(register: Register, language: str, made_at: datetime, templates: Templates) -> Notice:
    """The sheet on services that only victims can use, in `language` where there is one, else in English.

    It speaks of no case. Raises InputError when the register lacks a service that the sheet names.
    """
    name = f"{_SHEET}.{language}.txt.j2"
    if not templates.has(name):
        name, language = f"{_SHEET}.txt.j2", "en"
    facts = {
        "services": {r.id: r for r in register.recipients},
        "dated": register.dated.isoformat(),
        "made": utc(made_at),
        "made_kst": kst(made_at),
        "tool": TOOL,
    }
    title, text = _text(templates, name, facts)
    return Notice(None, title, text, _page(templates, text, TOOL, language), made_at)


def _mark(route: Route, case: CaseId, language: str) -> str:
    """What stands at the foot of every sheet: the referral for victims alone holds no address."""
    if route is Route.KR_VICTIM_CENTRE:
        return f"사건 번호 / Case {case}"
    english = f"Confidential: addresses of reported posts. Case {case}."
    if language == "en":
        return english
    return f"대외비: 제보 대상 게시물의 주소가 포함되어 있습니다. 사건 번호 {case} / {english}"


def _facts(sightings: Sequence[Sighting], category: Category, particulars: Particulars) -> dict[str, object]:
    """What every template is given. No hash is among it, and nothing that could show what a file holds."""
    found = groups(sightings, particulars)
    items = [item for group in found for item in group.items]
    first, last = period(sightings)
    return {
        "category": {
            "name": category.value,
            "english": ENGLISH[category],
            "korean": KOREAN.get(category),
            "korean_law": KOREAN_LAW.get(category),
            "european_law": EUROPEAN_LAW.get(category),
        },
        "groups": found,
        "addresses": addresses(found),
        "channels": tuple(dict.fromkeys(item.channel for item in items)),
        "count": len(items),
        "first_posted": utc(first),
        "last_posted": utc(last),
        "first_posted_kst": kst(first),
        "last_posted_kst": kst(last),
        "case": str(particulars.case_id),
        "report": None if particulars.report_id is None else str(particulars.report_id),
        "made": utc(particulars.made_at),
        "made_kst": kst(particulars.made_at),
        "tool": TOOL,
    }


def _text(templates: Templates, name: str, facts: Mapping[str, object]) -> tuple[str, str]:
    text = tidy(templates.render(name, facts))
    title = plain(split_title(text)[0])
    if not title:
        raise InputError(f"{name}: its first line is empty; it is the title of the notice")
    return title, text


def _page(templates: Templates, text: str, mark: str, language: str) -> str:
    title, rest = split_title(text)
    facts = {"title": title, "blocks": blocks(rest), "mark": mark, "language": language}
    return templates.render(_PAGE, facts)
