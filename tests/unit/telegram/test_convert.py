"""What a message becomes: ids, times and counts, and not one word of it."""

import inspect
import random
import typing
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from telethon.tl import types

from monitor.model import ChannelId, MediaKind, MessageId, MessageKind, MessageRecord, Restriction, Source
from monitor.telegram.convert import Context, media_ref, message
from monitor.telegram.pseudonyms import Pseudonyms

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
WORD = "zqxwords"
CONTEXT = Context("main", Source.LIVE, NOW, Pseudonyms(b"k" * 32))


def post(**fields: Any) -> MessageRecord:
    tl = types.Message(id=7, peer_id=types.PeerChannel(11), date=NOW, message=WORD, **fields)
    record = message(tl, CONTEXT)
    assert record is not None
    return record


def photo(*sizes: Any) -> Any:
    return types.Photo(id=5, access_hash=6, file_reference=b"ref", date=NOW, sizes=list(sizes), dc_id=2)


def document(*attributes: Any, mime: str = "application/zip") -> Any:
    media = types.Document(
        id=8,
        access_hash=9,
        file_reference=b"r",
        date=NOW,
        mime_type=mime,
        size=10,
        dc_id=2,
        attributes=list(attributes),
    )
    return types.MessageMediaDocument(document=media)


def test_a_post_keeps_ids_times_and_counts() -> None:
    record = post(
        post=True,
        views=10,
        forwards=2,
        grouped_id=99,
        edit_date=NOW,
        reply_to=types.MessageReplyHeader(
            reply_to_msg_id=3, forum_topic=True, reply_to_top_id=2, quote_text=WORD
        ),
        fwd_from=types.MessageFwdHeader(
            date=NOW, from_id=types.PeerChannel(12), channel_post=4, post_author=WORD
        ),
        reactions=types.MessageReactions(
            results=[
                types.ReactionCount(types.ReactionEmoji(WORD), 3),
                types.ReactionCount(types.ReactionEmoji("b"), 4),
            ]
        ),
        restriction_reason=[
            types.RestrictionReason("android", "porn", WORD),
            types.RestrictionReason(WORD.upper(), "", ""),
        ],
    )
    assert (record.channel_id, record.message_id, record.grouped_id) == (11, 7, 99)
    assert record.kind is MessageKind.MESSAGE
    assert record.edited_at == NOW
    assert (record.counters.views, record.counters.forwards, record.counters.reactions) == (10, 2, 7)
    assert (record.reply_to_id, record.topic_id) == (3, 2)
    assert record.forward is not None
    assert (record.forward.channel_id, record.forward.message_id) == (ChannelId(12), MessageId(4))
    assert record.restrictions == (Restriction("android", "porn"), Restriction("other", "other"))
    assert WORD not in repr(record)


def test_a_reaction_is_no_edit() -> None:
    assert post(edit_date=NOW, edit_hide=True).edited_at is None


def test_people_are_pseudonyms() -> None:
    record = post(
        from_id=types.PeerUser(777), fwd_from=types.MessageFwdHeader(date=NOW, from_id=types.PeerUser(778))
    )
    assert record.sender is not None
    assert record.forward is not None
    assert record.sender != record.forward.sender
    assert "777" not in record.sender
    assert record.sender == post(from_id=types.PeerUser(777)).sender
    other = Context("main", Source.LIVE, NOW, Pseudonyms(b"x" * 32))
    tl = types.Message(id=7, peer_id=types.PeerChannel(11), date=NOW, message="", from_id=types.PeerUser(777))
    under_another_key = message(tl, other)
    assert under_another_key is not None
    assert under_another_key.sender != record.sender


def test_a_service_message_keeps_its_kind_alone() -> None:
    tl = types.MessageService(
        id=2, peer_id=types.PeerChannel(11), date=NOW, action=types.MessageActionChatEditTitle(title=WORD)
    )
    record = message(tl, CONTEXT)
    assert record is not None
    assert (record.kind, record.action) == (MessageKind.SERVICE, "ChatEditTitle")
    assert WORD not in repr(record)


def test_a_photo_is_known_by_its_largest_rendition() -> None:
    ref = media_ref(
        types.MessageMediaPhoto(
            photo=photo(
                types.PhotoStrippedSize("i", b"\x01"),
                types.PhotoSize("m", 320, 240, 9000),
                types.PhotoSizeProgressive("y", 1280, 960, [1000, 5000, 90_000]),
                types.PhotoSize("x", 800, 600, 50_000),
            )
        )
    )
    assert ref is not None
    assert (ref.media_id, ref.width, ref.height, ref.size) == (5, 1280, 960, 90_000)


