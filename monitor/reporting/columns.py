"""The columns of each export: a contract, so names and order stay; docs/exports.md repeats them for readers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from monitor.model import MediaOutcome

Value = str | int | bool | None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of an export. `kind` is integer, boolean, time or text."""

    name: str
    kind: str
    meaning: str

    def value(self, row: Mapping[Any, Any]) -> Value:
        """The row's value as an export holds it: times in ISO 8601 UTC, absent is None."""
        found = row[self.name]
        if found is None:
            return None
        if self.kind == "boolean":
            return bool(found)
        if isinstance(found, datetime):
            return found.isoformat().replace("+00:00", "Z")
        return int(found) if self.kind == "integer" else str(found)


@dataclass(frozen=True, slots=True)
class _Settled(Column):
    """The outcome of a media item, for those who are not to learn which messages carry a match."""

    def value(self, row: Mapping[Any, Any]) -> Value:
        found = row[self.name]
        return "examined" if found in (MediaOutcome.MATCH, MediaOutcome.NO_MATCH) else found


@dataclass(frozen=True, slots=True)
class _Screened(Column):
    """Whether a distance may be off, as the original was not looked at."""

    def value(self, row: Mapping[Any, Any]) -> Value:
        return row["error_bound"] is not None


@dataclass(frozen=True, slots=True)
class _State(Column):
    """A case's state. No decision can be recorded yet, so each one is open."""

    def value(self, row: Mapping[Any, Any]) -> Value:
        return "open"


@dataclass(frozen=True, slots=True)
class _Link(Column):
    """Where the message can be seen; none while the channel has no public name."""

    def value(self, row: Mapping[Any, Any]) -> Value:
        username = row["username"]
        return None if username is None else f"https://t.me/{username}/{row['message_id']}"


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
    _Settled("media_outcome", "text", _OUTCOME.format("examined (whether it matched is left out)")),
    *_MESSAGES_END,
)
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
    _State("state", "text", "state of the case: open until decisions can be recorded"),
    _Screened("screened", "boolean", "whether a smaller rendition than the original decided"),
    _integer(
        "error_bound", "bits that its distance may be off then, as measured; empty when the original decided"
    ),
    _integer("query_share", "of a film: per cent of its frames that are near one of the entry's"),
    _integer(
        "list_share", "of a film that a list of films holds: per cent of the entry's frames that it shows"
    ),
)
FLAGS_WITH_ADDRESSES = (
    *FLAGS,
    _integer("channel_id", "the channel, without the -100 prefix of the bot API"),
    _text("username", "a public name of the channel"),
    _integer("message_id", "the message within its channel"),
    _integer("media_id", "the photo or document"),
    _Link("link", "text", "where the message can be seen"),
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
