"""Signing in: phone, code and, where one is set, the two-step password; or a bot's token."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from telethon import errors

from monitor.errors import InputError
from monitor.telegram.client import Connection
from monitor.telegram.failures import map_error

Ask = Callable[[str, bool], str]
"""Asks a person: the question, and whether the answer is secret."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who signed in. `already` when nothing had to be asked."""

    user_id: int
    bot: bool
    already: bool


async def sign_in(connection: Connection, ask: Ask, *, bot: bool = False) -> SignedIn:
    """Sign the connection's session in, asking for what the platform wants.

    Raises InputError for a wrong answer, FloodWait, SourceUnavailable.
    """
    client = connection.client
    me = await client.get_me()
    already = me is not None
    if me is None:
        try:
            me = await (_bot(client, ask) if bot else _user(client, ask))
        except errors.PhoneNumberUnoccupiedError as e:
            raise InputError("nobody has signed up with this phone number; sign up in an app first") from e
        except Exception as e:
            mapped = map_error(e, "sign-in")
            if mapped is None or mapped is e:
                raise
            raise mapped from e
    connection.session.signed_in(me.id, bool(me.bot))
    return SignedIn(me.id, bool(me.bot), already)


async def _user(client: Any, ask: Ask) -> Any:
    phone = ask("Phone number, with country code", False)
    await client.send_code_request(phone)
    try:
        return await client.sign_in(phone, ask("Code", False))
    except errors.SessionPasswordNeededError:
        return await client.sign_in(password=ask("Two-step password", True))


async def _bot(client: Any, ask: Ask) -> Any:
    return await client.sign_in(bot_token=ask("Bot token", True))
