"""A whole configuration: what its parts must agree on, and what follows from it."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PrivateAttr, model_validator

from monitor.config.channels import ChannelEntry
from monitor.config.exchanges import ExchangeEntry
from monitor.config.lists import HashListEntry
from monitor.config.matching import Matching
from monitor.config.media import Legal, Media
from monitor.config.notices import Notices, Operator, Smtp
from monitor.config.report_log import ReportLog
from monitor.config.reporting import Reporting
from monitor.config.retention import Retention
from monitor.config.telegram import Account, Telegram
from monitor.config.values import Name, Section
from monitor.errors import ConfigError
from monitor.model import Backfill, ChannelId, Declaration
from monitor.secrets import Secret, sealing_key


class KeyFile(Section):
    """Where a key of our own lies."""

    file: Path


class Config(Section):
    """A whole configuration. `path` is the file it came from."""

    path: Path
    state_dir: Path = Path("state")
    store: Annotated[str, Field(pattern=r"^(sqlite|postgresql://.+)$")] = "sqlite"
    operator: Name = "operator"
    operator_details: Operator | None = None
    notices: Notices = Notices()
    smtp: Smtp | None = None
    pseudonym_key: KeyFile = KeyFile(file=Path("pseudonym.key"))
    session_key: Secret | None = None
    report_log: ReportLog | None = None
    legal: Legal | None = None
    accounts: tuple[Account, ...] = ()
    telegram: Telegram = Telegram()
    channels: tuple[ChannelEntry, ...] = ()
    exchanges: tuple[ExchangeEntry, ...] = ()
    hash_lists: tuple[HashListEntry, ...] = ()
    matching: Matching = Matching()
    media: Media = Media()
    retention: Retention = Retention()
    reporting: Reporting = Reporting()
    confinement: Literal["required", "best-effort"] = "required"
    _text: str = PrivateAttr("")

    @model_validator(mode="after")
    def _unique(self) -> "Config":
        for what, names in (
            ("accounts", [a.name for a in self.accounts]),
            ("channels", [c.username for c in self.channels]),
            ("exchanges", [e.name for e in self.exchanges]),
            ("hash_lists", [h.name for h in self.hash_lists]),
        ):
            twice = sorted({n for n in names if names.count(n) > 1})
            if twice:
                raise ValueError(f"{what}: {twice[0]} is declared twice")
        for channel in self.channels:
            if channel.account is not None and channel.account not in {a.name for a in self.accounts}:
                raise ValueError(f"channels: {channel.username} names an account that is not declared")
        for declared in self.hash_lists:
            if declared.exchange is not None and declared.exchange not in {e.name for e in self.exchanges}:
                raise ValueError(f"hash_lists: {declared.name} names an exchange that is not declared")
        return self

    @property
    def text(self) -> str:
        """What it was parsed from; parsed again, it gives the same configuration whatever the file holds by then."""
        return self._text

    def resolve(self, path: Path) -> Path:
        """A path of the file, made absolute from the file's own folder."""
        return (self.path.parent / path.expanduser()).absolute()

    @property
    def state(self) -> Path:
        """The folder in which all lies that the daemon writes."""
        return self.resolve(self.state_dir)

    @property
    def database(self) -> Path:
        """The store's file."""
        return self.state / "monitor.db"

    def fetched(self, exchange: str) -> Path:
        """The file in which an exchange's list is kept."""
        return self.state / "lists" / f"{exchange}.db"

    @property
    def log(self) -> Path:
        """The report log's folder."""
        return self.state / "log"

    def log_key(self) -> bytes | None:
        """The seed of the key that signs the report log (32 bytes), read now; None when there is no such log.

        Raises ConfigError.
        """
        if self.report_log is None:
            return None
        return sealing_key(self.report_log.key, self.path.parent, self.state, f"{self.path}: report_log.key")

    def sealing_key(self) -> bytes | None:
        """The key for sessions at rest (32 bytes), read now; None when none is declared. Raises ConfigError."""
        if self.session_key is None:
            return None
        return sealing_key(self.session_key, self.path.parent, self.state, f"{self.path}: session_key")

    @property
    def fetch_suspected(self) -> bool:
        """Whether an item that may be a match is fetched in full; from a test data centre it always may be."""
        return self.telegram.server is not None if self.legal is None else self.legal.fetch_suspected

    @property
    def media_permitted(self) -> bool:
        """Media is fetched only under a legal statement, or from a test data centre."""
        return self.legal is not None or self.telegram.server is not None

    def account(self, name: str | None) -> Account:
        """The account of that name, or the only one. Raises ConfigError."""
        if name is None and len(self.accounts) == 1:
            return self.accounts[0]
        for account in self.accounts:
            if account.name == name:
                return account
        known = ", ".join(a.name for a in self.accounts) or "none"
        raise ConfigError(f"{self.path}: accounts: declared are {known}; name one of them")

    def declarations(self) -> list[Declaration]:
        """The channels as they travel; one without an account of its own goes to the first."""
        first = self.accounts[0].name if self.accounts else None
        return [
            Declaration(
                username=c.username,
                authorization=c.authorization.value() if c.authorization else None,
                includes=c.includes,
                channel_id=ChannelId(c.id) if c.id else None,
                account=c.account or first,
                leave_when_ended=c.leave_when_ended,
                backfill=Backfill(c.backfill.messages, c.backfill.since),
            )
            for c in self.channels
        ]
