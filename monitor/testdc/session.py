"""Authorization keys and sessions on one data centre, and what is wrong with a message's head
(https://core.telegram.org/mtproto/service_messages_about_messages)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from monitor.testdc.posts import User

TOO_OLD, TOO_NEW = 300, 30
MSG_ID_TOO_LOW, MSG_ID_TOO_HIGH, MSG_ID_NOT_CLIENTS = 16, 17, 18
SEQ_NO_TOO_LOW, SEQ_NO_EVEN_EXPECTED, SEQ_NO_ODD_EXPECTED = 32, 34, 35
BAD_SALT = 48
INVALID_CONTAINER = 64
REMEMBERED = 500


@dataclass(eq=False)
class AuthKey:
    """A client's key at one data centre, and who signed in with it."""

    id: int
    key: bytes
    salt: int
    account: User | None = None
    # Gave the right code, still owes the password.
    halfway: User | None = None
    layer_told: bool = False
    # The error all requests are answered with, once the session was revoked.
    revoked: str | None = None


@dataclass(eq=False)
class Session:
    """One session of a key. `updates` says whether it is sent what happens."""

    id: int
    key: AuthKey
    updates: bool = False
    _sent: int = 0
    _newest: tuple[int, int] = (0, 0)
    _seen: deque[int] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    def next_seq_no(self, *, content: bool) -> int:
        """The number of the next message to the client: odd where it must be acknowledged."""
        number = self._sent * 2 + content
        self._sent += content
        return number

    def repeated(self, msg_id: int) -> bool:
        """Whether this message came before; remembers it."""
        if msg_id in self._seen:
            return True
        self._seen.append(msg_id)
        return False

    def complaint(self, msg_id: int, seq_no: int, *, content: bool, now: float) -> int | None:
        """The code of the bad_msg_notification this message deserves, None for a good one."""
        if msg_id % 4:
            return MSG_ID_NOT_CLIENTS
        sent = msg_id >> 32
        if sent < now - TOO_OLD:
            return MSG_ID_TOO_LOW
        if sent > now + TOO_NEW:
            return MSG_ID_TOO_HIGH
        if content != bool(seq_no & 1):
            return SEQ_NO_ODD_EXPECTED if content else SEQ_NO_EVEN_EXPECTED
        if content:
            newest_id, newest_seq_no = self._newest
            if msg_id > newest_id and seq_no <= newest_seq_no:
                return SEQ_NO_TOO_LOW
            self._newest = max(self._newest, (msg_id, seq_no))
        return None
