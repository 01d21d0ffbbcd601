"""Hashing one media item, chunk by chunk; implements ports.Hasher."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable

from monitor.errors import MediaEmpty, MediaUndecodable
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

_EXACT = (Algorithm.MD5, Algorithm.SHA1, Algorithm.SHA256)


class InProcessHasher:
    """Hashes in this process: the bytes stay in memory and are dropped by `finish`.

    `max_picture_bytes` and `max_pixels` bound the memory one item may take: its bytes, and some 12 bytes a
    pixel while it is decoded.
    """

    def __init__(self, *, max_picture_bytes: int = MAX_PICTURE_BYTES, max_pixels: int = MAX_PIXELS) -> None:
        self._max_picture_bytes = max_picture_bytes
        self._max_pixels = max_pixels

    def start(self, original_size: tuple[int, int] | None = None) -> "MediaHashing":
        """See ports.Hasher."""
        return MediaHashing(self._max_picture_bytes, self._decode, original_size)

    async def _decode(self, data: bytes, original_size: tuple[int, int] | None) -> ImageHashes:
        return await asyncio.to_thread(
            hash_image, data, original_size=original_size, max_pixels=self._max_pixels
        )


class MediaHashing:
    """One item: digests here, pictures by `decode`. Chunks are fed one after the other, never two at a time.

    With `original_size` the bytes are a smaller rendition of a picture of that width and height.
    """

    def __init__(
        self, max_picture_bytes: int, decode: Decode, original_size: tuple[int, int] | None = None
    ) -> None:
        self._max_picture_bytes = max_picture_bytes
        self._decode = decode
        self._original = original_size
        self._digests = [hashlib.new(name, usedforsecurity=False) for name in _EXACT]
        self._size = 0
        self._kept = bytearray()
        self._keep = True
        self._picture = False

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
        """Digests of all bytes and, when these begin like a picture, its perceptual hashes.

        A picture that cannot be decoded within the limits has digests and `undecodable`. Raises MediaEmpty
        when no byte was fed.
        """
        if not self._size:
            raise MediaEmpty("the server gave no bytes")
        if self._keep and not self._picture:
            self._picture = looks_like_picture(bytes(self._kept))
        digests = tuple(
            Hash(name, digest.digest()) for name, digest in zip(_EXACT, self._digests, strict=True)
        )
        screened = self._original is not None
        if not self._picture:
            return MediaHashes(digests, screened=screened)
        if not self._keep:
            return MediaHashes(digests, undecodable=True, screened=screened)
        data, self._kept = bytes(self._kept), bytearray()
        try:
            image = await self._decode(data, self._original)
        except MediaUndecodable:
            return MediaHashes(digests, undecodable=True, screened=screened)
        perceptual = (
            Hash(Algorithm.PDQ, image.pdq),
            Hash(Algorithm.PHASH, image.phash),
            Hash(Algorithm.DHASH, image.dhash),
        )
        return MediaHashes(
            digests + perceptual, image.pdq_quality, image.width, image.height, screened=screened
        )

    def _digest(self, chunk: bytes) -> None:
        for digest in self._digests:
            digest.update(chunk)

    def _decide(self) -> None:
        """Keep the bytes as long as they may be a picture of a size that will be decoded."""
        if not self._picture and len(self._kept) >= MAGIC_BYTES:
            self._picture = looks_like_picture(bytes(self._kept[:MAGIC_BYTES]))
            self._keep = self._picture
        if len(self._kept) > self._max_picture_bytes:
            self._keep = False
        if not self._keep:
            self._kept = bytearray()
