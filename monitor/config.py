"""YAML → one frozen, validated `Config`. Unknown keys are refused; the message names key, line and remedy.

Reading a configuration opens nothing that it names: secrets, keys and lists are opened by the commands
that use them. Relative paths are relative to the configuration's own folder.
"""

import os
import re
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)

from monitor.errors import ConfigError
from monitor.model import (
    FETCHED_KINDS,
    IDENTIFIER,
    LONGEST_PATH,
    MAILBOX,
    ROUTES,
    USERNAME,
    Algorithm,
    Authorization,
    Backfill,
    Basis,
    Budget,
    Category,
    ChannelId,
    ChatKind,
    Declaration,
    Label,
    ListAction,
    MediaKind,
    OperatorDetails,
    Provenance,
    Purpose,
    ReportingPolicy,
    Route,
    Terms,
)
from monitor.secrets import Secret, sealing_key
from monitor.yaml_lines import Location, read_yaml

INVITE = re.compile(r"^\+|joinchat|t(elegram)?\.me/\+|tg://join|invite=", re.IGNORECASE)
"""What an invite link looks like, in any of its forms."""

EXCHANGE_KEYS = {
    "ncmec": ("url", "username", "password"),
    "stopncii": ("subscription_key", "function_key"),
    "threatexchange": ("privacy_group", "token"),
    "tat": ("username", "password"),
}
"""What each kind of exchange needs to know; each may be given a url of its own."""

LOCAL = "local"
"""The format of a list that is kept here."""

_UNITS = {
    "": 1,
    "B": 1,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "KIB": 1024,
    "MIB": 1024**2,
    "GIB": 1024**3,
}


def _identifier(value: str) -> str:
    if not IDENTIFIER.fullmatch(value):
        raise ValueError(
            "takes letters, digits, '.', '_', ':' and '-', 64 at most, beginning with a letter or digit"
        )
    return value


def _with_a_file(value: frozenset[MediaKind]) -> frozenset[MediaKind]:
    if others := sorted(value - FETCHED_KINDS):
        raise ValueError(
            f"{others[0]} has no file to fetch; those that have: {', '.join(sorted(FETCHED_KINDS))}"
        )
    return value


def _line(value: str) -> str:
    try:
        return Label(value).text
    except ValueError:
        raise ValueError("is not a line of the menu: printable, 64 characters at most") from None


def _username(value: object) -> object:
    if not isinstance(value, str):
        return value
    if INVITE.search(value):
        raise ValueError("is an invite link; only public usernames may be declared, never invite-only chats")
    name = value.removeprefix("@")
    if not USERNAME.fullmatch(name):
        raise ValueError("is not a public username; write the bare name, such as example_channel")
    return name.lower()


def _exchange_url(value: str) -> str:
    parts = urlsplit(value)
    here = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")
    if not parts.hostname or not (parts.scheme == "https" or here):
        raise ValueError("is no address of the form https://host/path")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("holds more than host and path; credentials have keys of their own")
    return value


def _size(value: object) -> object:
    """Bytes from 1000, "200MB" or "64 MiB"."""
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]*)", value.strip())
    if found is None or found[2].upper() not in _UNITS:
        raise ValueError("is not a size; write for example 200MB")
    return int(float(found[1]) * _UNITS[found[2].upper()])


_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def _duration(value: object) -> object:
    """A time span from "30s", "5m", "6h", "3d" or "2w"."""
    found = re.fullmatch(r"(\d+)\s*([smhdw])", value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError("is not a time span; write for example 5m, 6h, 3d or 2w")
    return timedelta(seconds=int(found[1]) * _SECONDS[found[2]])


def moment(value: object, *, end_of_day: bool) -> datetime:
    """A time in UTC from a date or a time as people write them; a date alone is its first or its last second.

    Raises ValueError for what is neither.
    """
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value) if len(value) > 10 else date.fromisoformat(value)
        except ValueError as e:
            raise ValueError("is not a date; write for example 2026-11-01") from e
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, date):
        clock = time(23, 59, 59, tzinfo=UTC) if end_of_day else time(tzinfo=UTC)
        return datetime.combine(value, clock)
    raise ValueError("is not a date; write for example 2026-11-01")


