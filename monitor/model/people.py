"""The people at work: what each may do, and how notices name those who report."""

import enum
from dataclasses import dataclass


class Role(enum.StrEnum):
    """What a person may do: see, decide, take out what was found, or set it all up.

    Each includes VIEWER, and none another: who sets things up does not thereby decide.
    """

    VIEWER = "viewer"
    REVIEWER = "reviewer"
    EXPORTER = "exporter"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class OperatorDetails:
    """Who reports, as notices name them. `language` (en or ko) is that of sheets which exist in several."""

    organisation: str | None = None
    address: str | None = None
    contact_name: str | None = None
    email: str | None = None
    phone: str | None = None
    language: str = "en"
