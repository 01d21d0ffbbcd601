"""Decisions about a match."""

import enum
from dataclasses import dataclass

from monitor.model.lists import Category


class CaseState(enum.StrEnum):
    """Where the decision about a match stands. It is about the match: nobody here has seen the item."""

    OPEN = "open"
    ACCEPTED = "accepted"
    NOT_RELIED_ON = "not_relied_on"
    SECOND_OPINION = "second_opinion"


class ReasonCode(enum.StrEnum):
    """Why a match is not relied on."""

    DISTANCE_TOO_LARGE = "distance_too_large"
    LOW_QUALITY = "low_quality"
    KNOWN_FALSE_POSITIVE = "known_false_positive"
    WRONG_CATEGORY = "wrong_category"
    LIST_ERROR = "list_error"
    SOURCE_WITHDRAWN = "source_withdrawn"
    OTHER_DOCUMENTED = "other_documented"


@dataclass(frozen=True, slots=True)
class EntryStanding:
    """How an entry that has a case stands in a version of its list: whether it is `listed` there, and what its
    label means."""

    entry: str
    listed: bool
    category: Category | None = None
