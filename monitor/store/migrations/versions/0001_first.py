"""The first schema: accounts, channels, messages, media, flags, hash lists, events."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Spelled out, not imported: a migration stays what it was when the code has moved on.
Int = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Bool = sa.Boolean().with_variant(sa.Integer(), "sqlite")
Text = sa.Text()
Bytes = sa.LargeBinary()


def word(column: str, most: int = 64, also: str = "") -> sa.CheckConstraint:
    rule = (
        f"length({column}) <= {most} AND length(CAST({column} AS BLOB)) = length({column})"
        f" AND {column} NOT GLOB '*[^A-Za-z0-9._:/+{also}-]*'"
    )
    return sa.CheckConstraint(rule, name=f"{column}_word")


def one_of(column: str, values: str) -> sa.CheckConstraint:
    rule = " OR ".join(f"{column} = '{value}'" for value in values.split())
    return sa.CheckConstraint(rule, name=f"{column}_known")


def truth(column: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(f"{column} IN (0, 1)", name=f"{column}_bool")


def label(column: str, most: int) -> sa.CheckConstraint:
    rule = (
        f"length({column}) BETWEEN 1 AND {most} AND instr(CAST({column} AS BLOB), x'00') = 0"
        f" AND {column} NOT GLOB '*[' || char(1) || '-' || char(31) || char(127) || '-' || char(159) || ']*'"
    )
    return sa.CheckConstraint(rule, name=f"{column}_label")


def exactly(column: str, size: int) -> sa.CheckConstraint:
    return sa.CheckConstraint(f"length({column}) = {size}", name=f"{column}_size")


def numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, Int) for name in names]


def table(name: str, *items: sa.schema.SchemaItem, keyed: bool = False, once: bool = False) -> None:
    op.create_table(name, *items, sqlite_strict=True, sqlite_with_rowid=not keyed, sqlite_autoincrement=once)


def upgrade() -> None:
    table(
        "accounts",
        sa.Column("account", Text, nullable=False),
        sa.Column("state", Text, nullable=False),
        sa.Column("reason", Text),
        *numbers("since", "joins_paused_until"),
        sa.Column("last_at", Int, nullable=False),
        sa.Column("last_elapsed", Int, nullable=False),
        sa.Column("last_boot", Text),
        sa.PrimaryKeyConstraint("account"),
        *map(word, ("account", "last_boot")),
        one_of("state", "active frozen revoked"),
        one_of("reason", "frozen banned signed_out key_duplicated peer_flood"),
    )
    table(
        "spent",
        sa.Column("account", Text, nullable=False),
        sa.Column("budget", Text, nullable=False),
        sa.Column("at", Int, nullable=False),
        sa.Column("count", Int, nullable=False),
        sa.PrimaryKeyConstraint("account", "budget", "at"),
        word("account"),
        one_of("budget", "joins resolves pages file_parts reports"),
        keyed=True,
    )
    table(
        "flood_waits",
        sa.Column("account", Text, nullable=False),
        sa.Column("method", Text, nullable=False),
        sa.Column("until", Int, nullable=False),
        sa.Column("count", Int, nullable=False),
        sa.Column("seconds", Int, nullable=False),
        sa.PrimaryKeyConstraint("account", "method"),
        *map(word, ("account", "method")),
        keyed=True,
    )
    table(
        "authorizations",
        sa.Column("authorization_id", Int, nullable=False),
        sa.Column("username", Text, nullable=False),
        sa.Column("declared_at", Int, nullable=False),
        sa.Column("reference", Text, nullable=False),
        sa.Column("granted_by", Text, nullable=False),
        sa.Column("basis", Text, nullable=False),
        sa.Column("valid_from", Int, nullable=False),
        sa.Column("valid_until", Int, nullable=False),
        sa.Column("document_sha256", Bytes),
        sa.Column("approved_by", Text),
        sa.Column("terms", Text),
        sa.Column("includes", Text, nullable=False),
        sa.Column("declared_id", Int),
        sa.PrimaryKeyConstraint("authorization_id"),
        word("username", 32),
        one_of("basis", "owner_consent ethics_approval statutory_mandate contract"),
        exactly("document_sha256", 32),
    )
    table(
        "cases",
        sa.Column("case_id", Int, nullable=False),
        sa.Column("hash_list", Text, nullable=False),
        sa.Column("entry", Text, nullable=False),
        sa.Column("opened_at", Int),
        sa.Column("quarantined_at", Int),
        sa.Column("released_at", Int),
        sa.Column("category", Text),
        sa.Column("withdrawn_at", Int),
        sa.Column("state", Text, nullable=False),
        sa.Column("settled", Int),
        sa.Column("assigned_to", Text),
        sa.Column("held_until", Int),
        sa.PrimaryKeyConstraint("case_id"),
        sa.UniqueConstraint("hash_list", "entry"),
        *map(word, ("hash_list", "entry", "assigned_to")),
        one_of("category", "child adult_filmed adult_synthetic terrorism unknown"),
        one_of("state", "open accepted not_relied_on second_opinion"),
    )
    table(
        "coverage",
        sa.Column("channel_id", Int, nullable=False, autoincrement=False),
        sa.Column("start", Int, nullable=False),
        sa.Column("cursor", Int, nullable=False),
        sa.Column("top", Int, nullable=False),
        sa.Column("seen", Int, nullable=False),
        sa.Column("past", Int, nullable=False),
        sa.Column("position", Int, nullable=False),
        *numbers("stale_after", "stale_upto"),
        sa.PrimaryKeyConstraint("channel_id"),
    )
    table(
        "absences",
        sa.Column("channel_id", Int, nullable=False),
        sa.Column("first", Int, nullable=False),
        sa.Column("last", Int, nullable=False),
        sa.Column("told", Bool, nullable=False),
        sa.Column("source", Text, nullable=False),
        sa.Column("known_at", Int, nullable=False),
        sa.Column("removed", Bool, nullable=False),
        sa.PrimaryKeyConstraint("channel_id", "first"),
        *map(truth, ("told", "removed")),
        one_of("source", "live reconcile backfill"),
        keyed=True,
    )
    table(
        "lookups",
        sa.Column("operator", Text, nullable=False),
        sa.Column("at", Int, nullable=False),
        sa.Column("count", Int, nullable=False),
        sa.PrimaryKeyConstraint("operator", "at"),
        word("operator"),
        keyed=True,
    )
    table(
        "events",
        sa.Column("seq", Int, nullable=False, autoincrement=False),
        sa.Column("at", Int, nullable=False),
        sa.Column("type", Text, nullable=False),
        sa.Column("commitment", Bytes, nullable=False),
        sa.Column("salt", Bytes),
        sa.Column("body", Bytes),
        sa.PrimaryKeyConstraint("seq"),
        word("type"),
        exactly("commitment", 32),
        exactly("salt", 32),
    )
    table(
        "operators",
        sa.Column("name", Text, nullable=False),
        sa.Column("roles", Text, nullable=False),
        sa.Column("password_hash", Text),
        sa.Column("created_at", Int, nullable=False),
        sa.Column("disabled_at", Int),
        sa.PrimaryKeyConstraint("name"),
        word("name"),
        word("password_hash", 160, also="$=,"),
    )
    table(
        "hash_lists",
        sa.Column("hash_list_id", Int, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("version", Text, nullable=False),
        sa.Column("algorithm", Text, nullable=False),
        sa.Column("action", Text, nullable=False),
        sa.Column("count", Int, nullable=False),
        sa.Column("sha256", Bytes, nullable=False),
        sa.Column("licensor", Text, nullable=False),
        sa.Column("reference", Text, nullable=False),
        sa.Column("permitted_uses", Text, nullable=False),
        sa.Column("max_distance", Int, nullable=False),
        sa.Column("min_quality", Int, nullable=False),
        sa.Column("added", Int),
        sa.Column("withdrawn", Int),
        sa.Column("loaded_at", Int, nullable=False),
        sa.PrimaryKeyConstraint("hash_list_id"),
        *map(word, ("name", "version")),
        one_of("algorithm", "md5 sha1 sha256 pdq phash dhash vpdq"),
        one_of("action", "flag review ignore"),
        exactly("sha256", 32),
    )
    op.create_index("ix_hash_lists_name", "hash_lists", ["name"])
    table(
        "media",
        sa.Column("media_id", Int, nullable=False, autoincrement=False),
        sa.Column("outcome", Text, nullable=False),
        sa.Column("first_seen_at", Int, nullable=False),
        sa.Column("settled_at", Int),
        sa.Column("fetched", Int, nullable=False),
        sa.Column("rendition", Text),
        sa.Column("rescan", Int),
        sa.PrimaryKeyConstraint("media_id"),
        one_of(
            "outcome",
            "pending match no_match low_quality undecodable empty incomplete partial too_large kind_off on_cdn gone"
            " failed",
        ),
        word("rendition", 16),
    )
    op.create_index("ix_media_waiting", "media", ["outcome", "first_seen_at", "media_id"])
    op.create_index(
        "ix_media_rescan",
        "media",
        ["rescan"],
        sqlite_where=sa.text("rescan IS NOT NULL"),
        postgresql_where=sa.text("rescan IS NOT NULL"),
    )
    table(
        "sessions",
        sa.Column("account", Text, nullable=False),
        sa.Column("dc", Int, nullable=False),
        sa.Column("host", Text, nullable=False),
        sa.Column("port", Int, nullable=False),
        sa.Column("auth_key", Bytes, nullable=False),
        sa.Column("user_id", Int),
        sa.Column("bot", Bool, nullable=False),
        *numbers("pts", "qts", "date", "seq"),
        sa.PrimaryKeyConstraint("account"),
        word("account"),
        word("host", 253),
        truth("bot"),
    )
    table(
        "channels",
        sa.Column("username", Text, nullable=False),
        sa.Column("authorization_id", Int),
        sa.Column("includes", Text, nullable=False),
        sa.Column("declared_id", Int),
        sa.Column("state", Text, nullable=False),
        sa.Column("reason", Text),
        sa.Column("account", Text),
        *numbers("channel_id", "created_at", "participants"),
        sa.Column("verified", Bool),
        sa.Column("scam", Bool),
        sa.Column("fake", Bool),
        sa.Column("linked_channel_id", Int),
        sa.Column("leave_when_ended", Bool, nullable=False),
        sa.PrimaryKeyConstraint("username"),
        word("username", 32),
        one_of("state", "declared collecting refused stopped"),
        *map(word, ("reason", "account")),
        *map(truth, ("verified", "scam", "fake", "leave_when_ended")),
        sa.ForeignKeyConstraint(["authorization_id"], ["authorizations.authorization_id"]),
    )
    op.create_index("ix_channels_channel_id", "channels", ["channel_id"])
    table(
        "media_matches",
        sa.Column("media_id", Int, nullable=False),
        sa.Column("case_id", Int, nullable=False),
        sa.Column("list_version", Text, nullable=False),
        sa.Column("algorithm", Text, nullable=False),
        sa.Column("distance", Int, nullable=False),
        sa.Column("threshold", Int, nullable=False),
        sa.Column("quality", Int),
        sa.Column("error_bound", Int),
        sa.Column("query_share", Int),
        sa.Column("list_share", Int),
        sa.PrimaryKeyConstraint("media_id", "case_id", "list_version", "algorithm"),
        word("list_version"),
        one_of("algorithm", "md5 sha1 sha256 pdq phash dhash vpdq"),
        sa.ForeignKeyConstraint(["media_id"], ["media.media_id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], onupdate="CASCADE"),
        keyed=True,
    )
    op.create_index("ix_media_matches_case_id", "media_matches", ["case_id"])
    table(
        "messages",
        sa.Column("channel_id", Int, nullable=False),
        sa.Column("message_id", Int, nullable=False),
        sa.Column("kind", Text, nullable=False),
        sa.Column("action", Text),
        sa.Column("posted_at", Int, nullable=False),
        sa.Column("edited_at", Int),
        sa.Column("first_seen_at", Int, nullable=False),
        sa.Column("deleted_seen_at", Int),
        sa.Column("source", Text, nullable=False),
        sa.Column("account", Text, nullable=False),
        sa.Column("tool_version", Text, nullable=False),
        sa.Column("grouped_id", Int),
        sa.Column("sender", Text),
        sa.Column("post", Bool, nullable=False),
        sa.Column("silent", Bool, nullable=False),
        sa.Column("pinned", Bool, nullable=False),
        sa.Column("noforwards", Bool, nullable=False),
        *numbers(
            "ttl",
            "reply_to_id",
            "topic_id",
            "via_bot_id",
            "forward_date",
            "forward_channel_id",
            "forward_message_id",
        ),
        sa.Column("forward_sender", Text),
        *numbers("views", "forwards", "replies", "reactions"),
        sa.Column("media_kind", Text),
        sa.Column("media_id", Int),
        sa.Column("mime", Text),
        *numbers("size", "width", "height", "duration"),
        sa.Column("spoiler", Bool, nullable=False),
        sa.Column("price", Int),
        sa.Column("as_of", Int, nullable=False),
        sa.Column("look_at", Int),
        sa.PrimaryKeyConstraint("channel_id", "message_id"),
        one_of("kind", "message service"),
        word("action"),
        one_of("source", "live reconcile backfill"),
        *map(word, ("account", "tool_version")),
        word("sender", 96),
        word("forward_sender", 96),
        one_of(
            "media_kind",
            "photo video round gif voice audio sticker document paid web_page poll geo contact story other",
        ),
        word("mime", 96),
        *map(truth, ("post", "silent", "pinned", "noforwards", "spoiler")),
        sa.ForeignKeyConstraint(["media_id"], ["media.media_id"]),
        keyed=True,
    )
    op.create_index(
        "ix_messages_media_id",
        "messages",
        ["media_id"],
        sqlite_where=sa.text("media_id IS NOT NULL"),
        postgresql_where=sa.text("media_id IS NOT NULL"),
    )
    op.create_index(
        "ix_messages_look_at",
        "messages",
        ["look_at"],
        sqlite_where=sa.text("look_at IS NOT NULL"),
        postgresql_where=sa.text("look_at IS NOT NULL"),
    )
    table(
        "peers",
        sa.Column("account", Text, nullable=False),
        sa.Column("channel_id", Int, nullable=False),
        sa.Column("access_hash", Int, nullable=False),
        sa.PrimaryKeyConstraint("account", "channel_id"),
        sa.ForeignKeyConstraint(["account"], ["sessions.account"], ondelete="CASCADE"),
        word("account"),
        keyed=True,
    )
    table(
        "counters",
        sa.Column("channel_id", Int, nullable=False),
        sa.Column("message_id", Int, nullable=False),
        sa.Column("at", Int, nullable=False),
        *numbers("views", "forwards", "replies", "reactions"),
        sa.PrimaryKeyConstraint("channel_id", "message_id", "at"),
        sa.ForeignKeyConstraint(
            ["channel_id", "message_id"], ["messages.channel_id", "messages.message_id"], ondelete="CASCADE"
        ),
        keyed=True,
    )
    table(
        "flags",
        sa.Column("flag_id", Int, nullable=False),
        sa.Column("channel_id", Int, nullable=False),
        sa.Column("message_id", Int, nullable=False),
        sa.Column("media_id", Int, nullable=False),
        sa.Column("raised_at", Int, nullable=False),
        sa.Column("media_kind", Text, nullable=False),
        sa.Column("rendition", Text),
        sa.PrimaryKeyConstraint("flag_id"),
        sa.UniqueConstraint("channel_id", "message_id", "media_id"),
        sa.ForeignKeyConstraint(["channel_id", "message_id"], ["messages.channel_id", "messages.message_id"]),
        one_of(
            "media_kind",
            "photo video round gif voice audio sticker document paid web_page poll geo contact story other",
        ),
        word("rendition", 16),
        sa.ForeignKeyConstraint(["media_id"], ["media.media_id"]),
        once=True,
    )
    op.create_index("ix_flags_media_id", "flags", ["media_id"])
    table(
        "message_restrictions",
        sa.Column("channel_id", Int, nullable=False),
        sa.Column("message_id", Int, nullable=False),
        sa.Column("platform", Text, nullable=False),
        sa.Column("reason", Text, nullable=False),
        sa.PrimaryKeyConstraint("channel_id", "message_id", "platform", "reason"),
        sa.ForeignKeyConstraint(
            ["channel_id", "message_id"], ["messages.channel_id", "messages.message_id"], ondelete="CASCADE"
        ),
        *map(word, ("platform", "reason")),
        keyed=True,
    )
    table(
        "flag_matches",
        sa.Column("flag_id", Int, nullable=False),
        sa.Column("case_id", Int, nullable=False),
        sa.Column("list_version", Text, nullable=False),
        sa.Column("algorithm", Text, nullable=False),
        sa.Column("distance", Int, nullable=False),
        sa.Column("threshold", Int, nullable=False),
        sa.Column("quality", Int),
        sa.Column("error_bound", Int),
        sa.Column("query_share", Int),
        sa.Column("list_share", Int),
        sa.PrimaryKeyConstraint("flag_id", "case_id", "list_version", "algorithm"),
        word("list_version"),
        one_of("algorithm", "md5 sha1 sha256 pdq phash dhash vpdq"),
        sa.ForeignKeyConstraint(["flag_id"], ["flags.flag_id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"], onupdate="CASCADE"),
        keyed=True,
    )
    table(
        "errands",
        sa.Column("errand_id", Int, nullable=False),
        sa.Column("report_id", Int),
        sa.Column("account", Text, nullable=False),
        sa.Column("channel_id", Int, nullable=False),
        sa.Column("message_id", Int, nullable=False),
        sa.Column("again", Int, nullable=False),
        sa.Column("operator", Text, nullable=False),
        sa.Column("requested_at", Int, nullable=False),
        sa.Column("approved_by", Text, nullable=False),
        sa.Column("approved_at", Int, nullable=False),
        sa.Column("path", Text, nullable=False),
        sa.Column("comment", Text),
        sa.Column("explanation", Text),
        sa.Column("state", Text, nullable=False),
        sa.Column("failure", Text),
        sa.Column("steps", Int, nullable=False),
        sa.Column("commented", Bool, nullable=False),
        sa.Column("hidden", Int, nullable=False),
        sa.Column("comment_optional", Bool),
        *numbers("until", "told_at"),
        sa.Column("seen_by", Text),
        sa.PrimaryKeyConstraint("errand_id"),
        *map(word, ("account", "operator", "approved_by", "seen_by")),
        one_of("state", "waiting sending asking sent failed unknown"),
        one_of(
            "failure",
            "not_offered menu_changed more_choices comment_needed message_gone channel_gone not_collected refused"
            " withdrawn",
        ),
        *map(truth, ("commented", "comment_optional")),
        once=True,
    )
    op.create_index("ix_errands_state", "errands", ["state"])
    op.create_index(
        "ix_errands_once",
        "errands",
        ["account", "channel_id", "message_id", "again"],
        unique=True,
        sqlite_where=sa.text("state != 'failed'"),
        postgresql_where=sa.text("state != 'failed'"),
    )
    table(
        "errand_menus",
        sa.Column("errand_id", Int, nullable=False),
        sa.Column("position", Int, nullable=False),
        sa.Column("text", Text, nullable=False),
        sa.PrimaryKeyConstraint("errand_id", "position"),
        sa.ForeignKeyConstraint(["errand_id"], ["errands.errand_id"], ondelete="CASCADE"),
        label("text", 64),
        keyed=True,
    )
    op.create_index("ix_flag_matches_case_id", "flag_matches", ["case_id"])
    table(
        "case_events",
        sa.Column("case_id", Int, nullable=False),
        sa.Column("seq", Int, nullable=False),
        sa.PrimaryKeyConstraint("case_id", "seq"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"]),
        sa.ForeignKeyConstraint(["seq"], ["events.seq"]),
        keyed=True,
    )
    op.create_index("ix_case_events_seq", "case_events", ["seq"])
    table(
        "reports",
        sa.Column("report_id", Int, nullable=False),
        sa.Column("case_id", Int, nullable=False),
        sa.Column("route", Text, nullable=False),
        sa.Column("recipient", Text),
        sa.Column("category", Text, nullable=False),
        sa.Column("state", Text, nullable=False),
        sa.Column("prepared_at", Int, nullable=False),
        *numbers("sent_at", "correction_since", "escalated_at"),
        sa.PrimaryKeyConstraint("report_id"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"]),
        one_of(
            "route",
            "telegram telegram_mail dsa hotline ncmec kr_review_body kr_police kr_victim_centre generic",
        ),
        word("recipient"),
        one_of("category", "child adult_filmed adult_synthetic terrorism unknown"),
        one_of("state", "prepared approved sent handed_over failed acknowledged outcome superseded"),
        once=True,
    )
    op.create_index("ix_reports_case_id", "reports", ["case_id"])
    table(
        "report_items",
        sa.Column("report_id", Int, nullable=False),
        sa.Column("flag_id", Int, nullable=False),
        sa.PrimaryKeyConstraint("report_id", "flag_id"),
        sa.ForeignKeyConstraint(["report_id"], ["reports.report_id"]),
        sa.ForeignKeyConstraint(["flag_id"], ["flags.flag_id"]),
        keyed=True,
    )
    op.create_index("ix_report_items_flag_id", "report_items", ["flag_id"])
    table(
        "negative_list",
        sa.Column("negative_id", Int, nullable=False),
        sa.Column("case_id", Int, nullable=False),
        sa.Column("added_at", Int, nullable=False),
        sa.Column("until", Int, nullable=False),
        sa.Column("ended_at", Int),
        sa.PrimaryKeyConstraint("negative_id"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.case_id"]),
    )
    op.create_index("ix_negative_list_case_id", "negative_list", ["case_id"])
