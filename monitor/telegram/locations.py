"""Where the media of messages lies on the platform, in which sizes; kept in memory alone."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from telethon.tl import types

from monitor.model import MediaId
from monitor.telegram.convert import PhotoSize, photo_sizes

CHUNK = 512 * 1024
"""Bytes a request; divides 1 MiB, and so do all offsets, as the platform wants it
(https://core.telegram.org/api/files#downloading-files)."""
LEAST_SIDE = 120
"""Pixels along the shorter side of a rendition that can stand for its original: PDQ takes 64 samples of it."""
MAX_SIDE = 65_535
"""Pixels that a side of a JPEG can have."""
SCANS = 2
"""First scans of a progressive picture that can stand for it: with one alone its hash is too far off."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where an item can be fetched, for an hour or so: references expire, so it is never stored.

    `original_size` and `prefix` belong to a smaller rendition: the first `size` bytes of a progressive picture,
    where it is a prefix.
    """

    place: Any
    dc: int
    size: int
    rendition: str
    original_size: tuple[int, int] | None = None
    prefix: bool = False

    @property
    def piece(self) -> int:
        """Bytes to ask for at a time: no more than needed of a picture of which the beginning is read."""
        return min(CHUNK, max(4096, 1 << (self.size - 1).bit_length())) if self.prefix else CHUNK


@dataclass(frozen=True, slots=True)
class Locations:
    """Where an item lies in its largest size, and in the least that shows what its hashes are, if there is one."""

    full: Location
    small: Location | None = None

    def of(self, *, small: bool) -> Location:
        """The one that is wanted, as far as there is one."""
        return self.small if small and self.small is not None else self.full


class References:
    """The locations seen most lately, so that a message just read need not be asked for again."""

    def __init__(self, most: int = 10_000) -> None:
        self._known: OrderedDict[MediaId, Locations] = OrderedDict()
        self._most = most

    def remember(self, message: Any) -> None:
        """Note where a message's media lies."""
        found = locations_of(getattr(message, "media", None))
        if found is not None:
            media_id, locations = found
            self._known[media_id] = locations
            self._known.move_to_end(media_id)
            if len(self._known) > self._most:
                self._known.popitem(last=False)

    def take(self, media_id: MediaId, *, small: bool) -> Location | None:
        """The location, which is forgotten: it is used once, at once. The full size may be wanted after a small one."""
        found = self._known.get(media_id)
        if found is None:
            return None
        wanted = found.of(small=small)
        if wanted is found.full:
            del self._known[media_id]
        return wanted


def locations_of(media: Any) -> tuple[MediaId, Locations] | None:
    """A message's media item and where it lies; None when it carries none that could be fetched."""
    if isinstance(media, types.MessageMediaPhoto) and isinstance(media.photo, types.Photo):
        sizes = photo_sizes(media.photo)
        if not sizes:
            return None
        return MediaId(media.photo.id), _photo_locations(media.photo, sizes)
    if isinstance(media, types.MessageMediaDocument) and isinstance(media.document, types.Document):
        document = media.document
        place = types.InputDocumentFileLocation(
            document.id, document.access_hash, document.file_reference, ""
        )
        return MediaId(document.id), Locations(Location(place, document.dc_id, document.size, "document"))
    return None


def _photo_locations(photo: Any, sizes: Sequence[PhotoSize]) -> Locations:
    def location(size: PhotoSize) -> Location:
        place = types.InputPhotoFileLocation(photo.id, photo.access_hash, photo.file_reference, size.letter)
        return Location(place, photo.dc_id, size.size, size.letter)

    largest = sizes[-1]
    original, full = (largest.width, largest.height), location(largest)
    shown = [s for s in sizes if min(s.width, s.height) >= LEAST_SIDE]
    smaller = [replace(location(s), original_size=original) for s in shown if s is not largest] + [
        replace(
            location(s),
            size=s.prefixes[SCANS - 1],
            rendition=f"{s.letter}:{SCANS}",
            original_size=original,
            prefix=True,
        )
        for s in shown
        if len(s.prefixes) > SCANS
    ]
    small = min(
        (found for found in smaller if 0 < found.size < full.size), key=lambda found: found.size, default=None
    )
    # Sizes are the platform's word, and what no picture can have is not passed on.
    return Locations(full, small if all(1 <= side <= MAX_SIDE for side in original) else None)