def _moment(end_of_day: bool) -> BeforeValidator:
    return BeforeValidator(lambda value: moment(value, end_of_day=end_of_day))


Name = Annotated[str, AfterValidator(_identifier)]
Username = Annotated[str, BeforeValidator(_username)]
Size = Annotated[int, BeforeValidator(_size), Field(gt=0)]
Duration = Annotated[timedelta, BeforeValidator(_duration)]
Words = Annotated[str, Field(min_length=1, max_length=500)]
ListLabel = Annotated[str, Field(min_length=1, max_length=64, coerce_numbers_to_str=True)]
Line = Annotated[str, AfterValidator(_line)]


class Section(BaseModel):
    """One mapping of the file: frozen, and no key that is not known."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class KeyFile(Section):
    """Where a key of our own lies."""

    file: Path


class Legal(Section):
    """Who said that media may be fetched, and under what limits."""

    jurisdiction: Words
    reference: Words
    reviewed_on: date
    fetch_suspected: bool = False


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
    report_menu: dict[
        Category, Annotated[tuple[Line, ...], Field(min_length=1, max_length=LONGEST_PATH)]
    ] = {}

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


class AuthorizationRecord(Section):
    """Why one channel may be collected, from when to when. A plain date counts whole."""

    reference: Words
    basis: Basis
    granted_by: Words
    valid_from: Annotated[datetime, _moment(end_of_day=False)]
    valid_until: Annotated[datetime, _moment(end_of_day=True)]
    document_sha256: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$")] | None = None
    approved_by: Words | None = None
    terms: Words | None = None

    @model_validator(mode="after")
    def _order(self) -> "AuthorizationRecord":
        if self.valid_until < self.valid_from:
            raise ValueError("valid_until lies before valid_from")
        return self

    def value(self) -> Authorization:
        """The record as it travels."""
        return Authorization(
            reference=self.reference,
            granted_by=self.granted_by,
            basis=self.basis,
            valid_from=self.valid_from,
            valid_until=self.valid_until,
            document_sha256=bytes.fromhex(self.document_sha256) if self.document_sha256 else None,
            approved_by=self.approved_by,
            terms=self.terms,
        )


class Past(Section):
    """How much of a channel's past is collected; nothing said is all of it."""

    messages: Annotated[int, Field(ge=0)] | None = None
    since: Annotated[datetime, _moment(end_of_day=False)] | None = None

    @model_validator(mode="after")
    def _one(self) -> "Past":
        if self.messages is not None and self.since is not None:
            raise ValueError("takes messages or since, not both")
        return self


class ChannelEntry(Section):
    """One declared channel. `id` pins it, whoever holds the username later."""

    username: Username
    id: Annotated[int, Field(gt=0)] | None = None
    account: Name | None = None
    includes: Annotated[frozenset[ChatKind], Field(min_length=1)] = frozenset({ChatKind.BROADCAST})
    leave_when_ended: bool = False
    authorization: AuthorizationRecord | None = None
    backfill: Past = Past()


class ListTerms(Section):
    """Under which terms a hash list is held."""

    licensor: Words
    reference: Words
    permitted_uses: Annotated[frozenset[Literal["detect", "report", "research"]], Field(min_length=1)]

    def value(self) -> Terms:
        """The terms as they travel."""
        return Terms(self.licensor, self.reference, frozenset(self.permitted_uses))


