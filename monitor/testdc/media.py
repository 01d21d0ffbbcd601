"""Media that a post may carry: photos and documents with bytes, and kinds that are words and numbers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from PIL import UnidentifiedImageError
from telethon.tl import types

from monitor.testdc import photos
from monitor.testdc.photos import Rendition

DocumentKind = Literal["file", "video", "gif", "sticker", "voice", "round", "audio"]
Refer = Callable[[int], bytes]


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo in Telegram's sizes, made when first asked for. `id` is the same for every account and post."""

    id: int
    access_hash: int
    dc: int
    date: int
    source: bytes
    progressive: bool = False
    spoiler: bool = False

    @functools.cached_property
    def renditions(self) -> tuple[Rendition, ...]:
        """All sizes, smallest first."""
        return photos.render(self.source, progressive=self.progressive)

    @functools.cached_property
    def stripped(self) -> bytes:
        """The preview that travels inside the message."""
        return photos.stripped(self.source)

    def read(self, thumb_size: str) -> bytes | None:
        """The JPEG of one size, None where there is no such size."""
        return next((r.data for r in self.renditions if r.letter == thumb_size), None)

    def tl_photo(self, refer: Refer) -> Any:
        """As `types.Photo`, with a fresh file reference."""
        sizes = [types.PhotoStrippedSize("i", self.stripped), *map(_photo_size, self.renditions)]
        return types.Photo(self.id, self.access_hash, refer(self.id), self.date, sizes, self.dc)

    def tl(self, refer: Refer, *, spoiler: bool = False, ttl: int | None = None) -> Any:
        """As the media of a message."""
        return types.MessageMediaPhoto(
            spoiler=spoiler or self.spoiler or None, photo=self.tl_photo(refer), ttl_seconds=ttl
        )


@dataclass(frozen=True, eq=False)
class Document:
    """A file served as it is; videos, stickers and voice notes are documents with attributes."""

    id: int
    access_hash: int
    dc: int
    date: int
    data: bytes
    mime: str
    name: str | None
    kind: DocumentKind
    width: int
    height: int
    duration: float
    thumb: bytes | None = None
    spoiler: bool = False

    @functools.cached_property
    def thumbs(self) -> tuple[Rendition, ...]:
        """The thumbnail: the picture given, or one made from a document that is itself a picture."""
        source = self.thumb or (self.data if self.mime.startswith("image/") else None)
        if source is None:
            return ()
        try:
            return (photos.thumbnail(source),)
        except (UnidentifiedImageError, OSError):
            return ()  # a broken picture is a document like any other

    def read(self, thumb_size: str) -> bytes | None:
        """The whole file for ``""``, else the thumbnail of that letter."""
        if not thumb_size:
            return self.data
        return next((r.data for r in self.thumbs if r.letter == thumb_size), None)

    def _attributes(self) -> list[Any]:
        attributes: list[Any] = []
        if self.kind in ("video", "gif", "round"):
            video = types.DocumentAttributeVideo(
                self.duration,
                self.width,
                self.height,
                round_message=self.kind == "round" or None,
                supports_streaming=True,
                nosound=self.kind == "gif" or None,
            )
            attributes.append(video)
        elif self.kind in ("voice", "audio"):
            voice = self.kind == "voice" or None
            attributes.append(types.DocumentAttributeAudio(int(self.duration), voice=voice))
        elif self.kind == "sticker":
            attributes.append(types.DocumentAttributeImageSize(self.width, self.height))
            attributes.append(types.DocumentAttributeSticker("⭐", types.InputStickerSetEmpty()))
        elif self.width and self.height:
            attributes.append(types.DocumentAttributeImageSize(self.width, self.height))
        if self.kind == "gif":
            attributes.append(types.DocumentAttributeAnimated())
        if self.name is not None:
            attributes.append(types.DocumentAttributeFilename(self.name))
        return attributes

    def tl(self, refer: Refer, *, spoiler: bool = False, ttl: int | None = None) -> Any:
        """As the media of a message, with a fresh file reference."""
        document = types.Document(
            self.id,
            self.access_hash,
            refer(self.id),
            self.date,
            self.mime,
            len(self.data),
            self.dc,
            self._attributes(),
            thumbs=list(map(_photo_size, self.thumbs)) or None,
        )
        return types.MessageMediaDocument(
            spoiler=spoiler or self.spoiler or None,
            video=self.kind in ("video", "round") or None,
            round=self.kind == "round" or None,
            voice=self.kind == "voice" or None,
            document=document,
            ttl_seconds=ttl,
        )


@dataclass(frozen=True, eq=False)
class Embedded:
    """Media without a file of its own: a poll, a web page, a place, a contact, paid media."""

    build: Callable[[Refer], Any]

    def tl(self, refer: Refer, *, spoiler: bool = False, ttl: int | None = None) -> Any:
        """As the media of a message."""
        return self.build(refer)


File = Photo | Document
Media = Photo | Document | Embedded


def _photo_size(rendition: Rendition) -> Any:
    shape = (rendition.letter, rendition.width, rendition.height)
    if rendition.prefixes:
        return types.PhotoSizeProgressive(*shape, list(rendition.prefixes))
    return types.PhotoSize(*shape, len(rendition.data))


def poll(poll_id: int, question: str, answers: tuple[str, ...]) -> Embedded:
    """A poll: its question and answers are text."""

    def build(refer: Refer) -> Any:
        options = [
            types.PollAnswer(types.TextWithEntities(text, []), bytes([number]))
            for number, text in enumerate(answers)
        ]
        asked = types.Poll(poll_id, types.TextWithEntities(question, []), options, hash=0)
        return types.MessageMediaPoll(asked, types.PollResults(total_voters=0))

    return Embedded(build)


def web_page(page_id: int, url: str, title: str, description: str, photo: Photo | None) -> Embedded:
    """A link's preview, perhaps with a photo that can be fetched."""

    def build(refer: Refer) -> Any:
        picture = photo.tl_photo(refer) if photo else None
        page = types.WebPage(
            page_id, url, url, 0, type="article", title=title, description=description, photo=picture
        )
        return types.MessageMediaWebPage(page)

    return Embedded(build)


def place(latitude: float, longitude: float) -> Embedded:
    """A place on the map, in degrees."""
    return Embedded(lambda _: types.MessageMediaGeo(types.GeoPoint(longitude, latitude, 0)))


def contact(phone: str, first_name: str, last_name: str) -> Embedded:
    """A contact's card."""
    return Embedded(lambda _: types.MessageMediaContact(phone, first_name, last_name, "", 0))


def paid(stars: int, items: tuple[File, ...]) -> Embedded:
    """Media that must be bought: sizes are shown, no file can be fetched."""

    def preview(item: File) -> Any:
        if isinstance(item, Photo):
            largest = item.renditions[-1]
            thumb = types.PhotoStrippedSize("i", item.stripped)
            return types.MessageExtendedMediaPreview(w=largest.width, h=largest.height, thumb=thumb)
        return types.MessageExtendedMediaPreview(
            w=item.width, h=item.height, video_duration=int(item.duration)
        )

    return Embedded(lambda _: types.MessageMediaPaidMedia(stars, [preview(item) for item in items]))
