"""File references: short-lived tickets without which no file is served
(https://core.telegram.org/api/file_reference)."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable

from monitor.testdc.errors import RpcError

_FORM = struct.Struct(">BId")


class FileReferences:
    """Issues and checks references. `life` is in seconds and may be changed at any time."""

    def __init__(self, clock: Callable[[], float], secret: bytes, life: float) -> None:
        self._clock = clock
        self._secret = secret
        self.life = life
        self._generation = 0

    @property
    def generation(self) -> int:
        """Grows each time all references are voided."""
        return self._generation

    def issue(self, media_id: int) -> bytes:
        """A reference to one photo or document, as fresh as can be."""
        head = _FORM.pack(1, self._generation, self._clock())
        return head + self._seal(media_id, head)

    def fresh_until(self, now: float) -> float:
        """How long an answer that carries references issued now may be repeated: half their life."""
        return now + self.life / 2

    def expire_all(self) -> None:
        """Every reference issued so far is void from now on."""
        self._generation += 1

    def check(self, media_id: int, reference: bytes) -> None:
        """Raises `RpcError` FILE_REFERENCE_EMPTY, FILE_REFERENCE_INVALID or FILE_REFERENCE_EXPIRED."""
        if not reference:
            raise RpcError(400, "FILE_REFERENCE_EMPTY")
        head, seal = reference[: _FORM.size], reference[_FORM.size :]
        if seal != self._seal(media_id, head):
            raise RpcError(400, "FILE_REFERENCE_INVALID")
        _, generation, issued = _FORM.unpack(head)
        if generation != self._generation or self._clock() - issued > self.life:
            raise RpcError(400, "FILE_REFERENCE_EXPIRED")

    def _seal(self, media_id: int, head: bytes) -> bytes:
        return hashlib.blake2b(struct.pack(">q", media_id) + head, key=self._secret, digest_size=8).digest()
