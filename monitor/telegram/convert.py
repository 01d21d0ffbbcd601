"""TL objects → the model: the one place where content is seen and left behind.

What is kept follows the table at the end of docs/metadata.md. Texts, captions, names, titles, file names,
links, previews and keyboards are never read here; what a sender chooses freely (a MIME type) is compared
with a list, and what the platform chooses (a restriction's reason) with an alphabet.
"""

import math
import mimetypes
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from telethon.tl import types

from monitor.model import (
    ChannelId,
    Counters,
    Forward,
    MediaId,
    MediaKind,
    MediaRef,
    MessageId,
    MessageKind,
    MessageRecord,
    Profile,
    Restriction,
    Source,
)

_WORD = re.compile(r"[a-z0-9_-]{1,24}")
# The standard library's own table, not the machine's: the same message gives the same row everywhere.
MIME_TYPES = frozenset(
    {t for table in mimetypes.MimeTypes(filenames=()).types_map for t in table.values()}
    | {"image/webp", "image/heic", "image/heif", "image/avif", "video/webm", "video/x-matroska", "audio/ogg"}
    | {"application/x-tgsticker", "application/x-bad-tgsticker", "application/x-rar-compressed"}
    | {"application/vnd.android.package-archive", "application/x-7z-compressed", "application/vnd.rar"}
)
"""MIME types that are kept by name; any other is kept as "other"."""

_WITHOUT_BYTES: dict[type, MediaKind] = {
    types.MessageMediaWebPage: MediaKind.WEB_PAGE,
    types.MessageMediaPoll: MediaKind.POLL,
    types.MessageMediaGeo: MediaKind.GEO,
    types.MessageMediaGeoLive: MediaKind.GEO,
    types.MessageMediaVenue: MediaKind.GEO,
    types.MessageMediaContact: MediaKind.CONTACT,
    types.MessageMediaStory: MediaKind.STORY,
    types.MessageMediaPaidMedia: MediaKind.PAID,
}
PHOTO_SIZES = tuple("smxyw")
"""The letters of a photo's renditions, smallest first; others are crops or previews."""


Ages = Sequence[timedelta]
"""Ages of a post, ascending, at which its counters are read again."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a message does not say itself: through which account, how and when it came.

    `as_of` is the position in the channel's sequence of changes that the answer shows, 0 where it is unknown.
    """

    account: str
    source: Source
    now: datetime
    pseudonym: Callable[[int], str]
    as_of: int = 0
    looks: Ages = ()


def message(tl: Any, context: Context) -> MessageRecord | None:
    """The record of a channel message; None for an empty one or one that is not of a channel."""
    if not isinstance(tl, types.Message | types.MessageService) or not isinstance(
        tl.peer_id, types.PeerChannel
    ):
        return None
    service = isinstance(tl, types.MessageService)
    reply = tl.reply_to if isinstance(tl.reply_to, types.MessageReplyHeader) else None
    media = None if service else tl.media
    return MessageRecord(
        channel_id=ChannelId(tl.peer_id.channel_id),
        message_id=MessageId(tl.id),
        kind=MessageKind.SERVICE if service else MessageKind.MESSAGE,
        action=type(tl.action).__name__.removeprefix("MessageAction")[:64] if service else None,
        posted_at=tl.date,
        # edit_hide: a change such as a reaction, which nobody would call an edit.
        edited_at=None if service or tl.edit_hide else tl.edit_date,
        first_seen_at=context.now,
        source=context.source,
        account=context.account,
        grouped_id=None if service else tl.grouped_id,
        sender=_person(tl.from_id, context),
        post=bool(tl.post),
        silent=bool(tl.silent),
        pinned=bool(not service and tl.pinned),
        noforwards=bool(not service and tl.noforwards),
        ttl=tl.ttl_period or getattr(media, "ttl_seconds", None),
        reply_to_id=_id(reply.reply_to_msg_id) if reply else None,
        topic_id=_topic(reply) if reply else None,
        via_bot_id=None if service else tl.via_bot_id,
        forward=None if service else _forward(tl.fwd_from, context),
        counters=Counters() if service else _counters(tl),
        media=media_ref(media),
        spoiler=bool(getattr(media, "spoiler", False)),
        price=media.stars_amount if isinstance(media, types.MessageMediaPaidMedia) else None,
        restrictions=() if service else restrictions(tl.restriction_reason),
        as_of=context.as_of,
        look_at=None if service else _look_at(tl.date, context),
    )


def _look_at(posted_at: datetime, context: Context) -> datetime | None:
    """When the post's counters are to be read again; None when it is older than the last look."""
    return next((posted_at + age for age in context.looks if posted_at + age > context.now), None)


def media_ref(media: Any) -> MediaRef | None:
    """What a message carries; None when it carries nothing."""
    if media is None or isinstance(media, types.MessageMediaEmpty):
        return None
    if isinstance(media, types.MessageMediaPhoto):
        return _photo(media.photo)
    if isinstance(media, types.MessageMediaDocument):
        return _document(media.document)
    return MediaRef(kind=_WITHOUT_BYTES.get(type(media), MediaKind.OTHER))


