"""The platform: the accounts, how it is reached, and how often it is asked."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from monitor.config.values import Duration, Name, Section, Words
from monitor.model import LONGEST_PATH, Budget, Category, Label
from monitor.secrets import Secret


def _line(value: str) -> str:
    try:
        return Label(value).text
    except ValueError:
        raise ValueError("is not a line of the menu: printable, 64 characters at most") from None


Line = Annotated[str, AfterValidator(_line)]


class Account(Section):
    """One account that collects."""

    name: Name = "main"
    api_id: Annotated[int, Field(gt=0)]
    api_hash: Secret
    kind: Literal["user", "bot"] = "user"
    token: Secret | None = None

    @model_validator(mode="after")
    def _bots_token(self) -> "Account":
        if self.token is not None and self.kind != "bot":
            raise ValueError("token: belongs to a bot; write kind: bot, or leave it out")
        return self


class Server(Section):
    """A data centre other than the platform's own, for tests and demos."""

    dc: Annotated[int, Field(gt=0, lt=1000)]
    host: Words
    port: Annotated[int, Field(gt=0, lt=65536)]
    public_key: Path


class Budgets(Section):
    """How much each account may ask, in any 24 hours or any hour; 0 forbids. docs/politeness.md says why so much.

    A page is any request that reads (history, differences, dialogs, messages, a channel's description), a
    file part one of up to 512 KiB of a file; a report is one message taken through the platform's menu.
    """

    joins_per_day: Annotated[int, Field(ge=0)] = 10
    resolves_per_day: Annotated[int, Field(ge=0)] = 50
    pages_per_hour: Annotated[int, Field(ge=0)] = 3_600
    file_parts_per_hour: Annotated[int, Field(ge=0)] = 20_000
    reports_per_day: Annotated[int, Field(ge=0)] = 20

    def limits(self) -> dict[Budget, int]:
        """The limits as they travel."""
        return {
            Budget.JOINS: self.joins_per_day,
            Budget.RESOLVES: self.resolves_per_day,
            Budget.PAGES: self.pages_per_hour,
            Budget.FILE_PARTS: self.file_parts_per_hour,
            Budget.REPORTS: self.reports_per_day,
        }


class Telegram(Section):
    """How the platform is reached, and how often it is asked what was missed, and what posts have come to.

    `look_again`: ages of a post at which its counters are read again. `report_menu`: for a category, the texts to
    choose in the platform's menu for reports, from its top.
    """

    proxy: Annotated[str | None, Field(repr=False)] = None  # may hold a password
    server: Server | None = None
    budgets: Budgets = Budgets()
    reconcile_every: Annotated[Duration, Field(ge=timedelta(seconds=10), le=timedelta(days=1))] = timedelta(
        minutes=5
    )
    look_again: tuple[Duration, ...] = tuple(timedelta(hours=h) for h in (1, 6, 24, 72, 7 * 24, 28 * 24))
    report_menu: dict[Category, Annotated[tuple[Line, ...], Field(min_length=1, max_length=LONGEST_PATH)]] = (
        Field(default_factory=dict)
    )

    @field_validator("look_again")
    @classmethod
    def _ascending(cls, value: tuple[timedelta, ...]) -> tuple[timedelta, ...]:
        if list(value) != sorted(set(value)) or any(age <= timedelta() for age in value):
            raise ValueError("names ages in ascending order, each once")
        return value

    @field_validator("proxy")
    @classmethod
    def _socks(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"socks5://([^/@\s]+@)?[^/@\s:]+:\d{1,5}", value):
            raise ValueError("is not of the form socks5://host:port")
        return value
