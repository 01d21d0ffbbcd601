"""What each route takes and needs, as a table; and what of it is missing, in words, before anything is rendered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitor.model import ROUTES, Category, OperatorDetails, Route, Sighting

_CHILD = frozenset({Category.CHILD})


@dataclass(frozen=True, slots=True)
class Need:
    """A field of `operator_details` that a route needs, why, and for which categories it does not."""

    field: str
    why: str
    unless: frozenset[Category] = frozenset()


@dataclass(frozen=True, slots=True)
class Requirements:
    """What a route needs: the operator's fields, and whether each item needs a public address.

    `categories` are those that its notice can speak of; `anonymous` are those for which it leaves out who sends it.
    """

    title: str
    categories: frozenset[Category]
    needs: tuple[Need, ...] = ()
    public_address: bool = True
    anonymous: frozenset[Category] = frozenset()


def _open(route: Route) -> frozenset[Category]:
    """The categories to which the route is open: one table says so, `model.ROUTES`."""
    return frozenset(category for category, routes in ROUTES.items() if route in routes)


_ARTICLE_16 = "Article 16(2)(c) of the Digital Services Act"
_ASK_BACK = "the recipient, to ask back"
_TIP = (
    Need("organisation", "the authority, to know whose tip it is"),
    Need("contact_name", _ASK_BACK),
    Need("email", _ASK_BACK),
)

REQUIREMENTS: Mapping[Route, Requirements] = {
    Route.TELEGRAM_MAIL: Requirements(
        "mail to the platform's takedown addresses",
        _open(Route.TELEGRAM_MAIL),
        (Need("organisation", "the platform, to know who writes"), Need("email", _ASK_BACK)),
    ),
    Route.DSA: Requirements(
        "notice under Article 16 of the EU Digital Services Act",
        _open(Route.DSA),
        (Need("organisation", _ARTICLE_16, _CHILD), Need("email", _ARTICLE_16, _CHILD)),
        anonymous=_CHILD,
    ),
    Route.HOTLINE: Requirements("list of addresses for a hotline (IWF, INHOPE)", _open(Route.HOTLINE)),
    Route.NCMEC: Requirements("sheet for the public form of NCMEC's CyberTipline", _open(Route.NCMEC)),
    Route.KR_REVIEW_BODY: Requirements(
        "tip to Korea's communications review body", _open(Route.KR_REVIEW_BODY), _TIP
    ),
    Route.KR_POLICE: Requirements("tip to Korea's police", _open(Route.KR_POLICE), _TIP),
    Route.KR_VICTIM_CENTRE: Requirements(
        "referral sheet for Korea's centre for victims",
        _open(Route.KR_VICTIM_CENTRE),
        (
            Need("organisation", "the centre, to know who refers"),
            Need("contact_name", _ASK_BACK),
            Need("phone", _ASK_BACK),
        ),
        public_address=False,
    ),
    Route.GENERIC: Requirements(
        "notice to any recipient",
        # What nobody has named is open to no route unless reporting.routes says so; this one can then tell of it.
        _open(Route.GENERIC) | {Category.UNKNOWN},
        (Need("organisation", "the recipient, to know who writes"), Need("email", _ASK_BACK)),
    ),
}
"""Every route that has a notice. In the app (`telegram`) there is none: the report is sent there."""


def missing(
    route: Route, details: OperatorDetails | None, sightings: Sequence[Sighting], category: Category | None
) -> list[str]:
    """What keeps a notice from being rendered, one sentence each; empty when nothing does."""
    found = REQUIREMENTS.get(route)
    if found is None:
        return ["there is no notice on this route; the report is sent in the app"]
    return [
        *_category(route, found, sightings, category),
        *_details(found, details, category),
        *_sightings(found, sightings),
    ]


def _category(
    route: Route, found: Requirements, sightings: Sequence[Sighting], category: Category | None
) -> list[str]:
    said = []
    if category is None:
        said.append("category: none; map the list's label to one, or nothing can be reported on any route")
    elif category not in found.categories:
        takes = ", ".join(sorted(found.categories))
        said.append(f"category: {category}; {route} takes {takes}")
    others = [s for s in sightings if s.category is not category]
    if others:
        said.append(
            f"flag {others[0].flag_id}: its category is {others[0].category or 'none'}, the notice's"
            f" {category or 'none'}; one notice has one category"
        )
    return said


def _details(found: Requirements, details: OperatorDetails | None, category: Category | None) -> list[str]:
    details = details or OperatorDetails()
    return [
        f"operator_details.{need.field}: needed by {need.why}"
        for need in found.needs
        if category not in need.unless and not getattr(details, need.field)
    ]


def _sightings(found: Requirements, sightings: Sequence[Sighting]) -> list[str]:
    if not sightings:
        return ["sightings: none; a notice tells of at least one"]
    if not found.public_address:
        return []
    hidden = [s for s in sightings if s.username is None]
    if not hidden:
        return []
    more = f", and {len(hidden) - 1:,} more" if len(hidden) > 1 else ""
    return [
        f"flag {hidden[0].flag_id}{more}: no public address, as the channel has no public name any more;"
        " needed by the recipient, to find the item"
    ]