class PhotoSize(NamedTuple):
    """One size of a photo: its letter, width and height in pixels, bytes; `prefixes` are the byte counts at which
    its scans end when it is progressive."""

    letter: str
    width: int
    height: int
    size: int
    prefixes: tuple[int, ...] = ()


def photo_sizes(photo: Any) -> list[PhotoSize]:
    """A photo's renditions in order of their pixels; crops, previews and what has no size of its own left out."""
    found = []
    for size in photo.sizes:
        if isinstance(size, types.PhotoSizeProgressive):
            prefixes = tuple(sorted(size.sizes))
            found.append(PhotoSize(size.type, size.w, size.h, max(prefixes, default=0), prefixes))
        elif isinstance(size, types.PhotoSize):
            found.append(PhotoSize(size.type, size.w, size.h, size.size))
    return sorted((s for s in found if s.letter in PHOTO_SIZES), key=lambda s: s.width * s.height)


def profile(
    channel: Any, created_at: datetime | None, participants: int | None, linked: int | None
) -> Profile:
    """What the platform says of a channel itself.

    `created_at` is handed in: to a member the platform gives the date of joining in its place.
    """
    count = participants if participants is not None else channel.participants_count
    return Profile(
        channel_id=ChannelId(channel.id),
        created_at=created_at,
        participants=count,
        verified=bool(channel.verified),
        scam=bool(channel.scam),
        fake=bool(channel.fake),
        linked_channel_id=ChannelId(linked) if linked else None,
    )


def restrictions(reasons: Sequence[Any] | None) -> tuple[Restriction, ...]:
    """Platform and reason of each restriction; its text is left behind."""
    if not reasons:
        return ()
    return tuple(Restriction(_word(reason.platform), _word(reason.reason)) for reason in reasons)


def _word(value: str) -> str:
    return value if _WORD.fullmatch(value) else "other"


def _photo(photo: Any) -> MediaRef:
    sizes = photo_sizes(photo) if isinstance(photo, types.Photo) else []
    if not sizes:
        return MediaRef(kind=MediaKind.PHOTO)
    full = sizes[-1]
    return MediaRef(MediaKind.PHOTO, MediaId(photo.id), "image/jpeg", full.size, full.width, full.height)


def _document(document: Any) -> MediaRef:
    if not isinstance(document, types.Document):
        return MediaRef(kind=MediaKind.DOCUMENT)
    width = height = duration = None
    kind = MediaKind.DOCUMENT
    found = {type(a): a for a in document.attributes}
    if video := found.get(types.DocumentAttributeVideo):
        kind = MediaKind.ROUND if video.round_message else MediaKind.VIDEO
        width, height, duration = video.w, video.h, _seconds(video.duration)
    elif image := found.get(types.DocumentAttributeImageSize):
        width, height = image.w, image.h
    if audio := found.get(types.DocumentAttributeAudio):
        kind, duration = (MediaKind.VOICE if audio.voice else MediaKind.AUDIO), audio.duration
    if types.DocumentAttributeSticker in found or types.DocumentAttributeCustomEmoji in found:
        kind = MediaKind.STICKER
    elif types.DocumentAttributeAnimated in found:
        kind = MediaKind.GIF
    mime = document.mime_type.lower()
    return MediaRef(
        kind=kind,
        media_id=MediaId(document.id),
        mime=mime if mime in MIME_TYPES else "other",
        size=document.size,
        width=width,
        height=height,
        duration=duration,
    )


def _seconds(duration: float) -> int | None:
    # The sender says how long it is, and can say that it is no number.
    return round(duration) if math.isfinite(duration) and abs(duration) < 2**31 else None


def _counters(tl: Any) -> Counters:
    return Counters(
        views=tl.views,
        forwards=tl.forwards,
        replies=tl.replies.replies if tl.replies else None,
        reactions=sum(r.count for r in tl.reactions.results) if tl.reactions else None,
    )


def _forward(header: Any, context: Context) -> Forward | None:
    if header is None:
        return None
    origin = header.from_id
    channel = ChannelId(origin.channel_id) if isinstance(origin, types.PeerChannel) else None
    return Forward(
        date=header.date,
        channel_id=channel,
        message_id=_id(header.channel_post) if channel else None,
        sender=_person(origin, context),
    )


def _person(peer: Any, context: Context) -> str | None:
    return context.pseudonym(peer.user_id) if isinstance(peer, types.PeerUser) else None


def _topic(reply: Any) -> MessageId | None:
    if not reply.forum_topic:
        return None
    return _id(reply.reply_to_top_id or reply.reply_to_msg_id)


def _id(value: int | None) -> MessageId | None:
    return None if value is None else MessageId(value)
