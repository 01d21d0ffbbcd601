"""What the programme lays down for decisions and reports."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from monitor.config.values import Duration, Section
from monitor.model import ROUTES, Category, ReportingPolicy, Route


class Reporting(Section):
    """What the programme lays down for decisions and reports; see `model.ReportingPolicy`. `routes` replaces those of
    the categories that it names.
    """

    undo_seconds: Annotated[int, Field(ge=0, le=3600)] = 60
    four_eyes: bool = False
    platform_first: bool = False
    still_visible_after: Annotated[Duration, Field(ge=timedelta(hours=1))] = timedelta(hours=48)
    routes: dict[Category, tuple[Route, ...]] = Field(default_factory=dict)

    def value(self) -> ReportingPolicy:
        """The policy as it travels."""
        return ReportingPolicy(
            undo_seconds=self.undo_seconds,
            four_eyes=self.four_eyes,
            platform_first=self.platform_first,
            still_visible_seconds=int(self.still_visible_after.total_seconds()),
            routes={**ROUTES, **self.routes},
        )
