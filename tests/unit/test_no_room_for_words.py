"""No record, column, log field or export has room for words from a message.

Every place that takes text or bytes is named here with what holds it to a word, or with why an operator's own
words stand there. A new one without a rule fails.
"""

import asyncio
import dataclasses
import enum
import inspect
import re
import types
import typing
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from telethon.extensions import BinaryReader
from telethon.tl import types as tl

from monitor import config, logs, model, ports
from monitor.model import (
    Batch,
    ChannelId,
    Counters,
    EventType,
    Forward,
    MediaKind,
    MediaRef,
    MessageId,
    MessageKind,
    MessageRecord,
    Restriction,
    Source,
)
from monitor.reporting.columns import MARKING, Column
from monitor.reporting.sheets import SHEETS
from monitor.store import SqlStore, open_store
from monitor.store.events import DECLARED
from monitor.store.schema import metadata
from monitor.telegram.convert import Context, message
from monitor.telegram.pseudonyms import Pseudonyms

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
OPERATOR = "an operator's own words, written into the configuration"
DIGITS = "hexadecimal digits, made here"
MEDIA = "media bytes, in memory alone"
MENU = "errand_menus.text"
"""Lines of the platform's own menu for reports, few and short, in answer to a person's errand: decisions/0013."""
CHOSEN = "texts of the menu that a person chose, each of them a Label"

# -- where text may travel: the column whose condition holds it to a word, or the reason why it need not -----

HELD: dict[str, str] = {
    "Authorization.reference": OPERATOR,
    "Authorization.granted_by": OPERATOR,
    "Authorization.approved_by": OPERATOR,
    "Authorization.terms": OPERATOR,
    "Authorization.document_sha256": "authorizations.document_sha256",
    "Declaration.username": "channels.username",
    "Declaration.account": "channels.account",
    "Channel.username": "channels.username",
    "Channel.account": "channels.account",
    "MediaRef.mime": "messages.mime",
    "Forward.sender": "messages.forward_sender",
    "Restriction.platform": "message_restrictions.platform",
    "Restriction.reason": "message_restrictions.reason",
    "MessageRecord.account": "messages.account",
    "MessageRecord.action": "messages.action",
    "MessageRecord.sender": "messages.sender",
    "Match.hash_list": "cases.hash_list",
    "Match.list_version": "media_matches.list_version",
    "Match.entry": "cases.entry",
    "Examined.rendition": "media.rendition",
    "Flag.rendition": "flags.rendition",
    "EntryStanding.entry": "cases.entry",
    "Sighting.username": "channels.username",
    "Sighting.link": "channels.username",
    "Sighting.mime": "messages.mime",
    "Sighting.hash_list": "cases.hash_list",
    "Sighting.list_version": "flag_matches.list_version",
    "Sighting.entry": "cases.entry",
    "Sighting.rendition": "flags.rendition",
    "Sighting.licensor": OPERATOR,
    "Sighting.list_reference": OPERATOR,
    "OperatorDetails.organisation": OPERATOR,
    "OperatorDetails.address": OPERATOR,
    "OperatorDetails.contact_name": OPERATOR,
    "OperatorDetails.email": OPERATOR,
    "OperatorDetails.phone": OPERATOR,
    "OperatorDetails.language": OPERATOR,
    "Terms.licensor": OPERATOR,
    "Terms.reference": OPERATOR,
    "Terms.permitted_uses": OPERATOR,
    "ListVersion.name": "hash_lists.name",
    "ListVersion.sha256": "hash_lists.sha256",
    "SessionState.account": "sessions.account",
    "SessionState.host": "sessions.host",
    "SessionState.auth_key": "made by the key exchange, before any message is read",
    "Moment.boot": "accounts.last_boot",
    "Waits.method": "flood_waits.method",
    "Conduct.account": "accounts.account",
    "Approval.by": "errands.approved_by",
    "Label.text": MENU,
    "Errand.path": CHOSEN,
    "Errand.comment": OPERATOR,
    "InAppReport.account": "errands.account",
    "InAppReport.operator": "errands.operator",
    "InAppReport.path": CHOSEN,
    "InAppReport.comment": OPERATOR,
    "InAppReport.explanation": OPERATOR,
    "InAppReport.seen_by": "errands.seen_by",
    "Event.body": "monitor.store.events.handed_in, and else made of columns that are held",
    "Hash.value": "Hash.__post_init__: as long as the algorithm says",
    "Frame.pdq": "Frame.__post_init__: as long as a PDQ",
    "HashEntry.entry": "an entry of a hash list, which is the operator's file; held by cases.entry where it matches",
    "HashEntry.label": "a label of a hash list, which is the operator's file",
    "Store.session.account": "sessions.account",
    "Store.forget_session.account": "sessions.account",
    "Store.conduct.account": "accounts.account",
    "Store.spend.account": "spent.account",
    "Store.flood_wait.account": "flood_waits.account",
    "Store.flood_wait.method": "flood_waits.method",
    "Store.pause_joins.account": "accounts.account",
    "Store.account_state.account": "accounts.account",
    "Store.joined.username": "channels.username",
    "Store.joined.account": "channels.account",
    "Store.refused.username": "channels.username",
    "Store.errands.account": "errands.account",
    "Store.errands_lost.account": "errands.account",
    "Store.entries": "cases.entry",
    "Store.entries.hash_list": "cases.hash_list",
    "Store.entries_stand.hash_list": "cases.hash_list",
    "Store.append.body": "monitor.store.events.handed_in",
    "Download.rendition": "media.rendition",
    "Download.chunks": MEDIA,
    "Hashing.feed.chunk": MEDIA,
}
"""Every text and every bytes that a type of the model or a port has."""