class ExchangeEntry(Section):
    """One exchange of hashes that is asked every so often; which keys it takes depends on its kind."""

    name: Name
    kind: Literal["ncmec", "stopncii", "threatexchange", "tat"]
    url: Annotated[str | None, AfterValidator(_exchange_url)] = None
    username: Words | None = None
    password: Secret | None = None
    subscription_key: Secret | None = None
    function_key: Secret | None = None
    token: Secret | None = None
    privacy_group: Annotated[int, Field(gt=0)] | None = None
    every: Annotated[Duration, Field(ge=timedelta(seconds=10), le=timedelta(days=7))] = timedelta(hours=1)

    @model_validator(mode="after")
    def _keys(self) -> "ExchangeEntry":
        takes = EXCHANGE_KEYS[self.kind]
        given = {key for keys in EXCHANGE_KEYS.values() for key in keys if getattr(self, key) is not None}
        if missing := [key for key in takes if key not in given]:
            raise ValueError(f"{missing[0]} is missing; {self.kind} takes {', '.join(takes)}")
        if others := sorted(given - {*takes, "url"}):
            raise ValueError(f"{others[0]}: is nothing that {self.kind} takes; it takes {', '.join(takes)}")
        return self

    def secrets(self, folder: Path, key: str) -> dict[str, str]:
        """The values of its secrets, read now. Raises ConfigError."""
        declared = {name: getattr(self, name) for name in EXCHANGE_KEYS[self.kind]}
        return {
            name: secret.read(folder, f"{key}: exchange {self.name}: {name}")
            for name, secret in declared.items()
            if isinstance(secret, Secret)
        }


class HashListEntry(Section):
    """One hash list: a file, or what an exchange gives. `algorithm` selects; it may be left out where the form says
    what a value is.

    `max_distance` and `min_quality` are of its perceptual hashes, and come before those of `matching`. `labels`
    says what the list's labels mean. `stale_after` is in days. `key` opens an encrypted file.
    """

    name: Name
    file: Path | None = None
    exchange: Name | None = None
    format: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,32}$")] = "csv"
    algorithm: Algorithm | None = None
    action: ListAction = ListAction.FLAG
    max_distance: Annotated[int, Field(ge=0, le=256)] | None = None
    min_quality: Annotated[int, Field(ge=0, le=100)] | None = None
    labels: dict[ListLabel, Category] = {}
    provenance: Provenance = Provenance.UNKNOWN
    expires: Annotated[datetime, _moment(end_of_day=True)] | None = None
    stale_after: Annotated[int, Field(gt=0, le=36_500)] | None = None
    manifest: Path | None = None
    key: Secret | None = None
    terms: ListTerms

    @model_validator(mode="before")
    @classmethod
    def _reviewed(cls, data: object) -> object:
        # What victims hand in nobody has vetted; its labels are categories.
        if isinstance(data, dict) and data.get("format") == LOCAL:
            usual = {"labels": {c.value: c for c in Category}, "provenance": Provenance.OWN}
            return {"action": ListAction.REVIEW} | usual | data
        return data

    @model_validator(mode="after")
    def _stays_here(self) -> "HashListEntry":
        if self.local and self.exchange is not None:
            raise ValueError("exchange: a local list has nothing to do with an exchange; write file")
        if self.local and self.action is ListAction.IGNORE:
            raise ValueError("action: a local list holds what victims handed in; write review or flag")
        return self

    @model_validator(mode="after")
    def _somewhere(self) -> "HashListEntry":
        if (self.file is None) == (self.exchange is None):
            raise ValueError("takes either file or exchange")
        return self

    @model_validator(mode="after")
    def _perceptual(self) -> "HashListEntry":
        limited = self.max_distance is not None or self.min_quality is not None
        if limited and self.algorithm is not None and self.algorithm.exact:
            raise ValueError(
                f"max_distance and min_quality belong to perceptual hashes, not to {self.algorithm}"
            )
        return self

    @property
    def local(self) -> bool:
        """Whether it is kept here, by monitor hash --to-list."""
        return self.format == LOCAL

    def expired(self, at: datetime) -> bool:
        """Whether its terms have ended; from then on it is not opened."""
        return self.expires is not None and at > self.expires

    @field_validator("terms")
    @classmethod
    def _detect(cls, value: ListTerms) -> ListTerms:
        if "detect" not in value.permitted_uses:
            raise ValueError(
                "permitted_uses lacks detect; a list that may not be used to detect is not loaded"
            )
        return value


