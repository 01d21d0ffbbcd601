"""Keyed pseudonyms for people: HMAC-SHA-256 of the user id under a project key that lies outside the store."""

import hashlib
import hmac

KEY_BYTES = 32


def key_id(key: bytes) -> str:
    """What names of this key begin with: 8 hex digits, of which nobody can tell the key."""
    return hashlib.sha256(b"key id:" + key).hexdigest()[:8]


class Pseudonyms:
    """Gives each user id the same 42-character name for as long as the key lives.

    A name is the key's own id (the first 8 hex digits of its SHA-256), a dash and 32 hex digits; without
    the key nobody can tell whose it is. Whoever holds the key can try all ids, so it is still personal data.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < KEY_BYTES:
            raise ValueError(f"a pseudonym key has at least {KEY_BYTES} bytes")
        self._key = key
        self._prefix = key_id(key) + "-"
        self._names: dict[int, str] = {}

    def __call__(self, user_id: int) -> str:
        name = self._names.get(user_id)
        if name is None:
            digest = hmac.new(self._key, b"user:%d" % user_id, hashlib.sha256).hexdigest()
            name = self._prefix + digest[:32]
            if len(self._names) >= 10_000:
                self._names.clear()
            self._names[user_id] = name
        return name
