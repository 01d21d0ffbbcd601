"""Hashing one media item, chunk by chunk; implements ports.Hasher."""

import asyncio
import enum
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from monitor.errors import MediaEmpty, MediaUndecodable
from monitor.matching.film import HEAD_BYTES, USUAL, Film, Sampling, film_of
from monitor.matching.film_file import MAX_FILM_BYTES, film_format, moves
from monitor.matching.image import ImageHashes, hash_image
from monitor.matching.picture import MAGIC_BYTES, MAX_PIXELS, looks_like_picture
from monitor.model import Algorithm, Hash, MediaHashes

MAX_PICTURE_BYTES = 64 * 1024 * 1024
"""Above it a file that says it is a picture is not kept for decoding: digests alone."""

_WORTH_A_THREAD = 64 * 1024
"""Bytes below which hashing takes less time than handing it to a thread."""

Decode = Callable[[bytes, tuple[int, int] | None], Awaitable[ImageHashes]]
"""A picture's bytes, and its original's size or None → its perceptual hashes, wherever that is done. Raises
MediaUndecodable.
"""
DecodeFilm = Callable[[bytearray], Awaitable[Film]]
"""The bytes of a film or of a moving picture, not to be changed → its frames. Raises MediaUndecodable."""

_EXACT = (Algorithm.MD5, Algorithm.SHA1, Algorithm.SHA256)


class InProcessHasher:
    """Hashes in this process: the bytes stay in memory and are dropped by `finish`.

    `max_picture_bytes` and `max_pixels` bound the memory one picture may take: its bytes, and some 12 bytes a
    pixel while it is decoded; `max_film_bytes` and `sampling` what a film may.
    """

    def __init__(
        self,
        *,
        max_picture_bytes: int = MAX_PICTURE_BYTES,
        max_pixels: int = MAX_PIXELS,
        max_film_bytes: int = MAX_FILM_BYTES,
        sampling: Sampling = USUAL,
    ) -> None:
        self._kept = Kept(max_picture_bytes, max_film_bytes)
        self._max_pixels = max_pixels
        self._sampling = sampling

    def start(self, original_size: tuple[int, int] | None = None, *, films: bool = True) -> "MediaHashing":
        """See ports.Hasher."""
        return MediaHashing(self._kept, self._decode, self._film, original_size, films=films)

    async def _decode(self, data: bytes, original_size: tuple[int, int] | None) -> ImageHashes:
        return await asyncio.to_thread(
            hash_image, data, original_size=original_size, max_pixels=self._max_pixels
        )

    async def _film(self, data: bytearray) -> Film:
        return await asyncio.to_thread(film_of, data, self._sampling)


@dataclass(frozen=True, slots=True)
class Kept:
    """The most bytes of one item that are kept for decoding: of a picture, and of a film."""

    picture: int
    film: int


class _Kind(enum.Enum):
    """What the bytes say that they are."""

    PICTURE = enum.auto()
    FILM = enum.auto()
    OTHER = enum.auto()


class MediaHashing:
    """One item: digests here, pictures by `decode`, what moves by `film`, unless `films` says otherwise.

    Chunks are fed one after the other, never two at a time. With `original_size` the bytes are a smaller rendition
    of a picture of that width and height.
    """

    def __init__(
        self,
        most: Kept,
        decode: Decode,
        film: DecodeFilm,
        original_size: tuple[int, int] | None = None,
        *,
        films: bool = True,
    ) -> None:
        self._most = most
        self._decode = decode
        self._film = film
        self._films = films
        self._original = original_size
        self._digests = [hashlib.new(name, usedforsecurity=False) for name in _EXACT]
        self._size = 0
        self._kept = bytearray()
        self._keep = True
        self._kind: _Kind | None = None

    async def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._size += len(chunk)
        if len(chunk) < _WORTH_A_THREAD:
            self._digest(chunk)
        else:
            await asyncio.to_thread(self._digest, chunk)
        if self._keep:
            self._kept += chunk
            self._decide()

    async def finish(self) -> MediaHashes:
        """Digests of all bytes and, when these begin like a picture or a film, perceptual hashes of what they show.

        What cannot be decoded within the limits has digests and `undecodable`. Raises MediaEmpty when no byte was
        fed.
        """
        if not self._size:
            raise MediaEmpty("the server gave no bytes")
        kind = self._kind or self._kind_of(self._kept)
        digests = tuple(
            Hash(name, digest.digest()) for name, digest in zip(_EXACT, self._digests, strict=True)
        )
        bare = MediaHashes(digests, screened=self._original is not None)
        if kind is _Kind.OTHER:
            return bare
        data, self._kept = self._kept, bytearray()
        try:
            if not self._keep:
                raise MediaUndecodable("larger than what is kept for decoding")
            return await (self._picture(bare, data) if kind is _Kind.PICTURE else self._moving(bare, data))
        except MediaUndecodable:
            return replace(bare, undecodable=True)

    async def _picture(self, bare: MediaHashes, data: bytearray) -> MediaHashes:
        image = await self._decode(bytes(data), self._original)
        found = replace(
            bare,
            hashes=(
                *bare.hashes,
                Hash(Algorithm.PDQ, image.pdq),
                Hash(Algorithm.PHASH, image.phash),
                Hash(Algorithm.DHASH, image.dhash),
            ),
            quality=image.pdq_quality,
            width=image.width,
            height=image.height,
        )
        if not self._films or not moves(bytes(data[:HEAD_BYTES])):
            return found
        try:
            film = await self._film(data)
        except MediaUndecodable:
            return replace(found, partial=True)
        # A single one is the picture itself.
        frames = film.frames if len(film.frames) > 1 else ()
        return replace(found, frames=frames, partial=film.partial)

    async def _moving(self, bare: MediaHashes, data: bytearray) -> MediaHashes:
        film = await self._film(data)
        return replace(bare, frames=film.frames, width=film.width, height=film.height, partial=film.partial)

    def _digest(self, chunk: bytes) -> None:
        for digest in self._digests:
            digest.update(chunk)

    def _kind_of(self, head: bytearray) -> _Kind:
        head = head[:MAGIC_BYTES]
        if looks_like_picture(bytes(head)):
            return _Kind.PICTURE
        return _Kind.FILM if self._films and film_format(bytes(head)) else _Kind.OTHER

    def _decide(self) -> None:
        """Keep the bytes as long as they may be a picture or a film of a size that will be decoded."""
        if self._kind is None and len(self._kept) >= MAGIC_BYTES:
            self._kind = self._kind_of(self._kept)
            self._keep = self._kind is not _Kind.OTHER
        if len(self._kept) > (self._most.film if self._kind is _Kind.FILM else self._most.picture):
            self._keep = False
        if not self._keep:
            self._kept = bytearray()
