"""The columns of each export: a contract, so names and order stay; docs/exports.md repeats them for readers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.reporting.entries import EntryNames, HashValues

Value = str | int | bool | None
"""A cell: times are microseconds since 1970 in UTC; None is absent."""
Cells = Sequence[Value]
"""The cells of one column."""


@dataclass(frozen=True, slots=True)
class Known:
    """What some columns are made of besides the row: names of entries under the operator's key, the values that
    lists have for entries, the marking of the file."""

    names: EntryNames | None = None
    values: HashValues | None = None
    marking: str | None = None


Making = Callable[..., Value]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of an export. `kind` is integer, boolean, time or text.

    `of` are the columns of the store's row that it is made of, `make` how; without them it is the row's own.
    """

    name: str
    kind: str
    meaning: str
    of: tuple[str, ...] = ()
    make: Callable[[Known], Making] | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """The columns of the store's row that it needs."""
        return self.of if self.of or self.make else (self.name,)

    def cells(self, stored: Mapping[str, Sequence[Any]], known: Known, rows: int) -> Cells:
        """Its cells, from the stored columns of so many rows."""
        if self.make is not None:
            making = self.make(known)
            if not self.of:
                return [making()] * rows
            return [making(*row) for row in zip(*(stored[name] for name in self.of), strict=True)]
        found: Cells = stored[self.sources[0]]
        return (
            [None if value is None else bool(value) for value in found] if self.kind == "boolean" else found
        )


def _integer(name: str, meaning: str) -> Column:
    return Column(name, "integer", meaning)


def _boolean(name: str, meaning: str) -> Column:
    return Column(name, "boolean", meaning)


def _time(name: str, meaning: str) -> Column:
    return Column(name, "time", meaning)


def _text(name: str, meaning: str) -> Column:
    return Column(name, "text", meaning)


_OUTCOME = (
    "what came of the media: pending, {}, low_quality, undecodable, empty, incomplete, partial, gone, failed; left out:"
    " too_large, kind_off, on_cdn, no_file (paid media, stories, web pages, polls: there is none to fetch)"
)
_MESSAGES = (
    _integer("channel_id", "the channel, without the -100 prefix of the bot API"),
    _integer("message_id", "the message within its channel"),
    _integer("grouped_id", "the album that it belongs to"),
    _time("posted_at", "when it was posted, by the platform's clock"),
    _time("edited_at", "when it was last edited, by the platform's clock"),
    _time("first_seen_at", "when this project first saw it, by its own clock"),
    _time("deleted_seen_at", "when this project learnt that it was deleted"),
    _text("kind", "message, or service for a notice by the platform"),
    _text("sender", "keyed pseudonym of who posted it, in groups"),
    _time("forward_date", "when the forwarded original was posted"),
    _integer("forward_channel_id", "the channel of the forwarded original"),
    _integer("forward_message_id", "the message id of the forwarded original"),
    _integer("reply_to_id", "the message that it answers"),
    _integer("topic_id", "the topic of a group that it belongs to"),
    _integer("via_bot_id", "the bot through which it was sent"),
    _integer("views", "how often it was viewed, when last seen"),
    _integer("forwards", "how often it was forwarded, when last seen"),
    _integer("replies", "how many replies it had, when last seen"),
    _integer("reactions", "how many reactions it had, all kinds together, when last seen"),
    _integer("media_id", "the photo or document; the same in each message that carries it"),
    _text(
        "media_kind", "photo, video, document and so on; present also where there are no bytes (poll, geo)"
    ),
    _text("mime", "registered media type, or other"),
    _integer("size", "bytes, as the platform says"),
    _integer("width", "pixels"),
    _integer("height", "pixels"),
    _integer("duration", "seconds"),
)
_MESSAGES_END = (
    _text("restriction", "platform:reason for each platform on which it is hidden, joined by blanks"),
    _text("source", "how it was seen first: live, reconcile or backfill"),
    _text("account", "which of the project's accounts saw it first"),
)
MESSAGES = (
    *_MESSAGES,
    Column(
        "media_outcome",
        "text",
        _OUTCOME.format("examined (whether it matched is left out)"),
        ("media_settled",),
    ),
    *_MESSAGES_END,
)
MARKING = Column(
    "marking",
    "text",
    "the same in each row: what the file contains that must not go further, and for what purpose it was made",
    (),
    lambda known: lambda: known.marking,
)
"""The last column of what contains addresses or hashes, so that a part of the file is marked as the whole is."""
MESSAGES_WITH_ADDRESSES = (
    *_MESSAGES,
    _text("media_outcome", _OUTCOME.format("match, no_match")),
    *_MESSAGES_END,
)

