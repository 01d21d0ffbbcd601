"""Telethon's session, kept by our store: one auth key, one data centre, ids and access hashes, nothing else.

Telethon's own session files keep the names, usernames and phone numbers of everyone seen. This one is
handed every answer too, and takes nothing from it: access hashes enter through `remember` alone.

Telethon makes a new auth key whenever it is sent to another data centre. A key is worth storing only once an
account is signed in under it: until then the last one that was is what `state` gives.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from telethon.crypto import AuthKey
from telethon.sessions import MemorySession

from monitor.model import ChannelId, SessionState


@dataclass(frozen=True, slots=True)
class _Proved:
    """A key under which the account is signed in, and where."""

    dc: int
    host: str
    port: int
    key: bytes = field(repr=False)


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
        self._proved: _Proved | None = None
        if saved is not None:
            self._proved = _Proved(saved.dc, saved.host, saved.port, saved.auth_key)
            self.restore()
            self.user_id, self.bot = saved.user_id, saved.bot
            self.peers.update(saved.peers)

    def state(self) -> SessionState | None:
        """What the store should keep; None before the account has ever been signed in."""
        self.changed.clear()
        if self._proved is None:
            return None
        return SessionState(
            account=self.account,
            dc=self._proved.dc,
            host=self._proved.host,
            port=self._proved.port,
            auth_key=self._proved.key,
            user_id=self.user_id,
            bot=self.bot,
            peers=dict(self.peers),
        )

    def signed_in(self, user_id: int, bot: bool) -> None:
        """Remember whose session this is, and that the key it has now is good."""
        proved = _Proved(self._dc_id, self._server_address, self._port, self._auth_key.key)
        if (self.user_id, self.bot, self._proved) != (user_id, bot, proved):
            self.user_id, self.bot, self._proved = user_id, bot, proved
            self.changed.set()

    def restore(self) -> None:
        """Go back to the last good key and its place, whatever Telethon has put there since."""
        if self._proved is not None:
            super().set_dc(self._proved.dc, self._proved.host, self._proved.port)
            self._auth_key = AuthKey(self._proved.key)

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

    def process_entities(self, tlo: object) -> None:
        """Keep nobody: every answer comes by here, with names and phone numbers in it."""

    def set_update_state(self, entity_id: int, state: object) -> None:
        """Keep no position in the stream of updates: the store's cursors are the truth."""

    def cache_file(self, md5_digest: bytes, file_size: int, instance: object) -> None:
        """Keep no trace of files."""