@pytest.mark.parametrize(
    ("media", "kind"),
    [
        (document(), MediaKind.DOCUMENT),
        (document(types.DocumentAttributeVideo(duration=1.6, w=3, h=4)), MediaKind.VIDEO),
        (document(types.DocumentAttributeVideo(duration=1, w=3, h=4, round_message=True)), MediaKind.ROUND),
        (
            document(types.DocumentAttributeVideo(duration=1, w=3, h=4), types.DocumentAttributeAnimated()),
            MediaKind.GIF,
        ),
        (document(types.DocumentAttributeAudio(duration=3, voice=True)), MediaKind.VOICE),
        (document(types.DocumentAttributeAudio(duration=3, title=WORD)), MediaKind.AUDIO),
        (document(types.DocumentAttributeSticker(WORD, types.InputStickerSetEmpty())), MediaKind.STICKER),
        (types.MessageMediaGeo(types.GeoPoint(1, 2, 3)), MediaKind.GEO),
        (types.MessageMediaContact(WORD, WORD, WORD, WORD, 4), MediaKind.CONTACT),
        (types.MessageMediaPhoto(), MediaKind.PHOTO),
        (types.MessageMediaPaidMedia(5, []), MediaKind.PAID),
        (types.MessageMediaDice(3, WORD), MediaKind.OTHER),
    ],
)
def test_every_kind_of_media_is_told_apart(media: Any, kind: MediaKind) -> None:
    record = post(media=media)
    assert record.media is not None
    assert record.media.kind is kind
    assert WORD not in repr(record)


def test_a_mime_type_cannot_carry_words() -> None:
    assert post(media=document(mime=f"text/{WORD}")).media.mime == "other"  # type: ignore[union-attr]
    assert post(media=document(mime="IMAGE/PNG")).media.mime == "image/png"  # type: ignore[union-attr]


def test_private_chats_give_no_record() -> None:
    assert message(types.Message(id=1, peer_id=types.PeerUser(3), date=NOW, message=WORD), CONTEXT) is None
    assert message(types.MessageEmpty(id=1, peer_id=types.PeerChannel(11)), CONTEXT) is None


def filled(kind: Any, chance: random.Random, depth: int = 0) -> Any:
    """An instance of a TL class with every text in it made of the marker word."""
    hints = {}
    if kind.__init__ is object.__init__:
        return kind()
    for name, parameter in inspect.signature(kind.__init__).parameters.items():
        if name != "self":
            hints[name] = parameter.annotation
    return kind(**{name: value(hint, chance, depth) for name, hint in hints.items()})


def value(hint: Any, chance: random.Random, depth: int) -> Any:
    text = hint if isinstance(hint, str) else getattr(hint, "__name__", str(hint))
    if typing.get_origin(hint) is typing.Union:
        inner = [option for option in typing.get_args(hint) if option is not type(None)]
        return value(chance.choice(inner), chance, depth)
    if typing.get_origin(hint) is list:
        return [value(typing.get_args(hint)[0], chance, depth) for _ in range(2)] if depth < 4 else []
    if isinstance(hint, typing.ForwardRef):
        return value(hint.__forward_arg__, chance, depth)
    simple: dict[str, Any] = {
        "str": WORD,
        "int": 5,
        "bool": True,
        "bytes": WORD.encode(),
        "float": 1.0,
        "datetime": NOW,
    }
    if text.removeprefix("Optional[").removesuffix("]") in simple:
        return simple[text.removeprefix("Optional[").removesuffix("]")]
    if depth >= 5:
        return None
    options = constructors(text)
    return filled(chance.choice(options), chance, depth + 1) if options else None


def constructors(name: str) -> list[Any]:
    wanted = name.removeprefix("Type")
    if hasattr(types, name) and inspect.isclass(getattr(types, name)):
        return [getattr(types, name)]
    alias = getattr(types, name, None) or getattr(types, f"Type{wanted}", None)
    return [option for option in typing.get_args(alias) or ([alias] if inspect.isclass(alias) else [])]


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32))
def test_no_word_of_any_message_reaches_its_record(seed: int) -> None:
    chance = random.Random(seed)
    media = [
        getattr(types, name)
        for name in dir(types)
        if name.startswith("MessageMedia") and name != "MessageMediaEmpty"
    ]
    text = {"message": WORD, "post_author": WORD, "from_rank": WORD, "summary_from_language": WORD}
    tl = types.Message(
        id=7,
        peer_id=types.PeerChannel(11),
        date=NOW,
        media=filled(chance.choice(media), chance),
        fwd_from=filled(types.MessageFwdHeader, chance),
        reply_to=filled(types.MessageReplyHeader, chance),
        reactions=filled(types.MessageReactions, chance),
        replies=filled(types.MessageReplies, chance),
        restriction_reason=[filled(types.RestrictionReason, chance)],
        reply_markup=filled(types.ReplyInlineMarkup, chance),
        entities=[filled(types.MessageEntityTextUrl, chance)],
        factcheck=filled(types.FactCheck, chance),
        **text,
    )
    assert WORD in tl.to_json()
    record = message(tl, CONTEXT)
    # A restriction's platform and reason are the platform's own words, within an alphabet.
    kept = repr(record).replace(f"Restriction(platform='{WORD}', reason='{WORD}')", "")
    assert WORD not in kept
