"""Made-up sightings, operators and cases, and every notice that the golden files hold."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitor.model import (
    Algorithm,
    Authorization,
    Basis,
    CaseId,
    Category,
    ChannelId,
    FlagId,
    MediaKind,
    MessageId,
    OperatorDetails,
    Route,
    Sighting,
)
from monitor.reporting.notices import (
    REQUIREMENTS,
    Notice,
    Particulars,
    Templates,
    information_sheet,
    load_register,
    render,
)
from monitor.reporting.notices.notice import TOOL

GOLDEN = Path(__file__).parents[2] / "fixtures" / "notices"
START = datetime(2026, 11, 1, 15, 30, 5, tzinfo=UTC)
CITY, FILES = ChannelId(1234567890), ChannelId(1234567891)
DETAILS = OperatorDetails(
    organisation="Example Institute",
    address="1 Example Street, Example City",
    contact_name="A. Example",
    email="reports@example.org",
    phone="+82 2 0000 0000",
)
PARTICULARS = Particulars(
    case_id=CaseId(12),
    made_at=datetime(2026, 11, 22, 8, tzinfo=UTC),
    report_id=7,
    authorizations={
        CITY: Authorization(
            "IRB-2026-014", "Ethics Board", Basis.ETHICS_APPROVAL, START, START + timedelta(90)
        )
    },
)
PHOTO = Sighting(
    flag_id=FlagId(1),
    channel_id=CITY,
    username="city_pictures",
    message_id=MessageId(120),
    link="https://t.me/city_pictures/120",
    posted_at=START,
    first_seen_at=START + timedelta(seconds=55),
    flagged_at=START + timedelta(seconds=58),
    media_kind=MediaKind.PHOTO,
    mime="image/jpeg",
    size=123_456,
    hash_list="partner-a",
    list_version="1200-9f86d081884c",
    entry="A-77",
    algorithm=Algorithm.PDQ,
    distance=4,
    threshold=31,
    quality=96,
    error_bound=8,
    rendition="m",
    category=Category.CHILD,
    licensor="Partner A",
    list_reference="DSA-12",
)
DOCUMENT = replace(
    PHOTO,
    flag_id=FlagId(2),
    channel_id=FILES,
    username="file_corner",
    message_id=MessageId(9),
    link="https://t.me/file_corner/9",
    posted_at=START + timedelta(hours=9),
    first_seen_at=START + timedelta(hours=9, seconds=2),
    flagged_at=START + timedelta(hours=9, seconds=4),
    media_kind=MediaKind.DOCUMENT,
    size=654_321,
    algorithm=Algorithm.SHA256,
    distance=0,
    threshold=0,
    quality=None,
    error_bound=None,
    rendition="document",
)
LATER = replace(
    PHOTO,
    flag_id=FlagId(3),
    message_id=MessageId(140),
    link="https://t.me/city_pictures/140",
    posted_at=START + timedelta(days=2),
    first_seen_at=START + timedelta(days=2, seconds=3),
    flagged_at=START + timedelta(days=2, seconds=5),
    distance=11,
    error_bound=None,
    rendition="w",
)


def sightings(category: Category = Category.CHILD, count: int = 3) -> tuple[Sighting, ...]:
    """So many sightings of a category: a photo, a document, and further photos."""
    first = [PHOTO, DOCUMENT, LATER][:count]
    more = [
        replace(
            LATER,
            flag_id=FlagId(n),
            message_id=MessageId(140 + n),
            link=f"https://t.me/city_pictures/{140 + n}",
            posted_at=START + timedelta(days=2, minutes=n),
        )
        for n in range(4, count + 1)
    ]
    return tuple(replace(s, category=category) for s in (*first, *more))


def json_lines(found: Iterable[Sighting]) -> str:
    """Sightings as `monitor notice render --sightings` reads them."""
    rows = (
        json.dumps(
            {name: getattr(sighting, name) for name in sighting.__slots__},
            default=lambda value: value.isoformat(),
        )
        for sighting in found
    )
    return "".join(f"{row}\n" for row in rows)


def notice(
    route: Route,
    category: Category = Category.CHILD,
    found: tuple[Sighting, ...] | None = None,
    details: OperatorDetails | None = DETAILS,
    particulars: Particulars = PARTICULARS,
    recipient: str | None = None,
    templates: Templates | None = None,
) -> Notice:
    """A notice of the examples."""
    return render(
        route,
        sightings(category) if found is None else found,
        category=category,
        details=details,
        particulars=particulars,
        recipient=load_register().recipient(recipient) if recipient else None,
        templates=templates or Templates(),
    )


def golden() -> Iterator[tuple[str, str]]:
    """The name and the text of every golden file. The version of the tool is left out."""
    templates = Templates()
    to = {Route.KR_VICTIM_CENTRE: "kr-victim-centre", Route.TELEGRAM_MAIL: "telegram-abuse"}
    for route, needs in REQUIREMENTS.items():
        for category in sorted(needs.categories):
            made = notice(route, category, recipient=to.get(route), templates=templates)
            yield f"{route}.{category}.txt", _timeless(made.text)
    for language in ("en", "ko"):
        sheet = information_sheet(load_register(), language, PARTICULARS.made_at, templates)
        yield f"victim_services.{language}.txt", _timeless(sheet.text)
    yield "kr_police.child.html", _timeless(notice(Route.KR_POLICE, templates=templates).html)


def _timeless(text: str) -> str:
    return text.replace(TOOL, "Channel Monitor (version)")
