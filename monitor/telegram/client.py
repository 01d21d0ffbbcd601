"""How an account's connection comes about: to the platform, or to a test data centre.

Telethon does not reconnect by itself: the owner does, and then looks for what was missed. A key that the platform
does not know now is tried again before it counts as lost.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

from telethon.errors.common import AuthKeyNotFound

from monitor import __version__
from monitor.errors import FatalError, SessionRevoked, SourceUnavailable
from monitor.model import AccountReason, AccountState, Conduct
from monitor.telegram.access import Credentials, Endpoint
from monitor.telegram.answers import apart, listen, note_pause, note_state, settled
from monitor.telegram.connection import ANSWER_TIMEOUT, Client, Connection, Sink
from monitor.telegram.failures import map_error
from monitor.telegram.politeness import Politeness
from monitor.telegram.reach import proxy, trust
from monitor.telegram.session import StoredSession

log = logging.getLogger(__name__)

CONNECT_TIMEOUT = 10.0
"""Seconds that one attempt at connecting may take."""
CLOCK_LOOK, CLOCK_STEP = 1.0, 30.0
"""Seconds between two looks at the machine's clock while connecting, and by which it is not just slow or fast."""
LAST_SECOND = 2**31
"""Unix seconds from which on a message id, 2 ** 32 to the second, no longer fits into its 64 bits with a sign."""
KEY_PAUSES = (2.0, 4.0, 8.0, 16.0, 32.0)
"""Seconds to wait before each further attempt with an auth key that the platform says it does not know."""


@contextlib.asynccontextmanager
async def connect(
    session: StoredSession,
    credentials: Credentials,
    endpoint: Endpoint | None,
    *,
    sink: Sink | None = None,
    signed_in: bool = True,
    key_pauses: Sequence[float] = KEY_PAUSES,
    politeness: Politeness | None = None,
) -> AsyncIterator[Connection]:
    """A connection for as long as the block lasts; with `signed_in` one whose account is signed in.

    A key that the platform does not know is tried again after each of `key_pauses` (seconds): now and then it
    is found again. Without `politeness` there are no budgets, and pauses are obeyed and not on record. Raises
    SourceUnavailable when the platform cannot be reached, SessionRevoked when the account is not signed in or
    its key is lost, FloodWait and AccountFrozen when it may not connect now.
    """
    politeness = politeness or Politeness(Conduct(session.account), {})
    if time.time() >= LAST_SECOND:
        raise SourceUnavailable(
            "this machine's clock is beyond January 2038, where the protocol's numbers end; set it"
        )
    try:
        client = await _reached(session, credentials, endpoint, sink, key_pauses, politeness, signed_in)
    except FatalError as e:
        await note_state(politeness, e.__cause__)
        raise
    connection = Connection(client, session, politeness)
    try:
        if signed_in:
            await _identify(connection)
        yield connection
    finally:
        await connection.close()


async def _identify(connection: Connection) -> None:
    """Find out who is signed in. Raises SessionRevoked when nobody is."""
    session, politeness = connection.session, connection.politeness
    me = await connection.during(connection.client.get_me(), "users.getUsers")
    if me is None:
        await politeness.became(AccountState.REVOKED, AccountReason.SIGNED_OUT)
        name = session.account
        raise SessionRevoked(f"account {name} is not signed in; run: monitor login {name}")
    session.signed_in(me.id, bool(me.bot))
    if politeness.state is not AccountState.ACTIVE:
        await politeness.became(AccountState.ACTIVE)


async def _reached(
    session: StoredSession,
    credentials: Credentials,
    endpoint: Endpoint | None,
    sink: Sink | None,
    key_pauses: Sequence[float],
    politeness: Politeness,
    signed_in: bool,
) -> Client:
    """A client that has reached the platform, with the session's key or one that is found again."""
    if signed_in:
        await politeness.connecting()
    pauses = iter(key_pauses)
    while True:
        session.restore()
        try:
            return await _connected(session, credentials, endpoint, sink, politeness)
        except AuthKeyNotFound as e:
            pause = next(pauses, None)
            if pause is None:
                raise SessionRevoked(
                    f"account {session.account}: the platform does not know its key any more; "
                    f"run: monitor login {session.account}"
                ) from e
            log.warning(
                "the platform does not know the account's key; it is tried again",
                extra={"account": session.account, "seconds": int(pause)},
            )
            await asyncio.sleep(pause)


async def _answered(connecting: Any) -> None:
    """Wait for the platform's first answer. Raises TimeoutError when it takes too long.

    It is not waited for when the clock is set meanwhile: Telethon would go on from the message ids of the clock
    before, and repeat each message as often as the platform refuses it.
    """
    loop = asyncio.get_running_loop()
    began, ahead = loop.time(), time.time() - loop.time()
    task = asyncio.ensure_future(settled(connecting))
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=CLOCK_LOOK)
            late = loop.time() - began > ANSWER_TIMEOUT
            if not task.done() and (late or abs(time.time() - loop.time() - ahead) > CLOCK_STEP):
                raise TimeoutError
        task.result().unwrap()
    finally:
        task.cancel()


async def _connected(
    session: StoredSession,
    credentials: Credentials,
    endpoint: Endpoint | None,
    sink: Sink | None,
    politeness: Politeness,
) -> Client:
    """A client that has reached the platform. Raises AuthKeyNotFound, and what `map_error` makes of the rest."""
    if endpoint is not None:
        trust(endpoint.public_key)
        # A session that has moved to another data centre stays there; one at this one follows its address.
        if session.auth_key is None or session.dc_id == endpoint.dc:
            session.set_dc(endpoint.dc, endpoint.host, endpoint.port)
    client = Client(
        session,
        credentials.api_id,
        credentials.api_hash,
        # Telethon turns to the platform's own address when this does not fit the session's.
        use_ipv6=":" in (session.server_address or ""),
        proxy=proxy(credentials.proxy),
        timeout=int(CONNECT_TIMEOUT),
        connection_retries=1,
        request_retries=1,
        retry_delay=1,
        auto_reconnect=False,
        flood_sleep_threshold=0,
        raise_last_call_error=True,
        device_model="server",
        system_version="1",
        app_version=__version__,
        receive_updates=sink is not None,
        base_logger="telethon",
    )
    client.sink = sink
    # Telethon remembers the list of data centres on the class; another endpoint has another list.
    Client._config = None
    asked = asyncio.get_running_loop().time()
    try:
        await _answered(client.connect())
        listen(politeness, client, asked)
    except BaseException as e:
        listen(politeness, client, asked)
        await apart(client.disconnect())
        with contextlib.suppress(Exception):
            # It keeps the error too; one that nobody takes ends in the log, with its traceback.
            async with asyncio.timeout(1):
                await client.disconnected
        mapped = None if isinstance(e, AuthKeyNotFound) else map_error(e, "connect")
        if mapped is None:
            raise
        await note_pause(politeness, e, mapped, "help.getConfig")
        raise mapped from e
    return client