FREE_COLUMNS: dict[str, str] = {
    "authorizations.reference": OPERATOR,
    "authorizations.granted_by": OPERATOR,
    "authorizations.approved_by": OPERATOR,
    "authorizations.terms": OPERATOR,
    "authorizations.includes": "made of ChatKind",
    "channels.includes": "made of ChatKind",
    "hash_lists.licensor": OPERATOR,
    "hash_lists.reference": OPERATOR,
    "hash_lists.permitted_uses": "made of three words that the configuration allows",
    "sessions.auth_key": "made by the key exchange, before any message is read",
    "operators.roles": "made of Role",
    "errands.path": CHOSEN,
    "errands.comment": OPERATOR,
    "errands.explanation": OPERATOR,
    "events.body": "monitor.store.events.handed_in, and else made of columns that are held",
}
"""Columns of text or bytes without a condition of their own."""

EXPORTED: dict[str, str] = {
    "kind": "messages.kind",
    "sender": "messages.sender",
    "media_kind": "messages.media_kind",
    "mime": "messages.mime",
    "media_outcome": "media.outcome",
    "restriction": "message_restrictions.reason",
    "source": "messages.source",
    "account": "messages.account",
    "hash_list": "cases.hash_list",
    "list_version": "flag_matches.list_version",
    "entry": "cases.entry",
    "algorithm": "flag_matches.algorithm",
    "rendition": "flags.rendition",
    "username": "channels.username",
    "link": "channels.username",
    "state": "channels.state",
    "reason": "channels.reason",
    "category": "cases.category",
    "assigned_to": "cases.assigned_to",
    "route": "reports.route",
    "recipient": "reports.recipient",
    "authorization": OPERATOR,
    "type": "events.type",
    "outcome": "channels.reason",
    "commitment": DIGITS,
    "salt": DIGITS,
    "body": HELD["Event.body"],
    "entry_hmac": DIGITS,
    "hash": DIGITS,
    "marking": OPERATOR,
}
"""What an export's column of text is made of."""

HARMLESS = (bool, int, float, datetime, type(None))

# -- walking types -------------------------------------------------------------------------------------------


def leaves(hint: Any) -> Iterator[Any]:
    """The types that a type is made of, dataclasses of the model left whole."""
    if isinstance(hint, typing.NewType):
        yield from leaves(hint.__supertype__)
    elif hint is None or hint is Ellipsis:
        return
    elif (origin := typing.get_origin(hint)) is not None:
        assert origin in (types.UnionType, typing.Union, tuple, list, frozenset, Mapping, dict) or issubclass(
            origin, Sequence | Mapping | AsyncIterator
        ), f"{hint}: a container that nobody has thought of"
        for inner in typing.get_args(hint):
            yield from leaves(inner)
    else:
        yield hint


def roomy(hint: Any) -> bool:
    """Whether words could stand in a value of the type itself."""
    found = False
    for leaf in leaves(hint):
        if dataclasses.is_dataclass(leaf) or (inspect.isclass(leaf) and issubclass(leaf, enum.Enum)):
            continue
        if getattr(leaf, "_is_protocol", False) or leaf in HARMLESS:
            continue
        found = True
    return found