class Perceptual(Section):
    """When a perceptual hash counts as a match: distance in bits; quality from 0 to 100."""

    max_distance: Annotated[int, Field(ge=0, le=63)]
    min_quality: Annotated[int, Field(ge=0, le=100)] = 0


class Films(Section):
    """When a film counts as a match: distance in bits and quality of a frame; the per cent of its frames, and of the
    listed film's, that are near one of the other's; how many of a longer film's have to show a listed picture.
    """

    max_distance: Annotated[int, Field(ge=0, le=63)] = 31
    min_quality: Annotated[int, Field(ge=0, le=100)] = 50
    min_query_share: Annotated[int, Field(ge=1, le=100)] = 80
    min_list_share: Annotated[int, Field(ge=0, le=100)] = 0
    picture_frames: Annotated[int, Field(ge=1, le=100)] = 2


class Matching(Section):
    """Thresholds by algorithm; bits that the radius is wider by when a photo's small size is looked at;
    media items that one entry may match within an hour before its flags are held back; hashes that an operator
    may look up within an hour.
    """

    pdq: Perceptual = Perceptual(max_distance=31, min_quality=50)
    phash: Perceptual = Perceptual(max_distance=8)
    dhash: Perceptual = Perceptual(max_distance=8)
    vpdq: Films = Films()
    screen_margin: Annotated[int, Field(ge=0, le=64)] = 16
    flood_guard: Annotated[int, Field(ge=1)] = 100
    lookups_per_hour: Annotated[int, Field(ge=0)] = 1_000


class Video(Section):
    """How films are sampled, and how much of one is looked at: seconds of the film, frames, pixels of a frame, seconds
    of processor time. `keyframes_only` is fast and misses much: to screen, not to clear.
    """

    frames_per_second: Annotated[float, Field(gt=0, le=30)] = 1
    keyframes_only: bool = False
    max_seconds: Annotated[float, Field(gt=0, le=86_400)] = 7200
    max_frames: Annotated[int, Field(gt=0, le=100_000)] = 7200
    max_pixels: Annotated[int, Field(ge=10_000, le=36_000_000)] = 8_912_896
    max_cpu_seconds: Annotated[float, Field(gt=0, le=1200)] = 300


class Media(Section):
    """What is fetched: kinds; whether of photos the small size first; limits of one item, and of all that is in
    memory at once, in bytes or such as 200MB.
    """

    kinds: Annotated[frozenset[MediaKind], AfterValidator(_with_a_file)] = FETCHED_KINDS
    screen_photos: bool = True
    max_bytes: Size = 200_000_000
    max_bytes_in_flight: Size = 400_000_000
    video: Video = Video()


def _mailbox(value: str) -> str:
    if not MAILBOX.fullmatch(value):
        raise ValueError("is not a mail address; write for example reports@example.org")
    return value


Mailbox = Annotated[str, AfterValidator(_mailbox)]


class Operator(Section):
    """Who reports, as notices name them. Each route says what of it is needed: monitor notice list."""

    organisation: Words | None = None
    address: Words | None = None
    contact_name: Words | None = None
    email: Mailbox | None = None
    phone: Annotated[str, Field(pattern=r"^\+?[0-9][0-9 ()./-]{1,39}$")] | None = None
    language: Literal["en", "ko"] = "en"

    def value(self) -> OperatorDetails:
        """The details as they travel."""
        return OperatorDetails(**self.model_dump())


class Notices(Section):
    """What of one's own replaces ours: a folder of templates, a register of recipients."""

    templates: Path | None = None
    recipients: Path | None = None


class Smtp(Section):
    """A server that takes mail. `sender` is operator_details.email unless named; `ca_file` a PEM file of
    certificate authorities, for a server of one's own."""

    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:-]{1,255}$")]
    port: Annotated[int, Field(gt=0, lt=65536)] = 587
    security: Literal["starttls", "tls"] = "starttls"
    username: Words | None = None
    password: Secret | None = None
    sender: Mailbox | None = None
    ca_file: Path | None = None
    timeout: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(minutes=10))] = timedelta(
        seconds=60
    )

    @model_validator(mode="after")
    def _both(self) -> "Smtp":
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together; name both or neither")
        return self


