"""Telethon's session, kept by our store: one auth key, one data centre, ids and access hashes, nothing else.

Telethon's own session files keep the names, usernames and phone numbers of everyone seen. This one is
handed every answer too, and takes nothing from it: access hashes enter through `remember` alone.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from telethon.crypto import AuthKey
from telethon.sessions import MemorySession

from monitor.model import ChannelId, SessionState


class StoredSession(MemorySession):  # type: ignore[misc]  # Telethon has no types
    """A session that lives in memory and tells its owner when there is something to store.

    `changed` is set whenever the state differs from what was last taken with `state()`.
    """

    def __init__(self, account: str, saved: SessionState | None = None) -> None:
        super().__init__()
        self.account = account
        self.changed = asyncio.Event()
        self.user_id: int | None = None
        self.bot = False
        self.peers: dict[ChannelId, int] = {}
        if saved is not None:
            super().set_dc(saved.dc, saved.host, saved.port)
            self._auth_key = AuthKey(saved.auth_key)
            self.user_id, self.bot = saved.user_id, saved.bot
            self.peers.update(saved.peers)

    def state(self) -> SessionState | None:
        """What the store should keep; None before there is a key."""
        self.changed.clear()
        key = self._auth_key.key if self._auth_key is not None else None
        if key is None:
            return None
        return SessionState(
            account=self.account,
            dc=self._dc_id,
            host=self._server_address,
            port=self._port,
            auth_key=key,
            user_id=self.user_id,
            bot=self.bot,
            peers=dict(self.peers),
        )

    def signed_in(self, user_id: int, bot: bool) -> None:
        """Remember whose session this is."""
        if (self.user_id, self.bot) != (user_id, bot):
            self.user_id, self.bot = user_id, bot
            self.changed.set()

    def remember(self, peers: Mapping[ChannelId, int]) -> None:
        """Keep access hashes of authorized channels; they are valid for this account alone."""
        if any(self.peers.get(channel) != access for channel, access in peers.items()):
            self.peers.update(peers)
            self.changed.set()

    def forget(self, channel: ChannelId) -> None:
        """Drop the access hash of a channel that was left."""
        if self.peers.pop(channel, None) is not None:
            self.changed.set()

    # -- what Telethon calls

    def set_dc(self, dc_id: int, server_address: str, port: int) -> None:
        super().set_dc(dc_id, server_address, port)
        self.changed.set()

    @property
    def auth_key(self) -> Any:
        return self._auth_key

    @auth_key.setter
    def auth_key(self, value: Any) -> None:
        self._auth_key = value
        self.changed.set()

    def process_entities(self, tlo: object) -> None:
        """Keep nobody: every answer comes by here, with names and phone numbers in it."""

    def set_update_state(self, entity_id: int, state: object) -> None:
        """Keep no position in the stream of updates: the store's cursors are the truth."""

    def cache_file(self, md5_digest: bytes, file_size: int, instance: object) -> None:
        """Keep no trace of files."""