def fields() -> Iterator[tuple[str, Any]]:
    """Every field of every dataclass of the model."""
    for name, kind in vars(model).items():
        if dataclasses.is_dataclass(kind) and inspect.isclass(kind):
            for field, hint in typing.get_type_hints(kind).items():
                yield f"{name}.{field}", hint


def arguments() -> Iterator[tuple[str, Any]]:
    """Every argument and result of every port's methods."""
    for name, port in vars(ports).items():
        if not getattr(port, "_is_protocol", False) or port.__module__ != ports.__name__:
            continue
        for method, member in vars(port).items():
            function = member.fget if isinstance(member, property) else member
            if method.startswith("_") or not inspect.isfunction(function):
                continue
            for argument, hint in typing.get_type_hints(function).items():
                suffix = "" if argument == "return" else f".{argument}"
                yield f"{name}.{method}{suffix}", hint


PLACES = dict([*fields(), *arguments()])
ROOMY = sorted(place for place, hint in PLACES.items() if roomy(hint))


def conditions(table: str, column: str) -> set[str]:
    """The names of the conditions on a column."""
    held = {str(c.name) for c in metadata.tables[table].constraints}
    return held & {f"{column}_{rule}" for rule in ("word", "known", "size", "label")}


def is_held(by: str) -> bool:
    """Whether a column is named that has a condition."""
    found = re.fullmatch(r"([a-z_]+)\.([a-z_0-9]+)", by)
    return bool(found) and bool(conditions(found[1], found[2]))  # type: ignore[index]


# -- the model and the ports ---------------------------------------------------------------------------------


def test_the_walk_sees_the_places_that_matter() -> None:
    assert {"MessageRecord.action", "Store.append.body", "Hash.value", "Download.chunks"} <= set(ROOMY)
    assert "MessageRecord.message_id" not in ROOMY
    assert len(PLACES) > 150


def test_a_text_field_without_a_rule_would_be_seen() -> None:
    for hint in (str, str | None, bytes, tuple[str, ...], Mapping[str, int], object, Any, list[bytes]):
        assert roomy(hint)
    for hint in (int, MessageId, Source | None, frozenset[ChannelId], datetime, tuple[Restriction, ...]):
        assert not roomy(hint)


@pytest.mark.parametrize("place", ROOMY)
def test_every_text_that_travels_has_a_rule(place: str) -> None:
    assert place in HELD, f"{place} takes words: name what holds it to an identifier, or leave it out"
    by = HELD[place]
    if "." in by and " " not in by and not by.startswith("monitor."):
        assert is_held(by), f"{by} has no condition"


def test_no_rule_is_left_over() -> None:
    assert set(HELD) == set(ROOMY)


@pytest.mark.parametrize("name", ["reference", "granted_by", "approved_by", "terms"])
def test_an_operators_words_are_bounded(name: str) -> None:
    record = {
        "reference": "r",
        "basis": "contract",
        "granted_by": "g",
        "valid_from": "2026-01-01",
        "valid_until": "2026-02-01",
    }
    assert config.AuthorizationRecord.model_validate(record | {name: "x" * 500})
    with pytest.raises(ValueError, match="at most 500"):
        config.AuthorizationRecord.model_validate(record | {name: "x" * 501})


# -- the store -----------------------------------------------------------------------------------------------

COLUMNS = [(table, column) for table in metadata.sorted_tables for column in table.columns]


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=[f"{t.name}.{c.name}" for t, c in COLUMNS])
def test_every_column_is_a_number_or_held_to_a_word(table: Any, column: Any) -> None:
    name = f"{table.name}.{column.name}"
    kind = getattr(column.type, "impl_instance", column.type).python_type
    if kind in (int, bool, datetime):
        assert table.dialect_options["sqlite"]["strict"], "without STRICT a number's column takes text"
        return
    assert kind in (str, bytes), f"{name} is a {kind.__name__}, of which nothing is known"
    assert bool(conditions(table.name, column.name)) != (name in FREE_COLUMNS), f"{name} has no rule, or two"