def _day(value: timedelta) -> timedelta:
    if value < timedelta(days=1):
        raise ValueError("is less than a day; write for example 30d or 52w")
    return value


Period = Annotated[Duration, AfterValidator(_day)]


class Retention(Section):
    """For how long what is recorded is kept; without a time, until somebody erases it. docs/retention.md has the terms.

    Nothing is removed by itself: `monitor db retention` does it.
    """

    messages: Period | None = None
    deleted_messages: Period | None = None
    senders: Period | None = None
    counters: Period | None = None
    event_bodies: Period | None = None

    def periods(self) -> dict[Purpose, timedelta]:
        """The times that are laid down."""
        return {Purpose(name): period for name, period in self if period is not None}


class Reporting(Section):
    """What the programme lays down for decisions and reports; see `model.ReportingPolicy`. `routes` replaces those of
    the categories that it names.
    """

    undo_seconds: Annotated[int, Field(ge=0, le=3600)] = 60
    four_eyes: bool = False
    platform_first: bool = False
    still_visible_after: Annotated[Duration, Field(ge=timedelta(hours=1))] = timedelta(hours=48)
    routes: dict[Category, tuple[Route, ...]] = {}

    def value(self) -> ReportingPolicy:
        """The policy as it travels."""
        return ReportingPolicy(
            undo_seconds=self.undo_seconds,
            four_eyes=self.four_eyes,
            platform_first=self.platform_first,
            still_visible_seconds=int(self.still_visible_after.total_seconds()),
            routes={**ROUTES, **self.routes},
        )


class Authority(Section):
    """Who time-stamps checkpoints (RFC 3161), and the certificates (PEM) that its stamps are checked with."""

    url: Annotated[str, Field(pattern=r"^https?://[^\s@]+$")]
    certificates: Path


class ReportLog(Section):
    """The log that others can verify: its name, the key that signs it, who time-stamps it."""

    origin: Annotated[str, Field(pattern=r"^[!-*,-~]{1,200}$")]
    key: Secret
    timestamps: tuple[Authority, ...] = ()


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


def find(option: Path | None) -> Path:
    """The file to read: the option, MONITOR_CONFIG, or config.yaml here."""
    return option or Path(os.environ.get("MONITOR_CONFIG") or "config.yaml")


def load(path: Path) -> Config:
    """Read and validate. Raises ConfigError with file, line, key and remedy."""
    path = path.absolute()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as e:
        raise ConfigError(
            f"{path}: no such file; monitor init writes one, --config FILE names another"
        ) from e
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(f"{path}: cannot be read as UTF-8 text ({type(e).__name__})") from e
    return parse(text, path)


def parse(text: str, path: Path) -> Config:
    """Validate a configuration's text as if it stood in `path`. Raises ConfigError."""
    data, lines = read_yaml(text, path)
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: is not a mapping of keys to values; see config.example.yaml")
    if "path" in data:
        raise ConfigError(f"{path}, line {lines.get(('path',), 1)}: path: unknown key")
    try:
        config = Config(path=path, **{str(key): value for key, value in data.items()})
    except ValidationError as e:
        raise ConfigError("\n".join(_explain(error, lines, path) for error in e.errors()[:5])) from None
    config._text = text
    return config


def _explain(error: Any, lines: dict[Location, int], path: Path) -> str:
    where: Location = tuple(part for part in error["loc"] if isinstance(part, str | int))
    known = where
    while known and known not in lines:
        known = known[:-1]
    # A union adds the names of its members, which mean nothing to the reader.
    shown = known if known and error["type"] != "missing" else where
    key = ".".join(str(part) for part in shown)
    what = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        what = "unknown key; see config.example.yaml for those that exist"
    elif error["type"] == "missing":
        what = "is missing"
    return f"{path}, line {lines.get(known, 1)}: {key + ': ' if key else ''}{what}"
