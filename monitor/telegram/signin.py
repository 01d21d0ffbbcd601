"""Signing in: by phone and code, by a QR code that the account's app scans, or by a bot's token.

Where the account has a two-step password, it is asked for after code and scan.
"""

import asyncio
import base64
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from telethon import errors
from telethon.tl import functions, types

from monitor.errors import InputError
from monitor.telegram.connection import Connection
from monitor.telegram.failures import map_error

Ask = Callable[[str, bool], str]
"""Asks a person: the question, and whether the answer is secret."""
Show = Callable[[str], None]
"""Shows a person the link that a QR code must hold; called again with each new one."""
Way = Callable[[Any], Awaitable[Any]]
"""A way to sign in: takes Telethon's client, gives its user."""

LONGEST_SCAN = 600.0
"""Seconds within which a QR code must be scanned."""
SHORTEST_LIFE, LONGEST_LIFE = 5.0, 60.0
"""Seconds after which a new QR code is asked for, whatever our clock makes of the platform's."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who signed in. `already` when nothing had to be asked."""

    user_id: int
    bot: bool
    already: bool


async def sign_in(connection: Connection, way: Way) -> SignedIn:
    """Sign the connection's session in, where it is not yet.

    Raises InputError for a wrong answer, FloodWait, SourceUnavailable.
    """
    client = connection.client
    try:
        me = await client.get_me()
        already = me is not None
        if me is None:
            me = await way(client)
    except Exception as e:
        mapped = map_error(e, "sign-in")
        if mapped is None or mapped is e:
            raise
        raise mapped from e
    connection.session.signed_in(me.id, bool(me.bot))
    return SignedIn(me.id, bool(me.bot), already)


def by_phone(ask: Ask) -> Way:
    """Phone number and the code that the platform sends there."""

    async def way(client: Any) -> Any:
        phone = ask("Phone number, with country code", False)
        await client.send_code_request(phone)
        try:
            return await client.sign_in(phone, ask("Code", False))
        except errors.SessionPasswordNeededError:
            return await _by_password(client, ask)

    return way


def by_token(token: Callable[[], str]) -> Way:
    """A bot's token, asked for when it is needed."""

    async def way(client: Any) -> Any:
        return await client.sign_in(bot_token=token())

    return way


class Scan:
    """A QR code, renewed until the account's app has scanned it (https://core.telegram.org/api/qr-login).

    Must be the sink of the connection's updates, which tell of the scan.
    """

    def __init__(self, ask: Ask, show: Show) -> None:
        self._ask = ask
        self._show = show
        self._scanned = asyncio.Event()

    def __call__(self, updates: Any) -> None:
        """Take one container of updates; all but the one that a code was scanned are passed over."""
        told = [getattr(updates, "update", None), *getattr(updates, "updates", ())]
        if any(isinstance(update, types.UpdateLoginToken) for update in told):
            self._scanned.set()

    async def way(self, client: Any) -> Any:
        """Sign in. Raises InputError when nobody scans."""
        try:
            async with asyncio.timeout(LONGEST_SCAN):
                answer = await self._accepted(client)
        except TimeoutError as e:
            raise InputError("nobody scanned the code; run the command again") from e
        except errors.SessionPasswordNeededError:
            return await _by_password(client, self._ask)
        return await client._on_login(answer.authorization.user)

    async def _accepted(self, client: Any) -> Any:
        shown = None
        while True:
            self._scanned.clear()
            answer = await client(functions.auth.ExportLoginTokenRequest(client.api_id, client.api_hash, []))
            if isinstance(answer, types.auth.LoginTokenMigrateTo):
                await client._switch_dc(answer.dc_id)
                answer = await client(functions.auth.ImportLoginTokenRequest(answer.token))
            if isinstance(answer, types.auth.LoginTokenSuccess):
                return answer
            if answer.token != shown:
                shown = answer.token
                self._show(link(shown))
            # A scan that was not heard of shows at the latest when the code is renewed.
            life = answer.expires.timestamp() - time.time()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._scanned.wait(), min(max(life, SHORTEST_LIFE), LONGEST_LIFE))


def link(token: bytes) -> str:
    """What a QR code holds: the token in base64url without padding."""
    return "tg://login?token=" + base64.urlsafe_b64encode(token).decode("ascii").rstrip("=")


async def _by_password(client: Any, ask: Ask) -> Any:
    return await client.sign_in(password=ask("Two-step password", True))