class Runner:
    """One store and one event loop for many examples."""

    def __init__(self, folder: Path) -> None:
        self._loop = asyncio.Runner()
        self._open = open_store(folder / "store.sqlite3")
        self.store: SqlStore = self._loop.run(self._open.__aenter__())

    def record(self, *records: MessageRecord) -> None:
        """Record messages of one channel."""
        self._loop.run(self.store.record([Batch(records[0].channel_id, records)]))

    def append(self, body: Mapping[str, model.Scalar]) -> None:
        """Append an event."""
        self._loop.run(self.store.append(EventType.EXPORT_MADE, body, NOW))

    def close(self) -> None:
        """Close the store and the loop."""
        self._loop.run(self._open.__aexit__(None, None, None))
        self._loop.close()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    runner = Runner(tmp_path_factory.mktemp("words"))
    yield runner
    runner.close()


def record(**changes: Any) -> MessageRecord:
    usual: dict[str, Any] = {
        "channel_id": ChannelId(1),
        "message_id": MessageId(1),
        "kind": MessageKind.MESSAGE,
        "posted_at": NOW,
        "first_seen_at": NOW,
        "source": Source.LIVE,
        "account": "main",
    }
    return MessageRecord(**usual | changes)


WORDS = st.one_of(
    st.text(min_size=1, max_size=20).filter(lambda text: not re.fullmatch(r"[A-Za-z0-9._:/+-]*", text)),
    st.text(alphabet="abcXYZ019._:/+-", min_size=97, max_size=400),
    st.sampled_from(["two words", "line\nline", "слово", "nul\0", "emoji🙂", " ", "\t", "'", "x" * 10_000]),
)
PLACES_IN_A_RECORD = {
    "account": lambda text: record(account=text),
    "action": lambda text: record(action=text),
    "sender": lambda text: record(sender=text),
    "forward's sender": lambda text: record(forward=Forward(NOW, sender=text)),
    "mime": lambda text: record(media=MediaRef(MediaKind.DOCUMENT, mime=text)),
    "platform": lambda text: record(restrictions=(Restriction(text, "terms"),)),
    "reason": lambda text: record(restrictions=(Restriction("all", text),)),
}


@pytest.mark.parametrize("place", PLACES_IN_A_RECORD)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=WORDS)
def test_the_store_refuses_words_in_a_record(place: str, text: str, store: Runner) -> None:
    with pytest.raises(Exception, match=r"(?i)constraint|surrogate|codec"):
        store.record(PLACES_IN_A_RECORD[place](text))
    store.record(record())  # and goes on with the next


