"""The one schema. There is no column in which the text of a message could lie.

Free text is what operators declare (authorizations, licensors of lists) and the canonical JSON of events,
made of the same; lines of the platform's menu lie in `errand_menus` while somebody has to choose. All else is
numbers, digests, times, words and enumerations. The first migration must give
these tables exactly (a test compares them); a change here is a new migration.
"""

from typing import Any

from sqlalchemy import (
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.schema import SchemaItem

from monitor.model import (
    LONGEST_LABEL,
    AccountReason,
    AccountState,
    Algorithm,
    Basis,
    Budget,
    CaseState,
    Category,
    ChannelState,
    ErrandFailure,
    ErrandState,
    ListAction,
    MediaKind,
    MediaOutcome,
    MessageKind,
    ReportState,
    Route,
    Source,
)
from monitor.store.columns import Bool, Int, Time, exactly, label, one_of, truth, word

metadata = MetaData(
    naming_convention={
        "ck": "%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def _table(name: str, *items: SchemaItem, keyed: bool = False, once: bool = False) -> Table:
    """STRICT: SQLite refuses a text in a number's column. `keyed`: the key is the table, one tree less.
    `once`: the number of a row that is gone is never given again, as people outside may know it."""
    return Table(
        name, metadata, *items, sqlite_strict=True, sqlite_with_rowid=not keyed, sqlite_autoincrement=once
    )


def _numbers(*names: str) -> list[Column[int]]:
    """Integers that may be absent."""
    return [Column(name, Int) for name in names]


# -- accounts ----------------------------------------------------------------------------------------------

sessions = _table(
    "sessions",
    Column("account", Text, primary_key=True),
    Column("dc", Int, nullable=False),
    Column("host", Text, nullable=False),
    Column("port", Int, nullable=False),
    Column("auth_key", LargeBinary, nullable=False),
    Column("user_id", Int),
    Column("bot", Bool, nullable=False),
    *_numbers("pts", "qts"),
    Column("date", Time),
    Column("seq", Int),
    word("account"),
    word("host", 253),
    truth("bot"),
)

peers = _table(
    "peers",
    Column("account", Text, ForeignKey("sessions.account", ondelete="CASCADE"), nullable=False),
    Column("channel_id", Int, nullable=False),
    Column("access_hash", Int, nullable=False),
    PrimaryKeyConstraint("account", "channel_id"),
    word("account"),
    keyed=True,
)

# What politeness needs to remember. No key to `sessions`: signing out and in again forgives nothing.
# Times are the platform's.
accounts = _table(
    "accounts",
    Column("account", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("since", Time),
    Column("joins_paused_until", Time),
    Column("last_at", Time, nullable=False),
    Column("last_elapsed", Int, nullable=False),  # microseconds of the machine's monotonic clock
    Column("last_boot", Text),
    word("account"),
    one_of("state", AccountState),
    one_of("reason", AccountReason),
    word("last_boot"),
)

spent = _table(
    "spent",
    Column("account", Text, nullable=False),
    Column("budget", Text, nullable=False),
    Column("at", Time, nullable=False),
    Column("count", Int, nullable=False),
    PrimaryKeyConstraint("account", "budget", "at"),
    word("account"),
    one_of("budget", Budget),
    keyed=True,
)

flood_waits = _table(
    "flood_waits",
    Column("account", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("until", Time, nullable=False),
    Column("count", Int, nullable=False),
    Column("seconds", Int, nullable=False),  # of all of them
    PrimaryKeyConstraint("account", "method"),
    *map(word, ("account", "method")),
    keyed=True,
)

# -- channels ----------------------------------------------------------------------------------------------

authorizations = _table(
    "authorizations",
    Column("authorization_id", Int, primary_key=True),
    Column("username", Text, nullable=False),
    Column("declared_at", Time, nullable=False),
    Column("reference", Text, nullable=False),
    Column("granted_by", Text, nullable=False),
    Column("basis", Text, nullable=False),
    Column("valid_from", Time, nullable=False),
    Column("valid_until", Time, nullable=False),
    Column("document_sha256", LargeBinary),
    Column("approved_by", Text),
    Column("terms", Text),
    Column("includes", Text, nullable=False),  # chat kinds, sorted, joined by blanks
    Column("declared_id", Int),
    word("username", 32),
    one_of("basis", Basis),
    exactly("document_sha256", 32),
)

channels = _table(
    "channels",
    Column("username", Text, primary_key=True),
    Column("authorization_id", Int, ForeignKey("authorizations.authorization_id")),  # the one in force
    Column("includes", Text, nullable=False),
    Column("declared_id", Int),  # the channel id that the declaration insists on
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("account", Text),
    Column("channel_id", Int, index=True),
    Column("created_at", Time),
    Column("participants", Int),
    Column("verified", Bool),
    Column("scam", Bool),
    Column("fake", Bool),
    Column("linked_channel_id", Int),
    Column("leave_when_ended", Bool, nullable=False),
    word("username", 32),
    one_of("state", ChannelState),
    word("reason"),  # not a list of values: more reasons will come
    word("account"),
    *map(truth, ("verified", "scam", "fake", "leave_when_ended")),
)

coverage = _table(
    "coverage",
    Column("channel_id", Int, primary_key=True, autoincrement=False),
    Column("start", Int, nullable=False),  # the first message id that is covered
    Column("cursor", Int, nullable=False),  # everything from the start up to this one is accounted for
    Column("top", Int, nullable=False),  # the highest id that the platform is known to have given out
    Column("seen", Int, nullable=False),  # the highest id that is recorded or absent
    Column("past", Int, nullable=False),  # the newest id when coverage began
    Column("position", Int, nullable=False),  # in the platform's sequence of changes; 0 is unknown
    *_numbers("stale_after", "stale_upto"),  # ids in between may have changed unseen
)

absences = _table(
    "absences",
    Column("channel_id", Int, nullable=False),
    Column("first", Int, nullable=False),  # ids from first to last were deleted before they were recorded
    Column("last", Int, nullable=False),
    Column("told", Bool, nullable=False),  # the platform said so; else they were not there when asked for
    Column("source", Text, nullable=False),
    Column("known_at", Time, nullable=False),
    Column(
        "removed", Bool, nullable=False
    ),  # no: they were recorded, and retention or an erasure took the rows
    PrimaryKeyConstraint("channel_id", "first"),
    *map(truth, ("told", "removed")),
    one_of("source", Source),
    keyed=True,
)

# -- messages ----------------------------------------------------------------------------------------------

media = _table(
    "media",
    Column("media_id", Int, primary_key=True, autoincrement=False),
    Column("outcome", Text, nullable=False),
    Column("first_seen_at", Time, nullable=False),
    Column("settled_at", Time),
    Column("fetched", Int, nullable=False),  # bytes, over all attempts
    Column("rendition", Text),
    Column("rescan", Int),  # the event of the last rescan that had the item fetched again
    one_of("outcome", MediaOutcome),
    word("rendition", 16),
    # Not over the waiting alone: SQLite uses such an index only where the query spells the constant out.
    Index("ix_media_waiting", "outcome", "first_seen_at", "media_id"),
)

Index(
    "ix_media_rescan",
    media.c.rescan,
    sqlite_where=media.c.rescan.is_not(None),
    postgresql_where=media.c.rescan.is_not(None),
)

messages = _table(
    "messages",
    Column("channel_id", Int, nullable=False),
    Column("message_id", Int, nullable=False),
    Column("kind", Text, nullable=False),
    Column("action", Text),
    Column("posted_at", Time, nullable=False),
    Column("edited_at", Time),
    Column("first_seen_at", Time, nullable=False),
    Column("deleted_seen_at", Time),
    Column("source", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("tool_version", Text, nullable=False),
    Column("grouped_id", Int),
    Column("sender", Text),
    Column("post", Bool, nullable=False),
    Column("silent", Bool, nullable=False),
    Column("pinned", Bool, nullable=False),
    Column("noforwards", Bool, nullable=False),
    *_numbers("ttl", "reply_to_id", "topic_id", "via_bot_id"),
    Column("forward_date", Time),
    *_numbers("forward_channel_id", "forward_message_id"),
    Column("forward_sender", Text),
    *_numbers("views", "forwards", "replies", "reactions"),
    Column("media_kind", Text),
    Column("media_id", Int, ForeignKey("media.media_id")),
    Column("mime", Text),
    *_numbers("size", "width", "height", "duration"),
    Column("spoiler", Bool, nullable=False),
    Column("price", Int),
    Column("as_of", Int, nullable=False),
    Column("look_at", Time),
    PrimaryKeyConstraint("channel_id", "message_id"),
    one_of("kind", MessageKind),
    word("action"),
    one_of("source", Source),
    *map(word, ("account", "tool_version")),
    word("sender", 96),
    word("forward_sender", 96),
    one_of("media_kind", MediaKind),
    word("mime", 96),
    *map(truth, ("post", "silent", "pinned", "noforwards", "spoiler")),
    keyed=True,
)
Index(
    "ix_messages_media_id",
    messages.c.media_id,
    sqlite_where=messages.c.media_id.is_not(None),
    postgresql_where=messages.c.media_id.is_not(None),
)
Index(
    "ix_messages_look_at",
    messages.c.look_at,
    sqlite_where=messages.c.look_at.is_not(None),
    postgresql_where=messages.c.look_at.is_not(None),
)

MESSAGE_KEY = ("channel_id", "message_id")


def _of_message() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        MESSAGE_KEY, ["messages.channel_id", "messages.message_id"], ondelete="CASCADE"
    )


restrictions = _table(
    "message_restrictions",
    Column("channel_id", Int, nullable=False),
    Column("message_id", Int, nullable=False),
    Column("platform", Text, nullable=False),
    Column("reason", Text, nullable=False),
    PrimaryKeyConstraint("channel_id", "message_id", "platform", "reason"),
    _of_message(),
    *map(word, ("platform", "reason")),
    keyed=True,
)

counters = _table(
    "counters",
    Column("channel_id", Int, nullable=False),
    Column("message_id", Int, nullable=False),
    Column("at", Time, nullable=False),
    *_numbers("views", "forwards", "replies", "reactions"),
    PrimaryKeyConstraint("channel_id", "message_id", "at"),
    _of_message(),
    keyed=True,
)

# -- matches, flags, cases ---------------------------------------------------------------------------------

cases = _table(
    "cases",
    Column("case_id", Int, primary_key=True),
    Column("hash_list", Text, nullable=False),
    Column("entry", Text, nullable=False),
    Column("opened_at", Time),  # absent: the case was removed, and its entry waits to be seen again
    Column("quarantined_at", Time),  # the flood guard holds its flags back
    Column("released_at", Time),
    Column("category", Text),  # of the entry, as its list and the configuration have it now
    Column("withdrawn_at", Time),  # its list holds the entry no more
    # What the fold over its events gave when a person last acted; sightings that came later are not in it.
    Column("state", Text, nullable=False),
    Column("settled", Int),  # the event up to which no sighting waits for a decision
    Column("assigned_to", Text),
    Column("held_until", Time),
    UniqueConstraint("hash_list", "entry"),
    *map(word, ("hash_list", "entry", "assigned_to")),
    one_of("category", Category),
    one_of("state", CaseState),
)


def _match_columns() -> list[Column[Any]]:
    return [
        Column("case_id", Int, ForeignKey("cases.case_id", onupdate="CASCADE"), nullable=False),
        Column("list_version", Text, nullable=False),
        Column("algorithm", Text, nullable=False),
        Column("distance", Int, nullable=False),  # bits
        Column("threshold", Int, nullable=False),
        Column("quality", Int),
        Column("error_bound", Int),  # bits; a smaller rendition than the original decided
        *_numbers(
            "query_share", "list_share"
        ),  # per cent of a film's frames, and of the entry's, that are near
    ]


media_matches = _table(
    "media_matches",
    Column("media_id", Int, ForeignKey("media.media_id", ondelete="CASCADE"), nullable=False),
    *_match_columns(),
    PrimaryKeyConstraint("media_id", "case_id", "list_version", "algorithm"),
    Index("ix_media_matches_case_id", "case_id"),
    word("list_version"),
    one_of("algorithm", Algorithm),
    keyed=True,
)

flags = _table(
    "flags",
    Column("flag_id", Int, primary_key=True),
    Column("channel_id", Int, nullable=False),
    Column("message_id", Int, nullable=False),
    Column("media_id", Int, ForeignKey("media.media_id"), nullable=False, index=True),
    Column("raised_at", Time, nullable=False),
    Column("media_kind", Text, nullable=False),
    Column("rendition", Text),
    UniqueConstraint("channel_id", "message_id", "media_id"),
    ForeignKeyConstraint(MESSAGE_KEY, ["messages.channel_id", "messages.message_id"]),
    one_of("media_kind", MediaKind),
    word("rendition", 16),
    once=True,
)

flag_matches = _table(
    "flag_matches",
    Column("flag_id", Int, ForeignKey("flags.flag_id", ondelete="CASCADE"), nullable=False),
    *_match_columns(),
    PrimaryKeyConstraint("flag_id", "case_id", "list_version", "algorithm"),
    Index("ix_flag_matches_case_id", "case_id"),
    word("list_version"),
    one_of("algorithm", Algorithm),
    keyed=True,
)

# -- reports in the app ------------------------------------------------------------------------------------

# No key to `messages`: a message is reported once, whatever else of it has been erased.
errands = _table(
    "errands",
    Column("errand_id", Int, primary_key=True),
    Column("report_id", Int),
    Column("account", Text, nullable=False),
    Column("channel_id", Int, nullable=False),
    Column("message_id", Int, nullable=False),
    Column("again", Int, nullable=False),  # how many before it arrived, or may have
    Column("operator", Text, nullable=False),
    Column("requested_at", Time, nullable=False),
    Column("approved_by", Text, nullable=False),
    Column("approved_at", Time, nullable=False),
    Column("path", Text, nullable=False),  # texts of the menu, a JSON list
    Column("comment", Text),
    Column("explanation", Text),  # why it is reported again
    Column("state", Text, nullable=False, index=True),
    Column("failure", Text),
    Column("steps", Int, nullable=False),
    Column("commented", Bool, nullable=False),
    Column("hidden", Int, nullable=False),
    Column("comment_optional", Bool),
    Column("until", Time),
    Column("told_at", Time),
    Column("seen_by", Text),
    *map(word, ("account", "operator", "approved_by", "seen_by")),
    one_of("state", ErrandState),
    one_of("failure", ErrandFailure),
    *map(truth, ("commented", "comment_optional")),
    once=True,
)
# One report of an item and account; a further one only by a person's word, which counts up `again`.
Index(
    "ix_errands_once",
    errands.c.account,
    errands.c.channel_id,
    errands.c.message_id,
    errands.c.again,
    unique=True,
    sqlite_where=errands.c.state != ErrandState.FAILED.value,
    postgresql_where=errands.c.state != ErrandState.FAILED.value,
)

# What the platform's menu offers, for as long as somebody has to choose.
errand_menus = _table(
    "errand_menus",
    Column("errand_id", Int, ForeignKey("errands.errand_id", ondelete="CASCADE"), nullable=False),
    Column("position", Int, nullable=False),
    Column("text", Text, nullable=False),
    PrimaryKeyConstraint("errand_id", "position"),
    label("text", LONGEST_LABEL),
    keyed=True,
)

# -- lists and events --------------------------------------------------------------------------------------

hash_lists = _table(
    "hash_lists",
    Column("hash_list_id", Int, primary_key=True),
    Column("name", Text, nullable=False, index=True),
    Column("version", Text, nullable=False),
    Column("algorithm", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("count", Int, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("licensor", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("permitted_uses", Text, nullable=False),  # sorted, joined by blanks
    Column("max_distance", Int, nullable=False),
    Column("min_quality", Int, nullable=False),
    # Of an exchange's list: hashes that it has ever added and withdrawn.
    Column("added", Int),
    Column("withdrawn", Int),
    Column("loaded_at", Time, nullable=False),
    *map(word, ("name", "version")),
    one_of("algorithm", Algorithm),
    one_of("action", ListAction),
    exactly("sha256", 32),
)

# What each operator has looked up within the last hour.
lookups = _table(
    "lookups",
    Column("operator", Text, nullable=False),
    Column("at", Time, nullable=False),
    Column("count", Int, nullable=False),
    PrimaryKeyConstraint("operator", "at"),
    word("operator"),
    keyed=True,
)

events = _table(
    "events",
    Column("seq", Int, primary_key=True, autoincrement=False),
    Column("at", Time, nullable=False),
    # A word and not a list of values: every later issue brings types of its own.
    Column("type", Text, nullable=False),
    Column("commitment", LargeBinary, nullable=False),  # SHA-256(salt ‖ body); outlives them
    Column("salt", LargeBinary),
    Column("body", LargeBinary),  # canonical JSON; erased together with its salt
    word("type"),
    exactly("commitment", 32),
    exactly("salt", 32),
)

# -- people ------------------------------------------------------------------------------------------------

operators = _table(
    "operators",
    Column("name", Text, primary_key=True),
    Column("roles", Text, nullable=False),  # sorted, joined by blanks
    Column("password_hash", Text),  # argon2id's own encoding
    Column("created_at", Time, nullable=False),
    Column("disabled_at", Time),
    word("name"),
    word("password_hash", 160, also="$=,"),
)

# -- cases, reports: what a query has to find; the truth is the fold over a case's events -------------------

case_events = _table(
    "case_events",
    Column("case_id", Int, ForeignKey("cases.case_id"), nullable=False),
    Column("seq", Int, ForeignKey("events.seq"), nullable=False),
    PrimaryKeyConstraint("case_id", "seq"),
    Index("ix_case_events_seq", "seq"),
    keyed=True,
)

reports = _table(
    "reports",
    Column("report_id", Int, primary_key=True),
    Column("case_id", Int, ForeignKey("cases.case_id"), nullable=False, index=True),
    Column("route", Text, nullable=False),
    Column("recipient", Text),  # its id in the register
    Column("category", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("prepared_at", Time, nullable=False),
    Column("sent_at", Time),
    Column("correction_since", Time),  # an open correction
    Column("escalated_at", Time),
    one_of("route", Route),
    word("recipient"),
    one_of("category", Category),
    one_of("state", ReportState),
    once=True,
)

report_items = _table(
    "report_items",
    Column("report_id", Int, ForeignKey("reports.report_id"), nullable=False),
    Column("flag_id", Int, ForeignKey("flags.flag_id"), nullable=False),
    PrimaryKeyConstraint("report_id", "flag_id"),
    Index("ix_report_items_flag_id", "flag_id"),
    keyed=True,
)

negative_list = _table(
    "negative_list",
    Column("negative_id", Int, primary_key=True),
    Column("case_id", Int, ForeignKey("cases.case_id"), nullable=False, index=True),
    Column("added_at", Time, nullable=False),
    Column("until", Time, nullable=False),
    Column("ended_at", Time),
)