FLAGS = (
    _integer("flag_id", "one media item in one message"),
    _integer("case_id", "all flags of one entry of one list"),
    _time("raised_at", "when the flag was raised"),
    _text("hash_list", "the list that matched"),
    _text("list_version", "its version: count of entries and digest"),
    _text("entry", "the entry that matched"),
    _text("algorithm", "of the best match with this entry: exact before perceptual, then the least distance"),
    _integer("distance", "bits between the two hashes; 0 for an exact match"),
    _integer("quality", "PDQ quality of the item, 0 to 100"),
    _integer("threshold", "bits up to which the list matches"),
    _text(
        "rendition",
        "what decided: the letter of the photo's size, with the number of its first scans where these were all"
        " that was read, or document",
    ),
    _text("media_kind", "photo, video, document and so on"),
    _time("posted_at", "when the message was posted"),
    _text(
        "state",
        "of the case: open, accepted, not_relied_on, second_opinion; suppressed while its entry is on the negative"
        " list",
    ),
    _boolean("screened", "whether a smaller rendition than the original decided"),
    _integer(
        "error_bound", "bits that its distance may be off then, as measured; empty when the original decided"
    ),
    _integer("query_share", "of a film: per cent of its frames that are near one of the entry's"),
    _integer(
        "list_share", "of a film that a list of films holds: per cent of the entry's frames that it shows"
    ),
)
FLAG_ADDRESSES = (
    _integer("channel_id", "the channel, without the -100 prefix of the bot API"),
    _text("username", "a public name of the channel"),
    _integer("message_id", "the message within its channel"),
    _integer("media_id", "the photo or document"),
    Column("link", "text", "where the message can be seen", ("username", "message_id"), lambda _: _link),
)
ENTRY_HMAC = Column(
    "entry_hmac",
    "text",
    "keyed name of the entry, the same in all exports under one key: key's id, dash, HMAC-SHA-256 in hex",
    ("hash_list", "entry"),
    lambda known: known.names or _absent,
)
HASH = Column(
    "hash",
    "text",
    "what the list gives for the entry and algorithm, in hex; several are joined by blanks",
    ("hash_list", "entry", "algorithm"),
    lambda known: known.values or _absent,
)

CASES = (
    _integer("case_id", "all flags of one entry of one list"),
    _text("hash_list", "the list"),
    _text("entry", "the entry"),
    _time("opened_at", "when its first match was found"),
    _text("state", "open, accepted, not_relied_on or second_opinion"),
    _integer("flags", "how many flags it has"),
    _integer("channels", "in how many channels"),
    _time("first_sighting_at", "when the first of its flags was raised"),
    _time("last_sighting_at", "when the last of its flags was raised"),
    _time(
        "quarantined_at",
        "since when its flags are held back, as it matched too much; absent when they are not",
    ),
    ENTRY_HMAC,
    _text("category", "what the list classes the entry as by now; absent where nothing says"),
    _text("assigned_to", "the operator whose case it is"),
    _time("held_until", "until when nothing may be sent, as somebody asked; may be past"),
    _time("withdrawn_at", "since when its list holds the entry no more"),
)

REPORTS = (
    _integer("report_id", "one report to one recipient"),
    _integer("case_id", "the case that it reports"),
    _text("route", "the way it takes: telegram, telegram_mail, dsa, hotline and so on"),
    _text("recipient", "the recipient's id in the register"),
    _text("category", "as what it was reported"),
    _text("state", "prepared, approved, sent, handed_over, failed, acknowledged, outcome or superseded"),
    _time("prepared_at", "when it was prepared"),
    _time("approved_at", "when somebody approved it"),
    _time("sent_at", "when it was sent or handed over"),
    _text("outcome", "actioned, already_gone, not_illegal, duplicate, needs_more or no_answer"),
    _integer("items", "how many sightings it covers"),
    _time("correction_since", "since when it has to be corrected; absent when it has not, or was"),
    _time("escalated_at", "when its items had been visible for too long"),
)

CHANNELS = (
    _integer("channel_id", "the channel; absent until it was joined"),
    _text("username", "the public name that was declared"),
    _time("created_at", "when it was created, by the platform's clock"),
    _integer("participants", "how many members it had, when last seen"),
    _boolean("verified", "marked as verified by the platform"),
    _boolean("scam", "marked as scam by the platform"),
    _boolean("fake", "marked as fake by the platform"),
    _integer("linked_channel_id", "its discussion group, or the channel that it is the group of"),
    _text("state", "declared, collecting, refused or stopped"),
    _text("reason", "why it was refused or stopped"),
    _text("authorization", "reference of the authorization in force"),
    _time("valid_until", "when that authorization ends"),
)

LOG = (
    _integer("seq", "number of the event, from 0 without gaps"),
    _time("at", "when it was recorded, by this project's clock"),
    _text("type", "what happened: flag_raised, export_made and so on"),
    Column(
        "commitment",
        "text",
        "SHA-256 of salt and body in hex, which the report log proves; it outlives them",
        ("commitment",),
        lambda _: _hex,
    ),
)
LOG_BODIES = (
    Column("body", "text", "canonical JSON of what is on record of it", ("body",), lambda _: _decoded),
    Column(
        "salt",
        "text",
        "32 random bytes in hex, with which the body gives the commitment",
        ("salt",),
        lambda _: _hex,
    ),
)

OBSERVATIONS = (
    _integer("channel_id", "the channel, without the -100 prefix of the bot API"),
    _time("observed_at", "when this project learnt of it, by its own clock"),
    _text("outcome", "message_gone; or channel_ and why it was refused or stopped, such as channel_gone"),
    _text("source", "where it is on record: messages or events"),
)
OBSERVATION_ADDRESSES = (
    _integer("message_id", "the message within its channel; absent when it is all of them"),
)


def _absent(*_: object) -> None:
    return None


def _link(username: str | None, message_id: int) -> str | None:
    return None if username is None else f"https://t.me/{username}/{message_id}"


def _decoded(body: bytes | None) -> str | None:
    return None if body is None else body.decode()


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()