@pytest.mark.parametrize("key", ["text", "username", "operator", "entry"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=WORDS)
def test_an_event_refuses_words_that_no_operator_declared(key: str, text: str, store: Runner) -> None:
    if len(text) <= 128 and re.fullmatch(r"[A-Za-z0-9._:/+-]*", text):
        return
    with pytest.raises(ValueError, match="takes one word") as refused:
        store.append({key: text})
    assert text not in str(refused.value) or len(text) < 3


def test_an_event_takes_an_operators_words_and_no_key_of_words(store: Runner) -> None:
    store.append({key: "two words" for key in DECLARED})
    with pytest.raises(ValueError, match="takes one word"):
        store.append({"purpose": "x" * 1001})
    with pytest.raises(ValueError, match="lower-case word"):
        store.append({"two words": 1})


# -- from the wire to the store ------------------------------------------------------------------------------

INT = st.integers(-(2**31), 2**31 - 1)
LONG = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(max_size=40)
DOUBLE = st.floats()
SIZES = st.lists(
    st.one_of(
        st.builds(tl.PhotoSize, st.sampled_from(["s", "m", "y", "", "xy", "й"]), INT, INT, INT),
        st.builds(tl.PhotoSizeProgressive, TEXT, INT, INT, st.lists(INT, max_size=3)),
        st.builds(tl.PhotoStrippedSize, TEXT, st.binary(max_size=9)),
        st.builds(tl.PhotoSizeEmpty, TEXT),
    ),
    max_size=4,
)
ATTRIBUTES = st.lists(
    st.one_of(
        st.builds(tl.DocumentAttributeVideo, DOUBLE, INT, INT),
        st.builds(tl.DocumentAttributeImageSize, INT, INT),
        st.builds(tl.DocumentAttributeAudio, INT, title=TEXT),
        st.builds(tl.DocumentAttributeFilename, TEXT),
    ),
    max_size=3,
)
DOCUMENTS = st.builds(
    tl.MessageMediaDocument,
    document=st.builds(
        tl.Document,
        id=LONG,
        access_hash=LONG,
        file_reference=st.binary(max_size=9),
        date=st.just(NOW),
        mime_type=st.one_of(TEXT, st.sampled_from(["image/png", "IMAGE/JPEG", "text/x\0y"])),
        size=LONG,
        dc_id=INT,
        attributes=ATTRIBUTES,
    ),
    ttl_seconds=st.none() | INT,
)
PHOTOS = st.builds(
    tl.MessageMediaPhoto,
    photo=st.builds(
        tl.Photo,
        id=LONG,
        access_hash=LONG,
        file_reference=st.binary(max_size=9),
        date=st.just(NOW),
        sizes=SIZES,
        dc_id=INT,
    ),
)
PAID = st.builds(tl.MessageMediaPaidMedia, LONG, st.just([]))
REACTIONS = st.builds(
    tl.MessageReactions,
    st.lists(st.builds(tl.ReactionCount, st.builds(tl.ReactionEmoji, TEXT), INT), max_size=4),
)
ACTIONS = st.one_of(
    st.builds(tl.MessageActionChatEditTitle, TEXT),
    st.builds(tl.MessageActionCustomAction, TEXT),
    st.builds(tl.MessageActionPinMessage),
)


def _post(counts: int | None, **fields: Any) -> Any:
    # Both counters travel under one flag.
    return tl.Message(views=counts, forwards=counts, **fields)


MESSAGES = st.one_of(
    st.builds(
        _post,
        id=INT,
        peer_id=st.builds(tl.PeerChannel, LONG),
        date=st.just(NOW),
        message=TEXT,
        from_id=st.none() | st.builds(tl.PeerUser, LONG) | st.builds(tl.PeerChannel, LONG),
        fwd_from=st.none()
        | st.builds(
            tl.MessageFwdHeader,
            date=st.just(NOW),
            from_id=st.none() | st.builds(tl.PeerUser, LONG) | st.builds(tl.PeerChannel, LONG),
            from_name=st.none() | TEXT,
            channel_post=st.none() | INT,
        ),
        reply_to=st.none()
        | st.builds(
            tl.MessageReplyHeader, reply_to_msg_id=st.none() | INT, forum_topic=st.none() | st.just(True)
        ),
        via_bot_id=st.none() | LONG,
        media=st.none() | DOCUMENTS | PHOTOS | PAID,
        counts=st.none() | INT,
        reactions=st.none() | REACTIONS,
        grouped_id=st.none() | LONG,
        ttl_period=st.none() | INT,
        restriction_reason=st.none()
        | st.lists(
            st.builds(
                tl.RestrictionReason, TEXT | st.just("all"), TEXT | st.sampled_from(["terms", "-"]), TEXT
            ),
            max_size=3,
        ),
    ),
    st.builds(
        tl.MessageService, id=INT, peer_id=st.builds(tl.PeerChannel, LONG), date=st.just(NOW), action=ACTIONS
    ),
)
CONTEXT = Context("main", Source.LIVE, NOW, Pseudonyms(b"k" * 32))


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(sent=MESSAGES)
def test_whatever_comes_over_the_wire_the_store_takes_its_record(sent: Any, store: Runner) -> None:
    # As bytes and back: what the client sees, and not what the test wrote.
    received = BinaryReader(bytes(sent)).tgread_object()
    made = message(received, CONTEXT)
    assert made is not None
    assert made.counters == Counters() or made.kind is MessageKind.MESSAGE
    store.record(made)


# -- log lines and exports -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", logs.FIELDS)
@given(text=WORDS)
def test_no_log_field_takes_words(name: str, text: str) -> None:
    assert logs.FIELDS[name](text) is None


EXPORTS = [
    column
    for sheet in SHEETS.values()
    for part in (sheet.columns, sheet.addressed, sheet.addresses, sheet.more, sheet.hashes)
    for column in (*part, MARKING)
]


@pytest.mark.parametrize("column", EXPORTS, ids=lambda column: column.name)
def test_every_column_of_an_export_is_a_number_a_time_or_a_word(column: Column) -> None:
    if column.kind != "text":
        assert column.kind in ("integer", "boolean", "time")
        return
    assert column.name in EXPORTED, f"{column.name} takes words: name what it is made of"
    by = EXPORTED[column.name]
    assert by in (OPERATOR, DIGITS) or by == HELD["Event.body"] or is_held(by)
