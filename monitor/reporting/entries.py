"""Entries of hash lists by other names: keyed ones that tell nothing, and the values that the list has."""

import hashlib
import hmac
import uuid
from collections.abc import Callable

HashValues = Callable[[str, str, str], str | None]
"""From list, entry and algorithm to what the list gives for them, in hex."""


class EntryNames:
    """Gives each entry of a list the same name for as long as the operator's pseudonym key lives.

    A name is the key's id (8 hex digits), a dash and HMAC-SHA-256 (RFC 2104) of list, NUL, entry in 64 hex digits.
    The key is a subkey of the pseudonym key, so that names of entries say nothing about names of people. Two exports
    by one operator can be joined by it; nobody without the key can tell the entry. The store keeps no hash of an
    item, so it is the entry that is named, not the item's hash.
    """

    def __init__(self, pseudonym_key: bytes) -> None:
        self._key = hmac.digest(pseudonym_key, b"channel-monitor export entries 1", "sha256")
        self._prefix = hashlib.sha256(b"key id:" + self._key).hexdigest()[:8] + "-"
        self._namespace = uuid.UUID(bytes=self._digest("\0namespace")[:16], version=4)
        self._names: dict[tuple[str, str], str] = {}

    def __call__(self, hash_list: str, entry: str) -> str:
        found = self._names.get((hash_list, entry))
        if found is None:
            found = self._prefix + self._digest(f"{hash_list}\0{entry}").hex()
            self._names[hash_list, entry] = found
        return found

    def uuid(self, *parts: str | int) -> uuid.UUID:
        """A UUID of these parts (RFC 9562, version 5) in a namespace of the key's own: the same in each export of one
        operator, and never that of another."""
        return uuid.uuid5(self._namespace, "\0".join(map(str, parts)))

    def _digest(self, text: str) -> bytes:
        return hmac.digest(self._key, text.encode(), "sha256")
